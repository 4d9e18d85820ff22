"""Every file of `docs/examples`, run as its first lines say.

Those that load weights find tiny ones, in a folder of their own; those that call the studio call the real one.
"""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from dfd.load import Studio, drawings

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

#: Folders with npm's packages: one named by hand, .ci/run's, and where `npm install` puts them.
NODE_MODULES = (os.environ.get("DFD_NODE_MODULES"), ROOT / ".venv/node/node_modules", ROOT / "node_modules")


@pytest.fixture(scope="module")
def folder(checkpoint, tmp_path_factory):
    """A working folder whose `checkpoints` are tiny."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "checkpoints").symlink_to(checkpoint, target_is_directory=True)
    return folder


def run(*command, cwd=ROOT) -> str:
    """Runs a command to its end; returns what it said."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GRADIO_ANALYTICS_ENABLED": "False"}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=300, check=False, cwd=cwd, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def pixels(image) -> np.ndarray:
    return np.asarray(image if isinstance(image, Image.Image) else Image.open(image), int)


def assert_same(picture, expected):
    """The same picture, but for rounding in another process."""
    picture, expected = pixels(picture), pixels(expected)
    assert picture.shape == expected.shape
    assert expected.std() > 5, "a flat picture proves nothing"
    assert np.abs(picture - expected).max() <= 2


def test_every_example_is_tested_here():
    tests = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {path.name.replace(".", "_") for path in EXAMPLES.glob("*.*")} <= tests


def test_script_py(pipe, drawing, folder):
    run(sys.executable, EXAMPLES / "script.py", drawing, "faces.png", cwd=folder)
    row = pixels(folder / "faces.png")
    assert row.shape == (512, 1536, 3)
    for i, refinement in enumerate((0, 0.5, 1)):
        assert_same(
            Image.fromarray(row[:, 512 * i : 512 * (i + 1)].astype("uint8")), pipe(drawing, "all", refinement).images[0]
        )


def test_fastapi_app_py(serve, pipe, drawing, folder):
    with serve([sys.executable, "-m", "uvicorn", "--app-dir", EXAMPLES, "fastapi_app:app"], cwd=folder) as url:

        def post(sketch, **query):
            return httpx.post(f"{url}/face", files={"sketch": sketch} if sketch else None, params=query, timeout=120)

        answer = post(drawing.read_bytes(), refinement=0.9)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        (folder / "face.png").write_bytes(answer.content)
        assert_same(folder / "face.png", pipe(drawing, refinement=0.9).images[0])

        blank = folder / "blank.png"
        Image.new("L", (512, 512), 255).save(blank)
        for sketch, words in ((b"no picture", "not a picture"), (blank.read_bytes(), "empty")):
            refused = post(sketch)
            assert refused.status_code == 400
            assert words in refused.json()["detail"]
        cut = post(drawing.read_bytes()[:500])
        assert cut.status_code == 400 and "cannot read" in cut.json()["detail"]
        for sketch, query, words in (
            (b"x", {"refinement": 2}, "less than or equal to 1"),
            (b"x", {"refinement": "nan"}, "less than or equal to 1"),
            (b"x", {"manifold": "robot"}, "'all', 'female' or 'male'"),
            (None, {}, "Field required"),
        ):
            refused = post(sketch, **query)
            assert refused.status_code == 422
            assert words in refused.json()["detail"][0]["msg"]


def test_gradio_app_py(serve, pipe, drawing, folder):
    with serve([sys.executable, EXAMPLES / "gradio_app.py"], cwd=folder) as url:
        app = Client(url, verbose=False)
        assert any('class="pad"' in str(part["props"].get("html_template")) for part in app.config["components"])
        png = "data:image/png;base64," + base64.b64encode(drawing.read_bytes()).decode()
        photo = app.predict({"png": png}, 0.9, api_name="/face")
        assert_same(photo if isinstance(photo, str) else photo["path"], pipe(drawing, refinement=0.9).images[0])
        blank = folder / "paper.png"
        Image.new("L", (512, 512), 255).save(blank)
        png = "data:image/png;base64," + base64.b64encode(blank.read_bytes()).decode()
        with pytest.raises(AppError, match="empty"):
            app.predict({"png": png}, 0.9, api_name="/face")


