"""A repeated registration under one key stands for the first one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest

from factories import Registered, external_metadata, internal_metadata, register, register_many
from refusals import refused


def stored(conn: psycopg.Connection) -> list[tuple[str, int]]:
    return conn.execute("select id, version_number from artifacts order by 1").fetchall()


def test_the_same_key_and_arguments_give_the_first_row_again(conn: psycopg.Connection) -> None:
    first = register(conn, "churn", title="t", idempotency_key="k")
    assert register(conn, "churn", title="t", idempotency_key="k") == Registered(first.artifact_id, 1, False)
    assert stored(conn) == [(first.artifact_id, 1)]


def test_a_repeated_call_uses_no_number(conn: psycopg.Connection) -> None:
    register(conn, "churn", idempotency_key="k")
    register(conn, "churn", idempotency_key="k")
    assert register(conn, "churn").version_number == 2


def test_the_same_key_with_other_arguments_is_refused(conn: psycopg.Connection) -> None:
    given = {"training_started_at": "2024-05-01T10:00:00Z", "artifact_id": "m1", "idempotency_key": "k"}
    register(conn, "churn", **given)
    detail = "/idempotency_key: 'k' of churn stands for m1, registered with other arguments"
    for changed in [
        {"title": "another"},
        {"metadata": internal_metadata(parameter_count=1)},
        {"trained_by": "agent-4"},
        {"artifact_id": "m2"},
        {"training_started_at": "2024-05-01T10:00:01Z"},
    ]:
        with refused("MR003", column="idempotency_key", detail=detail):
            register(conn, "churn", **(given | changed))
    assert stored(conn) == [("m1", 1)]


def test_the_same_key_of_another_name_is_another_registration(conn: psycopg.Connection) -> None:
    register(conn, "churn", artifact_id="m1", idempotency_key="k")
    assert register(conn, "fraud", artifact_id="m2", idempotency_key="k") == Registered("m2", 1, True)


def test_the_order_of_the_fields_of_the_metadata_does_not_matter(conn: psycopg.Connection) -> None:
    register(conn, "churn", artifact_id="m1", idempotency_key="k")
    backwards = dict(reversed(internal_metadata().items()))
    assert register(conn, "churn", backwards, artifact_id="m1", idempotency_key="k").created is False


def test_the_same_instant_in_another_time_zone_is_the_same_argument(conn: psycopg.Connection) -> None:
    register(conn, "churn", training_started_at="2024-05-01T10:00:00Z", idempotency_key="k")
    again = register(conn, "churn", training_started_at="2024-05-01T15:30:00+05:30", idempotency_key="k")
    assert again.created is False


def test_the_time_zone_of_the_session_does_not_matter(connect: Callable[..., psycopg.Connection]) -> None:
    answers = []
    for zone in ("UTC", "Asia/Kolkata", "America/New_York"):
        session = connect()
        session.execute("select set_config('timezone', %s, false)", [zone])
        answers.append(register(session, "churn", training_completed_at="2024-05-01T10:00:00Z", idempotency_key="k"))
    assert [answer.created for answer in answers] == [True, False, False]


def test_the_settings_of_the_session_that_write_numbers_do_not_matter(conn: psycopg.Connection) -> None:
    metadata = internal_metadata(evaluation_metrics={"auroc": 0.1234567890123456789})
    register(conn, "churn", metadata, idempotency_key="k")
    conn.execute("set extra_float_digits = -10")
    conn.execute("set datestyle = 'German'")
    assert register(conn, "churn", metadata, idempotency_key="k").created is False


def test_register_models_recognises_what_register_model_wrote(conn: psycopg.Connection) -> None:
    register(conn, "churn", artifact_id="m1", trained_by="a", idempotency_key="k")
    same = {"artifact_id": "m1", "name": "churn", "metadata": internal_metadata(), "trained_by": "a"}
    assert register_many(conn, [same | {"idempotency_key": "k"}]) == [Registered("m1", 1, False)]


def test_a_key_twice_in_an_array_is_one_registration(conn: psycopg.Connection) -> None:
    once = {"name": "churn", "metadata": internal_metadata(), "idempotency_key": "k"}
    other = {"name": "churn", "metadata": internal_metadata(), "artifact_id": "m2"}
    first, second, third = register_many(conn, [once, other, once])
    assert (first.version_number, first.created) == (1, True)
    assert second == Registered("m2", 2, True)
    assert third == Registered(first.artifact_id, 1, False)
    assert len(stored(conn)) == 2


@pytest.mark.usefixtures("nothing_written")
def test_a_key_twice_in_an_array_with_other_arguments_is_refused(conn: psycopg.Connection) -> None:
    once = {"name": "churn", "metadata": internal_metadata(), "artifact_id": "m1", "idempotency_key": "k"}
    detail = "/1/idempotency_key: 'k' of churn stands for m1, registered with other arguments"
    with refused("MR003", column="idempotency_key", detail=detail):
        register_many(conn, [once, once | {"title": "another"}])


def test_an_array_that_was_sent_before_is_recognised_whole(conn: psycopg.Connection) -> None:
    models = [
        {"name": "n", "metadata": internal_metadata(base_model_id="b"), "artifact_id": "a", "idempotency_key": "1"},
        {"name": "n", "metadata": external_metadata(), "artifact_id": "b", "idempotency_key": "2"},
    ]
    register_many(conn, models)
    assert register_many(conn, models) == [Registered("a", 1, False), Registered("b", 2, False)]


def test_of_an_array_sent_before_only_what_is_new_is_registered(conn: psycopg.Connection) -> None:
    models = [
        {"name": "n", "metadata": internal_metadata(), "artifact_id": f"m{key}", "idempotency_key": key}
        for key in ("1", "2", "3")
    ]
    register_many(conn, models[:1])
    assert register_many(conn, [models[1], models[0], models[2]]) == [
        Registered("m2", 2, True),
        Registered("m1", 1, False),
        Registered("m3", 3, True),
    ]
    assert conn.execute("select id from artifacts where is_latest").fetchall() == [("m3",)]


def test_a_key_whose_registration_was_rolled_back_is_free(connect: Callable[..., psycopg.Connection]) -> None:
    caller = connect(autocommit=False)
    register(caller, "churn", idempotency_key="k")
    caller.rollback()
    assert register(caller, "churn", title="another", idempotency_key="k").created is True


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize("key", ["", "k" * 257])
def test_a_key_has_1_to_256_characters(conn: psycopg.Connection, key: str) -> None:
    with refused(
        "23514",
        column="idempotency_key",
        constraint="model_versions_row_complete",
        detail="/idempotency_key: must be 1 to 256 characters",
    ):
        register(conn, "churn", idempotency_key=key)


def test_calls_at_once_under_one_key_make_one_row(connect: Callable[..., psycopg.Connection]) -> None:
    sessions = [connect() for _ in range(8)]
    start = Barrier(8)

    def call(session: psycopg.Connection) -> Registered:
        start.wait()
        return register(session, "churn", idempotency_key="k")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(call, sessions))
    assert sorted(answer.created for answer in answers) == [False] * 7 + [True]
    assert {(answer.artifact_id, answer.version_number) for answer in answers} == {(stored(sessions[0])[0][0], 1)}
    assert len(stored(sessions[0])) == 1
