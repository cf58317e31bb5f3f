"""Promotions of one name by several sessions: one after the other, none lost, none in the way of another for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg
import pytest

from waiting import wait_until_blocked

ROUNDS = 24


class Session:
    """A connection whose statement runs in a thread, so that it may wait for a lock."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self.conn = conn
        self.error: psycopg.Error | None = None
        self._thread: threading.Thread | None = None

    def start(self, work: Callable[[psycopg.Connection], object]) -> None:
        def run() -> None:
            try:
                work(self.conn)
                self.conn.commit()
            except psycopg.Error as error:
                self.error = error
                self.conn.rollback()

        self.error = None
        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def sqlstate(self) -> str | None:
        """Waits for the statement; gives the SQLSTATE of its error, None when it succeeded."""
        assert self._thread is not None
        self._thread.join(timeout=60)
        assert not self._thread.is_alive()
        return None if self.error is None else self.error.sqlstate


@pytest.fixture
def first(connect) -> psycopg.Connection:
    return connect(autocommit=False)


@pytest.fixture
def second(connect) -> Session:
    return Session(connect(autocommit=False))


def promote(artifact_id: str, expected_state: str | None = None) -> Callable[[psycopg.Connection], object]:
    return lambda conn: conn.execute("select promote_model(%s, expected_state => %s)", [artifact_id, expected_state])


def raw_promotion(artifact_id: str) -> Callable[[psycopg.Connection], object]:
    query = "update model_versions set promotion_state = 'promoted' where artifact_id = %s"
    return lambda conn: conn.execute(query, [artifact_id])


def test_the_second_of_two_that_expect_a_candidate_learns_that_it_came_too_late(registry, first, second):
    for number in range(ROUNDS):
        artifact_id = registry.register(f"v{number}", f"model {number}")
        promote(artifact_id, "candidate")(first)
        second.start(promote(artifact_id, "candidate"))
        wait_until_blocked(registry.conn, second.conn.info.backend_pid)
        first.commit()
        assert second.sqlstate() == "MR002"
        assert registry.state(artifact_id) == "promoted"


def test_the_second_succeeds_when_the_first_takes_its_promotion_back(registry, first, second):
    artifact_id = registry.register("v")
    promote(artifact_id, "candidate")(first)
    second.start(promote(artifact_id, "candidate"))
    wait_until_blocked(registry.conn, second.conn.info.backend_pid)
    first.rollback()
    assert second.sqlstate() is None
    assert registry.state(artifact_id) == "promoted"


@pytest.mark.parametrize("one", [promote, raw_promotion])
@pytest.mark.parametrize("other", [promote, raw_promotion])
def test_of_two_versions_promoted_at_once_the_later_commit_supersedes_the_earlier(registry, first, second, one, other):
    for number in range(6):
        name = f"model {number}"
        earlier, later = registry.register(f"a{number}", name), registry.register(f"b{number}", name)
        one(earlier)(first)
        second.start(other(later))
        wait_until_blocked(registry.conn, second.conn.info.backend_pid)
        first.commit()
        assert second.sqlstate() is None
        assert (registry.state(earlier), registry.state(later)) == ("superseded", "promoted")
        assert registry.column("superseded_by", earlier) == later
        assert registry.column("superseded_by", later) is None


def test_promotions_in_opposite_orders_do_not_deadlock(registry, first, second):
    for number in range(ROUNDS):
        name = f"model {number}"
        v, w = registry.register(f"v{number}", name), registry.register(f"w{number}", name)
        promote(v)(first)
        second.start(lambda conn, v=v, w=w: (promote(w)(conn), promote(v)(conn)))
        wait_until_blocked(registry.conn, second.conn.info.backend_pid)
        promote(w)(first)
        promote(v)(first)
        first.commit()
        assert second.sqlstate() is None
        assert (registry.state(v), registry.state(w)) == ("promoted", "superseded")


