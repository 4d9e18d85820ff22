"""Four drawn faces to overfit, and options of a run that takes seconds."""

import pytest

from dfd.training.run import Run


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


@pytest.fixture
def die_after_saving(monkeypatch):
    """Call with a step, a trainer and its options: trains until the checkpoint of that step is saved, and dies."""

    def die(last, train, options):
        save = Run.save

        def save_and_die(run, step):
            save(run, step)
            if step == last:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Run, "save", save_and_die)
            train(options)

    return die
