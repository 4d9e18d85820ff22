"""The running studio: files and addresses that are none of a visitor's business, headers, and what is kept."""

import io
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from PIL import Image

from dfd.ui import texts
from dfd.ui.draw_tab import EXAMPLES
from dfd.ui.limits import MAX_UPLOAD
from dfd.ui.shield import HEADERS

META = {"_type": "gradio.FileData"}


@pytest.fixture(scope="module")
def http(studio):
    with httpx.Client(base_url=studio.url, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def api(http):
    """`api(name, *values)`: the event's last message, with its data."""

    def call(name, *values, **headers):
        joined = http.post(f"/gradio_api/call/{name}", json={"data": values}, headers=headers)
        if joined.status_code != 200:
            return "refused", joined.text
        answer = http.get(f"/gradio_api/call/{name}/{joined.json()['event_id']}").text
        event, data = answer.strip().rsplit("\n\n", 1)[-1].split("\n")
        return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))

    return call


@pytest.fixture(scope="module")
def upload(http):
    def send(name="drawing.png", data=None):
        data = EXAMPLES[0].read_bytes() if data is None else data
        return http.post("/gradio_api/upload", files={"files": (name, data)})

    return send


@pytest.fixture
def canary():
    """A server in the same machine, to which no request may come: its address and what it was asked for."""
    hits = []

    class Note(BaseHTTPRequestHandler):
        def do_GET(self):
            hits.append(self.path)
            self.send_response(200)
            self.end_headers()

        do_HEAD = do_POST = do_GET

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Note)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/secret.png", hits
    server.shutdown()


SECRETS = [
    "/etc/passwd",
    "../../../../etc/passwd",
    "..%2f..%2fetc/passwd",
    "/proc/self/environ",
    str(Path(__file__)),
]


@pytest.mark.parametrize("path", SECRETS)
def test_no_other_file_is_served(http, path):
    for route in ("/gradio_api/file=", "/gradio_api/file/", "/assets/", "/static/", "/svelte/"):
        answer = http.get(f"{route}{path}")
        assert answer.status_code in (403, 404) and "root:" not in answer.text


@pytest.mark.parametrize("path", [*SECRETS[:2], "\0", "", 7, None, ["a"], {"path": "/etc/passwd"}])
@pytest.mark.parametrize("more", [{}, {"meta": META}, {"meta": META, "is_stream": True, "url": "/etc/passwd"}])
def test_no_other_file_is_read(api, path, more):
    for name, rest in (("generate", ["all", 0.5, "auto"]), ("mix", [None] * 4 + ["remainder"])):
        event, data = api(name, {"path": path, **more}, *rest)
        assert event == "error" and data["error"] and "root:" not in str(data)


def test_no_address_is_fetched(api, http, canary):
    url, hits = canary
    for path in (
        url,
        url.upper().replace("SECRET.PNG", "secret.png"),
        f" {url}",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
    ):
        for file in ({"path": path, "meta": META}, {"path": path}):
            for sketch in (file, {"background": file, "layers": [], "composite": None}):
                event, data = api("generate", sketch, "all", 0.5, "auto")
                assert (event, data["error"]) == ("error", texts.LANGUAGES["en"]["refusals"]["no_addresses"])
    api("generate", {"path": "a.png", "url": url, "meta": META}, "all", 0.5, "auto")
    for route in ("file=", "file/", "proxy="):
        assert http.get(f"/gradio_api/{route}{url}").status_code == 404
    assert hits == []


@pytest.mark.parametrize(
    "route",
    [
        "process_recording",
        "deep_link?session_hash=a",
        "run-history/connect",
        "vibe-edit",
        "dev/reload",
        "proxy=http://a",
    ],
)
def test_what_the_page_does_not_use_is_closed(http, route):
    for method in ("GET", "POST"):
        assert http.request(method, f"/gradio_api/{route}").status_code == 404
    assert http.get("/monitoring/summary").status_code == 404


@pytest.mark.parametrize(
    "name", ["../../../escaped.png", "/etc/escaped.png", "..\\escaped.png", "a\0b", "." * 300, "é" * 300]
)
def test_names_of_uploads_lead_nowhere(upload, studio, name):
    answer = upload(name)
    if answer.status_code == 200:
        (path,) = answer.json()
        assert Path(path).resolve().is_relative_to(studio.files)
    else:
        assert answer.status_code in (400, 422) and answer.text
    assert not list(studio.files.parent.rglob("../escaped*"))


