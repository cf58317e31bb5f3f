"""What a person is asked, and what an answer does."""

from __future__ import annotations

import json

import pytest

from legacy_rows import COMPLETE, SHA, complete, text_of


def question(field: str, seen: dict, readings: list, why: str) -> dict:
    return {"field": field, "seen": seen, "readings": readings, "why": why}


def test_two_keys_that_disagree(normalise):
    result = normalise(complete(lib="lightgbm"))
    assert result["questions"] == [
        question(
            "framework",
            {"/framework": "xgboost", "/lib": "lightgbm"},
            ["xgboost", "lightgbm"],
            "/framework and /lib disagree",
        )
    ]
    assert result["valid"] is False
    assert result["metadata"] == complete("framework", extra={"framework": "xgboost", "lib": "lightgbm"})


def test_keys_that_differ_only_in_case(normalise):
    result = normalise(complete(FRAMEWORK="lightgbm", Other=1, other=2))
    assert [(one["field"], one["seen"]) for one in result["questions"]] == [
        ("framework", {"/framework": "xgboost", "/FRAMEWORK": "lightgbm"})
    ]
    assert result["metadata"]["extra"] == {"framework": "xgboost", "FRAMEWORK": "lightgbm", "Other": 1, "other": 2}


def test_a_key_that_stands_twice(normalise):
    result = normalise(text_of('{"is_external": false}', '"framework": "a"', '"framework": "b"', '"framework": "a"'))
    (asked,) = [one for one in result["questions"] if one["field"] == "framework"]
    assert asked == question(
        "framework", {"/framework": "a", "/framework (2)": "b"}, ["a", "b"], "/framework and /framework (2) disagree"
    )


def test_a_key_without_a_field_that_stands_twice(normalise):
    result = normalise(text_of('{"is_external": false}', '"owner": "jane"', '"owner": "joe"', '"same": 1', '"same": 1'))
    assert result["questions"][-1] == question(
        "extra",
        {"/owner": "jane", "/owner (2)": "joe"},
        [{"owner": "jane"}, {"owner": "joe"}],
        "/owner occurs more than once, with different values",
    )
    assert result["metadata"]["extra"] == {"owner": "jane", "same": 1}


def test_a_key_that_stands_twice_deep_inside(normalise):
    result = normalise(text_of('{"is_external": false}', '"training_config": {"a": [{"lr": 0.1, "lr": 0.2}]}'))
    (asked,) = [one for one in result["questions"] if one["field"] == "training_config"]
    assert asked == question(
        "training_config",
        {"/training_config": {"a": [{"lr": 0.1}]}, "/training_config (2)": {"a": [{"lr": 0.2}]}},
        [{"a": [{"lr": 0.1}]}, {"a": [{"lr": 0.2}]}],
        "/training_config and /training_config (2) disagree",
    )


def test_a_character_that_cannot_be_kept(normalise):
    result = normalise(text_of('{"is_external": false}', '"model_family": "a\\u0000b"', '"note": "\\ud800"'))
    assert [one for one in result["questions"] if one["field"] in ("model_family", "extra")] == [
        question(
            "model_family",
            {"/model_family": "a\ufffdb"},
            ["a\ufffdb"],
            "/model_family has a character that PostgreSQL cannot keep, here replaced",
        ),
        question(
            "extra",
            {"/note": "\ufffd"},
            [{"note": "\ufffd"}],
            "/note has a character that PostgreSQL cannot keep, here replaced",
        ),
    ]


def test_a_value_with_two_readings(normalise):
    result = normalise(complete("evaluation_metrics", metrics={"rmse": "1,234", "f1": "80%"}))
    assert result["questions"] == [
        question(
            "evaluation_metrics",
            {"/metrics": {"rmse": "1,234", "f1": "80%"}},
            [{"rmse": 1234, "f1": 0.8}, {"rmse": 1.234, "f1": 0.8}],
            "/metrics 'rmse' can be read as different numbers",
        )
    ]


def test_a_value_that_is_not_exact_is_asked_about_even_where_it_is_optional(normalise):
    document = {"is_external": True, "model_family": "ViT", "framework": "pytorch", "params": "~86M"}
    document |= {"external_source_url": "https://hub.example.org/vit", "external_source_version": "1"}
    result = normalise(document)
    assert result["valid"] is True
    assert result["questions"] == [
        question("parameter_count", {"/params": "~86M"}, [86000000], "/params is no exact number")
    ]


