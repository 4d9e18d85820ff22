"""Fixtures shared by the tests: drawings, folders of faces, a tiny pipeline with a bank, and servers."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# Tests that run side by side, and the programs that they start, have one core each.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch
from face_folder import make_face_folder
from PIL import Image, ImageDraw

from dfd.data.faces import FaceFolder
from dfd.manifold import ComponentManifold
from dfd.models import LineExtractor
from dfd.models.presets import build
from dfd.pipeline import DeepFaceDrawingPipeline

ROOT = Path(__file__).parents[1]
START_SECONDS = 300

LATENT_DIM = 64
BANK_SIZE = 24


def draw_face(person: int = 0, without: tuple[str, ...] = ()) -> Image.Image:
    """A face in black lines on white, L, 512 x 512, that differs by person; parts can be left out."""
    image = Image.new("L", (512, 512), 255)
    pen = ImageDraw.Draw(image)
    a, b, c = 3 * (person % 5), 3 * (person // 5 % 5), 2 * (person % 7)
    shapes = {
        "left_eye": [((160 + a, 220 - b, 225 - b, 255 + a), 0, 360), ((185, 228, 203, 246), 0, 360)],
        "right_eye": [((290 + b, 220 - b, 350 + a, 255 + a), 0, 360), ((309, 228, 327, 246), 0, 360)],
        "nose": [((225 - a, 280 + c, 285 + b, 335), 20, 160), ((240, 270 + c, 270, 330), 90, 200)],
        "mouth": [((205 - b, 360 + c, 305 + a, 400 + c), 0, 360), ((200, 360, 310, 390 + a), 20, 160)],
        "remainder": [((100 - a, 40 + b, 412 + c, 506), 0, 360), ((60, 10 + c, 450, 400), 180, 360)],
    }
    for name, arcs in shapes.items():
        for box, start, end in arcs if name not in without else ():
            pen.arc(box, start, end, fill=0, width=3)
    return image


@pytest.fixture(scope="session")
def face():
    """`draw_face`, to draw other persons or incomplete faces."""
    return draw_face


@pytest.fixture(scope="session")
def drawing(face, tmp_path_factory):
    """File of a drawing."""
    path = tmp_path_factory.mktemp("drawing") / "drawing.png"
    face(5).save(path)
    return path


def make_pipeline(with_manifold: bool = True) -> DeepFaceDrawingPipeline:
    """Tiny networks with random weights; person i of the bank is drawing i, with id 100 + i and gender i % 3."""
    torch.manual_seed(0)
    networks = build("tiny", latent_dim=LATENT_DIM)
    pipe = DeepFaceDrawingPipeline(**networks, line_extractor=LineExtractor((8, 8)))
    for values in pipe.image_synthesis.parameters():
        if not values.any():  # blocks that start as the identity would ignore the appearance code
            torch.nn.init.normal_(values, std=0.1)
    if not with_manifold:
        return pipe
    codes = pipe.encode([draw_face(i) for i in range(BANK_SIZE)]).latents
    pipe.feature_mapping.set_statistics(codes)
    bank = ComponentManifold.from_codes(
        codes,
        sample_ids=100 + torch.arange(BANK_SIZE),
        genders=torch.arange(BANK_SIZE) % 3,
        appearance=torch.randn(BANK_SIZE, pipe.image_synthesis.config.appearance_dim),
    )
    return DeepFaceDrawingPipeline(**{**pipe.components, "manifold": bank})


@pytest.fixture(scope="session")
def pipe() -> DeepFaceDrawingPipeline:
    """See `make_pipeline`. Shared: do not change it."""
    return make_pipeline()


@pytest.fixture(scope="session")
def checkpoint(pipe, tmp_path_factory):
    """Folder with `pipe`, saved. Shared: copy it before changing it."""
    folder = tmp_path_factory.mktemp("checkpoint")
    pipe.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def face_folder():
    """`make_face_folder(path, count=4, size=512, seed=0, **columns)`: writes a folder of drawn faces."""
    return make_face_folder


@pytest.fixture(scope="session")
def face_data(tmp_path_factory):
    """Folder of four drawn faces and the folder with its cache, built once: for `FaceFolder(*face_data)`."""
    root, cache = make_face_folder(tmp_path_factory.mktemp("faces")), tmp_path_factory.mktemp("cache")
    FaceFolder(root, cache)
    return root, cache


@pytest.fixture(scope="session")
def faces(face_data):
    """`FaceFolder` of four drawn faces, all of split `train`."""
    return FaceFolder(*face_data)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1 MB of its own, for tests that fill it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        not shutil.which("mount")
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("needs the right to mount")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def read_only_disk(small_disk):
    """An empty disk that nobody may write to, root neither."""
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    return small_disk


@pytest.fixture(scope="session")
def free_port():
    """`free_port()`: a port that nobody listens on."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    return find


@pytest.fixture(scope="session")
def serve(tmp_path_factory, free_port):
    """`with serve(command, cwd=..., NAME="value") as url`: a server in a process of its own.

    Its port is in the variables that Gradio and uvicorn read it from.
    """

    @contextmanager
    def run(command: Sequence[str | Path], cwd: Path = ROOT, **environment: str) -> Iterator[str]:
        port = str(free_port())
        url = f"http://127.0.0.1:{port}"
        folder = tmp_path_factory.mktemp("server")
        log = folder / "log.txt"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "GRADIO_SERVER_PORT": port,
            "GRADIO_SERVER_NAME": "127.0.0.1",
            "GRADIO_TEMP_DIR": str(folder / "gradio"),
            "GRADIO_ANALYTICS_ENABLED": "False",
            "UVICORN_PORT": port,
            "HF_HUB_OFFLINE": "1",
            **environment,
        }
        with log.open("wb") as output:
            server = subprocess.Popen(
                list(map(str, command)), cwd=cwd, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not answers(url):
                if server.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"{' '.join(map(str, command))} did not start:\n{log.read_text(errors='replace')}")
                time.sleep(0.5)
            yield url
        finally:
            server.terminate()
            server.wait(30)

    return run


@pytest.fixture(scope="session")
def server(serve):
    """Address of the running app, `python app.py` with the shipped checkpoint; an MCP server too, if it can be one."""
    with serve([sys.executable, "app.py"], GRADIO_MCP_SERVER=str(bool(importlib.util.find_spec("mcp")))) as url:
        yield url


@pytest.fixture(scope="session")
def tiny_studio(pipe):
    """The studio with tiny networks, in this process, without a limit for each visitor: all have one address."""
    from dfd.ui.studio import build_demo  # most tests need no Gradio

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DFD_VISITOR_RATE", "0")
        demo = build_demo(pipe)
        demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield demo
    demo.close()


def answers(url: str) -> bool:
    """Whether a server is there: any answer will do, also that there is no such page."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
