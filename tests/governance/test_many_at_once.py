"""Many sessions at once: nobody sees two latest or two promoted, nobody waits for ever, one of two wins."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from factories import internal_metadata
from waiting import wait_until_blocked

METADATA = json.dumps(internal_metadata())


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Runs each in a thread, all from the same moment on; gives what each returned, or the SQLSTATE it met."""
    start = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(place: int) -> None:
        start.wait()
        try:
            results[place] = works[place]()
        except psycopg.Error as error:
            results[place] = error.sqlstate

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive()
    return results


# --- an observer ----------------------------------------------------------------------------------------------------

SEEN = """
    select name, count(*) filter (where is_latest), count(*) filter (where promotion_state = 'promoted')
    from models
    group by name
    having count(*) filter (where is_latest) <> 1 or count(*) filter (where promotion_state = 'promoted') > 1
"""


def watch_a_crowd(committing, connect, turns: int) -> None:
    names = ["risk", "churn", "fraud"]
    committing.conn.execute("select set_promotion_policy(null, false, false, false)")
    committing.gate("auroc", ">=", 0.5, "risk")
    sessions = [connect() for _ in range(12)]
    done = threading.Event()
    refused: list[str | None] = []

    def work(place: int) -> Callable[[], None]:
        conn = sessions[place]

        def run() -> None:
            for turn in range(turns):
                name, artifact_id = names[(place + turn) % 3], f"v-{place}-{turn}"
                conn.execute("select register_model(%s, %s, artifact_id => %s)", [name, METADATA, artifact_id])
                if place % 2:
                    conn.execute("select record_evaluation(%s, metrics => '{\"auroc\": 0.9}')", [artifact_id])
                try:
                    conn.execute("select promote_model(%s, expected_state => 'candidate')", [artifact_id])
                except psycopg.Error as error:
                    refused.append(error.sqlstate)

        return run

    def observe() -> tuple[int, list]:
        conn, looks, wrong = connect(), 0, []
        while not done.is_set() and not wrong:
            wrong = conn.execute(SEEN).fetchall()
            looks += 1
        return looks, wrong

    def crowd() -> list:
        results = at_once(*[work(place) for place in range(12)])
        done.set()
        return results

    (looks, wrong), results = at_once(observe, crowd)
    assert wrong == []
    assert looks > 1
    assert results == [None] * 12
    # Only the versions of 'risk' without an evaluation.
    assert refused == ["MR011"] * sum(
        (place + turn) % 3 == 0 and place % 2 == 0 for place in range(12) for turn in range(turns)
    )
    for name in names:
        assert_history_tells_the_states(committing, name)


def assert_history_tells_the_states(governed, name: str) -> None:
    """One version after the other was in service, each superseded right before the next was promoted."""
    states: dict[str, str] = {}
    promoted = None
    for event in governed.history(name):
        if event["artifact_id"] is None:
            continue
        if event["action"] == "superseded":
            assert event["artifact_id"] == promoted
            promoted = None
        elif event["action"] == "promoted":
            assert promoted is None
            promoted = event["artifact_id"]
        if event["action"] in ("registered", "promoted", "superseded"):
            states[event["artifact_id"]] = {"registered": "candidate"}.get(event["action"], event["action"])
    query = "select artifact_id, promotion_state from models where name = %s"
    assert states == dict(governed.rows(query, name))


def test_an_observer_never_sees_two_latest_or_two_promoted(committing, connect):
    watch_a_crowd(committing, connect, turns=4)


@pytest.mark.long
def test_an_observer_of_a_long_crowd_never_sees_two_latest_or_two_promoted(committing, connect):
    watch_a_crowd(committing, connect, turns=60)


# --- opposite orders ------------------------------------------------------------------------------------------------


