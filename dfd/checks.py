"""Checks of numbers that callers give."""

from __future__ import annotations

from math import inf
from numbers import Integral, Real


def is_whole(value: object, low: float = -inf, high: float = inf) -> bool:
    """Whether a value is a whole number (Python's or numpy's; True and 2.0 are none) from `low` to `high`."""
    return isinstance(value, Integral) and not isinstance(value, bool) and low <= value <= high


def check_whole(name: str, value: object, low: int, high: float = inf) -> None:
    """Raises ValueError, naming the argument, what it may be and what it is, unless `is_whole`."""
    if not is_whole(value, low, high):
        accepted = f"of at least {low}" if high == inf else f"from {low} to {high}"
        raise ValueError(f"{name} must be a whole number {accepted}, got {value!r}")


def check_emphasis(value: object) -> None:
    """Raises ValueError unless an emphasis is a number from 0 to 2."""
    if not isinstance(value, Real) or not 0 <= value <= 2:
        raise ValueError(f"emphasis must be a number in [0, 2], got {value!r}")
