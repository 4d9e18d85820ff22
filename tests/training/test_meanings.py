"""What is drawn on purpose moves codes, the way from faces without to faces with it."""

import numpy as np
import pytest
import torch

from dfd.data.schematic import Person
from dfd.training.meanings import FARTHER, measured_ways, moved_on, told


def test_marks_move_codes_where_they_are_seen():
    plain = {name: torch.randn(4, 64) for name in ("nose", "mouth", "left_eye")}
    before = {name: code.clone() for name, code in plain.items()}
    ways = {"bearded": {name: torch.full((64,), 1.0) for name in plain}}
    ways["old"] = {name: torch.full((64,), 10.0) for name in plain}
    marked = moved_on(plain, [{"beard"}, {"crows_feet", "bags"}, {"beard", "folds"}, set()], ways)
    bearded, old = FARTHER["bearded"], 10 * FARTHER["old"]
    wanted = {"nose": (bearded, 0, bearded + old, 0), "left_eye": (0, old, 0, 0)}
    wanted["mouth"] = wanted["nose"]
    for name, by_row in wanted.items():
        assert torch.equal(plain[name], before[name]), "what they were made from stays"
        torch.testing.assert_close(marked[name] - plain[name], torch.tensor(by_row)[:, None].expand(-1, 64))


def test_a_component_tells_what_is_drawn_in_it():
    marks = [{"beard"}, {"bags", "closed"}, {"curls"}, set()]
    for name, wanted in (("mouth", [1, 1, 0, 0]), ("left_eye", [0, 1, 0, 0]), ("remainder", [0, 0, 1, 0])):
        assert told(marks, name).tolist() == [bool(x) for x in wanted]


def test_ways_lead_from_faces_without_to_faces_with_a_trait():
    """Half of the men have beards; half of each gender are old. Codes say so, beside gender, source and age.

    Every fifth of the old wears glasses that nobody noticed: the way to the old must not lead to glasses.
    """
    many = np.arange(384)
    male, old = many % 2 == 0, many // 2 % 2 == 0
    bearded = male & (many // 4 % 2 == 0)
    glasses, hanging, curly = (many // period % 2 == 0 for period in (8, 48, 96))
    worn = glasses | old & (many % 5 == 1)

    class Faces:
        genders = np.where(male, 0, 1)
        rows = [{"source": "a" if i < 192 else "b"} for i in many]  # noqa: RUF012

        def person(self, i):
            landmarks = np.zeros((70, 2))
            landmarks[48 + 17 : 48 + 20, 1] = 9 * (i % 3)
            landmarks[54, 0] = 100
            landmarks[[48, 54], 1] = landmarks[66, 1] / 2 + np.where(hanging[i], 10, -3)
            hair = np.full((128, 128), i % 5 > 0)
            looks = {"hair": hair, "glasses": bool(glasses[i]), "curly": bool(curly[i])}
            return Person(landmarks, bool(bearded[i]), 60 if old[i] else 20, **looks)

    seen = np.stack([bearded, old, male, many < 192, many % 3 == 0, worn, hanging, curly], 1)
    codes = {"nose": torch.tensor(seen, dtype=torch.float32)}
    ways = measured_ways(codes, Faces(), many)
    for trait, wanted in (("bearded", 0), ("old", 1), ("closed", 4), ("glasses", 5), ("sad", 6), ("curly", 7)):
        assert ways[trait]["nose"].tolist() == pytest.approx(np.eye(8)[wanted].tolist(), abs=0.15)
    assert abs(ways["old"]["nose"] @ ways["glasses"]["nose"]) < 1e-5
    assert torch.equal(ways["open"]["nose"], -ways["closed"]["nose"])
    assert measured_ways({"nose": codes["nose"][:16]}, Faces(), many[:16]).keys() == set(), "too few"
