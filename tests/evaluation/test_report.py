"""Summary, JSON and Markdown from measures made up by hand."""

import json

import numpy as np
import pytest

from dfd.evaluation.report import groups_of, summarise, to_json
from dfd.evaluation.tables import TRUE, to_markdown


def made_up(shift: float, n: int = 120) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    found = np.ones(n)
    found[:10] = 0
    descriptor = rng.normal(size=(n, 3)) + shift
    descriptor[:10] = np.nan
    return {
        "perceptual": np.full(n, shift),
        "psnr": np.full(n, np.inf) if shift == 0 else np.arange(n, dtype=float),
        "f1/all": np.where(np.arange(n) < 20, np.nan, 0.5),
        "faces": found,
        "identity": np.where(found == 1, shift, np.nan),
        "pooled": rng.normal(size=(n, 5)) + shift,
        "descriptor": descriptor,
    }


@pytest.fixture(scope="module")
def summary():
    groups = {"all": np.ones(120, bool), "few": np.arange(120) < 30, "hardly any": np.arange(120) < 3}
    return summarise({TRUE: made_up(0), "ours": made_up(2)}, groups, resamples=20)


def test_figures_carry_the_number_of_pictures_that_they_rest_on(summary):
    ours = summary["ours"]["all"]
    assert ours["perceptual"] == {"value": 2, "n": 120, "error": 0}
    assert ours["f1/all"] == {"value": 0.5, "n": 100, "error": 0}
    assert ours["one_face"]["value"] == pytest.approx(110 / 120)
    assert ours["identity"]["n"] == 110
    assert ours["psnr"]["error"] == pytest.approx(np.arange(120).std(ddof=1) / np.sqrt(120))
    assert summary[TRUE]["all"]["psnr"] == {"value": None, "n": 0}


def test_realism_is_a_shift_with_an_interval_beside_the_floor(summary):
    ours, true = summary["ours"]["all"], summary[TRUE]["all"]
    assert ours["frechet/pooled"]["value"] == pytest.approx(5 * 2**2)
    assert ours["frechet/pooled"]["low"] <= 20.001
    assert ours["frechet/pooled"]["high"] >= 19.999
    assert ours["frechet/descriptor"] | {} and ours["frechet/descriptor"]["n"] == 110
    assert true["frechet/pooled"]["n"] == 60
    assert 0 < true["frechet/pooled"]["value"] < 1 < ours["frechet/pooled"]["halves"]
    assert true["kernel/pooled"]["value"] < ours["kernel/pooled"]["value"]


def test_small_groups_say_n_and_have_no_frechet_distance(summary):
    few, hardly = summary["ours"]["few"], summary["ours"]["hardly any"]
    assert few["frechet/pooled"] == {"value": None, "n": 30}
    assert few["kernel/pooled"]["value"] > 0
    assert hardly["kernel/pooled"] == {"value": None, "n": 3}


def test_documents_are_strict_json_and_markdown(summary):
    document = {
        "data": {"split": "test", "faces": 120},
        "date": "today",
        "checkpoint": {"sha256": "0123456789abcdef"},
        "hardware": "an abacus",
        "seeds": {"damages": 0},
        "rows": summary,
    }
    assert json.loads(to_json(document))["rows"]["ours"]["all"]["perceptual"]["value"] == 2
    text = to_markdown(document, ["ours", "not there"])
    assert "test split" in text
    assert "an abacus" in text
    assert "## By group: ours" in text
    assert "not there" not in text
    table = [line for line in text.splitlines() if line.startswith("| ours")]
    halves = summary["ours"]["all"]["frechet/pooled"]["halves"]
    assert f"] ({halves:.3f}) |" in table[0]
    assert table[0].startswith("| ours | 2.000 | 59.50 |")  # SSIM, which no row has, takes no column
    assert len({line.count("|") for line in text.split("\n\n")[3].splitlines()}) == 1


def test_groups_come_from_the_labels(face_folder, tmp_path):
    from dfd.data.faces import FaceFolder

    columns = {"group": ["white", "", "asian", "white"], "gender_source": ["folder", "folder", "unsure", "folder"]}
    faces = FaceFolder(face_folder(tmp_path / "faces", 4, **columns), tmp_path / "cache")
    groups = groups_of(faces, np.array([0, 2, 3]))
    assert list(groups) == ["all", "male", "female", "asian", "white"]
    assert groups["female"].tolist() == [True, False, False]  # the second of them is unsure
    assert groups["male"].tolist() == [False, False, True]
    assert groups["white"].tolist() == [True, False, True]
