"""Bad input: how many cases, what they may cost, and a small studio that they are sent to.

`pytest tests/security` tries a few hundred cases; `HYPOTHESIS_PROFILE=campaign pytest tests/security` more than 5,000.
"""

import os
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

#: Bytes of a studio with the shipped weights, on two cores, after its first faces. What a case takes comes on top of
#: them, and not of what other tests have left in this process, or what tiny networks need.
SERVED = 1100 * 2**20

#: Seconds for an answer, on cores that are shared with other tests and programs: what it computes is what counts.
PATIENCE = 60

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
        self.cases, self.opened = Counter(), None
        self.longest, self.slowest, self.largest = (0.0, "none"), (0.0, "none"), (0, "none")
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
        forget_peak()
        before = memory("VmRSS")
        self.opened = []
        started = time.process_time()
        try:
            yield
        finally:
            seconds, opened = time.process_time() - started, self.opened
            self.opened = None
            taken = memory("VmHWM") - before
        assert not opened, opened
        self.judge(name, seconds, taken)

    @contextmanager
    def request(self, name, studio):
        """A case in another process, whose threads' time counts: how long the answer took is judged with patience."""
        self.cases[name] += 1
        started, computed = time.perf_counter(), studio.seconds()
        yield
        waited = time.perf_counter() - started
        self.slowest = max(self.slowest, (waited, name))
        assert waited < PATIENCE, f"{waited:.1f} s on the clock"
        self.judge(name, studio.seconds() - computed, studio.taken())

    def judge(self, name, seconds, taken):
        self.longest, self.largest = max(self.longest, (seconds, name)), max(self.largest, (taken, name))
        assert seconds < SECONDS, f"{seconds:.1f} s"
        assert SERVED + taken < BYTES, f"{taken / 2**20:.0f} MiB"


def memory(field: str, pid: int | str = "self") -> int:
    """Bytes that a process has (`VmRSS`), or the most that it has had (`VmHWM`)."""
    return 1024 * int(Path(f"/proc/{pid}/status").read_text().split(f"{field}:")[1].split()[0])


def forget_peak():
    """From here on, `VmHWM` of this process is that of what follows."""
    Path("/proc/self/clear_refs").write_text("5")


_watches = []


@pytest.fixture(scope="session")
def watch():
    _watches.append(Watch())
    return _watches[0]


def pytest_terminal_summary(terminalreporter):
    for watch in _watches:
        each = ", ".join(f"{name} {count}" for name, count in watch.cases.items())
        terminalreporter.write_line(
            f"bad input: {watch.cases.total()} cases ({each}); at most {watch.longest[0]:.2f} s of computing "
            f"({watch.longest[1]}), {watch.slowest[0]:.2f} s for an answer ({watch.slowest[1]}), "
            f"{watch.largest[0] / 2**20:.0f} MiB ({watch.largest[1]}) beyond the {SERVED / 2**20:.0f} of a studio"
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
    """A running studio with tiny networks: `url`, `files` (Gradio's folder), `log()`.

    `seconds()` is what it has computed, `taken()` the most bytes that it has had more than after its start.
    """
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

        idle = memory("VmRSS", process.pid)
        yield SimpleNamespace(
            url=url,
            files=files,
            log=(folder / "log.txt").read_text,
            seconds=lambda: sum(process.cpu_times()[:2]),
            taken=lambda: memory("VmHWM", process.pid) - idle,
        )
