"""The answer to COMMIT is cut off: the client repeats what the database recognises, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from atlas_models import AsyncRegistry, ConnectionFailed, ConnectionLost, Registry
from commands import atlas
from cutting_proxy import CuttingProxy, cutting_proxy
from factories import internal_metadata

REGISTER, COMMIT = b"register_model", b"COMMIT"
UNKNOWN = "whether the last call was committed is unknown"


@pytest.fixture
def proxy(database_url: str) -> Iterator[CuttingProxy]:
    with cutting_proxy(database_url) as running:
        yield running


@pytest.fixture
def count(conn: psycopg.Connection):
    def versions() -> int:
        return conn.execute("select count(*) from model_versions").fetchone()[0]

    return versions


@contextmanager
def opened(kind: str, url: str) -> Iterator[Registry]:
    """A registry that reaches the database through the proxy only."""
    if kind == "url":
        with Registry(url) as registry:
            yield registry
    else:
        with ConnectionPool(url, min_size=1, max_size=2, open=True) as pool:
            yield Registry(pool)


@pytest.fixture(params=["url", "pool"])
def registry(request, proxy: CuttingProxy) -> Iterator[Registry]:
    with opened(request.param, proxy.url) as registry:
        yield registry


@pytest.mark.parametrize(
    ("kind", "has_key", "calls"),
    [
        ("url", True, 5),
        ("pool", False, 5),
        pytest.param("url", True, 50, marks=pytest.mark.long),
        pytest.param("pool", False, 50, marks=pytest.mark.long),
    ],
)
def test_every_call_whose_answer_was_cut_off_is_repeated_and_stands_once(proxy, count, kind, has_key, calls):
    committed, made = [], []
    with opened(kind, proxy.url) as registry:
        for number in range(calls):
            proxy.cut_after(REGISTER, before=lambda: committed.append(count()))
            # Without a key of the caller's the client makes one for the call and its repetition.
            given = {"idempotency_key": f"key {number}"} if has_key else {}
            made.append(registry.register_model("churn", internal_metadata(), **given))
    assert proxy.cuts == calls
    assert proxy.sent(REGISTER) == 2 * calls
    # Each was there before the connection was cut, and its repetition brought no other.
    assert committed == list(range(1, calls + 1))
    assert count() == calls
    assert [one.version_number for one in made] == list(range(1, calls + 1))
    assert {one.created for one in made} == {not has_key}


def test_a_caller_who_repeats_without_a_key_registers_twice(proxy, count):
    for _ in range(5):
        proxy.cut_after(REGISTER)
        for _ in range(2):
            # On a connection of the caller's the client makes no key: what to repeat is the caller's to know.
            with psycopg.connect(proxy.url, autocommit=True) as connection:
                try:
                    Registry(connection).register_model("churn", internal_metadata())
                except ConnectionLost as error:
                    assert error.message == "the connection to the database was lost"
                    assert UNKNOWN in error.hint
                else:
                    break
    assert (proxy.cuts, count()) == (5, 10)


def test_an_asynchronous_client_repeats_likewise(proxy, count):
    async def register() -> list[int]:
        async with AsyncRegistry(proxy.url) as registry:
            numbers = []
            for _ in range(3):
                proxy.cut_after(REGISTER)
                numbers.append((await registry.register_model("churn", internal_metadata())).version_number)
            return numbers

    assert asyncio.run(register()) == [1, 2, 3]
    assert (proxy.cuts, count()) == (3, 3)


def test_an_array_whose_commit_was_cut_off_is_repeated_when_all_have_keys_and_told_otherwise(proxy, registry, count):
    models = [{"name": "churn", "metadata": internal_metadata(), "idempotency_key": key} for key in "abc"]
    proxy.cut_after(REGISTER)
    assert [one.version_number for one in registry.register_models(models)] == [1, 2, 3]
    assert (proxy.cuts, proxy.sent(REGISTER), count()) == (1, 2, 3)
    del models[1]["idempotency_key"]
    models[0]["idempotency_key"], models[2]["idempotency_key"] = "d", "e"
    proxy.cut_after(REGISTER)
    with pytest.raises(ConnectionLost) as caught:
        registry.register_models(models)
    assert UNKNOWN in caught.value.hint
    assert (proxy.cuts, proxy.sent(REGISTER), count()) == (2, 3, 6)


def test_a_block_whose_commit_was_cut_off_is_told_and_not_repeated(proxy, registry, count):
    proxy.cut_after(REGISTER)
    with pytest.raises(ConnectionLost) as caught, registry.transaction():
        registry.register_model("churn", internal_metadata(), idempotency_key="a")
    assert UNKNOWN in caught.value.hint
    assert (proxy.cuts, proxy.sent(REGISTER), count()) == (1, 1, 1)
    assert registry.register_model("churn", internal_metadata(), idempotency_key="a").created is False
    assert count() == 1


def test_a_promotion_whose_answer_was_cut_off_is_told_and_not_repeated(proxy, registry):
    made = registry.register_model("churn", internal_metadata())
    proxy.cut_after(b"promote_model")
    with pytest.raises(ConnectionLost) as caught:
        registry.promote(made.artifact_id)
    assert UNKNOWN in caught.value.hint
    assert (proxy.cuts, proxy.sent(b"promote_model")) == (1, 1)
    assert registry.get_model("churn").promotion_state == "promoted"


def test_a_call_whose_repetition_finds_no_server_is_told_as_unknown_and_not_as_never_sent(proxy, count):
    with Registry(proxy.url) as registry:
        registry.metadata_schema_version()
        proxy.cut_after(REGISTER, before=proxy.stop_listening)
        with pytest.raises(ConnectionLost) as caught:
            registry.register_model("churn", internal_metadata())
        assert "connection refused" in caught.value.message.lower()
        assert UNKNOWN in caught.value.hint
        assert count() == 1
        # Nothing of this one was sent.
        with pytest.raises(ConnectionFailed) as caught:
            registry.register_model("churn", internal_metadata())
        assert not isinstance(caught.value, ConnectionLost)
    assert count() == 1


def test_the_command_repeats_a_file_with_keys_and_says_when_it_is_unknown_whether_it_was_written(
    proxy, count, tmp_path
):
    records = tmp_path / "models.jsonl"

    def register(keys: str) -> tuple[int, str]:
        record = {"name": "churn", "metadata": internal_metadata()}
        records.write_text("".join(json.dumps(record | {"idempotency_key": key}) + "\n" for key in keys))
        ended = atlas("register", str(records), "--url", proxy.url)
        assert "Traceback" not in ended.stderr
        return ended.returncode, ended.stderr

    proxy.cut_after(COMMIT)
    returncode, said = register("abc")
    assert (returncode, proxy.cuts, count()) == (0, 1, 3)
    assert "trying once more" in said
    proxy.cut_after(COMMIT, before=proxy.stop_listening)
    returncode, said = register("def")
    assert (returncode, proxy.cuts, count()) == (1, 2, 6)
    assert "whether it was written is unknown; trying once more\natlas: cannot connect to " in said
    assert "nothing was written" not in said
