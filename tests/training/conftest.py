"""Four drawn faces to overfit."""

import pytest


@pytest.fixture(scope="session")
def four_faces(face_folder, tmp_path_factory):
    """A face folder with four training faces of 512 px."""
    return face_folder(tmp_path_factory.mktemp("four") / "faces", count=4)
