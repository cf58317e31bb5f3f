"""Whose transaction it is: the registry's own with a URL, the caller's with a connection."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from atlas_models import InvalidMetadata, Registry
from waiting import wait_until


def count(conn):
    return conn.execute("select count(*) from atlas.models").fetchone()[0]


def test_with_a_url_each_call_is_committed(registry, conn, internal):
    registry.register_model("churn", internal)
    assert count(conn) == 1


def test_with_a_url_the_connection_is_closed_at_the_end(database_url, conn):
    sessions = "select count(*) from pg_stat_activity where datname = current_database() and application_name = %s"

    def open_sessions():
        return conn.execute(sessions, ["atlas client"]).fetchone()[0]

    with Registry(database_url):
        assert open_sessions() == 1
    wait_until(lambda: open_sessions() == 0, "the session of the registry to end")


def test_with_a_url_an_error_does_not_spoil_the_next_call(registry, internal):
    with pytest.raises(InvalidMetadata):
        registry.register_model("churn", {})
    assert registry.register_model("churn", internal).version_number == 1


def test_a_connection_is_left_in_the_transaction_that_it_was_brought_into(connect, conn, internal):
    caller = connect(autocommit=False)
    Registry(caller).register_model("churn", internal)
    assert caller.info.transaction_status == TransactionStatus.INTRANS
    assert count(conn) == 0


@pytest.mark.parametrize("chunk_size", [1, 5000])
def test_a_rollback_of_the_caller_leaves_nothing(connect, conn, internal, chunk_size):
    caller = connect(autocommit=False)
    registry = Registry(caller)
    made = registry.register_model("churn", internal)
    registry.register_models([{"name": "churn", "metadata": internal}] * 2, chunk_size=chunk_size)
    registry.register_artifact("dataset", "Cohort B")
    registry.promote(made.artifact_id)
    caller.rollback()
    assert conn.execute("select count(*) from atlas.artifacts").fetchone() == (0,)
    assert conn.execute("select count(*) from atlas.registered_models").fetchone() == (0,)


def test_the_commit_is_the_callers(connect, conn, internal):
    caller = connect(autocommit=False)
    Registry(caller).register_models([{"name": "churn", "metadata": internal}] * 3, chunk_size=1)
    assert count(conn) == 0
    caller.commit()
    assert count(conn) == 3


def test_a_registration_and_the_callers_own_rows_are_one_transaction(connect, conn, internal):
    conn.execute("create table runs (artifact_id text)")
    caller = connect(autocommit=False)
    with pytest.raises(ZeroDivisionError), caller.transaction():
        made = Registry(caller).register_model("churn", internal)
        caller.execute("insert into runs values (%s)", [made.artifact_id])
        raise ZeroDivisionError
    assert count(conn) == 0
    assert conn.execute("select count(*) from runs").fetchone() == (0,)


def test_an_error_leaves_the_callers_transaction_aborted(connect, internal):
    caller = connect(autocommit=False)
    registry = Registry(caller)
    registry.register_model("churn", internal)
    with pytest.raises(InvalidMetadata):
        registry.register_model("churn", {})
    assert caller.info.transaction_status == TransactionStatus.INERROR
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        registry.register_model("churn", internal)


def test_a_savepoint_of_the_caller_survives_an_error(connect, conn, internal):
    caller = connect(autocommit=False)
    registry = Registry(caller)
    registry.register_model("churn", internal)
    with pytest.raises(InvalidMetadata), caller.transaction():
        registry.register_model("churn", {})
    caller.commit()
    assert count(conn) == 1


def test_what_cannot_be_sent_leaves_the_callers_transaction_as_it_was(connect, conn, internal):
    caller = connect(autocommit=False)
    registry = Registry(caller)
    registry.register_model("churn", internal)
    with pytest.raises(InvalidMetadata):
        registry.register_model("churn", internal | {"extra": {"loss": float("inf")}})
    caller.commit()
    assert count(conn) == 1


def test_a_connection_that_was_given_stays_open(connect):
    caller = connect()
    with Registry(caller):
        pass
    assert not caller.closed


def test_a_row_factory_of_the_caller_does_not_matter(connect, internal):
    caller = connect()
    caller.row_factory = psycopg.rows.scalar_row
    assert Registry(caller).register_model("churn", internal).version_number == 1


def test_neither_a_url_nor_a_connection_is_a_mistake_of_the_caller():
    with pytest.raises(TypeError, match=r"a URL, a psycopg\.Connection or a \S+ConnectionPool, not NoneType"):
        Registry(None)
