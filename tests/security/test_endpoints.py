"""Endpoints of the running studio, by its own description of them, with values of every kind."""

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfd.ui.draw_tab import EXAMPLES

from .pictures import picture_files
from .test_readers import JSON, ODD

META = {"_type": "gradio.FileData"}


class Caller:
    def __init__(self, studio, watch):
        self.studio, self.watch, self.count = studio, watch, 0
        self.client = httpx.Client(base_url=studio.url, timeout=120)
        self.info = self.client.get("/gradio_api/info").json()["named_endpoints"]
        self.private = len(self.client.get("/config").json()["dependencies"])

    def visitor(self):
        self.count += 1
        return {"X-Forwarded-For": f"10.{self.count >> 16 & 255}.{self.count >> 8 & 255}.{self.count & 255}"}

    def send(self, path, body) -> httpx.Response:
        headers = {"Content-Type": "application/json", **self.visitor()}
        answer = self.client.post(f"/gradio_api/{path}", content=body, headers=headers)
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        assert answer.status_code == 200 or answer.json()["detail"]
        return answer

    def call(self, path, body):
        """The whole way of a call: a result, or a refusal with a sentence."""
        with self.watch.request(path, self.studio):
            answer = self.send(path, body)
            if answer.status_code == 200 and path.startswith("call/"):
                event = answer.json()["event_id"]
                name = path.removeprefix("call/").removeprefix("v2/")
                said = self.client.get(f"/gradio_api/call/{name}/{event}").text
                assert "event: complete" in said or '"error": "' in said, said[:500]

    def upload(self, data) -> str:
        (path,) = self.client.post(
            "/gradio_api/upload", files={"files": ("a.png", data)}, headers=self.visitor()
        ).json()
        return {"path": path, "meta": META}


@pytest.fixture(scope="module")
def caller(studio, watch):
    return Caller(studio, watch)


def dumps(value) -> bytes:
    """JSON, in which NaN and lone surrogates may stand."""
    return json.dumps(value).encode()


@given(data=st.data())
def test_public_endpoints_with_odd_values(caller, data):
    name = data.draw(st.sampled_from(sorted(caller.info)))
    values = []
    for parameter in caller.info[name]["parameters"]:
        default = parameter.get("parameter_default")
        good = [st.just(default)] if default is not None else []
        values.append(
            data.draw(st.one_of(*good, ODD, JSON, st.just({"path": data.draw(st.text(max_size=9)), "meta": META})))
        )
    values = data.draw(st.sampled_from([values, values[:-1], values * 2]))
    caller.call(f"call{name}", dumps({"data": values}))


@given(data=picture_files(), kind=st.sampled_from(["auto", "drawing", "photo"]))
def test_generate_with_odd_pictures(caller, data, kind):
    caller.call("call/generate", dumps({"data": [caller.upload(data), "all", 0.5, kind]}))


@given(values=st.dictionaries(st.sampled_from(["sketch", "manifold", "refinement", "kind", "x"]), JSON))
def test_generate_by_names(caller, values):
    caller.call("call/v2/generate", dumps(values))


@given(data=st.data())
def test_events_of_the_page_with_odd_values(caller, data):
    """They have no names, but anybody can send what the page sends."""
    body = {
        "data": data.draw(st.lists(JSON, max_size=20)),
        "fn_index": data.draw(st.integers(-1, caller.private)),
        "session_hash": data.draw(st.sampled_from(["a", "b", ""]) | ODD),
        "event_data": data.draw(JSON),
        "trigger_id": data.draw(ODD),
    }
    caller.call("queue/join", dumps(body))


@given(
    path=st.sampled_from(
        ["queue/join", "call/generate", "call/v2/mix", "run/generate", "cancel", "reset", "component_server"]
    ),
    body=st.one_of(
        st.binary(max_size=200), JSON.map(dumps), st.just(b"[" * 5000), st.just(b'{"data":[' + b"1e999," * 999)
    ),
)
def test_odd_bodies(caller, path, body):
    with caller.watch.request("odd body", caller.studio):
        caller.send(path, body)


def test_the_studio_still_works(caller):
    file = caller.upload(EXAMPLES[0].read_bytes())
    answer = caller.send("call/generate", dumps({"data": [file, "all", 0.5, "auto"]}))
    assert "event: complete" in caller.client.get(f"/gradio_api/call/generate/{answer.json()['event_id']}").text
