"""Nothing of a visitor's stays: no value in a session, and no old file, whatever happens meanwhile."""

import os
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import anyio
import gradio as gr
from gradio import route_utils, state_holder

from dfd.ui import cleaning, studio


def test_old_files_go_though_others_come_and_some_cannot_be_deleted(tmp_path, monkeypatch):
    old, folder, kept, gone = (str(tmp_path / name) for name in ("old", "folder", "kept", "gone"))
    for name in (old, kept):
        open(name, "w").close()
    os.mkdir(folder)
    names = {old, folder, kept, gone, "no\0name"}
    blocks = SimpleNamespace(blocks={1: SimpleNamespace(keep_in_cache={kept}), 2: object()}, temp_file_sets=[names])
    cleaning.delete_old_files(blocks, 60)
    assert names == {old, folder, kept}, "they are young, and what is gone is forgotten"

    lstat = os.lstat

    def uploaded_meanwhile(name):
        names.add(f"{name}, another")
        return lstat(name)

    with monkeypatch.context() as patch:
        patch.setattr(cleaning.os, "lstat", uploaded_meanwhile)
        cleaning.delete_old_files(blocks, -1)
    assert not os.path.exists(old) and os.path.exists(kept) and {f"{old}, another", folder, kept} <= names


def test_the_studio_deletes_so():
    assert studio.build_demo and route_utils.delete_files_created_by_app is cleaning.delete_old_files


def test_sessions_keep_nothing_that_was_sent_or_made():
    with gr.Blocks() as demo:
        word, other = gr.Textbox(), gr.Textbox()
        gr.Button().click(lambda text: (text.upper(), gr.update(value=text[::-1])), word, [word, other])
    session = state_holder.SessionState(demo)
    assert type(session) is cleaning.ForgetfulSession
    with ThreadPoolExecutor(1) as thread:  # a browser's tests may have left a loop in this one
        answer = thread.submit(anyio.run, demo.process_api, 0, ["drawing"], session).result()
    assert answer["data"][0] == "DRAWING" and answer["data"][1]["value"] == "gniward"
    kept = repr([vars(block) for block in session.blocks_config.blocks.values()]) + repr(list(session.components))
    assert not any(text in kept for text in ("drawing", "DRAWING", "gniward"))
