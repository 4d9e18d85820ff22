"""What all tests in a real browser need to know."""

import shutil

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="needs chromium (Debian: apt-get install chromium)")

#: Milliseconds. Without a graphics card pages are drawn by software, which is slow on a busy machine.
PATIENCE = 120_000
