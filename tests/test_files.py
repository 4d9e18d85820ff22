"""Writing files whole, and knowing a folder by its contents."""

import shutil

import pytest

from dfd.files import folder_hash, whole_file, write_atomically


def test_files_are_written_whole(tmp_path):
    write_atomically(tmp_path / "new" / "table.md", "text")
    write_atomically(tmp_path / "new" / "table.md", "other")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["table.md"]
    assert (tmp_path / "new" / "table.md").read_text() == "other"


def test_a_full_disk_leaves_the_old_file_and_is_named(small_disk):
    table = small_disk / "table.md"
    write_atomically(table, "old")
    with pytest.raises(OSError, match=r"table\.md cannot be written: No space left on device\. Make room"):
        write_atomically(table, "n" * 2**21)
    assert [p.name for p in small_disk.iterdir()] == ["table.md"], "the half that was written is gone"
    assert table.read_text() == "old"


def test_a_folder_that_cannot_be_written_to_is_named(read_only_disk):
    with pytest.raises(OSError, match=r"new/table\.md cannot be written: Read-only file system\. .*choose a folder"):
        write_atomically(read_only_disk / "new" / "table.md", "text")


def test_a_file_whose_writer_is_stopped_is_never_there(tmp_path):
    with pytest.raises(KeyboardInterrupt), whole_file(tmp_path / "face.png") as partial:
        partial.write_bytes(b"half")
        raise KeyboardInterrupt
    assert not (tmp_path / "face.png").exists()


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
