"""The function in the database: the same answers, and only what a pure function does."""

from __future__ import annotations

import ast
import json

import psycopg
import pytest

from atlas_models import schema_codegen
from legacy_rows import COMPLETE, GROWN_BY_HAND, ODD, SHA, complete, text_of

ROWS = {
    "complete": (COMPLETE, {}, None),
    "grown by hand": (GROWN_BY_HAND, {"title": "ResNet", "lifecycle_state": "production"}, None),
    "disagreeing": (complete(lib="lightgbm", params="~1.2M"), {"notes": "about 12,000"}, None),
    "answered": (complete(lib="lightgbm"), {}, {"framework": "lightgbm", "code_commit_sha": SHA, "extra": {"a": 1}}),
    "external": ({"external_source_url": "https://h.org/x", "hf_revision": 3}, {"origin_type": "hf"}, None),
    "other alphabets": (complete(notes="模型, Überprüfung \U0001f9e0", Дата="01/05/2024"), {"title": "ß"}, None),
    "a key twice": (text_of('{"is_external": false}', '"a": 1', '"a": 2'), {}, None),
}


@pytest.mark.parametrize("name", ROWS)
def test_python_and_the_database_give_the_same_answers(normalise, normalise_on_server, name):
    document, facts, answers = ROWS[name]
    assert normalise_on_server(document, facts, answers) == normalise(document, facts, answers)


@pytest.mark.parametrize("name", ODD)
def test_python_and_the_database_agree_about_odd_documents(normalise, normalise_on_server, name):
    facts = {"title": "a", "notes": None, "lifecycle_state": "production", "count": 3}
    # Numbers come back from jsonb written out: 1e300 as an integer.
    answers = [normalise_on_server(ODD[name], facts), normalise(ODD[name], facts)]
    assert [json.loads(json.dumps(one), parse_int=float) for one in answers[:1]] == [
        json.loads(json.dumps(one), parse_int=float) for one in answers[1:]
    ]


@pytest.mark.parametrize("name", ODD)
def test_what_is_called_valid_the_database_accepts(normalise, server, name):
    for document in (ODD[name], ODD[name] and text_of(json.dumps(COMPLETE), f'"odd": {json.dumps({"x": 1})}')):
        result = normalise(document, None, COMPLETE)
        query = "select atlas.is_valid_metadata('model', 1, %s::jsonb)"
        assert server.execute(query, [json.dumps(result["metadata"])]).fetchone() == (result["valid"],)


def test_it_is_pure_and_for_nobody_but_its_owner_and_the_tables(server):
    query = """
        select p.provolatile::text, p.proparallel::text, p.proisstrict, p.prosecdef, p.proconfig
        from pg_proc as p where p.oid = 'atlas.normalise_metadata(text, jsonb, text, jsonb)'::regprocedure
    """
    assert server.execute(query).fetchone() == ("i", "s", False, False, ["search_path=atlas, pg_temp"])
    query = "select has_function_privilege(%s, 'atlas.normalise_metadata(text, jsonb, text, jsonb)', 'execute')"
    assert [server.execute(query, [role]).fetchone() for role in ("public", "atlas_owner")] == [(False,), (True,)]


def test_rules_that_change_take_effect_at_once(server):
    def family(rules):
        row = server.execute(
            "select atlas.normalise_metadata('{\"art\": \"SVM\"}', '{}', %s) -> 'metadata' -> 'model_family'",
            [json.dumps(rules)],
        ).fetchone()
        return row[0]

    rule = {"name": "art", "source": "metadata", "legacy_key": "art", "field": "model_family", "transform": "text"}
    assert family([rule]) == "SVM"
    assert family([rule | {"enabled": False}]) is None
    assert family([rule]) == "SVM"


def test_facts_answers_and_rules_may_be_left_out(server):
    query = "select atlas.normalise_metadata(%s, null, null) ->> 'valid'"
    assert server.execute(query, [json.dumps(COMPLETE)]).fetchone() == ("true",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{}", "[]", "[]", None), "facts must be an object"),
        (("{}", "{}", "[]", "3"), "answers must be an object"),
        (("{}", "{}", "{}", None), "the rules are no array"),
        (("{}", "{}", "[3]", None), "a rule is an object with the texts name, source, legacy_key, field, transform"),
        (("{}", "{}", "[", None), "Expecting value"),
    ],
)
def test_arguments_that_are_not_what_they_must_be(server, arguments, message):
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=message) as caught:
        server.execute("select atlas.normalise_metadata(%s, %s, %s, %s)", arguments)
    assert caught.value.diag.message_hint.startswith("Pass facts and answers as objects")


def test_no_two_sources_in_one_body_define_the_same_name():
    defined: list[str] = []
    for module in schema_codegen.SOURCES:
        for node in ast.parse(schema_codegen._source(module)).body:
            targets = node.targets if isinstance(node, ast.Assign) else [node]
            names = {target.id for target in targets if isinstance(target, ast.Name)}
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            defined += names
    assert len(defined) > 150
    assert [name for name in sorted(defined) if defined.count(name) > 1] == []
    assert {"metadata", "facts", "rules", "answers", "SD", "plpy"} & set(defined) == set()
