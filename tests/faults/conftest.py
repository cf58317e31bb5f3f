"""A server to be killed; the tests of this folder share it, each with a database of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crashing_server import CrashingServer, crashing_server


@pytest.fixture(scope="session")
def durable_server() -> Iterator[CrashingServer]:
    """A server with fsync that may be killed; it is up again when a test ends."""
    with crashing_server() as server:
        yield server


@pytest.fixture
def registry_url(durable_server: CrashingServer) -> str:
    """URL of a new registry on that server."""
    return durable_server.new_registry()
