"""Every refusal arrives as the exception of its SQLSTATE and constraint, with its problems as (path, message)."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import Jsonb

import atlas_models
from atlas_models import (
    AlreadyRegistered,
    AtlasError,
    ConnectionFailed,
    ConnectionLost,
    IdempotencyConflict,
    IllegalTransition,
    IncompleteModel,
    InvalidArgument,
    InvalidMetadata,
    KeptByDatabase,
    LineageError,
    NotAllowed,
    NotFound,
    OutOfTurn,
    Problem,
    Registry,
    RegistryMissing,
    RemovalRefused,
    StateChanged,
    UnknownReference,
)
from atlas_models.errors import ERROR_OF_SQLSTATE, METADATA_CONSTRAINTS, database_errors

ROOT = Path(__file__).resolve().parents[2]
DEPLOYED = [*ROOT.glob("sql/**/*.sql"), *ROOT.glob("migrations/*.sql"), *ROOT.glob("schemas/templates/**/*.sql")]
CONDITIONS = {
    "check_violation": "23514",
    "foreign_key_violation": "23503",
    "insufficient_privilege": "42501",
    "invalid_parameter_value": "22023",
    "no_data_found": "P0002",
    "too_many_rows": "P0003",
    "not_null_violation": "23502",
    "unique_violation": "23505",
}


# A deploy's own: the client never meets it, the command reads it line by line.
OF_DEPLOYS = {"MR009": "AdoptionRefusedError"}


def documented() -> str:
    return (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")


def documented_codes() -> dict[str, set[str]]:
    codes: dict[str, set[str]] = {}
    for cells, name in re.findall(r"^\| ([^|]+) \|.*\| `(\w+)` \|", documented(), flags=re.MULTILINE):
        for code in re.findall(r"[0-9A-Z]{5}", cells):
            codes.setdefault(code, set()).add(name)
    return codes


def raised_codes() -> set[str]:
    codes = set()
    for file in DEPLOYED:
        text = file.read_text(encoding="utf-8")
        named = re.findall(r"errcode = '(\w+)'", text) + re.findall(r"sqlstate = \"(\w+)\"", text)
        codes |= {CONDITIONS.get(name, name) for name in named}
    return codes


def test_every_code_that_is_raised_is_documented_and_mapped():
    raised = raised_codes()
    assert {"MR001", "MR008", "23514", "22023"} <= raised
    assert raised - set(documented_codes()) == set()
    assert {code for code in raised if not code.startswith("22")} - {*ERROR_OF_SQLSTATE, *OF_DEPLOYS} == set()


def test_every_code_of_the_registry_that_is_documented_or_mapped_is_raised():
    of_registry = {code for code in {*documented_codes(), *ERROR_OF_SQLSTATE} if code.startswith("MR")}
    assert of_registry - raised_codes() == set()


def test_the_documented_exceptions_are_those_that_are_raised():
    for code, names in documented_codes().items():
        kinds = {"InvalidMetadata", "InvalidArgument"} if code == "23514" else {_name_of(code)}
        assert names == kinds, code


def _name_of(code: str) -> str:
    if code in OF_DEPLOYS:
        return OF_DEPLOYS[code]
    return ERROR_OF_SQLSTATE[code].__name__ if code in ERROR_OF_SQLSTATE else "InvalidArgument"


def test_every_named_constraint_is_documented_and_the_reverse(conn):
    of_database = {
        name
        for (name,) in conn.execute("""
            with registry (relation) as (
                select t::regclass
                from unnest(string_to_array(
                    'artifacts model_versions registered_models model_evaluations promotion_gates promotion_policies',
                    ' '
                )) as t
            )
            select c.conname
            from pg_constraint as c
            inner join registry as r on c.conrelid = r.relation
            where c.contype in ('c', 'f', 'p', 'u', 't')
            union
            select i.indexrelid::regclass::text
            from pg_index as i
            inner join registry as r on i.indrelid = r.relation
            where i.indisunique
        """)
    }
    of_documentation = set(re.findall(r"^\| `(\w+)` \| [0-9A-Z]{5} \|", documented(), flags=re.MULTILINE))
    assert of_documentation == of_database


def test_every_exception_is_exported():
    kinds = {*ERROR_OF_SQLSTATE.values(), InvalidMetadata, AtlasError}
    assert {kind.__name__ for kind in kinds} <= set(atlas_models.__all__)


def test_the_constraints_that_mean_invalid_metadata_exist(conn):
    names = {
        name
        for (name,) in conn.execute(
            "select conname from pg_constraint where conname = any(%s)", [list(METADATA_CONSTRAINTS)]
        )
    }
    assert names == METADATA_CONSTRAINTS


def test_each_mistyped_field_is_a_problem_with_its_place(registry, internal):
    wrong = internal | {"framework": 7, "parameter_count": "many", "evaluation_metrics": {"auroc": "high"}}
    with pytest.raises(InvalidMetadata) as caught:
        registry.register_model("churn", wrong)
    assert caught.value.problems == [
        Problem("/evaluation_metrics/auroc", "must be a number, not a string"),
        Problem("/framework", "must be a string, not a number"),
        Problem("/parameter_count", "must be an integer, not a string"),
    ]
    assert (caught.value.sqlstate, caught.value.constraint) == ("23514", "artifacts_metadata_valid")
    assert "Correct the metadata" in caught.value.hint


def test_an_error_reads_as_message_problems_and_hint(registry, internal):
    with pytest.raises(InvalidMetadata) as caught:
        registry.validate(internal | {"framework": " "})
    assert str(caught.value).splitlines()[:2] == ["invalid metadata: 1 problem", "  /framework: must not be blank"]
    assert str(caught.value).splitlines()[-1].startswith("hint: ")


def test_the_error_of_the_driver_is_the_cause(registry):
    with pytest.raises(InvalidMetadata) as caught:
        registry.register_model("churn", {})
    assert isinstance(caught.value.__cause__, psycopg.errors.CheckViolation)


def test_the_cause_survives_a_batch(registry):
    with pytest.raises(InvalidMetadata) as caught:
        registry.register_models([{"name": "churn", "metadata": {}}])
    assert isinstance(caught.value.__cause__, psycopg.errors.CheckViolation)


def test_no_value_of_the_metadata_is_in_the_message(registry, internal):
    with pytest.raises(InvalidMetadata) as caught:
        registry.register_model("churn", internal | {"framework": {"patient": "Jane Doe"}, "parameter_count": -4711})
    assert "Jane Doe" not in str(caught.value)
    assert "4711" not in str(caught.value)


def test_a_number_beyond_every_double_is_invalid_metadata(registry, internal):
    with pytest.raises(InvalidMetadata) as caught:
        registry.register_model("churn", internal | {"parameter_count": 10**400})
    assert caught.value.constraint == "artifacts_metadata_valid"


def test_valid_metadata_passes_and_has_no_errors(registry, internal):
    registry.validate(internal)
    assert registry.metadata_errors(internal) == []


def test_validating_answers_as_registering_does(registry, internal):
    wrong = internal | {"framwork": "xgboost"}
    with pytest.raises(InvalidMetadata) as registering:
        registry.register_model("churn", wrong)
    with pytest.raises(InvalidMetadata) as validating:
        registry.validate(wrong)
    assert validating.value.problems == registering.value.problems == registry.metadata_errors(wrong)
    assert validating.value.problems == [("/framwork", "is not a field of the schema; did you mean framework?")]


def test_an_unknown_schema_version_is_an_invalid_argument(registry, internal):
    with pytest.raises(InvalidArgument) as caught:
        registry.metadata_errors(internal, schema_version=99)
    assert caught.value.sqlstate == "22023"


@pytest.mark.parametrize(
    ("arguments", "kind", "sqlstate", "constraint", "problem"),
    [
        ({"name": None}, InvalidArgument, "23502", None, ("/name", "is required")),
        (
            {"name": " churn"},
            InvalidArgument,
            "23514",
            "artifacts_row_complete",
            ("/name", "must be 1 to 256 characters, without control characters and without white space around"),
        ),
        (
            {"code_commit_sha": "abc123"},
            InvalidArgument,
            "23514",
            "model_versions_row_complete",
            ("/code_commit_sha", "must be 40 or 64 lower-case hexadecimal digits"),
        ),
        (
            {"parent_version_id": "nope"},
            UnknownReference,
            "23503",
            "artifacts_parent_fkey",
            ("/parent_version_id", "there is no artifact nope"),
        ),
        ({"artifact_id": "taken"}, AlreadyRegistered, "23505", "artifacts_pkey", ("/artifact_id", "is taken")),
        (
            {"benchmark_id": "glue"},
            KeptByDatabase,
            "MR005",
            None,
            ("/benchmark_id", "the metadata declares another value, or none"),
        ),
        (
            {"parent_version_id": "the-model"},
            LineageError,
            "MR007",
            None,
            ("/parent_version_id", "the-model is this version itself"),
        ),
    ],
)
def test_an_argument_that_is_refused_has_its_own_exception(
    registry, internal, arguments, kind, sqlstate, constraint, problem
):
    registry.register_model("churn", internal, artifact_id="taken")
    with pytest.raises(kind) as caught:
        registry.register_model(**{"name": "churn", "metadata": internal, "artifact_id": "the-model"} | arguments)
    assert (caught.value.sqlstate, caught.value.constraint) == (sqlstate, constraint)
    assert caught.value.problems == [problem]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"trained_by": 7}, ("/trained_by", "must be text")),
        ({"title": "a\0b"}, ("/title", "holds a NUL character, which PostgreSQL cannot store")),
        ({"title": "\ud800"}, ("/title", "holds half of a surrogate pair, which is no Unicode text")),
        ({"is_external": 1}, ("/is_external", "must be True or False")),
        ({"training_completed_at": "now"}, ("/training_completed_at", "must be a datetime")),
        ({"eval_metrics_json": {"f1": float("nan")}}, ("/eval_metrics_json/f1", "must be a finite number")),
    ],
)
def test_an_argument_that_cannot_be_sent_is_refused_before(registry, internal, arguments, problem):
    with pytest.raises(InvalidArgument) as caught:
        registry.register_model("churn", internal, **arguments)
    assert (caught.value.sqlstate, caught.value.problems) == (None, [problem])


def test_metadata_of_a_dataset_that_is_no_json_is_an_invalid_argument(registry):
    with pytest.raises(InvalidArgument) as caught:
        registry.register_artifact("dataset", "Cohort B", metadata={"rows": float("inf")})
    assert caught.value.problems == [("/metadata/rows", "must be a finite number")]


def test_a_dataset_without_a_title_is_an_invalid_argument(registry):
    with pytest.raises(InvalidArgument) as caught:
        registry.register_artifact("dataset", " ")
    assert (caught.value.sqlstate, caught.value.problems) == ("22023", [("/title", "must not be blank")])


def test_a_key_used_for_something_else_is_a_conflict(registry, internal):
    registry.register_model("churn", internal, idempotency_key="k")
    with pytest.raises(IdempotencyConflict) as caught:
        registry.register_model("churn", internal, title="another", idempotency_key="k")
    assert (caught.value.sqlstate, caught.value.problems[0].path) == ("MR003", "/idempotency_key")


def test_transitions_return_what_they_did(registry, internal):
    first = registry.register_model("churn", internal).artifact_id
    second = registry.register_model("churn", internal).artifact_id
    assert registry.promote(first, notes="good") == atlas_models.Promotion("churn", 1, None)
    assert registry.promote(second, expected_state="candidate") == atlas_models.Promotion("churn", 2, first)
    assert registry.demote(second) == atlas_models.Transition("churn", 2, "promoted")
    assert registry.reject(second, notes="drifts") == atlas_models.Transition("churn", 2, "candidate")
    assert registry.reopen(second) == atlas_models.Transition("churn", 2, "rejected")
    assert registry.get_model("churn", 1).promotion_notes == "good"
    assert registry.get_model("churn", 1).superseded_by == second


def test_a_transition_that_does_not_exist_is_refused(registry, internal):
    made = registry.register_model("churn", internal)
    with pytest.raises(IllegalTransition) as caught:
        registry.demote(made.artifact_id)
    assert (caught.value.sqlstate, caught.value.problems) == (
        "MR001",
        [("/promotion_state", "must be promoted to become candidate")],
    )


def test_a_decision_on_a_state_that_has_passed_is_refused(registry, internal):
    made = registry.register_model("churn", internal)
    registry.reject(made.artifact_id)
    with pytest.raises(StateChanged) as caught:
        registry.promote(made.artifact_id, expected_state="candidate")
    assert caught.value.sqlstate == "MR002"


def test_promoting_what_is_not_there_is_not_found(registry):
    with pytest.raises(NotFound) as caught:
        registry.promote("nope")
    assert (caught.value.sqlstate, caught.value.problems[0].path) == ("P0002", "/artifact_id")


def test_a_role_without_the_right_is_not_allowed(connect, internal):
    reader = Registry(connect("test_reader"))
    with pytest.raises(NotAllowed) as caught:
        reader.register_model("churn", internal)
    assert caught.value.sqlstate == "42501"
    assert "atlas_registrar to register" in caught.value.hint


def test_each_role_does_its_part(connect, internal):
    made = Registry(connect("test_registrar")).register_model("churn", internal)
    Registry(connect("test_reviewer")).promote(made.artifact_id)
    assert Registry(connect("test_reader")).get_model("churn").promotion_state == "promoted"


MODEL = (
    "insert into atlas.artifacts (id, artifact_type, name, metadata{}) values ('a', 'model', 'churn', %(metadata)s{})"
)
RAW = {
    MODEL.format("", ""): IncompleteModel,
    MODEL.format(", version_number", ", 9"): OutOfTurn,
    "delete from atlas.model_versions": RemovalRefused,
}


@pytest.mark.parametrize("statement", RAW)
def test_what_raw_sql_is_refused_for_has_its_exception_too(registry, conn, internal, statement):
    registry.register_model("other", internal)
    with pytest.raises(RAW[statement]), database_errors():
        conn.execute(statement, {"metadata": Jsonb(internal)})


def test_a_check_that_quotes_the_row_is_not_repeated(conn):
    with pytest.raises(InvalidArgument) as caught, database_errors():
        conn.execute(
            "insert into atlas.artifacts (id, artifact_type, name, title) values ('a', 'dataset', 'x', 'Jane Doe')"
        )
    assert caught.value.constraint == "artifacts_row_complete"
    assert "Jane Doe" not in str(caught.value)


def test_a_database_without_a_registry_says_how_to_make_one(empty_database, internal):
    with Registry(empty_database) as registry:
        for call in (lambda: registry.register_model("churn", internal), lambda: registry.get_model("churn")):
            with pytest.raises(RegistryMissing, match="atlas migrate URL"):
                call()


def test_a_schema_without_a_registry_says_so(database_url, internal):
    with Registry(database_url, schema="elsewhere") as registry, pytest.raises(RegistryMissing) as caught:
        registry.register_model("churn", internal)
    assert caught.value.sqlstate == "3F000"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:s3cret@127.0.0.1:1/atlas",
        "postgresql://user:s3cret@no-such-host.invalid/atlas",
        "postgresql://user:s3cret@/atlas?host=/no/such/folder",
        "postgresql://user:s3cret@localhost:port/atlas",
        "s3cret",
        "mysql://user:s3cret@localhost/atlas",
    ],
)
def test_a_server_that_cannot_be_reached_is_one_clear_line_without_the_password(url):
    with pytest.raises(ConnectionFailed) as caught, Registry(url):
        pass
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert "s3cret" not in f"{caught.value} {caught.value.__cause__} {caught.value.message}"


def test_a_database_that_does_not_exist_is_a_failed_connection(database_url):
    parameters = conninfo_to_dict(database_url) | {"dbname": "atlas_no_such_database"}
    with pytest.raises(ConnectionFailed, match="does not exist"):
        Registry(make_conninfo("", **parameters)).metadata_schema_version()


def test_a_connection_that_was_lost_is_a_failed_connection(connect, conn, internal):
    doomed = connect()
    conn.execute("select pg_terminate_backend(%s)", [doomed.info.backend_pid])
    registry = Registry(doomed)
    with pytest.raises(ConnectionLost, match="was lost"):
        registry.register_model("churn", internal)
    with pytest.raises(ConnectionFailed):
        registry.get_model("churn")


def test_a_registry_that_was_closed_is_a_failed_connection(registry):
    registry.close()
    with pytest.raises(ConnectionFailed):
        registry.get_model("churn")


def test_an_error_that_says_nothing_about_the_registry_passes_unchanged(connect, internal):
    busy = connect(autocommit=False)
    Registry(busy).register_model("churn", internal)
    hasty = connect()
    hasty.execute("set lock_timeout = '50ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        Registry(hasty).register_model("churn", internal)


def test_an_error_survives_being_sent_to_another_process(registry):
    with pytest.raises(InvalidMetadata) as caught:
        registry.validate({})
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.problems, copy.sqlstate) == (str(caught.value), caught.value.problems, "23514")