def test_an_exact_value_settles_one_that_has_it_among_its_readings(normalise):
    assert normalise(complete(params="~12.4k"))["questions"] == []
    assert normalise(complete(params="~12k"))["questions"][0]["why"] == "/parameter_count and /params disagree"


def test_a_value_that_is_no_number_next_to_numbers(normalise):
    result = normalise(complete("evaluation_metrics", metrics={"auc": "NaN", "f1": 0.8}))
    assert result["questions"] == [
        question(
            "evaluation_metrics",
            {"/metrics": {"auc": "NaN", "f1": 0.8}},
            [{"f1": 0.8}],
            "/metrics 'auc' is not a finite number",
        )
    ]


def test_a_day_in_numbers(normalise):
    result = normalise(complete(training_start="01/05/2024"))
    assert result["questions"] == [
        question(
            "training_started_at",
            {"/training_start": "01/05/2024"},
            ["2024-05-01", "2024-01-05"],
            "/training_start can be read as different days",
        )
    ]


def test_a_training_that_ends_before_it_starts(normalise):
    result = normalise(complete(training_start="2024-05-02T00:00:00Z", training_end="2024-05-02T01:00:00+02:00"))
    assert result["columns"] == {"training_started_at": "2024-05-02T00:00:00+00:00"}
    assert result["questions"] == [
        question(
            "training_completed_at",
            {"/training_end": "2024-05-02T01:00:00+02:00"},
            [],
            "it lies before the start of the training",
        )
    ]
    assert result["metadata"]["extra"] == {"training_end": "2024-05-02T01:00:00+02:00"}
    assert "training_completed_at" not in [change["to"] for change in result["changes"]]


def test_what_nothing_says_is_asked_with_what_people_wrote_elsewhere(normalise):
    facts = {
        "title": "Logistic regression for AD",
        "notes": "24 features",
        "lifecycle_state": "x",
        "origin_type": "own",
    }
    result = normalise(complete("model_family", description="A baseline"), facts)
    assert result["questions"] == [
        question(
            "model_family",
            {"title": "Logistic regression for AD", "notes": "24 features", "/description": "A baseline"},
            [],
            "nothing in the row says it",
        )
    ]


def test_an_empty_document_lacks_all_that_an_internal_model_must_say(normalise):
    asked = normalise({})["questions"]
    assert [one["field"] for one in asked] == [
        "evaluation_dataset",
        "evaluation_metrics",
        "framework",
        "model_family",
        "parameter_count",
        "training_data",
    ]
    assert {one["why"] for one in asked} == {"nothing in the row says it"}


def test_a_placeholder_says_nothing(normalise):
    result = normalise(complete(framework="unknown", license="TBD"))
    assert result["questions"] == [
        question("framework", {"/framework": "unknown"}, [], "/framework is a placeholder, not a fact")
    ]
    assert result["metadata"]["extra"] == {"framework": "unknown", "license": "TBD"}


def test_what_may_be_the_fact_is_only_offered(normalise):
    result = normalise(complete("training_data", "evaluation_metrics", dataset="cohort X", accuracy="91%", auc=0.9))
    assert result["questions"] == [
        question(
            "evaluation_metrics",
            {"/accuracy": "91%", "/auc": 0.9},
            [{"accuracy": 0.91}, {"auc": 0.9}],
            "/accuracy and /auc may say it, and nothing says it for certain",
        ),
        question(
            "training_data",
            {"/dataset": "cohort X"},
            ["cohort X"],
            "/dataset may say it, and nothing says it for certain",
        ),
    ]
    assert normalise(complete(dataset="cohort X", accuracy="91%"))["questions"] == []


def test_facts_from_which_different_values_follow(normalise):
    result = normalise(complete("framework", pytorch_version="2.1", tf_version="2.15"))
    assert result["questions"][0]["readings"] == ["pytorch", "tensorflow"]
    result = normalise(complete(framework="TensorFlow", pytorch_version="2.1"))
    assert result["questions"] == [
        question(
            "framework",
            {"/framework": "TensorFlow", "/pytorch_version": "2.1"},
            ["TensorFlow", "pytorch"],
            "/framework and /pytorch_version disagree",
        )
    ]
    assert normalise(complete(framework="Torch", pytorch_version="2.1"))["questions"] == []


