"""What a session may set for itself changes no outcome, though functions are parsed and planned under its settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from factories import internal_metadata

METADATA = json.dumps(internal_metadata())
SETTINGS = {
    "backslashes": {"standard_conforming_strings": "off", "escape_string_warning": "off", "backslash_quote": "on"},
    "nulls": {"transform_null_equals": "on", "array_nulls": "off"},
    "texts": {
        "DateStyle": "German",
        "TimeZone": "Asia/Kathmandu",
        "IntervalStyle": "sql_standard",
        "bytea_output": "escape",
        "extra_float_digits": "-15",
        "quote_all_identifiers": "on",
    },
    "plpgsql": {"plpgsql.extra_errors": "all", "plpgsql.extra_warnings": "all", "check_function_bodies": "off"},
    "plans": {
        "enable_indexscan": "off",
        "enable_hashjoin": "off",
        "plan_cache_mode": "force_custom_plan",
        "from_collapse_limit": "1",
        "max_parallel_workers_per_gather": "2",
        "parallel_setup_cost": "0",
        "parallel_tuple_cost": "0",
        "min_parallel_table_scan_size": "0",
    },
    "isolation": {"default_transaction_isolation": "serializable", "default_transaction_deferrable": "on"},
}


@pytest.fixture(params=SETTINGS)
def session(request, module_database: str) -> Iterator[psycopg.Connection]:
    """A new session that had its settings before it first called anything."""
    parameters = conninfo_to_dict(module_database) | {"options": "-c search_path=atlas"}
    with psycopg.connect(make_conninfo("", **parameters)) as conn:
        for setting, value in SETTINGS[request.param].items():
            conn.execute("select set_config(%s, %s, false)", [setting, value])
        yield conn
        conn.rollback()


@pytest.fixture
def refusal(session: psycopg.Connection) -> Callable[..., str | None]:
    def run(statement: str, *parameters: object) -> str | None:
        with pytest.raises(psycopg.Error) as caught, session.transaction():
            session.execute(statement, parameters)
        return caught.value.sqlstate

    return run


def test_names_and_ids_are_judged_alike(session, refusal):
    query = "select register_model(%s, %s, artifact_id => %s)"
    session.execute(query, ["sally's", METADATA, "sss"])
    assert refusal(query, " risk", METADATA, "v") == "23514"
    assert refusal(query, "risk\t", METADATA, "v") == "23514"
    assert refusal(query, "ri\u202esk", METADATA, "v") == "23514"
    assert refusal(query, "risk", METADATA, "v 1") == "22023"
    assert refusal("select register_artifact('dataset', %s)", " \t ") == "22023"


def test_urls_and_commits_are_judged_alike(session):
    query = "select is_repository_url(%s), is_commit_sha(%s)"
    good = ["https://git.example.org/sss/project", "0123456789abcdef0123456789abcdef01234567"]
    assert session.execute(query, good).fetchone() == (True, True)
    assert session.execute(query, ["https://git.example.org/a b", "0123456"]).fetchone() == (False, False)


def test_metadata_is_judged_alike(session):
    query = "select path from metadata_errors(%s)"
    assert session.execute(query, [METADATA]).fetchall() == []
    metadata = internal_metadata(parameter_count=-1, framework=" ")
    assert session.execute(query, [json.dumps(metadata)]).fetchall() == [("/framework",), ("/parameter_count",)]
    assert session.execute("""select has_bounded_numbers('{"a": [1e309]}')""").fetchone() == (False,)


def test_versions_are_numbered_and_promoted_alike(session):
    for artifact_id in ("v1", "v2"):
        session.execute("select register_model('risk', %s, artifact_id => %s)", [METADATA, artifact_id])
        session.execute("select promote_model(%s)", [artifact_id])
    session.execute("set constraints all immediate")
    query = "select artifact_id, version_number, is_latest, promotion_state, superseded_by from models order by 1"
    assert session.execute(query).fetchall() == [
        ("v1", 1, False, "superseded", "v2"),
        ("v2", 2, True, "promoted", None),
    ]


def test_a_repeated_call_is_recognised_whatever_the_session_that_made_it_first(session, superuser):
    query = """
        select artifact_id, created from atlas.register_model(
            'risk', %s, idempotency_key => 'k', training_started_at => '2026-03-01 12:00:00+00',
            training_params_json => '{"rate": 0.1, "tiny": 1e-7, "big": 12345678901234567890}', artifact_id => 'v'
        )
    """
    assert session.execute(query, [METADATA]).fetchone() == ("v", True)
    digest = session.execute("select encode(idempotency_digest, 'hex') from model_versions").fetchone()
    session.rollback()
    superuser.execute(query, [METADATA])
    assert superuser.execute("select encode(idempotency_digest, 'hex') from atlas.model_versions").fetchone() == digest
