"""Many sessions registering at once: numbers without gaps, one latest version, no deadlock, no lost refusal."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from consistency import broken_rules
from factories import Registered, external_metadata, internal_metadata, register, register_many
from refusals import refused
from waiting import wait_until_blocked

Connect = Callable[..., psycopg.Connection]


def model(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "metadata": internal_metadata()} | arguments


def versions(conn: psycopg.Connection) -> list[tuple[str, list[int], list[int]]]:
    """Name, its numbers, and the numbers of those that are the latest."""
    return conn.execute(
        """select name, array_agg(version_number order by version_number),
            array_agg(version_number) filter (where is_latest)
        from artifacts group by name order by name"""
    ).fetchall()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("writers", "registrations", "rolled_back"),
    [
        (12, 15, 0.2),
        pytest.param(16, 40, 0.0, marks=pytest.mark.long),
        pytest.param(16, 40, 0.2, marks=pytest.mark.long),
    ],
)
def test_many_writers_of_one_name_leave_no_gap_though_some_roll_back(
    connect: Connect, writers: int, registrations: int, rolled_back: float
) -> None:
    sessions = [connect(autocommit=False) for _ in range(writers)]

    def write(number: int) -> list[Registered]:
        session, chance = sessions[number], random.Random(number)
        acknowledged = []
        for _ in range(registrations):
            made = register(session, "churn")
            if chance.random() < rolled_back:
                session.rollback()
            else:
                session.commit()
                acknowledged.append(made)
        return acknowledged

    with ThreadPoolExecutor(writers) as pool:
        acknowledged = [made for written in pool.map(write, range(writers)) for made in written]
    total = len(acknowledged)
    assert (total == writers * registrations) is (rolled_back == 0)
    stored = sessions[0].execute("select id, version_number, true from artifacts").fetchall()
    assert sorted(stored) == sorted(acknowledged)
    assert sorted(made.version_number for made in acknowledged) == list(range(1, total + 1))
    assert sessions[0].execute("select name, last_version from registered_models").fetchall() == [("churn", total)]
    assert broken_rules(sessions[0]) == {}


@pytest.mark.slow
def test_arrays_that_name_the_same_models_in_opposite_orders_do_not_deadlock(connect: Connect) -> None:
    sessions = [connect() for _ in range(8)]

    def write(number: int) -> None:
        for turn in range(40):
            # The first names are new to every session, and common to all.
            names = [f"{turn}-{letter}" for letter in "abcd"]
            register_many(sessions[number], [model(name) for name in (names if number % 2 else names[::-1])])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert [(numbers, latest) for _, numbers, latest in versions(sessions[0])] == [(list(range(1, 9)), [8])] * 160


@pytest.mark.parametrize("known", [False, True], ids=["new names", "known names"])
def test_an_array_waits_for_its_first_name_before_it_holds_any_other(connect: Connect, known: bool) -> None:
    watcher, first, second = connect(), connect(autocommit=False), connect()
    names = list("abcdefghij")

    def take(name: str) -> None:
        # A registration inserts a name that is new; a promotion only locks one that is known, its counter stays.
        if known:
            first.execute("select promote_model(%s)", [name])
        else:
            register(first, name, artifact_id=name)

    if known:
        register_many(watcher, [model(name, artifact_id=name) for name in names])
    take("a")
    with ThreadPoolExecutor(1) as pool:
        array = [model(name) for name in reversed(names)]
        waiting = start(pool, watcher, second, lambda session: register_many(session, array))
        # A name that the waiting session held would end this in a deadlock.
        for name in names[1:]:
            take(name)
        first.commit()
        waiting.result()
    assert versions(watcher) == [(name, [1, 2], [2]) for name in names]


@pytest.mark.slow
def test_models_based_on_each_others_latest_versions_do_not_deadlock(connect: Connect) -> None:
    sessions = [connect() for _ in range(6)]
    for name in ("a", "b"):
        register(sessions[0], name)

    def write(number: int) -> None:
        session = sessions[number]
        name, other = ("a", "b") if number % 2 else ("b", "a")
        for _ in range(15):
            (base,) = session.execute("select id from artifacts where name = %s and is_latest", [other]).fetchone()
            register(session, name, internal_metadata(base_model_id=base), parent_version_id=base)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    assert versions(sessions[0]) == [(name, list(range(1, 47)), [46]) for name in ("a", "b")]


def test_raw_inserts_and_registrations_share_one_count(connect: Connect) -> None:
    sessions = [connect(autocommit=False) for _ in range(8)]

    def write(number: int) -> None:
        session = sessions[number]
        for turn in range(10):
            if number % 2:
                register(session, "churn")
            else:
                artifact_id = f"m{number}-{turn}"
                session.execute(
                    "insert into artifacts (id, artifact_type, name, metadata) values (%s, 'model', 'churn', %s)",
                    [artifact_id, Jsonb(internal_metadata())],
                )
                session.execute("insert into model_versions (artifact_id) values (%s)", [artifact_id])
            session.commit()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert versions(sessions[0]) == [("churn", list(range(1, 81)), [80])]


def start(pool: ThreadPoolExecutor, watcher: psycopg.Connection, session: psycopg.Connection, call: Any) -> Future:
    """Starts a call in a thread and returns once the server has it waiting for a lock."""
    future = pool.submit(call, session)
    wait_until_blocked(watcher, session.info.backend_pid)
    return future


@pytest.mark.parametrize(("end", "number"), [("commit", 2), ("rollback", 1)])
def test_the_second_to_register_a_new_name_waits_for_the_first(connect: Connect, end: str, number: int) -> None:
    watcher, first, second = connect(), connect(autocommit=False), connect()
    register(first, "churn")
    with ThreadPoolExecutor(1) as pool:
        waiting = start(pool, watcher, second, lambda session: register(session, "churn", artifact_id="m2"))
        getattr(first, end)()
        assert waiting.result() == Registered("m2", number, True)


def test_a_repeated_key_waits_for_the_first_call_and_finds_its_row(connect: Connect) -> None:
    watcher, first, second = connect(), connect(autocommit=False), connect()
    register(first, "churn", artifact_id="m1", idempotency_key="k")
    with ThreadPoolExecutor(1) as pool:
        again = {"artifact_id": "m1", "idempotency_key": "k"}
        waiting = start(pool, watcher, second, lambda session: register(session, "churn", **again))
        first.commit()
        assert waiting.result() == Registered("m1", 1, False)


def test_writers_of_different_names_do_not_wait_for_each_other(connect: Connect) -> None:
    first, second = connect(autocommit=False), connect()
    second.execute("set lock_timeout = '5s'")
    register(first, "a")
    assert register(second, "b").version_number == 1


def test_readers_do_not_wait_for_a_registration(connect: Connect) -> None:
    writer, reader = connect(autocommit=False), connect("test_reader")
    reader.execute("set lock_timeout = '5s'")
    register(writer, "churn")
    assert reader.execute("select count(*) from models").fetchall() == [(0,)]


@pytest.mark.parametrize("level", [psycopg.IsolationLevel.REPEATABLE_READ, psycopg.IsolationLevel.SERIALIZABLE])
@pytest.mark.parametrize("name", ["churn", "new"])
def test_a_snapshot_older_than_the_last_registration_fails_cleanly(
    connect: Connect, level: psycopg.IsolationLevel, name: str
) -> None:
    first, second = connect(), connect(autocommit=False)
    register(first, "churn")
    second.isolation_level = level
    second.execute("select count(*) from artifacts")
    register(first, name)
    for call in (
        lambda: register(second, name),
        lambda: register_many(second, [model(name)]),
        lambda: second.execute(
            "insert into artifacts (id, artifact_type, name, metadata) values ('m', 'model', %s, %s)",
            [name, Jsonb(internal_metadata())],
        ),
    ):
        with pytest.raises(psycopg.errors.SerializationFailure), second.transaction():
            call()


def test_two_sessions_cannot_close_a_circle_of_parents_between_them(connect: Connect) -> None:
    # Each row would need the other one to be there before it; a raw row, too, looks for its parent at once.
    watcher, first, second = connect(), connect(autocommit=False), connect(autocommit=False)
    insert = (
        "insert into artifacts (id, artifact_type, name, metadata, parent_version_id) values (%s, 'model', %s, %s, %s)"
    )
    metadata = Jsonb(internal_metadata())
    for session, row in ((first, ["x", "a", metadata, "y"]), (second, ["y", "b", metadata, "x"])):
        detail = f'Key (parent_version_id)=({row[3]}) is not present in table "artifacts".'
        with refused("23503", constraint="artifacts_parent_fkey", detail=detail):
            session.execute(insert, row)
    assert versions(watcher) == []


def test_a_version_cannot_be_made_from_one_that_another_session_has_not_committed(connect: Connect) -> None:
    first, second = connect(autocommit=False), connect(autocommit=False)
    register(first, "a", external_metadata(), artifact_id="x")
    with refused(
        "23503",
        column="base_model_id",
        constraint="model_versions_base_model_fkey",
        detail="/metadata/base_model_id: no such artifact",
    ):
        register(second, "b", internal_metadata(base_model_id="x"), artifact_id="y")
    second.rollback()
    first.commit()
    assert register(second, "b", internal_metadata(base_model_id="x"), artifact_id="y") == Registered("y", 1, True)


def test_two_sessions_that_each_close_half_of_a_circle_of_superseded_by_do_not_both_succeed(connect: Connect) -> None:
    watcher, first, second = connect(), connect(autocommit=False), connect()
    for artifact_id in ("m1", "m2"):
        register(watcher, "churn", artifact_id=artifact_id)
        watcher.execute("select promote_model(%s)", [artifact_id])
    watcher.execute("select demote_model('m2')")
    watcher.execute("update artifacts set superseded_by = null where id = 'm1'")
    statement = "update artifacts set superseded_by = %s where id = %s"
    # Raw updates lock a row before its name, so one of the two may be told that they block each other.
    for session in (first, second):
        session.execute("set deadlock_timeout = '50ms'")
    first.execute(statement, ["m2", "m1"])
    with ThreadPoolExecutor(1) as pool:
        waiting = start(pool, watcher, second, lambda session: session.execute(statement, ["m1", "m2"]))
        refusals = []
        for finish in (first.commit, waiting.result):
            try:
                finish()
            except psycopg.Error as error:
                refusals.append(error.sqlstate)
    assert refusals in (["MR005"], ["40P01"])
    assert watcher.execute("select count(superseded_by) from artifacts").fetchall() == [(1,)]


def test_an_upsert_that_loses_the_race_for_an_id_changes_nothing(connect: Connect) -> None:
    watcher, first, second = connect(), connect(autocommit=False), connect()
    register(watcher, "churn", artifact_id="m1")
    register(first, "churn", artifact_id="m2")
    statement = (
        "insert into artifacts (id, artifact_type, name, metadata) values ('m2', 'model', 'churn', %s) "
        "on conflict do nothing"
    )
    with ThreadPoolExecutor(1) as pool:
        waiting = start(
            pool, watcher, second, lambda session: session.execute(statement, [Jsonb(internal_metadata())]).rowcount
        )
        first.commit()
        assert waiting.result() == 0
    assert versions(watcher) == [("churn", [1, 2], [2])]
