"""Animations, read back by the libraries that play them."""

import importlib
import subprocess
import sys

import imageio.v3 as imageio
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from dfd import animation
from dfd.animation import save_animation
from dfd.provenance import NOTICE, SOURCE_TYPE


def strip(count=5, size=(64, 48)):
    """Pictures whose grey tells their place: 20, 60, 100, ..."""
    return [Image.new("RGB", size, (20 + 40 * i,) * 3) for i in range(count)]


def read(path):
    """Frames as arrays, and seconds in all."""
    if path.suffix == ".mp4":
        meta = imageio.immeta(path, plugin="FFMPEG")
        return list(imageio.imiter(path, plugin="FFMPEG")), meta["duration"]
    with Image.open(path) as file:
        frames, milliseconds = [], 0
        for i in range(file.n_frames):
            file.seek(i)
            frames.append(np.asarray(file.convert("RGB")))
            milliseconds += file.info["duration"]
    return frames, milliseconds / 1000


def greys(path):
    return [round((int(frame.mean()) - 20) / 40) for frame in read(path)[0]]


@pytest.mark.parametrize("kind", animation.FORMATS)
def test_frames_size_and_seconds_are_as_given(tmp_path, kind):
    path = tmp_path / f"morph{kind}"
    save_animation(strip(), path, seconds=1.7)
    frames, seconds = read(path)
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 5
    assert greys(path) == [0, 1, 2, 3, 4]
    assert seconds == pytest.approx(1.7, abs=0.011)


@pytest.mark.parametrize("kind", animation.FORMATS)
def test_one_frame_is_enough(tmp_path, kind):
    save_animation(strip(1), tmp_path / f"face{kind}", seconds=1)
    assert len(read(tmp_path / f"face{kind}")[0]) >= 1


@pytest.mark.parametrize("kind", animation.FORMATS)
def test_bounce_goes_back_and_meets_the_loop(tmp_path, kind):
    path = tmp_path / f"morph{kind}"
    save_animation(strip(4), path, seconds=3, bounce=True)
    assert greys(path) == [0, 1, 2, 3, 2, 1]
    assert read(path)[1] == pytest.approx(3, abs=0.011)
    save_animation(strip(4), path, seconds=3, bounce=True, loop=False)
    assert greys(path) == [0, 1, 2, 3, 2, 1, 0]


def test_gif_and_webp_say_whether_they_play_again(tmp_path):
    for kind, once in ((".gif", None), (".webp", 1)):
        for loop, expected in ((True, 0), (False, once)):
            save_animation(strip(), tmp_path / f"morph{kind}", loop=loop)
            with Image.open(tmp_path / f"morph{kind}") as file:
                assert file.info.get("loop") == expected


def test_files_say_that_a_machine_made_them(tmp_path):
    for kind in animation.FORMATS:
        save_animation(strip(), tmp_path / f"morph{kind}")
    with Image.open(tmp_path / "morph.gif") as gif, Image.open(tmp_path / "morph.webp") as webp:
        assert gif.info["comment"].decode() == NOTICE
        assert SOURCE_TYPE in webp.info["xmp"].decode()
    assert NOTICE in described(tmp_path / "morph.mp4")


def described(path):
    """What ffmpeg says of a file."""
    run = subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-i", path], capture_output=True, text=True)
    return run.stderr


def test_mp4_is_what_browsers_play(tmp_path):
    save_animation(strip(size=(65, 47)), tmp_path / "odd.mp4")
    text = described(tmp_path / "odd.mp4")
    assert "h264" in text and "yuv420p" in text and "66x48" in text
    data = (tmp_path / "odd.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "the index comes first"


@pytest.mark.parametrize("kind", animation.FORMATS)
def test_colours_are_kept(tmp_path, kind):
    ramp = Image.fromarray(
        np.linspace((60, 40, 30), (240, 200, 180), 96, dtype=np.float32).round().astype(np.uint8)[None].repeat(96, 0)
    )
    save_animation([ramp, ramp.rotate(180)], tmp_path / f"ramp{kind}")
    first = read(tmp_path / f"ramp{kind}")[0][0].astype(float)
    assert np.abs(first - np.asarray(ramp)).mean() < 4


@pytest.mark.parametrize(
    ("frames", "name", "seconds", "message"),
    [
        (strip(), "morph.avi", 1, r"must end in .gif, .webp, .mp4, got 'morph.avi'"),
        (strip(), "morph", 1, "must end in"),
        ([], "morph.gif", 1, "no frames given"),
        ([*strip(1), *strip(1, (32, 32))], "morph.mp4", 1, "one size, got 32 x 32, 64 x 48"),
        (strip(), "morph.webp", 0, "seconds must be a number above 0, got 0"),
        (strip(), "morph.webp", float("nan"), "seconds must be a number above 0, got nan"),
    ],
)
def test_what_cannot_be_written_is_refused_and_touches_nothing(tmp_path, frames, name, seconds, message):
    (tmp_path / name).write_text("before")
    with pytest.raises(ValueError, match=message):
        save_animation(frames, tmp_path / name, seconds)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "before"


def test_only_an_mp4_needs_imageio(tmp_path, monkeypatch):
    for name in ("imageio", "imageio.v3"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "dfd.animation")
    monkeypatch.setattr("dfd.animation", animation)  # put back afterwards
    again = importlib.import_module("dfd.animation")
    for kind in (".gif", ".webp"):
        again.save_animation(strip(), tmp_path / f"morph{kind}")
        assert greys(tmp_path / f"morph{kind}") == [0, 1, 2, 3, 4]
    with pytest.raises(ImportError, match=r'^an MP4 needs packages .* pip install -e "\.\[demo\]"$'):
        again.save_animation(strip(), tmp_path / "morph.mp4")


def test_a_failure_half_way_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "morph.gif"
    path.write_text("before")

    def fail(self, file, **options):
        file.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="no space"):
        save_animation(strip(), path)
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]
