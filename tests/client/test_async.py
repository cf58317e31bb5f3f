"""AsyncRegistry is Registry with `await`: written from one source, with the same methods, on the same database."""

from __future__ import annotations

import ast
import asyncio
import inspect

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from atlas_models import AsyncRegistry, ConnectionLost, InvalidMetadata, Registry, client_codegen


def public_methods(kind: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(member)
        for name, member in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


@pytest.mark.parametrize(("source", "written"), client_codegen.SYNCHRONOUS_OF.items())
def test_the_synchronous_modules_are_what_their_sources_give(source, written):
    committed = (client_codegen.PACKAGE / written).read_text(encoding="utf-8")
    assert committed == client_codegen.synchronous(source), f"{written} differs: run make client"
    words = {node.id for node in ast.walk(ast.parse(committed)) if isinstance(node, ast.Name)}
    assert {word for word in words if "async" in word.lower()} == set()


def test_both_classes_have_the_same_methods_with_the_same_parameters():
    synchronous, asynchronous = public_methods(Registry), public_methods(AsyncRegistry)
    assert {"register_model", "promote", "transaction", "close", "seal_legacy"} <= set(synchronous)
    assert {name: list(signature.parameters) for name, signature in synchronous.items()} == {
        name: list(signature.parameters) for name, signature in asynchronous.items()
    }
    awaited = {name for name in asynchronous if inspect.iscoroutinefunction(getattr(AsyncRegistry, name))}
    assert set(asynchronous) - awaited == {"transaction", "search_all"}


def test_registering_and_promoting_with_a_url(database_url, internal):
    async def session():
        async with AsyncRegistry(database_url, on_behalf_of="ada") as registry:
            made = await registry.register_model("churn", internal)
            await registry.promote(made.artifact_id)
            with pytest.raises(InvalidMetadata):
                await registry.register_model("churn", {})
            await registry.register_models([{"name": "churn", "metadata": internal}] * 3, chunk_size=2)
            return (await registry.get_model("churn", 1)).promotion_state, (await registry.get_model("churn"))

    state, latest = asyncio.run(session())
    assert (state, latest.version_number, latest.latest_metrics) == ("promoted", 4, {"auroc": 0.91})


def test_a_connection_of_the_caller_stays_in_its_transaction(database_url, conn, internal):
    async def session():
        async with await psycopg.AsyncConnection.connect(database_url) as caller:
            await AsyncRegistry(caller).register_model("churn", internal)
            await caller.rollback()
            await AsyncRegistry(caller).register_model("fraud", internal)

    asyncio.run(session())
    assert conn.execute("select name from atlas.models").fetchall() == [("fraud",)]


def test_tasks_share_a_pool_and_are_not_drawn_into_each_others_transactions(database_url, conn, internal):
    async def fail(registry, registered, may_fail):
        async with registry.transaction() as connection:
            await connection.execute("select 1")
            await registry.register_model("churn", internal)
            registered.set()
            await may_fail.wait()
            raise ZeroDivisionError

    async def session():
        async with AsyncConnectionPool(database_url, min_size=2, max_size=4, open=False) as pool:
            registry = AsyncRegistry(pool)
            registered, may_fail = asyncio.Event(), asyncio.Event()
            failing = asyncio.create_task(fail(registry, registered, may_fail))
            await registered.wait()
            await asyncio.gather(*(registry.register_model(name, internal) for name in ("a", "b", "c")))
            may_fail.set()
            with pytest.raises(ZeroDivisionError):
                await failing

    asyncio.run(session())
    assert conn.execute("select name from atlas.models order by name").fetchall() == [("a",), ("b",), ("c",)]


def test_a_lost_connection_is_replaced(database_url, conn, internal):
    end = (
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )

    async def session():
        async with AsyncRegistry(database_url) as registry:
            conn.execute(end)
            made = await registry.register_model("churn", internal)
            conn.execute(end)
            with pytest.raises(ConnectionLost):
                await registry.promote(made.artifact_id)
            await registry.promote(made.artifact_id)
            return await registry.get_model("churn")

    assert asyncio.run(session()).promotion_state == "promoted"
