"""Rules as data: what the table refuses, what a rule of one's own can do, and what becomes of one that cannot work."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from atlas_models.backfill.rules import COLUMNS, TRANSFORMS, compile_rules
from legacy_rows import COMPLETE, complete


def rule(**changes: Any) -> dict[str, Any]:
    row = {
        "name": "mine",
        "position": 1,
        "source": "metadata",
        "legacy_key": "mein Wert",
        "field": "task",
        "transform": "text",
        "argument": None,
    }
    return row | changes


KEEP = rule(name="keep", legacy_key="*", field="extra", transform="keep")


def insert(conn: psycopg.Connection, row: dict[str, Any]) -> None:
    columns = ", ".join(row)
    values = [Jsonb(value) if isinstance(value, dict | list) else value for value in row.values()]
    conn.execute(f"insert into backfill_rules ({columns}) values ({', '.join(['%s'] * len(row))})", values)


# --- the table ------------------------------------------------------------------------------------------------------

REFUSED = {
    "name_is_free": [rule(name=" "), rule(name="answer"), rule(name="x" * 257)],
    "source_known": [rule(source="title")],
    "legacy_key_given": [rule(legacy_key=" ")],
    "any_key_for_whole_rows": [rule(legacy_key="*"), rule(transform="keep", field="extra")],
    "transform_fills_field": [
        rule(transform="regex"),
        rule(field="colour"),
        rule(field="parameter_count"),
        rule(transform="count"),
        rule(transform="keep", legacy_key="*"),
        rule(transform="map", field="extra", argument={"values": {"a": "b"}}),
        rule(transform="implies", field="parameter_count", argument={"value": "b"}),
    ],
    "argument_is_object": [rule(argument=[1])],
    "argument_complete": [
        rule(transform="map"),
        rule(transform="map", argument={}),
        rule(transform="map", argument={"values": {}}),
        rule(transform="contains", argument={"values": 3}),
        rule(transform="implies", argument={"values": {"a": "b"}}),
        rule(transform="metric", field="evaluation_metrics"),
        rule(transform="metric", field="evaluation_metrics", argument={"name": " "}),
    ],
    "argument_fits_field": [
        rule(transform="map", argument={"values": {"a": True}}),
        rule(transform="map", argument={"values": {"a": ""}}),
        rule(transform="map", field="is_external", argument={"values": {"a": "true"}}),
        rule(transform="implies", argument={"value": 3}),
        rule(transform="implies", field="promoted_by", argument={"value": "yes"}),
    ],
    "zone_known": [
        rule(transform="timestamp", field="training_started_at", argument={"zone": "Europe/Berlin"}),
        rule(transform="timestamp", field="training_started_at", argument={"zone": 3}),
    ],
    "times_is_a_count": [
        rule(transform="count", field="parameter_count", argument={"times": 0}),
        rule(transform="count", field="parameter_count", argument={"times": 1.5}),
        rule(transform="count", field="parameter_count", argument={"times": "1000"}),
    ],
}


@pytest.mark.parametrize(("constraint", "row"), [(name, row) for name, rows in REFUSED.items() for row in rows])
def test_a_rule_that_cannot_work_is_refused(conn, constraint, row):
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        insert(conn, row)
    assert caught.value.diag.constraint_name == f"backfill_rules_{constraint}"


def test_the_table_knows_the_same_transforms_and_fields_as_the_code(conn):
    fields = ["extra", "promoted_by", *COLUMNS, *COMPLETE, "task", "license", "description", "benchmark_id"]
    fields += ["base_model_id", "training_config", "external_source_url", "external_source_version"]
    for transform in TRANSFORMS:
        for field in fields:
            value: Any = True if field in ("is_external", "promoted_by") else "a"
            argument = {"values": {"a": value}, "value": value, "name": "a"}
            whole = transform in ("keep", "internal_by_default")
            row = rule(transform=transform, field=field, argument=argument, legacy_key="*" if whole else "a")
            try:
                with conn.transaction():
                    insert(conn, row)
                    accepted = True
                    raise psycopg.Rollback
            except psycopg.errors.CheckViolation as error:
                assert error.diag.constraint_name == "backfill_rules_transform_fills_field"
                accepted = False
            assert accepted == (field in TRANSFORMS[transform].fields), f"{transform} {field}"


def test_every_seeded_rule_works(seeded_text):
    rows = json.loads(seeded_text)
    assert len(rows) == 216
    book = compile_rules(seeded_text)
    rules = [one for rules in [*book._by_key.values(), *book.by_column.values()] for one in rules]
    assert [one.name for one in rules if one.fault] == []
    assert len(rules) + 2 == len(rows)


def test_the_place_of_a_seeded_rule_is_its_own(conn):
    query = """
        select count(*), count(distinct position), count(distinct (source, lower(legacy_key), field, transform))
        from backfill_rules
    """
    assert conn.execute(query).fetchone() == (216, 216, 216)


def test_a_rule_of_ones_own(conn):
    insert(conn, rule())
    row = conn.execute(
        """
        select normalise_metadata(
            '{"Mein-Wert": "ranking"}', '{}',
            (select jsonb_agg(to_jsonb(r) order by position, name)::text from backfill_rules as r)
        ) -> 'metadata' ->> 'task'
        """
    ).fetchone()
    assert row == ("ranking",)


# --- what rules can do ----------------------------------------------------------------------------------------------


def test_a_rule_may_read_a_column(normalise):
    rules = [
        rule(
            source="column",
            legacy_key="title",
            field="model_family",
            transform="contains",
            argument={"values": {"logistic regression": "logistic regression", "ODE": "biophysical ODE"}},
        )
    ]
    result = normalise(complete("model_family"), {"title": "AD risk by logistic-regression"}, rules=rules)
    assert result["metadata"]["model_family"] == "logistic regression"
    result = normalise(complete("model_family"), {"title": "A model"}, rules=rules)
    assert result["questions"][0]["seen"] == {}
    result = normalise(complete("model_family"), {"title": "ODE, then logistic regression"}, rules=rules)
    assert result["questions"][0]["readings"] == ["logistic regression", "biophysical ODE"]


def test_a_word_that_a_rule_maps_to_a_text_is_used_up(normalise):
    rules = [
        rule(transform="map", legacy_key="license", field="license", argument={"values": {"Apache 2": "Apache-2.0"}})
    ]
    result = normalise(complete(license="apache-2"), rules=rules)
    assert result["metadata"] == complete(license="Apache-2.0")
    assert normalise(complete(license="MIT"), rules=rules)["metadata"] == complete(license="MIT")


def test_the_lower_position_comes_first(normalise):
    rules = [
        rule(name="first", transform="map", argument={"values": {"rank": "ranking"}}),
        rule(name="second", transform="text"),
    ]
    assert normalise(complete(**{"mein wert": "rank"}), rules=rules)["metadata"]["task"] == "ranking"
    assert normalise(complete(**{"mein wert": "x"}), rules=rules)["metadata"]["task"] == "x"


def test_a_rule_that_only_stands_in(normalise):
    rules = [rule(argument={"only_if_missing": True})]
    assert normalise(complete(mein_wert="a"), rules=rules)["metadata"]["task"] == "a"
    assert normalise(complete(task="b", mein_wert="a"), rules=rules)["metadata"]["task"] == "b"


def test_a_rule_that_only_offers(normalise):
    rules = [rule(legacy_key="art", field="model_family", argument={"ask": True})]
    result = normalise(complete("model_family", art="SVM"), rules=[*rules, KEEP])
    assert [one["readings"] for one in result["questions"]] == [["SVM"]]
    assert "model_family" not in result["metadata"]


def test_a_rule_that_is_not_enabled_is_not_applied(normalise):
    result = normalise(
        complete("framework", lib="xgboost"), rules=[rule(legacy_key="lib", field="framework", enabled=False)]
    )
    assert "framework" not in result["metadata"]


def test_without_the_rule_for_it_a_fact_without_a_field_is_a_question(normalise):
    result = normalise(complete(owner="jane"), rules=[])
    assert [(one["field"], one["why"]) for one in result["questions"]] == [
        ("owner", "it is not a field of the schema; facts of your own go into extra")
    ]


def test_without_the_rule_for_it_is_external_must_be_said(normalise):
    result = normalise(complete("is_external"), rules=[])
    assert [(one["field"], one["readings"]) for one in result["questions"]] == [("is_external", [False, True])]


def test_hosts_and_schemes_of_ones_own(normalise):
    default = rule(
        transform="internal_by_default",
        legacy_key="*",
        field="is_external",
        argument={"url_columns": ["origin_url"], "own_hosts": ["corp.example"], "own_schemes": ["s3"]},
    )
    for url, asked in (
        ("https://git.corp.example/x", 0),
        ("s3://x/y", 0),
        ("https://corp.example.org/x", 1),
        ("hf://x", 1),
    ):
        assert len(normalise(complete("is_external"), {"origin_url": url}, rules=[default])["questions"]) == asked


# --- rules that cannot work, should one get past the table ----------------------------------------------------------

BROKEN = [
    (rule(transform="regex"), "there is no transform regex"),
    (rule(field="parameter_count"), "transform text cannot fill the field parameter_count"),
    (rule(argument=[1]), "its argument is no object"),
    (rule(transform="map"), "its argument lacks values: an object word → a text"),
    (rule(transform="map", argument={"values": {"a": 1}}), "its argument lacks values: an object word → a text"),
    (
        rule(transform="implies", field="is_external", argument={"value": "x"}),
        "its argument lacks value: true or false",
    ),
    (
        rule(transform="implies", argument={"value": "x", "spellings": 3}),
        "its argument's spellings are no list of texts",
    ),
    (rule(transform="metric", field="evaluation_metrics", argument={}), "its argument lacks the metric's name"),
    (
        rule(transform="timestamp", field="training_started_at", argument={"zone": "Mars"}),
        "its argument's zone is neither UTC nor an offset such as +02:00",
    ),
    (
        rule(transform="count", field="parameter_count", argument={"times": "3"}),
        "its argument's times is no whole number above 0",
    ),
]


@pytest.mark.parametrize(("broken", "fault"), BROKEN)
def test_a_rule_that_cannot_work_is_a_question_about_the_rows_that_it_applies_to(normalise, broken, fault):
    result = normalise(complete(mein_wert="a"), rules=[broken])
    asked = [one for one in result["questions"] if one["why"].startswith("the rule")]
    assert asked == [
        {
            "field": broken["field"],
            "seen": {"/mein_wert": "a"},
            "readings": [],
            "why": f"the rule mine cannot work: {fault}",
        }
    ]
    assert not any(one["why"].startswith("the rule") for one in normalise(COMPLETE, rules=[broken])["questions"])