@pytest.fixture(scope="module")
def expected(server, drawing):
    """What the studio makes of the drawing with the settings that the three clients ask for."""
    studio = Client(server, verbose=False)
    return studio.predict(sketch=handle_file(drawing), manifold="female", refinement=0.3, api_name="/generate")


def test_client_py(server, drawing, expected, tmp_path):
    run(sys.executable, EXAMPLES / "client.py", server, drawing, tmp_path / "face.png")
    assert_same(tmp_path / "face.png", expected)


def test_client_mjs(server, drawing, expected, tmp_path):
    found = [Path(path) for path in NODE_MODULES if path and Path(path, "@gradio", "client").is_dir()]
    if not found or not shutil.which("node"):
        pytest.skip("needs node and, named by DFD_NODE_MODULES or in node_modules, @gradio/client")
    # Node looks for packages beside the script and above it, and nowhere else.
    (tmp_path / "node_modules").symlink_to(found[0].resolve(), target_is_directory=True)
    shutil.copy(EXAMPLES / "client.mjs", tmp_path)
    run("node", tmp_path / "client.mjs", server, drawing, tmp_path / "face.png")
    assert_same(tmp_path / "face.png", expected)


def test_mcp_client_py(server, drawing, expected, tmp_path):
    pytest.importorskip("mcp", reason='needs the extra "mcp"')
    said = run(sys.executable, EXAMPLES / "mcp_client.py", server, drawing, tmp_path / "face.png")
    assert said.startswith("sketch_to_face: Turns a sketch of a face into a photo")
    assert_same(tmp_path / "face.png", expected)


def test_assistants_see_the_public_endpoints_and_nothing_else(server):
    pytest.importorskip("mcp", reason='needs the extra "mcp"')
    tools = {tool["name"]: tool["inputSchema"] for tool in httpx.get(f"{server}/gradio_api/mcp/schema").json()}
    assert set(tools) == {"sketch_to_face", "morph", "mix"}
    assert tools["sketch_to_face"]["required"] == ["sketch"]
    assert list(tools["sketch_to_face"]["properties"]) == ["sketch", "manifold", "refinement", "kind"]
    for schema in tools.values():
        assert all(described.get("description", "").endswith(".") for described in schema["properties"].values())
        assert "$ref" not in str(schema), "references lead nowhere"
        assert "/" + "tmp" not in str(schema), "no path of the server"
    for tool, name in (("sketch_to_face", "sketch"), ("morph", "a"), ("mix", "mouth")):
        assert tools[tool]["properties"][name]["type"] == "string"


