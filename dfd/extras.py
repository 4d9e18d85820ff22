"""Packages that only some uses need: the extras of `pyproject.toml`, and the sentence where one is missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


def missing_extra(extra: str, purpose: str) -> ImportError:
    """The error of a missing extra, as a sentence with the README's command that installs it.

    Args:
        extra: its name in `pyproject.toml`.
        purpose: what needs it, a noun in the singular.
    """
    return ImportError(f'{purpose} needs packages that are not installed: pip install -e ".[{extra}]"')


@contextmanager
def needs_extra(extra: str, purpose: str, module: str = "") -> Iterator[None]:
    """`with needs_extra("train", "training", __name__):` around imports that need an extra.

    Args:
        extra, purpose: see `missing_extra`.
        module: `__name__` of a command line, which ends with the sentence in place of a traceback.

    Raises:
        ImportError: a module was not found, and this is no command line that runs.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        sentence = missing_extra(extra, purpose)
        if module == "__main__":
            sys.exit(f"error: {sentence} ({error})")
        raise sentence from error
