"""A server to be killed; the tests of this folder share it, each with a database of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crashing_server import CrashingServer, crashing_server


@pytest.fixture(scope="session")
def _server_on_disk() -> Iterator[CrashingServer]:
    with crashing_server() as server:
        yield server


@pytest.fixture(scope="session")
def _server_in_memory() -> Iterator[CrashingServer]:
    with crashing_server(in_memory=True) as server:
        yield server


@pytest.fixture
def durable_server(request: pytest.FixtureRequest) -> CrashingServer:
    """A server with fsync that may be killed and is up again when a test ends; on a disk for the long proofs."""
    is_long = request.node.get_closest_marker("long") is not None
    return request.getfixturevalue("_server_on_disk" if is_long else "_server_in_memory")


@pytest.fixture
def registry_url(durable_server: CrashingServer) -> str:
    """URL of a new registry on that server."""
    return durable_server.new_registry()