def test_every_move_of_a_crowd_is_made_as_if_alone(registry, connect):
    versions = [registry.register(f"v{number}") for number in range(6)]
    sessions = [Session(connect(autocommit=False)) for _ in versions]
    start = threading.Barrier(len(sessions))

    def promote_demote_and_promote(artifact_id: str) -> Callable[[psycopg.Connection], object]:
        def work(conn: psycopg.Connection) -> None:
            start.wait()
            for _ in range(10):
                promote(artifact_id)(conn)
                conn.execute("select demote_model(%s)", [artifact_id])
                promote(artifact_id)(conn)
                conn.commit()
                # Another one may have taken the place meanwhile; a superseded version is promoted in the next round.
                demote_if_promoted(conn, artifact_id)

        return work

    for session, artifact_id in zip(sessions, versions, strict=True):
        session.start(promote_demote_and_promote(artifact_id))
    assert [session.sqlstate() for session in sessions] == [None] * 6
    states = sorted(registry.states().values())
    assert states.count("promoted") <= 1
    assert set(states) <= {"candidate", "promoted", "superseded"}
    query = "select count(*) from models where first_promoted_at is null"
    assert registry.conn.execute(query).fetchone() == (0,)


def demote_if_promoted(conn: psycopg.Connection, artifact_id: str) -> None:
    try:
        conn.execute("select demote_model(%s, expected_state => 'promoted')", [artifact_id])
        conn.commit()
    except psycopg.Error as error:
        conn.rollback()
        if error.sqlstate != "MR002":
            raise


def test_registering_and_promoting_the_same_name_do_not_deadlock(registry, first, second):
    for number in range(ROUNDS):
        name = f"model {number}"
        artifact_id = registry.register(f"v{number}", name)
        promote(artifact_id)(first)
        second.start(
            lambda conn, name=name, artifact_id=artifact_id: conn.execute(
                """
                select register_model(
                    name => %s, parent_version_id => %s, artifact_id => %s || '-child',
                    metadata => (select metadata from models where artifact_id = %s)
                )
                """,
                [name, artifact_id, artifact_id, artifact_id],
            )
        )
        wait_until_blocked(registry.conn, second.conn.info.backend_pid)
        first.commit()
        assert second.sqlstate() is None
        assert registry.states()[f"{artifact_id}-child"] == "candidate"


def test_readers_do_not_wait_for_a_promotion(registry, first, connect):
    registry.register("v")
    promote("v")(first)
    reader = connect("test_reader")
    reader.execute("set statement_timeout = '10s'")
    query = "select promotion_state from models where artifact_id = 'v'"
    assert reader.execute(query).fetchone() == ("candidate",)


# --- snapshots older than the lock ----------------------------------------------------------------------------------


def test_a_snapshot_older_than_another_promotion_of_the_version_fails_to_serialise(registry, connect):
    registry.register("v")
    old = connect(autocommit=False)
    old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    old.execute("select from models")
    registry.conn.execute("select promote_model('v')")
    with pytest.raises(psycopg.errors.SerializationFailure):
        promote("v")(old)


def test_a_snapshot_older_than_the_promotion_of_another_version_promotes_no_second_one(registry, connect):
    registry.register("v")
    registry.register("w")
    old = connect(autocommit=False)
    old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    old.execute("select from models")
    registry.conn.execute("select promote_model('v')")
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        promote("w")(old)
    assert caught.value.diag.constraint_name == "model_versions_one_promoted"
    old.rollback()
    assert registry.states() == {"v": "promoted", "w": "candidate"}


def test_two_old_snapshots_do_not_close_a_circle_of_successors_between_them(registry, connect):
    # Both were promoted once, so each alone may have taken the other's place.
    for artifact_id in ("v", "w"):
        registry.register(artifact_id)
        registry.conn.execute("select promote_model(%s)", [artifact_id])
    registry.conn.execute("select demote_model('w')")
    registry.conn.execute("update artifacts set superseded_by = null where id = 'v'")
    one, other = connect(autocommit=False), connect(autocommit=False)
    for conn in (one, other):
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        conn.execute("select from models")
    one.execute("update artifacts set superseded_by = 'w' where id = 'v'")
    one.commit()
    other.execute("update artifacts set superseded_by = 'v' where id = 'w'")
    with pytest.raises(psycopg.errors.SerializationFailure):
        other.commit()
