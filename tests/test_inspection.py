import numpy as np
import pytest
from conftest import make_pipeline

from dfd.components import COMPONENTS
from dfd.models import ComponentAutoencoder
from dfd.sketch import sketch_to_pil


def test_refinement_goes_from_the_drawn_code_to_its_projection(pipe, face, monkeypatch):
    """Decoders are replaced by one that shows the code's own numbers: untrained ones hardly show any difference."""
    bank = pipe.manifold.codes.mouth
    low, high = bank.min(), bank.max()

    def show(code):
        return ((code - low) / (high - low)).clamp(0, 1).view(-1, 1, 8, 8)

    monkeypatch.setattr(ComponentAutoencoder, "decode", lambda self, codes: show(codes))
    encoding = pipe.encode(face(30))
    seen = pipe.inspect(encoding, steps=3, num_neighbors=4)
    assert tuple(seen) == COMPONENTS
    for name, found in seen.items():
        assert np.array_equal(found.crop, sketch_to_pil(pipe.layout.crop(encoding.sketches)[name][0]))
        assert found.refinements == [0, 0.5, 1]
        for r, picture in zip(found.refinements, found.refined, strict=True):
            code = pipe.project(encoding, refinement=r, num_neighbors=4, emphasis=0).latents[name]
            assert np.array_equal(picture, sketch_to_pil(show(code)[0]))
    assert not np.array_equal(seen["mouth"].refined[0], seen["mouth"].refined[-1])


def test_what_is_not_drawn_does_not_change(pipe, face):
    (found,) = pipe.inspect(pipe.encode(face(3, without=("mouth",))), "mouth").values()
    assert len(found.refined) == 5
    assert all(np.array_equal(picture, found.refined[0]) for picture in found.refined)


def test_arguments_out_of_range_are_refused(pipe, face):
    encoding = pipe.encode(face())
    for arguments, message in [
        ({"component": "ear"}, "component must be one of left_eye, .* or None, got 'ear'"),
        ({"steps": 1}, "steps must be a whole number from 2 to 100, got 1"),
        ({"steps": 2.5}, "got 2.5"),
        ({"manifold": "men"}, "got 'men'"),
    ]:
        with pytest.raises(ValueError, match=message):
            pipe.inspect(encoding, **arguments)
    with pytest.raises(ValueError, match="one drawing at a time can be inspected, got 2"):
        pipe.inspect(pipe.encode([face(), face(1)]))
    with pytest.raises(ValueError, match="no manifold"):
        make_pipeline(with_manifold=False).inspect(encoding)


def test_the_crop_is_black_on_white_at_its_windows_side(pipe, face):
    found = pipe.inspect(pipe.encode(face()))["remainder"]
    assert np.asarray(found.crop).mean() > 128 and found.crop.size == (512, 512)
