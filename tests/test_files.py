"""Writing files whole, and knowing a folder by its contents."""

import shutil

from dfd.files import folder_hash, write_atomically


def test_files_are_written_whole(tmp_path):
    write_atomically(tmp_path / "new" / "table.md", "text")
    write_atomically(tmp_path / "new" / "table.md", "other")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["table.md"]
    assert (tmp_path / "new" / "table.md").read_text() == "other"


def test_the_hash_sees_names_and_contents(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    first = folder_hash(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert folder_hash(tmp_path / "b") == first
    (tmp_path / "b" / "x").rename(tmp_path / "b" / "y")
    assert folder_hash(tmp_path / "b") != first


def test_a_model_card_does_not_change_the_hash(tmp_path):
    (tmp_path / "weights").write_text("1")
    first = folder_hash(tmp_path)
    (tmp_path / "README.md").write_text("card")
    assert folder_hash(tmp_path) == first
