"""Publishing and loading over a Hub: the command line and the loading in processes of their own, over real HTTP."""

import os
from pathlib import Path

import numpy as np
import pytest
import yaml
from forked_python import run_python
from loopback_hub import LoopbackHub

ROOT = Path(__file__).parents[1]
REPO = "tester/faces"
FACE = "import sys; from PIL import Image; import numpy as np; drawing = Image.open(sys.argv[1]); out = sys.argv[2]\n"
KEEP = "np.save(out, np.asarray(pipe(drawing).images[0]))\n"
INSTALLED = (
    FACE + f"from dfd import DeepFaceDrawingPipeline\npipe = DeepFaceDrawingPipeline.from_pretrained('{REPO}')\n"
)
# As if it had never been installed.
REMOTE = (
    FACE
    + "sys.modules['dfd'] = None\nfrom diffusers import DiffusionPipeline\n"
    + f"pipe = DiffusionPipeline.from_pretrained('{REPO}', trust_remote_code=True)\n"
)


@pytest.fixture(scope="module")
def hub():
    hub = LoopbackHub()
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def run(hub, tmp_path_factory):
    """`run(*arguments, home=None, **environment)` runs Python with that Hub and, without `home`, an empty cache."""

    def run(*arguments, home=None, **environment):
        settings = {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(home or tmp_path_factory.mktemp("hf_home")),
            "HF_TOKEN": "hf_loopback",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_OFFLINE": "0",
        }
        environment = {**os.environ, **settings, **environment}
        return run_python(arguments, environment, ROOT, tmp_path_factory.mktemp("said"))

    return run


@pytest.fixture(scope="module")
def published(hub, run, checkpoint):
    """The tiny pipeline, pushed."""
    done = run("-m", "dfd.hub", "push", "model", REPO, "--checkpoint", checkpoint)
    assert done.returncode == 0, done.stderr
    assert f"{hub.url}/{REPO}/commit/" in done.stdout
    return REPO


@pytest.fixture(scope="module")
def warm(run, published, drawing, tmp_path_factory):
    """A cache into which the pipeline was loaded once, and the picture that it then made."""
    home, out = tmp_path_factory.mktemp("warm"), tmp_path_factory.mktemp("picture") / "face.npy"
    done = run("-c", INSTALLED + KEEP, drawing, out, home=home)
    assert done.returncode == 0, done.stderr
    return home, np.load(out)


def test_a_fresh_process_makes_the_same_picture_as_before_the_push(warm, pipe, drawing):
    assert np.array_equal(warm[1], np.asarray(pipe(drawing).images[0]))


def test_loading_fetches_neither_code_nor_a_second_copy_of_the_weights(warm):
    files = [path.name for path in (warm[0] / "hub").rglob("snapshots/*/**/*") if path.is_file()]
    assert "diffusion_pytorch_model.safetensors" in files
    assert not [name for name in files if name.endswith(".py") or ".fp16." in name]


def test_without_the_package_the_repository_s_code_makes_the_same_picture(run, published, warm, drawing, tmp_path):
    done = run("-c", REMOTE + KEEP, drawing, tmp_path / "face.npy")
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(tmp_path / "face.npy"), warm[1])


def test_code_is_not_run_unasked(run, published, drawing):
    done = run("-c", REMOTE.replace("trust_remote_code=True", ""), drawing, "x")
    assert done.returncode != 0 and "trust_remote_code" in done.stderr


def test_a_warm_cache_needs_no_hub(run, warm, drawing, tmp_path):
    for number, environment in enumerate([{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}]):
        out = tmp_path / f"{number}.npy"
        done = run("-c", INSTALLED + KEEP, drawing, out, home=warm[0], **environment)
        assert done.returncode == 0, done.stderr
        assert np.array_equal(np.load(out), warm[1])


