"""What the database answers about metadata: the same as the examples say, whoever asks."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

EXAMPLES = json.loads((Path(__file__).parents[2] / "schemas" / "examples" / "1.json").read_text())
VALID = {
    "is_external": False,
    "model_family": "gradient boosting",
    "framework": "xgboost",
    "parameter_count": 12400,
    "training_data": "cohort A",
    "evaluation_dataset": "cohort B",
    "evaluation_metrics": {"auroc": 0.91},
}
THREE_MISTYPED = VALID | {"model_family": 7, "parameter_count": "12400", "evaluation_metrics": {"auroc": "0.91"}}
THREE_LINES = (
    "/evaluation_metrics/auroc: must be a number, not a string\n"
    "/model_family: must be a string, not a number\n"
    "/parameter_count: must be an integer, not a string"
)


def is_valid(conn: psycopg.Connection, version: int | None, text: str | None, artifact_type: str = "model") -> bool:
    row = conn.execute("select is_valid_metadata(%s, %s, %s::jsonb)", [artifact_type, version, text]).fetchone()
    assert row is not None
    return row[0]


def problems(conn: psycopg.Connection, text: str | None) -> list[str]:
    rows = conn.execute("select path, message from metadata_errors(%s::jsonb)", [text])
    return [f"{path}: {message}" for path, message in rows]


def test_the_database_answers_every_example_as_it_says(conn: psycopg.Connection) -> None:
    for name, document in EXAMPLES["valid"].items():
        assert problems(conn, json.dumps(document)) == [], name
        assert is_valid(conn, 1, json.dumps(document)), name
    for name, example in EXAMPLES["invalid"].items():
        assert problems(conn, json.dumps(example["document"])) == example["problems"], name
        assert not is_valid(conn, 1, json.dumps(example["document"])), name


def test_metadata_that_is_missing_is_a_problem_not_a_null(conn: psycopg.Connection) -> None:
    assert problems(conn, None) == [": must be an object, not null"]
    assert is_valid(conn, 1, None) is False


def test_what_is_no_model_may_carry_anything(conn: psycopg.Connection) -> None:
    assert is_valid(conn, None, "[1, 2]", artifact_type="dataset") is True


def test_a_version_that_does_not_exist_is_never_valid(conn: psycopg.Connection) -> None:
    assert is_valid(conn, 2, json.dumps(VALID)) is False
    assert is_valid(conn, None, json.dumps(VALID)) is False


def test_version_0_is_legacy_and_not_looked_at(conn: psycopg.Connection) -> None:
    assert is_valid(conn, 0, "[]") is True


def test_asking_for_a_version_that_does_not_exist_is_refused(conn: psycopg.Connection) -> None:
    with pytest.raises(errors.InvalidParameterValue, match="no metadata schema version 9") as caught:
        conn.execute("select * from metadata_errors('{}', 9)")
    assert (
        caught.value.diag.message_hint == "Versions are numbered 1 to 1; leave schema_version out for the current one."
    )


def test_validate_metadata_returns_for_a_valid_document(conn: psycopg.Connection) -> None:
    assert conn.execute("select validate_metadata(%s)", [Jsonb(VALID)]).fetchone() == ("",)


def test_three_mistyped_fields_give_three_lines_each_with_its_pointer(conn: psycopg.Connection) -> None:
    with pytest.raises(errors.CheckViolation) as caught:
        conn.execute("select validate_metadata(%s)", [Jsonb(THREE_MISTYPED)])
    assert caught.value.diag.message_detail == THREE_LINES
    assert caught.value.diag.constraint_name == "artifacts_metadata_valid"


def test_the_trigger_explains_a_raw_insert_in_the_same_words(conn: psycopg.Connection) -> None:
    with pytest.raises(errors.CheckViolation) as caught:
        conn.execute(
            "insert into artifacts (id, artifact_type, name, metadata) values ('m1', 'model', 'Risk', %s)",
            [Jsonb(THREE_MISTYPED)],
        )
    diag = caught.value.diag
    assert diag.message_primary == "InvalidMetadata: invalid metadata: 3 problems"
    assert diag.message_detail == THREE_LINES
    assert (diag.schema_name, diag.table_name, diag.column_name) == ("atlas", "artifacts", "metadata")
    assert diag.constraint_name == "artifacts_metadata_valid"
    assert diag.message_hint is not None


def test_metadata_is_explained_before_the_missing_name(conn: psycopg.Connection) -> None:
    with pytest.raises(errors.CheckViolation) as caught:
        conn.execute("insert into artifacts (id, artifact_type, metadata) values ('m1', 'model', '{}')")
    assert caught.value.diag.message_detail == "/is_external: is required"


def test_the_check_holds_without_the_triggers(conn: psycopg.Connection) -> None:
    conn.execute("alter table artifacts disable trigger user")
    with pytest.raises(errors.CheckViolation) as caught:
        conn.execute(
            "insert into artifacts (id, artifact_type, name, version_number, metadata_schema_version, metadata)"
            " values ('m1', 'model', 'Risk', 1, 1, '{}')"
        )
    assert caught.value.diag.constraint_name == "artifacts_metadata_valid"


def test_the_check_holds_without_the_triggers_for_a_number_beyond_any_double(conn: psycopg.Connection) -> None:
    conn.execute("alter table artifacts disable trigger user")
    with pytest.raises(errors.CheckViolation) as caught:
        conn.execute(
            "insert into artifacts (id, artifact_type, name, version_number, metadata_schema_version, metadata)"
            """ values ('m1', 'model', 'Risk', 1, 1, jsonb_build_object('x', 1e100000, 'y', repeat('y', 2048)))"""
        )
    assert caught.value.diag.constraint_name == "artifacts_metadata_bounded"


def test_the_explanation_fires_on_a_replica_too(conn: psycopg.Connection) -> None:
    conn.execute("set session_replication_role = replica")
    with pytest.raises(errors.CheckViolation) as caught:
        conn.execute("insert into artifacts (id, artifact_type, name, metadata) values ('m1', 'model', 'Risk', '{}')")
    assert caught.value.diag.message_detail == "/is_external: is required"


def test_values_are_never_quoted(conn: psycopg.Connection) -> None:
    secret = "hunter2-canary"
    document = VALID | {"model_family": [secret], "evaluation_metrics": {"auroc": secret}, "license": {"x": secret}}
    for statement in (
        "select validate_metadata(%s)",
        "insert into artifacts (id, artifact_type, name, metadata) values ('m1', 'model', 'Risk', %s)",
        "select register_model('Risk', %s)",
    ):
        with pytest.raises(errors.CheckViolation) as caught:
            conn.execute(statement, [Jsonb(document)])
        diag = caught.value.diag
        assert secret not in f"{diag.message_primary}{diag.message_detail}{diag.message_hint}{diag.context}"


def test_a_problem_stays_on_one_line_whatever_its_key(conn: psycopg.Connection) -> None:
    assert problems(conn, json.dumps(VALID | {'a\n"b': 1})) == [
        '/a\\n\\"b: is not a field of the schema; facts of your own go into extra'
    ]


def test_at_most_a_hundred_problems_are_listed(conn: psycopg.Connection) -> None:
    document = VALID | {f"unknown {number:03}": 1 for number in range(500)}
    assert len(problems(conn, json.dumps(document))) == 100


def nested(levels: int) -> str:
    """A document of so many levels, its own included."""
    return json.dumps(VALID)[:-1] + ', "extra": ' + '{"a": ' * (levels - 2) + "{}" + "}" * (levels - 1)


def test_a_hundred_levels_are_enough(conn: psycopg.Connection) -> None:
    assert problems(conn, nested(100)) == []
    assert is_valid(conn, 1, nested(100))


@pytest.mark.parametrize("levels", [101, 900, 5000])
def test_more_than_a_hundred_levels_are_refused(conn: psycopg.Connection, levels: int) -> None:
    assert problems(conn, nested(levels)) == [": is nested deeper than 100 levels"]
    assert not is_valid(conn, 1, nested(levels))


def test_braces_inside_a_text_are_no_levels(conn: psycopg.Connection) -> None:
    assert problems(conn, json.dumps(VALID | {"description": '{["\\"' * 500})) == []


def sized(size: int) -> str:
    """A valid document of so many bytes as the database writes it."""
    empty = json.dumps(VALID | {"description": ""})
    return json.dumps(VALID | {"description": "d" * (size - len(empty))})


def test_quotes_and_backslashes_within_a_text_are_no_end_of_it(conn: psycopg.Connection) -> None:
    for end in ("\\", '"', '\\"', '"\\'):
        texts = [end, "[{" * 80, end, "}]" * 80]
        assert is_valid(conn, 1, json.dumps(VALID | {"extra": {"texts": texts}})) is True
        nested = "[" * 99 + json.dumps(texts) + "]" * 99
        assert problems(conn, json.dumps(VALID)[:-1] + f', "extra": {{"nested": {nested}}}}}') == [
            ": is nested deeper than 100 levels"
        ]


def test_a_mebibyte_of_text_is_the_limit(conn: psycopg.Connection) -> None:
    assert problems(conn, sized(1_048_576)) == []
    assert problems(conn, sized(1_048_577)) == [": is larger than 1048576 bytes of text"]
    assert is_valid(conn, 1, sized(1_048_576))
    assert not is_valid(conn, 1, sized(1_048_577))


def test_the_limit_counts_bytes_not_characters(conn: psycopg.Connection) -> None:
    assert problems(conn, json.dumps(VALID | {"description": "ä" * 524_288})) == [
        ": is larger than 1048576 bytes of text"
    ]


@pytest.mark.parametrize(
    "number",
    ["0", "-9223372036854775808", "9223372036854775807", "1e20", "3.14e23", "1.7976931348623157e308", "5e-324"],
)
def test_numbers_that_a_machine_holds_are_accepted(conn: psycopg.Connection, number: str) -> None:
    document = json.dumps(VALID)[:-1] + f', "extra": {{"n": {number}}}}}'
    assert problems(conn, document) == []


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 200, "9223372036854775808123", "1.9e308"])
def test_numbers_that_no_machine_holds_are_refused(conn: psycopg.Connection, number: str) -> None:
    document = json.dumps(VALID)[:-1] + f', "extra": {{"n": {number}}}}}'
    with pytest.raises(errors.CheckViolation) as caught:
        conn.execute("select validate_metadata(%s::jsonb)", [document])
    detail = ": holds a number that is neither a 64-bit integer nor a finite double"
    assert caught.value.diag.message_detail == detail


def test_thousands_of_giant_numbers_never_become_text(conn: psycopg.Connection) -> None:
    # 60 kB stored, 4 GB written out: more than PostgreSQL can hold in one string.
    for statement in (
        "select validate_metadata(m) from giant",
        "select register_model('Risk', m) from giant",
        "insert into artifacts (id, artifact_type, name, metadata) select 'm1', 'model', 'Risk', m from giant",
    ):
        with pytest.raises(errors.CheckViolation, match="invalid metadata"):
            conn.execute(
                "with giant (m) as (select jsonb_build_object('a', jsonb_agg('1e131000'::jsonb))"
                " from generate_series(1, 30000))" + statement
            )


def test_the_schema_version_of_a_new_row_is_the_current_one(conn: psycopg.Connection) -> None:
    conn.execute("select register_model('Risk', %s)", [Jsonb(VALID)])
    assert conn.execute("select metadata_schema_version from artifacts").fetchall() == [(1,)]


def test_a_fresh_database_is_sealed_against_legacy_rows(conn: psycopg.Connection) -> None:
    conn.execute("alter table artifacts disable trigger user")
    with pytest.raises(errors.CheckViolation) as caught:
        conn.execute(
            "insert into artifacts (id, artifact_type, metadata_schema_version, metadata)"
            " values ('m1', 'model', 0, '{}')"
        )
    assert caught.value.diag.constraint_name == "artifacts_legacy_sealed"


def test_an_answer_is_remembered_for_its_document_and_version_only(conn: psycopg.Connection) -> None:
    good, bad = json.dumps(VALID), json.dumps(VALID | {"framework": ""})
    asked = [
        (1, good),
        (1, good),
        (2, good),
        (1, bad),
        (1, bad),
        (None, bad),
        (1, good),
        (1, None),
        (1, good),
        (0, bad),
    ]
    answers = [is_valid(conn, version, text) for version, text in asked]
    assert answers == [True, True, False, False, False, False, True, False, True, True]


def test_numbers_are_looked_at_in_whatever_is_larger_than_it_may_look(conn: psycopg.Connection) -> None:
    ask = """
        select is_bounded_metadata('model', 1, %s), is_bounded_metadata('model', 0, %s), is_bounded_metadata('d', 1, %s)
    """
    large = '{"x": 1e400, "y": "' + "y" * 4000 + '"}'
    assert conn.execute(ask, [large] * 3).fetchone() == (False, True, True)
    assert conn.execute(ask, ['{"x": 1e400}'] * 3).fetchone() == (True, True, True)
    # As a row keeps it, it is small; as text it is not.
    conn.execute("create temporary table kept (document jsonb)")
    conn.execute("insert into kept values (%s)", [large])
    kept = "select pg_column_size(document) < 2048, is_bounded_metadata('model', 1, document) from kept"
    assert conn.execute(kept).fetchone() == (True, False)


def test_answers_are_right_after_more_documents_than_are_remembered(conn: psycopg.Connection) -> None:
    right = json.dumps(VALID)
    ask = "select is_valid_metadata('model', 1, %s), is_valid_metadata('model', 1, %s)"
    for number in range(12):
        padded = json.dumps(VALID | {"extra": {"n": number, "padding": "p" * 200_000}})
        assert conn.execute(ask, [padded, right]).fetchone() == (True, True)
        wrong = padded.replace('"is_external": false', '"is_external": 0')
        assert conn.execute(ask, [wrong, "{}"]).fetchone() == (False, False)


def test_the_first_validation_imports_no_more_than_it_needs_and_leaves_nothing_behind(conn: psycopg.Connection) -> None:
    notices: list[str] = []
    conn.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    assert is_valid(conn, 1, json.dumps(VALID)) is True
    conn.execute(
        """
        do language plpython3u $python$
        import gc, sys
        plpy.notice(sorted({"jsonschema_rs", "email.utils", "socket"} & set(sys.modules)))
        import email.utils
        plpy.notice(email.utils.parsedate_to_datetime("Wed, 21 Oct 2015 07:28:00 GMT"), gc.isenabled())
        $python$
        """
    )
    assert notices == [
        "['jsonschema_rs']",
        "(datetime.datetime(2015, 10, 21, 7, 28, tzinfo=datetime.timezone.utc), True)",
    ]


def test_validation_works_where_the_session_imported_everything_before(conn: psycopg.Connection) -> None:
    conn.execute("do language plpython3u 'import email.utils'")
    assert is_valid(conn, 1, json.dumps(VALID)) is True
    assert is_valid(conn, 1, json.dumps(VALID | {"parameter_count": "7"})) is False
