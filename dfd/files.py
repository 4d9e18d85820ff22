"""Files that are written whole or not at all, and folders known by their contents."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """`with whole_file(path) as partial`: what is written to `partial` becomes `path`, all of it or nothing.

    A reader never sees half of it, whenever the writer is killed; what was at `path` stays until then. Missing folders
    are made.

    Raises:
        OSError: it cannot be written, as on a full disk; the message names the file and says what can be done.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:  # RuntimeError: torch's, of a full disk
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: Exception) -> OSError:
    """The error of a file or folder that cannot be written, as a sentence with what can be done."""
    reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
    return OSError(
        f"{path} cannot be written: {reason}. Make room on its disk, or choose a folder that you may write to; then "
        "start again"
    )


def write_atomically(path: Path, text: str) -> None:
    """Writes a text as `whole_file` does."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def file_hash(path: Path) -> str:
    """sha256 of a file's contents, as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_hash(folder: Path) -> str:
    """sha256 over the names and contents of all files under a folder.

    Markdown does not count: a model card tells of the weights beside it and is no part of them.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".md"):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(bytes.fromhex(file_hash(path)))
    return digest.hexdigest()
