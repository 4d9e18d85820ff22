"""Four drawn faces to overfit, and options of a run that takes seconds."""

import pytest


@pytest.fixture(scope="session")
def four_faces(face_folder, tmp_path_factory):
    """A face folder with four training faces of 512 px."""
    return face_folder(tmp_path_factory.mktemp("four") / "faces", count=4)


@pytest.fixture
def quick(four_faces, tmp_path):
    """Options that any trainer takes, for a tiny run on the four faces that saves at every look."""
    return {
        "data": four_faces,
        "output": tmp_path / "run",
        "cache": tmp_path / "cache",
        "preset": "tiny",
        "batch_size": 2,
        "save_minutes": 0,
        "mixed_precision": "no",
    }