def test_components_variants_and_revisions(run, hub, published, drawing):
    sha = list(hub.commits["model", REPO])[-1]
    script = f"""
import torch
from dfd import DeepFaceDrawingPipeline
from dfd.models import ComponentAutoencoder
mouth = ComponentAutoencoder.from_pretrained("{REPO}", subfolder="mouth_autoencoder", revision="{sha}")
pipe = DeepFaceDrawingPipeline.from_pretrained(
    "{REPO}", variant="fp16", dtype=torch.float16, revision="{sha}", mouth_autoencoder=mouth, manifold=None
)
print(mouth.dtype, pipe.nose_autoencoder.dtype, pipe.mouth_autoencoder is mouth, pipe.manifold)
for options in ({{"revision": "elsewhere"}}, {{"variant": "int3"}}):
    try:
        DeepFaceDrawingPipeline.from_pretrained("{REPO}", **options)
    except OSError as error:
        print(repr(error))
"""
    half = {
        path.replace(".safetensors", ".fp16.safetensors"): content
        for path, content in hub.files(REPO).items()
        if path.endswith("model.safetensors")
    }
    sha_before, sha = sha, hub.commit(REPO, half)  # the tests' weights are fp32: no such twins are pushed
    done = run("-c", script.replace(sha_before, sha))
    hub.commits["model", REPO].pop(sha)
    assert done.returncode == 0, done.stderr
    first, revision, variant = done.stdout.splitlines()
    assert first == "torch.float32 torch.float16 True None"
    assert REPO in revision and "elsewhere" in revision
    assert "int3" in variant


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("model_index.json", None, "model_index.json"),
        ("nose_autoencoder/diffusion_pytorch_model.safetensors", None, "nose_autoencoder"),
        ("model_index.json", b'{"_class_name": "StableDiffusionPipeline"}', "StableDiffusionPipeline"),
        ("image_synthesis/diffusion_pytorch_model.safetensors", b"<html>busy</html>", "image_synthesis"),
    ],
)
def test_a_repository_with_a_missing_or_foreign_file_is_refused_by_name(run, hub, published, path, content, message):
    files = dict(hub.files(REPO))
    del files[path]
    hub.commit("tester/broken", files | ({path: content} if content else {}))
    done = run("-c", INSTALLED.replace(REPO, "tester/broken"), ROOT / "docs" / "faces.webp", "x")
    del hub.commits["model", "tester/broken"]
    assert done.returncode != 0
    assert message in done.stderr.splitlines()[-1]


def test_a_download_cut_off_is_refused_and_goes_on_later(run, hub, published, warm, drawing, tmp_path):
    script = f"""
from dfd import DeepFaceDrawingPipeline
for options in ({{}}, {{"local_files_only": True}}):
    try:
        DeepFaceDrawingPipeline.from_pretrained("{REPO}", **options)
    except OSError as error:
        print(" ".join(str(error).split()))
"""
    home = tmp_path / "home"
    hub.gone = "mouth_autoencoder/diffusion_pytorch_model.safetensors"
    done = run("-c", script, home=home)
    assert hub.gone == "", "the connection was never cut"
    hub.gone = None
    assert done.returncode == 0, done.stderr
    cut, offline = done.stdout.splitlines()
    assert REPO in cut and "Check the connection and start again" in cut
    assert "mouth_autoencoder" in offline, "half of the repository is no pipeline"
    done = run("-c", INSTALLED + KEEP, drawing, tmp_path / "face.npy", home=home)
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(tmp_path / "face.npy"), warm[1])


def test_a_second_push_sends_nothing(run, hub, published, checkpoint):
    before = list(hub.commits["model", REPO])
    done = run("-m", "dfd.hub", "push", "model", REPO, "--checkpoint", checkpoint)
    assert done.stdout.strip() == f"{REPO} is up to date"
    assert list(hub.commits["model", REPO]) == before


def test_a_dry_run_says_what_would_go_and_sends_nothing(run, hub, published, checkpoint):
    hub.commit(REPO, {"handler.py": b"old", "stale.txt": b"old"})
    before = len(hub.requests)
    done = run("-m", "dfd.hub", "push", "model", REPO, "--checkpoint", checkpoint, "--dry-run")
    assert "send   handler.py" in done.stdout and "delete stale.txt" in done.stdout
    assert "1 files to send" in done.stdout and "1 to delete" in done.stdout
    assert {method for method, _ in hub.requests[before:]} <= {"GET", "HEAD"}
    assert hub.files(REPO)["handler.py"] == b"old"
    hub.commits["model", REPO].popitem()