@pytest.mark.parametrize(
    ("facts", "document", "seen", "why"),
    [
        ({"origin_type": "vendor X"}, {}, {"origin_type": "vendor X"}, "origin_type has a value that no rule knows"),
        (
            {"origin_url": "https://huggingface.co/a/b"},
            {},
            {"origin_url": "https://huggingface.co/a/b"},
            "origin_url leads to huggingface.co, which the rule internal unless said otherwise does not list as yours",
        ),
        ({}, {"source": "a colleague"}, {"/source": "a colleague"}, "/source may speak of an origin elsewhere"),
    ],
)
def test_a_model_is_not_taken_for_internal_where_something_speaks_against_it(normalise, facts, document, seen, why):
    result = normalise(complete("is_external", **document), facts)
    assert result["questions"] == [question("is_external", seen, [False, True], why)]
    assert "is_external" not in result["metadata"]


def test_a_document_and_a_column_that_disagree_about_the_origin(normalise):
    result = normalise(COMPLETE, {"origin_type": "huggingface"})
    assert result["questions"] == [
        question(
            "is_external",
            {"/is_external": False, "origin_type": "huggingface"},
            [False, True],
            "/is_external and origin_type disagree",
        )
    ]


def test_a_source_of_its_own_does_not_go_with_an_internal_model(normalise):
    url = "https://hub.example.org/vit"
    result = normalise(complete(external_source_url=url))
    assert [(one["field"], one["seen"], one["why"]) for one in result["questions"]] == [
        (
            "is_external",
            {"/is_external": False, "/external_source_url": url},
            "/is_external and /external_source_url disagree",
        )
    ]
    result = normalise(complete(external_source_version="1"))
    assert result["questions"] == [
        question(
            "external_source_version",
            {"/external_source_version": "1"},
            [],
            "it belongs to external models only, and is_external is false",
        )
    ]


def test_two_places_that_disagree_about_being_in_service(normalise):
    result = normalise(complete(status="archived"), {"lifecycle_state": "production"})
    assert result["promoted_by"] is None
    assert result["questions"] == [
        question(
            "promoted_by",
            {"/status": "archived", "lifecycle_state": "production"},
            [False, True],
            "/status and lifecycle_state disagree",
        )
    ]


def test_what_the_schema_refuses_is_asked_with_its_reason(normalise):
    result = normalise(complete(parameter_count=-5))
    assert result["questions"] == [question("parameter_count", {"/parameter_count": -5}, [], "it must be at least 0")]
    result = normalise(complete("evaluation_metrics", evaluation_metrics={"x" * 257: 1}))
    assert result["questions"][0]["why"] == "it has a name that must have at most 256 characters"


def test_metrics_that_only_complement_each_other_are_not_joined_without_asking(normalise):
    result = normalise(complete(metrics={"f1": 0.8}))
    assert result["questions"][0]["readings"] == [{"auroc": 0.91}, {"f1": 0.8}]


def test_a_reading_that_cannot_be_quoted_whole_is_not_offered(normalise):
    long = "z" * 2001
    result = normalise(complete(training_data="A", train_data=long))
    assert result["questions"][0]["readings"] == ["A"]


# --- the whole document ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seen", "why"),
    [
        (None, None, "the row has no metadata"),
        ("null", None, "the metadata is no object"),
        ("[1, 2]", [1, 2], "the metadata is no object"),
        ('"\\u0000"', "\ufffd", "the metadata is no object"),
        ("{", "{", "the metadata is not valid JSON"),
        ('{"a": NaN}', '{"a": NaN}', "the metadata holds a number that is not finite"),
        ('{"a":' * 101 + "1" + "}" * 101, '{"a":' * 40 + "…", "the metadata is nested deeper than 100 levels"),
        (
            '{"a": "' + "x" * 1048576 + '"}',
            '{"a": "' + "x" * 193 + "…",
            "the metadata is larger than 1048576 bytes of text",
        ),
    ],
)
def test_a_document_that_cannot_be_used_is_one_question(normalise, text, seen, why):
    assert normalise(text, {"lifecycle_state": "production"}) == {
        "metadata": None,
        "columns": {},
        "promoted_by": None,
        "changes": [],
        "questions": [question("metadata", {"": seen}, [], why)],
        "valid": False,
    }


def test_a_document_that_is_valid_but_too_large_once_it_is_written_out(normalise):
    room = 1048576 - len(json.dumps(complete(blob="")))
    for blob in ("x" * room, [1e300] * 4000):
        result = normalise(complete(blob=blob))
        assert result["valid"] is False
        assert result["questions"] == [
            question("metadata", {}, [], "normalised and written out, it is larger than 1048576 bytes of text")
        ]
    assert normalise(complete(blob="x" * (room - 20)))["valid"] is True
    assert normalise(complete(blob=[1e300] * 3000))["valid"] is True


