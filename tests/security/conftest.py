"""Bad input: how many cases, what they may cost, and a small studio that they are sent to.

`pytest tests/security` tries a few hundred cases; `HYPOTHESIS_PROFILE=campaign pytest tests/security` more than 5,000.
"""

import os
import resource
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import HealthCheck, Phase, settings

ROOT = Path(__file__).parents[2]

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "quick")

#: What a case may take at most: seconds of computing (on busy cores a second counts less), bytes of memory.
SECONDS, BYTES = 5 if PROFILE == "campaign" else 15, 2 * 2**30

# Other processes share the cores: neither a deadline nor a slow start says anything about the code.
_COMMON = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
settings.register_profile("quick", max_examples=40, **_COMMON)
settings.register_profile("campaign", max_examples=800, phases=[Phase.generate], **_COMMON)
settings.load_profile(PROFILE)

# Files that code may open to read: its own, the interpreter's, the system's lists of types and fonts.
_READABLE = [
    str(path)
    for path in (
        tempfile.gettempdir(),
        ROOT,
        sys.base_prefix,
        sys.prefix,
        *sysconfig.get_paths().values(),
        "/dev",
        "/proc/self",
        "/proc/meminfo",
        "/proc/cpuinfo",
        "/sys",
        "/etc/mime.types",
    )
]


class Watch:
    """Counts cases, and sees to it that none takes long, much memory, other files, a network or a program."""

    def __init__(self):
        self.cases, self.longest, self.opened = Counter(), (0.0, ""), None
        sys.addaudithook(self.audit)

    def audit(self, event, arguments):
        if self.opened is None:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = bool((flags or 0) & (os.O_WRONLY | os.O_RDWR)) or any(c in (mode or "") for c in "wax+")
            if isinstance(path, int):
                return
            name = os.path.abspath(os.fsdecode(path))
            allowed = [tempfile.gettempdir(), "/dev/null"] if writes else _READABLE
            if not name.startswith(tuple(allowed)):
                self.opened.append(f"{'writes' if writes else 'reads'} {name}")
        elif event in (
            "socket.connect",
            "subprocess.Popen",
            "os.system",
            "os.exec",
            "os.posix_spawn",
            "pickle.find_class",
        ):
            self.opened.append(f"{event} {arguments}"[:200])

    @contextmanager
    def case(self, name):
        self.cases[name] += 1
        self.opened = []
        started = time.process_time()
        try:
            yield
        finally:
            seconds, opened = time.process_time() - started, self.opened
            self.opened = None
            self.longest = max(self.longest, (seconds, name))
        assert not opened, opened
        assert seconds < SECONDS, f"{seconds:.1f} s"
        assert memory() < BYTES

    @contextmanager
    def request(self, name):
        """A case in another process: what it takes is time on the clock."""
        self.cases[name] += 1
        started = time.perf_counter()
        yield
        self.longest = max(self.longest, (time.perf_counter() - started, name))


def memory() -> int:
    """The most bytes that this process has had."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


_watches = []


@pytest.fixture(scope="session")
def watch():
    _watches.append(Watch())
    return _watches[0]


def pytest_terminal_summary(terminalreporter):
    for watch in _watches:
        each = ", ".join(f"{name} {count}" for name, count in watch.cases.items())
        terminalreporter.write_line(
            f"bad input: {watch.cases.total()} cases ({each}); the longest took {watch.longest[0]:.2f} s "
            f"({watch.longest[1]}); peak memory here {memory() / 2**20:.0f} MiB"
        )


#: The app as it is, but for how long it keeps files.
STUDIO = """
from dfd.ui import studio
studio.KEEP_SECONDS = (1, 12)
import app
app.demo.launch()
"""


@pytest.fixture(scope="session")
def studio(serve, checkpoint, tmp_path_factory):
    """A running studio with tiny networks: `url`, `files` (Gradio's folder), `log()`, `memory()`."""
    files = tmp_path_factory.mktemp("gradio")
    before = set(tmp_path_factory.getbasetemp().glob("server[0-9]*"))
    mcp = {"GRADIO_MCP_SERVER": "True"}
    with serve(
        [sys.executable, "-c", STUDIO], DFD_CHECKPOINT=str(checkpoint), GRADIO_TEMP_DIR=str(files), **mcp
    ) as url:
        (folder,) = set(tmp_path_factory.getbasetemp().glob("server[0-9]*")) - before
        (process,) = [
            child
            for child in psutil.Process().children()
            if any(c.laddr and c.laddr.port == int(url.rsplit(":", 1)[1]) for c in child.net_connections())
        ]

        def peak() -> int:
            status = Path(f"/proc/{process.pid}/status").read_text()
            return 1024 * int(status.split("VmHWM:")[1].split()[0])

        yield SimpleNamespace(url=url, files=files, log=(folder / "log.txt").read_text, memory=peak)