def test_uploads_are_limited(upload):
    refused = upload(data=bytes(MAX_UPLOAD + 2**17))
    assert refused.status_code == 413 and "20 MB" in refused.text
    assert upload(data=bytes(MAX_UPLOAD + 1)).status_code == 413


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/info", "/no/such/page", "/gradio_api/file=/etc/passwd"])
def test_headers(http, path):
    headers = http.get(path).headers
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert "huggingface.co" in headers["content-security-policy"]
    assert "x-frame-options" not in headers, "it would forbid a Space's frame"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("queue/join", '{"data": [], "fn_index": 99999, "session_hash": "a"}'),
        ("queue/join", '{"data": [], "fn_index": "x"}'),
        ("queue/join", '{"data": [], "fn_index": 0, "session_hash": ["a"]}'),
        ("call/nothing", '{"data": []}'),
        ("call/v2/nothing", "{}"),
        ("call/v2/generate", '{"unknown": 1}'),
        ("call/generate", '{"data": ' + "[" * 15_000 + "]" * 15_000 + "}"),
        ("run/generate", '{"data": []}'),
        ("component_server", '{"data": 1, "component_id": 99999, "session_hash": "a", "fn_name": "x"}'),
        ("component_server", '{"data": 1, "component_id": 1, "session_hash": "a", "fn_name": "__init__"}'),
        ("cancel", "[]"),
        ("queue/join", "\xff\xfe"),
        ("queue/join", ""),
    ],
)
def test_requests_that_make_no_sense_get_a_sentence(http, path, body):
    answer = http.post(
        f"/gradio_api/{path}", content=body.encode("latin-1"), headers={"Content-Type": "application/json"}
    )
    assert 400 <= answer.status_code < 500 and answer.json()["detail"]


def test_visitors_are_told_in_their_language(api):
    event, data = api(
        "generate", {"path": "/etc/passwd", "meta": META}, "all", 0.5, "auto", **{"Accept-Language": "ar"}
    )
    assert (event, data["error"]) == ("error", texts.LANGUAGES["ar"]["refusals"]["unreadable"])


def test_who_uploads_too_much_is_told_to_wait(http):
    """Behind a proxy on the same machine, each visitor counts by himself."""

    def send(host, data):
        headers = {"X-Forwarded-For": host}
        return http.post("/gradio_api/upload", files={"files": ("a.png", data)}, headers=headers).status_code

    assert 429 in [send("9.9.9.1", bytes(MAX_UPLOAD)) for _ in range(8)]
    assert send("9.9.9.2", b"a") == 200


def test_nothing_of_a_drawing_is_logged_or_kept(studio, http, api, upload):
    """Uploads and results are files until they are old; then none of them is left."""

    def files():
        # Gradio's file input leaves an empty file for each that it reads: there is nothing of a visitor's in it.
        return {path for path in studio.files.rglob("*") if path.is_file() and path.stat().st_size}

    def fresh():  # a busy machine may take longer for a call than files are kept
        (path,) = upload(f"{secret}.png").json()
        return {"path": path, "meta": META, "orig_name": f"{secret}.png"}

    before = files()
    secret = f"drawn-by-visitor-{time.time()}"
    assert api("generate", fresh(), "all", 0.5, "auto")[0] == "complete"
    assert api("mix", fresh(), None, None, None, None, "remainder")[0] == "complete"
    assert api("generate", {**fresh(), "mime_type": [secret]}, secret, secret, secret)[0] == "error"
    blank = io.BytesIO()
    Image.new("L", (64, 64), 255).save(blank, "PNG")
    (path,) = upload(f"{secret}.png", blank.getvalue()).json()
    assert api("generate", {"path": path, "meta": META}, "all", 0.5, "auto")[0] == "error"
    assert files() - before
    deadline = time.monotonic() + 90
    while files() - before and time.monotonic() < deadline:
        time.sleep(1)
    assert files() - before == set()
    log = studio.log()
    assert secret not in log and "Traceback" not in log
