"""A browser."""

import pytest
from playwright.sync_api import sync_playwright

from .browsing import CHROMIUM, PATIENCE


@pytest.fixture(scope="session")
def browser():
    quiet = ["--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--no-first-run", *quiet], timeout=PATIENCE
        )
        yield chromium
        chromium.close()