# --- answers --------------------------------------------------------------------------------------------------------


def test_an_answer_settles_the_question_and_the_legacy_value_stays(normalise):
    result = normalise(complete("parameter_count", params="14-16"), None, {"parameter_count": 15})
    assert (result["valid"], result["questions"]) == (True, [])
    assert result["metadata"] == complete(parameter_count=15, extra={"params": "14-16"})
    assert result["changes"] == [
        {"rule": "answer", "from": "answer", "to": "parameter_count", "was": "14-16", "now": 15},
        {"rule": "unread", "from": "/params", "to": "extra"},
    ]


def test_an_answer_that_is_one_of_the_readings_uses_the_legacy_value_up(normalise):
    result = normalise(complete(lib="lightgbm"), None, {"framework": "lightgbm"})
    assert result["metadata"] == complete(framework="lightgbm", extra={"framework": "xgboost"})
    assert result["questions"] == []


def test_an_answer_beats_what_the_rules_make(normalise):
    result = normalise(COMPLETE, {"origin_type": "huggingface"}, {"is_external": False, "license": "MIT"})
    assert (result["metadata"], result["questions"]) == (complete(license="MIT"), [])


def test_null_leaves_a_field_out_on_purpose(normalise):
    result = normalise(complete(license="MIT"), None, {"license": None})
    assert (result["metadata"], result["questions"]) == (complete(extra={"license": "MIT"}), [])
    result = normalise(COMPLETE, None, {"framework": None})
    assert [(one["field"], one["why"]) for one in result["questions"]] == [("framework", "nothing in the row says it")]


def test_an_answer_that_is_an_object_is_merged(normalise):
    result = normalise(COMPLETE, None, {"evaluation_metrics": {"f1": 0.8, "auroc": None}})
    assert result["metadata"]["evaluation_metrics"] == {"f1": 0.8}


def test_an_answer_must_be_valid_itself(normalise):
    result = normalise(COMPLETE, None, {"parameter_count": "many", "code_commit_sha": "abc", "colour": "red"})
    assert [(one["field"], one["why"]) for one in result["questions"]] == [
        ("code_commit_sha", "it must be a whole commit hash: 40 or 64 lower-case hexadecimal digits"),
        ("colour", "it is no field of the schema and no column"),
        ("parameter_count", "it must be an integer, not a string"),
    ]
    assert result["columns"] == {}


def test_columns_are_answered_like_fields(normalise):
    answers = {"code_commit_sha": SHA, "training_started_at": "2024-05-01", "trained_by": "agent-7"}
    result = normalise(complete(training_start="01/05/2024"), None, answers)
    assert (result["columns"], result["questions"]) == (answers, [])


def test_what_stands_twice_is_answered_in_extra(normalise):
    text = text_of('{"is_external": false}', '"a": 1', '"a": 2', '"b": 1', '"b": 2')
    result = normalise(text, None, {"extra": {"a": 2}})
    assert result["metadata"]["extra"] == {"a": 2, "b": 1}
    assert [one["seen"] for one in result["questions"] if one["field"] == "extra"] == [{"/b": 1, "/b (2)": 2}]
    result = normalise(text, None, {"extra": None})
    assert "extra" not in result["metadata"]
    assert [one for one in result["questions"] if one["field"] == "extra"] == []


def test_whether_a_row_was_in_service_is_answered_with_true_or_false(normalise):
    document, facts = complete(status="archived"), {"lifecycle_state": "production"}
    result = normalise(document, facts, {"promoted_by": True})
    assert (result["promoted_by"], result["questions"]) == ("column lifecycle_state says in service", [])
    result = normalise(document, facts, {"promoted_by": False})
    assert (result["promoted_by"], result["questions"]) == (None, [])


def test_nobody_can_say_of_a_row_that_does_not_say_so_that_it_was_in_service(normalise):
    result = normalise(COMPLETE, None, {"promoted_by": True})
    assert result["promoted_by"] is None
    assert [one["why"] for one in result["questions"]] == ["no rule names the value by which the row says it"]


def test_answers_alone_can_make_up_for_a_document_that_cannot_be_used(normalise):
    assert normalise(None, None, COMPLETE)["metadata"] == COMPLETE
    result = normalise("[1, 2]", None, COMPLETE)
    assert (result["metadata"], result["valid"]) == (complete(extra={"legacy_metadata": [1, 2]}), True)
    assert result["changes"][0] == {"rule": "answer", "from": "", "to": "extra"}
