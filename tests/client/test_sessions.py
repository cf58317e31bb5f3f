"""Where calls run: pools, blocks that are one transaction, connections that are lost and replaced."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from atlas_models import (
    ConnectionFailed,
    ConnectionLost,
    IllegalTransition,
    InvalidArgument,
    InvalidMetadata,
    KeptByDatabase,
    Registry,
)

ON_BEHALF_OF = "select current_setting('atlas_models.on_behalf_of', true)"


def count(conn):
    return conn.execute("select count(*) from atlas.models").fetchone()[0]


@contextmanager
def pooled(url, **settings) -> Iterator[Registry]:
    with ConnectionPool(url, min_size=1, max_size=2, open=True, **settings) as pool:
        yield Registry(pool)


def end_other_sessions(conn):
    conn.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )


@pytest.fixture(params=["url", "pool"])
def opened(request, database_url):
    """A registry that may replace a lost connection: with one of its own, or with a pool."""
    with Registry(database_url) if request.param == "url" else pooled(database_url) as registry:
        yield registry


def test_each_call_is_committed_by_itself(opened, conn, internal):
    for number in (1, 2, 3):
        assert opened.register_model("churn", internal).version_number == number
        assert count(conn) == number
    with pytest.raises(InvalidMetadata):
        opened.register_models(
            [{"name": "churn", "metadata": internal}, {"name": "churn", "metadata": {}}], chunk_size=1
        )
    assert count(conn) == 3
    assert opened.get_model("churn").version_number == 3


def test_a_block_of_a_transaction_is_committed_with_the_callers_own_rows_or_not_at_all(opened, conn, internal):
    conn.execute("create table runs (artifact_id text)")
    with pytest.raises(ZeroDivisionError), opened.transaction() as connection:
        made = opened.register_model("churn", internal)
        connection.execute("insert into runs values (%s)", [made.artifact_id])
        raise ZeroDivisionError
    assert (count(conn), conn.execute("select count(*) from runs").fetchone()) == (0, (0,))
    with opened.transaction() as connection:
        made = opened.register_model("churn", internal)
        opened.promote(made.artifact_id)
        connection.execute("insert into runs values (%s)", [made.artifact_id])
        assert count(conn) == 0
    assert (count(conn), conn.execute("select * from runs").fetchone()) == (1, (made.artifact_id,))


def test_a_block_within_a_block_is_a_savepoint(opened, conn, internal):
    with opened.transaction():
        opened.register_model("churn", internal)
        with pytest.raises(InvalidMetadata), opened.transaction():
            opened.register_model("fraud", internal)
            opened.register_model("fraud", {})
    assert conn.execute("select name from atlas.models").fetchall() == [("churn",)]


def test_errors_of_the_caller_pass_through_a_block_unchanged_and_those_of_commit_are_told(opened, conn, internal):
    with pytest.raises(psycopg.errors.UndefinedTable), opened.transaction() as connection:
        connection.execute("select * from no_such_table")
    conn.execute("""
        create function refuse_at_commit() returns trigger language plpgsql as
        $$begin raise exception using errcode = 'MR005', message = 'refused at the end'; end$$;
        create constraint trigger refuse_at_commit after insert on atlas.artifacts deferrable initially deferred
        for each row execute function refuse_at_commit();
    """)
    with pytest.raises(KeptByDatabase, match="refused at the end"), opened.transaction():
        opened.register_model("churn", internal)
    with pytest.raises(KeptByDatabase, match="refused at the end"):
        opened.register_models([{"name": "churn", "metadata": internal}] * 2, chunk_size=1)
    assert count(conn) == 0


def test_with_a_given_connection_a_block_commits_what_it_began_and_nothing_else(connect, conn, internal):
    caller = connect(autocommit=False)
    registry = Registry(caller)
    with registry.transaction() as connection:
        assert connection is caller
        registry.register_model("churn", internal)
    assert count(conn) == 1
    caller.execute("select 1")  # begins a transaction of the caller's
    with registry.transaction():
        registry.register_model("churn", internal)
    assert count(conn) == 1
    caller.rollback()
    assert count(conn) == 1


def test_other_threads_are_not_drawn_into_a_block(database_url, conn, internal):
    with pooled(database_url) as registry, pytest.raises(ZeroDivisionError), registry.transaction():
        registry.register_model("churn", internal)
        other = threading.Thread(target=lambda: registry.register_model("fraud", internal))
        other.start()
        other.join()
        raise ZeroDivisionError
    assert conn.execute("select name from atlas.models").fetchall() == [("fraud",)]


def test_a_call_that_only_reads_or_has_a_key_is_repeated_on_a_new_connection(opened, conn, internal):
    opened.metadata_schema_version()
    end_other_sessions(conn)
    made = opened.register_model("churn", internal)
    assert (made.version_number, made.created) == (1, True)
    end_other_sessions(conn)
    assert opened.get_model("churn").version_number == 1
    end_other_sessions(conn)
    batch = [{"name": "fraud", "metadata": internal, "idempotency_key": key} for key in ("a", "b")]
    assert [model.created for model in opened.register_models(batch, chunk_size=1)] == [True, True]
    assert count(conn) == 3


def test_a_registration_whose_answer_was_lost_is_registered_once(database_url, conn, internal, monkeypatch):
    registry = Registry(database_url)
    run, lost = registry._run, []

    def run_and_lose_the_answer(call):
        found = run(call)
        if not lost:
            lost.append(found)
            raise ConnectionLost("the connection to the database was lost")
        return found

    monkeypatch.setattr(registry, "_run", run_and_lose_the_answer)
    with registry:
        made = registry.register_model("churn", internal)
    assert (made, count(conn)) == (lost[0][0], 1)
    assert made.created


def test_what_cannot_be_repeated_is_told_and_the_next_call_has_a_new_connection(opened, conn, internal):
    made = opened.register_model("churn", internal)
    end_other_sessions(conn)
    with pytest.raises(ConnectionLost) as caught:
        opened.promote(made.artifact_id)
    assert caught.value.message == "the connection to the database was lost"
    assert "whether the last call was committed is unknown" in caught.value.hint
    assert opened.promote(made.artifact_id).superseded is None
    with pytest.raises(IllegalTransition):
        opened.promote(made.artifact_id)


def test_nothing_is_repeated_within_a_block(opened, conn, internal):
    with pytest.raises(ConnectionLost), opened.transaction():
        opened.register_model("churn", internal, idempotency_key="a")
        end_other_sessions(conn)
        opened.register_model("churn", internal, idempotency_key="b")
    assert count(conn) == 0


def test_on_behalf_of_stands_for_the_transaction_and_no_longer(opened, connect, conn, internal):
    caller = connect(autocommit=False)
    registry = Registry(caller, on_behalf_of="ada")
    registry.register_model("churn", internal)
    assert caller.execute(ON_BEHALF_OF).fetchone() == ("ada",)
    caller.commit()
    assert caller.execute(ON_BEHALF_OF).fetchone() == ("",)
    conn.execute("""
        create table claims (claim text);
        grant insert on claims to public;
        create function note_claim() returns trigger language plpgsql as
        $$begin insert into claims values (current_setting('atlas_models.on_behalf_of', true)); return null; end$$;
        create trigger note_claim after insert on atlas.artifacts for each row execute function note_claim();
    """)
    caller.rollback()
    autocommitting = connect()
    Registry(autocommitting, on_behalf_of="grace").register_model("churn", internal)
    assert autocommitting.execute(ON_BEHALF_OF).fetchone() == ("",)
    opened._on_behalf_of = "mary"
    opened.register_model("churn", internal)
    with opened.transaction() as connection:
        assert connection.execute(ON_BEHALF_OF).fetchone() == ("mary",)
    assert conn.execute("select claim from claims order by claim").fetchall() == [("grace",), ("mary",)]
    with pytest.raises(InvalidArgument) as caught:
        Registry(autocommitting, on_behalf_of="a\0b")
    assert caught.value.problems[0].path == "/on_behalf_of"


def test_a_pool_without_connections_is_one_clear_line(database_url):
    with ConnectionPool(database_url, min_size=0, max_size=1, open=True) as pool, pool.connection():
        pool.timeout = 0.05
        with pytest.raises(ConnectionFailed, match="the pool gave no connection") as caught:
            Registry(pool).metadata_schema_version()
    assert not isinstance(caught.value, ConnectionLost)
    with pytest.raises(ConnectionFailed, match="the pool gave no connection"):
        Registry(pool).metadata_schema_version()


def test_a_server_that_is_gone_is_told_once(database_url, conn):
    with Registry(database_url) as registry:
        registry.metadata_schema_version()
        end_other_sessions(conn)
        registry._url = "postgresql://nobody@127.0.0.1:1/atlas"
        with pytest.raises(ConnectionFailed, match=r"cannot connect to postgresql://nobody@127\.0\.0\.1:1/atlas"):
            registry.metadata_schema_version()
