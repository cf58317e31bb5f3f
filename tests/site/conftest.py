"""The site of a registry with every kind of version, and a browser to look at it with."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from commands import as_url
from site_catalogue import fill, write


@pytest.fixture(scope="session")
def filled_url(new_database: Callable[..., str], template_database: str) -> str:
    """URL of a database that holds what :func:`fill` registers; tests only look at it."""
    url = new_database(template_database)
    with psycopg.connect(url, autocommit=True) as conn:
        fill(conn)
    return as_url(url)


@pytest.fixture(scope="session")
def site(filled_url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of that database; tests only look at it."""
    folder = tmp_path_factory.mktemp("sites") / "site"
    write(filled_url, folder, "--title", "Models <b>of</b> ours")
    return folder


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A Chromium without a window, one for the run."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no Chromium with its driver is installed (on Debian: apt-get install chromium chromium-driver)")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    profile = tmp_path_factory.mktemp("chromium")
    for flag in (
        *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-dev-shm-usage"),
        *("disable-background-networking", "disable-component-update", "disable-sync", f"user-data-dir={profile}"),
    ):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options=options, service=Service(driver)) as chromium:
        yield chromium