def go_in_opposite_orders(committing, connect, rounds: int) -> None:
    committing.conn.execute("select set_promotion_policy(null, false, false, false)")
    first, second = connect(), connect()
    for artifact_id in ("v", "w"):
        committing.register(artifact_id)

    def models(*names: str) -> str:
        return json.dumps([{"name": name, "metadata": internal_metadata()} for name in names])

    def promote(conn: psycopg.Connection, *artifact_ids: str) -> None:
        with conn.transaction():
            for artifact_id in artifact_ids:
                try:
                    with conn.transaction():
                        conn.execute("select promote_model(%s)", [artifact_id])
                except psycopg.Error as error:
                    # It is promoted already, or a gate stands in the way.
                    if error.sqlstate not in ("MR001", "MR011"):
                        raise

    def one_way(conn: psycopg.Connection, number: int) -> None:
        conn.execute("select register_models(%s)", [models("a", "b", "risk")])
        promote(conn, "v", "w")
        conn.execute("select set_promotion_gate('m', '<>', %s, model_name => 'risk')", [number])
        conn.execute("select remove_promotion_gate(gate_id) from gates where model_name = 'risk' limit 1")

    def the_other(conn: psycopg.Connection, number: int) -> None:
        conn.execute("select register_models(%s)", [models("risk", "b", "a")])
        promote(conn, "w", "v")
        conn.execute("select record_evaluation('v', metrics => jsonb_build_object('m', %s::integer))", [number])
        conn.execute("select set_promotion_policy('risk', require_second_person => false)")

    for number in range(rounds):
        assert at_once(lambda n=number: one_way(first, n), lambda n=number: the_other(second, n)) == [None, None]
    assert committing.actions().count("promoted") >= rounds
    assert_history_tells_the_states(committing, "risk")


def test_opposite_orders_through_the_functions_do_not_deadlock(committing, connect):
    go_in_opposite_orders(committing, connect, rounds=15)


@pytest.mark.long
def test_opposite_orders_through_the_functions_do_not_deadlock_a_thousand_times(committing, connect):
    go_in_opposite_orders(committing, connect, rounds=1_000)


# --- one of two -----------------------------------------------------------------------------------------------------


def let_two_promote_the_same(committing, connect, rounds: int) -> None:
    committing.conn.execute("select set_promotion_policy(null, false, false, false)")
    sessions = [connect(), connect()]

    def promote(conn: psycopg.Connection, artifact_id: str) -> str:
        conn.execute("select promote_model(%s, expected_state => 'candidate')", [artifact_id])
        return "won"

    for number in range(rounds):
        artifact_id = committing.register(f"v{number}")
        outcome = at_once(*[lambda conn=conn, v=artifact_id: promote(conn, v) for conn in sessions])
        assert sorted(outcome) == ["MR002", "won"], number
    assert committing.actions().count("promoted") == rounds


def test_of_two_promotions_that_expect_a_candidate_exactly_one_wins(committing, connect):
    let_two_promote_the_same(committing, connect, rounds=20)


@pytest.mark.long
def test_of_two_promotions_that_expect_a_candidate_exactly_one_wins_a_thousand_times(committing, connect):
    let_two_promote_the_same(committing, connect, rounds=1_000)


# --- rules that change meanwhile ------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["risk", None])
def test_a_gate_that_is_being_set_is_waited_for_and_counts(committing, connect, model):
    committing.ready("v", auroc=0.9)
    steward, reviewer = connect(autocommit=False), connect()
    steward.execute("select set_promotion_gate('auroc', '>=', 0.95, model_name => %s)", [model])
    waiting = threading.Thread(target=lambda: wait_until_blocked(committing.conn, reviewer.info.backend_pid))
    waiting.start()

    def release() -> None:
        waiting.join()
        steward.commit()

    assert at_once(lambda: reviewer.execute("select promote_model('v')"), release)[0] == "MR011"


def test_a_promotion_that_began_first_is_before_the_gate(committing, connect):
    committing.ready("v", auroc=0.9)
    steward, reviewer = connect(), connect(autocommit=False)
    reviewer.execute("select promote_model('v')")

    def set_gate() -> str:
        steward.execute("select set_promotion_gate('auroc', '>=', 0.95, model_name => 'risk')")
        return "set"

    def release() -> None:
        wait_until_blocked(committing.conn, steward.info.backend_pid)
        reviewer.commit()

    assert at_once(set_gate, release)[0] == "set"
    assert committing.actions()[-2:] == ["promoted", "gate_set"]


def test_a_version_that_is_being_promoted_is_not_deleted(committing, connect):
    committing.ready("v")
    for door in ("select delete_model('v', 'too late')", "delete from artifacts where id = 'v'"):
        reviewer, remover = connect(autocommit=False), connect()
        reviewer.execute("select promote_model('v')")

        def release(remover=remover, reviewer=reviewer) -> None:
            wait_until_blocked(committing.conn, remover.info.backend_pid)
            reviewer.commit()

        assert at_once(lambda door=door, remover=remover: remover.execute(door), release)[0] == "MR008"
        committing.conn.execute("select demote_model('v')")
