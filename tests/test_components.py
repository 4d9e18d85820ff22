"""Geometry: windows, crops, and the merge of component maps."""

import pytest
import torch

from dfd.components import COMPONENTS, DEFAULT_WINDOWS, Layout, Window

VALUES = {"remainder": 0.0, "mouth": 1.0, "nose": 2.0, "left_eye": 3.0, "right_eye": 4.0}
SIZES = {"left_eye": 128, "right_eye": 128, "nose": 160, "mouth": 192, "remainder": 512}


def constant_maps(values: dict[str, float], canvas: int = 512) -> dict[str, torch.Tensor]:
    return {name: torch.full((1, 1, *[SIZES[name] * canvas // 512] * 2), value) for name, value in values.items()}


def test_windows_are_the_official_ones():
    assert Layout().boxes == {
        "left_eye": (108, 156, 128),
        "right_eye": (255, 156, 128),
        "nose": (182, 232, 160),
        "mouth": (169, 301, 192),
    }
    assert COMPONENTS == ("left_eye", "right_eye", "nose", "mouth", "remainder")
    assert {name: Layout().size(name) for name in COMPONENTS} == SIZES


def test_crops_are_the_windows_and_the_remainder_is_white_inside_them():
    sketch = torch.rand(2, 1, 512, 512) + 0.01
    before = sketch.clone()
    crops = Layout().crop(sketch)

    assert {name: tuple(crop.shape) for name, crop in crops.items()} == {n: (2, 1, s, s) for n, s in SIZES.items()}
    assert torch.equal(crops["nose"], sketch[:, :, 232 : 232 + 160, 182 : 182 + 160])
    assert torch.equal(crops["mouth"], sketch[:, :, 301 : 301 + 192, 169 : 169 + 192])
    inside = torch.zeros(512, 512, dtype=torch.bool)
    for x, y, size in [(108, 156, 128), (255, 156, 128), (182, 232, 160), (169, 301, 192)]:
        inside[y : y + size, x : x + size] = True
    assert not crops["remainder"][..., inside].any()
    assert torch.equal(crops["remainder"][..., ~inside], sketch[..., ~inside])
    assert torch.equal(sketch, before), "the caller's sketch was changed"


def test_crops_keep_the_dtype():
    assert {crop.dtype for crop in Layout().crop(torch.rand(1, 1, 512, 512).bfloat16()).values()} == {torch.bfloat16}


@pytest.fixture(scope="module", params=[512, 128])
def merged(request):
    return Layout().merge(constant_maps(VALUES, request.param))


@pytest.mark.parametrize(
    ("x", "y", "shown"),
    [
        (50, 50, "remainder"),
        (107, 220, "remainder"),
        (265, 470, "mouth"),
        (140, 220, "left_eye"),
        (350, 220, "right_eye"),
        (256, 300, "nose"),
        (262, 332, "nose"),  # over the mouth, which begins at row 301
        (262, 358, "mouth"),  # the nose's 36 bottom rows, 356 to 391, are cut off
        (262, 390, "mouth"),
        (212, 256, "left_eye"),  # over the nose
        (290, 256, "right_eye"),  # over the nose
    ],
)
def test_merge_order(merged, x, y, shown):
    f = merged.shape[-1] / 512
    assert merged[0, 0, int((y + 0.5) * f), int((x + 0.5) * f)].item() == pytest.approx(VALUES[shown], abs=1e-5)


def test_the_right_eye_lies_over_the_left():
    layout = Layout({"left_eye": (100, 156, 128), "right_eye": (150, 156, 128)})
    merged = layout.merge(constant_maps(VALUES))
    assert merged[0, 0, 220, 190] == 4


@pytest.mark.parametrize(("canvas", "cut"), [(512, 36), (128, 9)])
def test_the_bottom_rows_of_the_nose_do_not_show(canvas, cut):
    maps = constant_maps(dict.fromkeys(VALUES, 0.0), canvas)
    maps["nose"][..., -cut:, :] = 1
    assert not Layout().merge(maps).any()
    maps["nose"][..., -cut - 1, :] = 1
    assert Layout().merge(maps).any()


@pytest.mark.parametrize(("canvas", "seam"), [(512, 16), (128, 4)])
@pytest.mark.parametrize("part", DEFAULT_WINDOWS)
def test_seams_are_soft(part, canvas, seam):
    """A part of ones over zeros rises over 16 canvas pixels; where two borders cross, both add to a step."""
    merged = Layout().merge(constant_maps({**dict.fromkeys(VALUES, 0.0), part: 1.0}, canvas))[0, 0]
    assert merged.min() >= 0
    assert merged.max() == pytest.approx(1)
    assert merged.diff(dim=0).abs().max() <= 2 / seam + 1e-5
    assert merged.diff(dim=1).abs().max() <= 2 / seam + 1e-5


@pytest.mark.parametrize("canvas", [512, 128])
def test_equal_maps_merge_without_a_trace(canvas):
    merged = Layout().merge(constant_maps(dict.fromkeys(VALUES, 0.7), canvas))
    assert torch.allclose(merged, torch.full_like(merged, 0.7))


def test_merge_changes_no_map_and_keeps_batch_and_channels():
    maps = {name: torch.randn(2, 3, *[size // 4] * 2) for name, size in SIZES.items()}
    before = {name: value.clone() for name, value in maps.items()}
    assert Layout().merge(maps).shape == (2, 3, 128, 128)
    assert all(torch.equal(maps[name], before[name]) for name in maps)


def test_a_part_of_another_size_is_resized():
    maps = constant_maps(VALUES)
    expected = Layout().merge(maps)
    maps["nose"], maps["mouth"] = maps["nose"][..., ::2, ::2], maps["mouth"][..., ::3, ::3]
    assert torch.allclose(Layout().merge(maps), expected, atol=1e-5)


def test_gradient_flows_to_each_map_where_it_shows():
    maps = {name: value.requires_grad_() for name, value in constant_maps(VALUES, 128).items()}
    Layout().merge(maps).sum().backward()
    for name, value in maps.items():
        assert value.grad.max() == pytest.approx(1), name
    assert maps["remainder"].grad[0, 0, 55, 35] == 0, "the left eye covers the remainder"
    assert not maps["nose"].grad[..., -9:, :].any()


def test_own_windows_move_crops_and_maps():
    layout = Layout({"nose": Window(10, 300, 96), "mouth": [400.0, 20, 96]})
    assert layout.windows["nose"] == Window(10, 300, 96)
    assert layout.windows["mouth"] == Window(400, 20, 96)
    assert layout.windows["left_eye"] == DEFAULT_WINDOWS["left_eye"]
    assert layout.size("nose") == 96
    sketch = torch.rand(1, 1, 512, 512)
    crops = layout.crop(sketch)
    assert torch.equal(crops["nose"], sketch[..., 300:396, 10:106])
    assert not crops["remainder"][..., 20:116, 400:496].any()
    assert torch.equal(crops["remainder"][..., 400:493, 200:361], sketch[..., 400:493, 200:361])
    merged = layout.merge({n: torch.full((1, 1, *[layout.size(n)] * 2), v) for n, v in VALUES.items()})[0, 0]
    assert (merged[330, 58], merged[60, 450], merged[450, 265]) == (2, 1, 0)
    assert DEFAULT_WINDOWS["nose"] == Window(182, 232, 160), "the defaults were changed"


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ({"chin": (0, 0, 64)}, "unknown component 'chin'"),
        ({"remainder": (0, 0, 512)}, "unknown component 'remainder'"),
        ({"nose": (10, 10)}, "three whole numbers"),
        ({"nose": (10.5, 10, 64)}, "three whole numbers"),
        ({"nose": (10, None, 64)}, "three whole numbers"),
        ({"nose": (10, float("inf"), 64)}, "three whole numbers"),
        ({"nose": (-1, 10, 64)}, "inside the 512 px canvas"),
        ({"nose": (10, 449, 64)}, "inside the 512 px canvas"),
        ({"nose": (449, 10, 64)}, "inside the 512 px canvas"),
        ({"nose": (10, 10, 0)}, "of nose"),
    ],
)
def test_impossible_windows_are_refused(windows, message):
    with pytest.raises(ValueError, match=message):
        Layout(windows)


def test_a_layout_used_for_inference_still_trains():
    layout = Layout()
    maps = {name: torch.ones(1, 1, layout.size(name), layout.size(name)) for name in COMPONENTS}
    with torch.inference_mode():
        layout.merge(maps)
    trained = {name: m.clone().requires_grad_() for name, m in maps.items()}
    layout.merge(trained).sum().backward()
    assert all(m.grad.any() for m in trained.values())


def test_a_seam_of_zero_is_a_hard_border():
    merged = Layout().merge(constant_maps(dict.fromkeys(VALUES, 1.0) | {"remainder": 0.0}), seam=0)
    assert set(merged.unique().tolist()) == {0.0, 1.0}