@contextmanager
def nginx(studios, port, folder):
    """The example's nginx before these studios; yields its address, and the file where it notes who answered."""
    text = (EXAMPLES / "nginx.conf").read_text()
    for example, studio in zip(("127.0.0.1:7860", "127.0.0.1:7861"), studios, strict=True):
        assert example in text
        text = text.replace(f"server {example}", f"server {studio.removeprefix('http://')}")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    here = "".join(f"{kind}_temp_path {folder / kind};" for kind in kinds)
    log = f"log_format who '$upstream_addr $request_uri'; access_log {folder / 'who'} who;"
    text = text.replace("listen 8080;", f"listen 127.0.0.1:{port};").replace("http {", f"http {{ {here} {log}", 1)
    (folder / "nginx.conf").write_text(text)
    alone = f"daemon off; pid {folder / 'pid'};" + (" user root;" if os.getuid() == 0 else "")
    process = subprocess.Popen([NGINX, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr", "-g", alone])
    try:
        yield f"http://127.0.0.1:{port}", folder / "who"
    finally:
        process.terminate()
        process.wait(30)


def join(visitor, studio, drawing):
    """Sends a drawing; returns the answer."""
    return visitor.post("/gradio_api/queue/join", json=studio.body(drawing, str(id(visitor))))


def fetch(visitor):
    """The face of the drawing that was sent, as the page gets it; None if there is none."""
    face = None
    params = {"session_hash": str(id(visitor))}
    with (
        suppress(httpx.RemoteProtocolError),  # a studio that does not know the visitor ends in mid-answer
        visitor.stream("GET", "/gradio_api/queue/data", params=params) as answer,
    ):
        for line in answer.iter_lines():
            message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
            if message.get("msg") == "process_generating" and face is None:
                url = message["output"]["data"][0]["props"]["shot"]["face"]
                face = pixels(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    return face


def answered(who):
    """Which studios answered the last two requests, which are a drawing and its face."""
    while "queue/data" not in (lines := who.read_text().splitlines())[-1]:
        time.sleep(0.05)  # nginx notes a request after it has answered
    return ["http://" + line.split(" /")[0].split(", ")[-1] for line in lines[-2:]]  # of several, the last one did


def difference(face, other) -> float:
    """Of two faces, of 255. Studios may round differently: each measures which precision is faster."""
    return np.abs(face - other).mean()


@pytest.mark.skipif(not NGINX, reason="needs nginx (Debian: apt-get install nginx-light)")
def test_nginx_conf(serve, server, free_port, tmp_path):
    with ExitStack() as stack:
        stays, killed = studios = [server, stack.enter_context(serve([sys.executable, "app.py"]))]
        url, who = stack.enter_context(nginx(studios, free_port(), tmp_path))
        retrying = httpx.HTTPTransport(retries=5)  # until nginx listens

        def visit(**options):
            return stack.enter_context(httpx.Client(base_url=url, timeout=60, transport=retrying, **options))

        studio = Studio.from_config(visit().get("/config").json())
        first, *_, second = islice(drawings(0), 30)
        direct = [stack.enter_context(httpx.Client(base_url=address, timeout=60)) for address in studios]
        expected = {}
        for stroke in (first, second):
            faces = []
            for visitor in direct:
                join(visitor, studio, stroke).raise_for_status()
                faces.append(fetch(visitor))
            assert difference(*faces) < 1, "the studios differ"
            expected[stroke] = faces[0]
        assert difference(expected[first], expected[second]) > 4

        # The page gives a cookie, which leads to one of the studios.
        visitors = {}
        while len(visitors) < 2:
            visitor = visit()
            page = visitor.get("/")
            assert visitor.cookies["studio"] and page.headers["x-content-type-options"] == "nosniff"
            assert "set-cookie" not in visitor.get("/").headers, "who has a cookie keeps it"
            assert join(visitor, studio, first).status_code == 200
            assert difference(fetch(visitor), expected[first]) < 1
            joined, fetched = answered(who)
            assert joined == fetched, "a drawing and its face belong together"
            visitors.setdefault(joined, visitor)

        # A studio is killed with a drawing in it: its visitor sends the drawing again, and goes on at the other.
        join(visitors[killed], studio, second)
        port = int(killed.rpartition(":")[2])
        listening = (c for c in psutil.net_connections("tcp4") if c.laddr.port == port and c.status == "LISTEN")
        psutil.Process(next(listening).pid).kill()
        assert fetch(visitors[killed]) is None
        for visitor in visitors.values():
            assert join(visitor, studio, second).status_code == 200
            assert difference(fetch(visitor), expected[second]) < 1
            assert answered(who) == [stays, stays]

        # Who asks too often is told to wait, in words that the page can show.
        hasty = visit()
        with ThreadPoolExecutor(80) as pool:
            answers = list(pool.map(lambda _: join(hasty, studio, "{"), range(80)))
        # nginx's sentence or the studio's own, whichever is asked first for too much.
        assert "ait a few seconds" in next(a for a in answers if a.status_code == 429).json()["detail"]
