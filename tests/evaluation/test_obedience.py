"""Obedience: a tolerance of exactly 4 px, precision and recall counted by hand, masks by component."""

import numpy as np
import pytest

from dfd.components import COMPONENTS, Layout
from dfd.evaluation.obedience import agreement, component_masks

EVERYWHERE = {"all": np.ones((64, 64), bool)}


def line(x: int, rows: slice = slice(None)) -> np.ndarray:
    lines = np.zeros((64, 64), bool)
    lines[rows, x] = True
    return lines


@pytest.mark.parametrize(("distance", "score"), [(0, 1), (3, 1), (4, 1), (5, 0)])
def test_a_line_counts_up_to_four_pixels_away(distance, score):
    assert agreement(line(20 + distance), line(20), EVERYWHERE)["all"] == (score, score, score)


def test_diagonal_distance_is_euclidean():
    found, drawn = np.zeros((2, 64, 64), bool)
    drawn[30, 30] = True
    found[33, 33] = True  # 4.24 px away
    assert agreement(found, drawn, EVERYWHERE)["all"] == (0, 0, 0)


def test_precision_and_recall_by_hand():
    # Half of the drawn line is found, and a false one as long as the half was added far away.
    drawn, found = line(10), line(10, slice(0, 32)) | line(50, slice(0, 32))
    precision, recall, f1 = agreement(found, drawn, EVERYWHERE)["all"]
    assert precision == 0.5
    assert recall == pytest.approx(36 / 64)  # 4 px beyond the end are within tolerance
    assert f1 == pytest.approx(2 * 0.5 * recall / (0.5 + recall))


def test_nothing_drawn_and_nothing_found():
    nothing = np.zeros((64, 64), bool)
    assert np.isnan(agreement(line(3), nothing, EVERYWHERE)["all"]).all()
    assert agreement(nothing, line(3), EVERYWHERE)["all"] == (0, 0, 0)


def test_lines_outside_a_mask_do_not_count_but_may_match():
    masks = {"left": np.arange(64)[None, :].repeat(64, 0) < 32}
    assert agreement(line(33), line(31), masks)["left"][1] == 1
    precision, recall, _ = agreement(line(10) | line(60), line(10) | line(40), masks)["left"]
    assert (precision, recall) == (1, 1)


def test_masks_are_the_windows_and_the_rest():
    masks = component_masks(Layout())
    assert set(masks) == {"all", *COMPONENTS}
    assert masks["left_eye"].sum() == 128**2
    assert masks["left_eye"][156, 108]
    assert not masks["left_eye"][155, 108]
    covered = np.any([masks[name] for name in COMPONENTS], axis=0)
    assert covered.all()
    assert not (masks["remainder"] & masks["mouth"]).any()