#: `python -m dfd.hub`; huggingface_hub tries again five times, as ever, but waits a hundredth of its 40 seconds for it.
IMPATIENT = """
import runpy, time
time.sleep = lambda seconds, sleep=time.sleep: sleep(seconds / 100)
runpy.run_module("dfd.hub", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("cut", ["/large/", "/commit/"])
def test_a_push_that_is_cut_off_leaves_the_old_revision(run, hub, published, checkpoint, cut, tmp_path, pipe):
    changed = tmp_path / "changed"
    pipe.save_pretrained(changed)
    name = "mouth_autoencoder/config.json" if cut == "/commit/" else None
    if name:
        (changed / name).write_text((changed / name).read_text() + "\n")
    else:
        half = tmp_path / "half.py"
        half.write_text(
            "import sys, torch; from dfd import DeepFaceDrawingPipeline as P\n"
            "p = P.from_pretrained(sys.argv[1], dtype=torch.float16); p.save_pretrained(sys.argv[1])\n"
        )
        assert run(half, changed).returncode == 0
    before, asked = list(hub.commits["model", REPO]), len(hub.requests)
    hub.cut = cut
    done = run("-c", IMPATIENT, "push", "model", REPO, "--checkpoint", changed)
    hub.cut = None
    assert done.returncode != 0 and "Traceback" not in done.stderr, done.stderr
    assert any(cut in path for _, path in hub.requests[asked:]), "nothing was cut off"
    assert list(hub.commits["model", REPO]) == before


def test_a_space_is_the_app_with_a_card_that_names_the_weights(run, hub, published, checkpoint, tmp_path):
    done = run("-m", "dfd.hub", "push", "space", "tester/studio", "--model", REPO)
    assert done.returncode == 0, done.stderr
    files = hub.files("tester/studio", "space")
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    card = yaml.safe_load(files["README.md"].decode().split("---")[1])
    assert card["models"] == card["preload_from_hub"] == [REPO]
    assert hub.variables["tester/studio", "DFD_CHECKPOINT"] == REPO
    assert {"app.py", "requirements.txt", "dfd/ui/static/pad.js"} <= set(files)
    assert not [path for path in files if path.startswith(("tests/", "checkpoints/")) or "__pycache__" in path]
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import app, dfd; print(dfd.__file__, type(app.demo))"
    done = run("-c", f"import os; os.chdir({str(tmp_path)!r})\n{script}", DFD_CHECKPOINT=REPO)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path) in done.stdout and "Studio" in done.stdout


def test_an_export_goes_into_a_new_folder_only(run, checkpoint, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    done = run("-m", "dfd.hub", "export", "model", tmp_path, "--checkpoint", checkpoint)
    assert done.returncode == 1 and "not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_an_exported_folder_loads_like_any_other(run, checkpoint, drawing, warm, tmp_path):
    done = run("-m", "dfd.hub", "export", "model", tmp_path / "faces", "--checkpoint", checkpoint)
    assert done.returncode == 0, done.stderr
    done = run("-c", INSTALLED.replace(REPO, str(tmp_path / "faces")) + KEEP, drawing, tmp_path / "face.npy")
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(tmp_path / "face.npy"), warm[1])


def test_training_data_comes_from_the_hub_too(run, hub, face_folder, tmp_path):
    root = face_folder(tmp_path / "faces", 2)
    files = {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()}
    hub.commit("tester/portraits", files, kind="dataset")
    script = "import sys; from dfd.data.faces import FaceFolder; print(len(FaceFolder(sys.argv[1], sys.argv[2])))"
    done = run("-c", script, "tester/portraits", tmp_path / "cache")
    assert done.stdout.strip() == "2", done.stderr
    done = run("-c", script, "tester/nothing", tmp_path / "cache")
    assert "tester/nothing is no folder here" in done.stderr
