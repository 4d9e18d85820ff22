"""What counts as a whole number, and the sentence about anything else."""

import numpy as np
import pytest

from dfd.checks import check_whole, is_whole


@pytest.mark.parametrize("value", [2, 9, np.int64(5), np.uint8(2)])
def test_whole_numbers_of_python_and_numpy(value):
    assert is_whole(value, 2, 9)
    check_whole("steps", value, 2, 9)


@pytest.mark.parametrize("value", [1, 10, True, 2.0, np.float64(3), "3", None, float("nan"), [3]])
def test_anything_else_is_none(value):
    assert not is_whole(value, 2, 9)


def test_without_ends_any_whole_number_will_do():
    assert is_whole(-(10**30)) and is_whole(10**30) and not is_whole(0.5)


def test_the_message_names_argument_range_and_value():
    with pytest.raises(ValueError, match=r"^steps must be a whole number from 2 to 9, got '3'$"):
        check_whole("steps", "3", 2, 9)
    with pytest.raises(ValueError, match=r"^steps must be a whole number of at least 2, got 1$"):
        check_whole("steps", 1, 2)
