"""Python programs in processes of their own, forked from one that has loaded torch: that takes longer than their work.

Only what reads no environment while it is loaded is loaded before the fork: not huggingface_hub, nor `dfd`.
"""

import multiprocessing
import os
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["torch._dynamo", "scipy.ndimage", "sklearn.cluster"])


def run_python(arguments: list, environment: dict[str, str], cwd: Path, folder: Path, timeout: int = 300):
    """`python` with arguments (`-c code`, `-m module` or a file, and theirs); `folder` holds what it says.

    Returns:
        `returncode`, `stdout` and `stderr`, as `subprocess.run` does.
    """
    said = [folder / "stdout", folder / "stderr"]
    process = SERVER.Process(target=_python, args=([*map(str, arguments)], environment, cwd, said))
    process.start()
    process.join(timeout)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(f"{arguments} took more than {timeout} s")
    stdout, stderr = (path.read_text() for path in said)
    return SimpleNamespace(returncode=process.exitcode, stdout=stdout, stderr=stderr)


def _python(arguments, environment, cwd, said):
    for number, path in enumerate(said, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.path.insert(0, str(cwd))
    kind, *sys.argv = arguments
    if kind == "-m":
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        exec(compile(sys.argv[0], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = arguments
        runpy.run_path(kind, run_name="__main__")
