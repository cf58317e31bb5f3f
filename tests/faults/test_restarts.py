"""A registry that is open while the server restarts: it goes on by itself, or says one clear line."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from atlas_models import AsyncRegistry, ConnectionFailed, ConnectionLost, Registry
from factories import internal_metadata

FAST, IMMEDIATE, KILLED = signal.SIGINT, signal.SIGQUIT, signal.SIGKILL


@contextmanager
def opened(kind: str, url: str) -> Iterator[Registry]:
    if kind == "url":
        with Registry(url) as registry:
            yield registry
    else:
        with ConnectionPool(url, min_size=1, max_size=2, open=True) as pool:
            yield Registry(pool)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "signals"),
    [
        ("url", [KILLED]),
        ("pool", [FAST]),
        pytest.param("url", [FAST, IMMEDIATE], marks=pytest.mark.long),
        pytest.param("pool", [IMMEDIATE, KILLED], marks=pytest.mark.long),
    ],
)
def test_an_open_registry_goes_on_with_a_restarted_server(durable_server, registry_url, kind, signals):
    with opened(kind, registry_url) as registry:
        for number, how in enumerate(signals, start=1):
            made = registry.register_model("churn", internal_metadata())
            assert (made.version_number, made.created) == (2 * number - 1, True)
            durable_server.restart(how)
            assert registry.get_model("churn").artifact_id == made.artifact_id
            durable_server.restart(how)
            made = registry.register_model("churn", internal_metadata())
            assert (made.version_number, made.created) == (2 * number, True)
            durable_server.restart(how)
            # Without a key it is not sent a second time; the next call has a new connection.
            with pytest.raises(ConnectionLost) as caught:
                registry.promote(made.artifact_id)
            assert caught.value.message == "the connection to the database was lost"
            assert registry.promote(made.artifact_id).version_number == 2 * number


@pytest.mark.slow
def test_a_server_that_is_down_is_one_clear_line_until_it_is_up_again(durable_server, registry_url):
    with Registry(registry_url) as registry, ConnectionPool(registry_url, min_size=1, open=True) as pool:
        pooled = Registry(pool)
        made = registry.register_model("churn", internal_metadata())
        pool.timeout, patience = 0.2, pool.timeout
        durable_server.stop_where_it_stands()
        for one, said in ((registry, "Connection refused"), (pooled, "the pool gave no connection: ")):
            first, second = failure(one), failure(one)
            assert said in first.message, first.message
            assert said in second.message, second.message
            assert (type(first), type(second)) == (ConnectionLost, ConnectionFailed)
            for error in (first, second):
                assert "\n" not in error.message + error.hint
        durable_server.wait_until_up()
        pool.timeout = patience  # it waits ever longer between its own tries
        for one in (registry, pooled):
            assert one.get_model("churn").artifact_id == made.artifact_id
        assert registry.register_model("churn", internal_metadata()).version_number == 2


def failure(registry: Registry) -> ConnectionFailed:
    with pytest.raises(ConnectionFailed) as caught:
        registry.register_model("churn", internal_metadata())
    return caught.value


@pytest.mark.long
def test_an_asynchronous_registry_goes_on_with_a_restarted_server(durable_server, registry_url):
    async def go_on() -> list[int]:
        numbers = []
        async with AsyncRegistry(registry_url) as own, AsyncConnectionPool(registry_url, min_size=2) as pool:
            for registry in (own, AsyncRegistry(pool)):
                for how in (FAST, KILLED):
                    numbers.append((await registry.register_model("churn", internal_metadata())).version_number)
                    durable_server.restart(how)
                    numbers.append((await registry.register_model("churn", internal_metadata())).version_number)
        return numbers

    assert asyncio.run(go_on()) == [1, 2, 3, 4, 5, 6, 7, 8]
