"""What becomes of a document, and by which rules."""

from __future__ import annotations

from legacy_rows import COMPLETE, GROWN_BY_HAND, SHA, complete, text_of


def moved(rule: str, where: str, to: str) -> dict:
    return {"rule": rule, "from": where, "to": to}


def changed(rule: str, where: str, to: str | None, was: object, now: object) -> dict:
    return moved(rule, where, to) | {"was": was, "now": now}


def kept(where: str) -> dict:
    return moved("facts without a field", where, "extra")


def test_a_document_that_is_valid_stays_as_it_is(normalise):
    assert normalise(COMPLETE) == {
        "metadata": COMPLETE,
        "columns": {},
        "promoted_by": None,
        "changes": [],
        "questions": [],
        "valid": True,
    }


def test_a_document_that_grew_by_hand(normalise):
    link = GROWN_BY_HAND["code_url"]
    assert normalise(GROWN_BY_HAND, {"title": "ResNet", "lifecycle_state": "In production"}) == {
        "metadata": {
            "is_external": False,
            "model_family": "ResNet-50",
            "framework": "pytorch",
            "parameter_count": 25600000,
            "training_data": "ImageNet-1k",
            "evaluation_dataset": "ImageNet-1k, validation part",
            "evaluation_metrics": {"top1": 0.761, "top5": 0.929},
            "training_config": {"lr": 0.1, "epochs": 90},
            "license": "Apache-2.0",
            "extra": {"pytorch_version": "2.1.0", "owner": "jane"},
        },
        "columns": {
            "code_repo_url": "https://github.com/example/vision",
            "code_commit_sha": SHA,
            "code_entrypoint": "train.py",
            "training_started_at": "2024-05-01T10:00:00+00:00",
        },
        "promoted_by": "column lifecycle_state says in service",
        "changes": [
            changed("internal unless said otherwise", "", "is_external", None, False),
            moved("architecture is model_family", "/architecture", "model_family"),
            changed("pytorch_version implies framework", "/pytorch_version", "framework", "2.1.0", "pytorch"),
            changed("parameters is parameter_count", "/Parameters", "parameter_count", "25.6 M params", 25600000),
            moved("train_data is training_data", "/train-data", "training_data"),
            moved("test_set is evaluation_dataset", "/Test Set", "evaluation_dataset"),
            changed(
                "eval_metrics is evaluation_metrics",
                "/eval_metrics",
                "evaluation_metrics",
                {"top1": "76.1%", "top5": "92.9%"},
                {"top1": 0.761, "top5": 0.929},
            ),
            moved("hyperparameters is training_config", "/hyperparameters", "training_config"),
            moved("licence is license", "/licence", "license"),
            changed(
                "code_url is code_repo_url", "/code_url", "code_repo_url", link, "https://github.com/example/vision"
            ),
            changed("code_url is code_repo_url", "/code_url", "code_commit_sha", link, SHA),
            changed("code_url is code_repo_url", "/code_url", "code_entrypoint", link, "train.py"),
            changed(
                "training_start is training_started_at",
                "/training_start",
                "training_started_at",
                "2024-05-01 10:00:00",
                "2024-05-01T10:00:00+00:00",
            ),
            changed("column lifecycle_state says in service", "lifecycle_state", "promoted_by", "In production", True),
            kept("/pytorch_version"),
            kept("/owner"),
            changed("absent", "/retrain", None, None, None),
        ],
        "questions": [],
        "valid": True,
    }


def test_keys_match_in_any_case_and_with_spaces_or_hyphens(normalise):
    for key in ("n_params", "N_Params", "n-params", "N Params", " n params "):
        result = normalise(complete("parameter_count", **{key: 12400}))
        assert (result["metadata"], result["questions"]) == (COMPLETE, [])


def test_facts_that_agree_are_merged_and_each_is_recorded(normalise):
    result = normalise(complete(Framework="XGBoost", lib="xgboost", params="12.4k", metrics={"auroc": "91%"}))
    assert (result["metadata"], result["questions"]) == (COMPLETE, [])
    assert result["changes"] == [
        changed("framework", "/Framework", "framework", "XGBoost", "xgboost"),
        moved("lib is framework", "/lib", "framework"),
        changed("params is parameter_count", "/params", "parameter_count", "12.4k", 12400),
        changed("metrics is evaluation_metrics", "/metrics", "evaluation_metrics", {"auroc": "91%"}, {"auroc": 0.91}),
    ]


def test_the_fact_that_says_more_is_taken_where_two_agree(normalise):
    result = normalise(complete(metrics={"auroc": 0.91, "f1": 0.8}))
    assert result["metadata"]["evaluation_metrics"] == {"auroc": 0.91, "f1": 0.8}
    assert result["questions"] == []


def test_a_key_may_hold_different_kinds_of_facts(normalise):
    assert normalise(complete("parameter_count", params=12400))["metadata"] == COMPLETE
    result = normalise(complete("parameter_count", params={"k1": 0.3}))
    assert [(one["field"], one["seen"], one["why"]) for one in result["questions"]] == [
        ("parameter_count", {"/params": {"k1": 0.3}}, "/params is an object")
    ]


def test_what_has_no_field_goes_into_extra_as_it_is(normalise):
    result = normalise(complete(extra={"a": 1}, b={"c": [None, {}]}, tags=[]))
    assert result["metadata"] == complete(extra={"a": 1, "b": {"c": [None, {}]}, "tags": []})
    assert result["changes"] == [kept("/b"), kept("/tags")]


def test_a_key_that_extra_holds_already_gets_a_number(normalise):
    result = normalise(complete(extra={"a": 1, "b": 2}, a=1, b=3))
    assert result["metadata"]["extra"] == {"a": 1, "b": 2, "b_2": 3}
    assert result["changes"] == [kept("/a"), changed("duplicate", "/b", "extra", 3, {"b_2": 3})]


def test_null_and_blank_values_count_as_absent(normalise):
    result = normalise(complete(license=" ", notes=None, framework_name=""))
    assert (result["metadata"], result["questions"]) == (COMPLETE, [])
    assert result["changes"] == [
        changed("absent", "/license", None, " ", None),
        changed("absent", "/notes", None, None, None),
        changed("absent", "/framework_name", None, "", None),
    ]


def test_a_fact_inside_an_object_is_taken_and_the_rest_of_the_object_kept(normalise):
    tags = {"mlflow.source.git.commit": SHA, "team": "risk"}
    result = normalise(complete(tags=tags, mlflow={"source": {"git": {"repoURL": "https://git.example.org/o/r"}}}))
    assert result["columns"] == {"code_commit_sha": SHA, "code_repo_url": "https://git.example.org/o/r"}
    assert result["metadata"] == complete(extra={"tags": {"team": "risk"}})
    assert result["changes"] == [
        moved("tags.mlflow.source.git.commit is code_commit_sha", "/tags/mlflow.source.git.commit", "code_commit_sha"),
        moved("mlflow.source.git.repourl is code_repo_url", "/mlflow/source/git/repoURL", "code_repo_url"),
        kept("/tags"),
    ]


def test_metrics_at_the_top_level_join_the_others(normalise):
    result = normalise(complete(test_f1="80%", eval_loss=0.3))
    assert result["metadata"]["evaluation_metrics"] == {"auroc": 0.91, "test_f1": 0.8, "eval_loss": 0.3}
    assert result["questions"] == []


def test_a_stated_framework_stands_beside_the_version_of_a_library(normalise):
    result = normalise(complete(framework="MONAI", pytorch_version="2.1"))
    assert result["metadata"] == complete(framework="MONAI", extra={"pytorch_version": "2.1"})


def test_a_number_with_more_digits_than_a_double_keeps_is_rounded_and_that_is_recorded(normalise):
    result = normalise(text_of('{"is_external": false}', '"x": {"y": [0.12345678901234567890123]}'))
    assert result["metadata"]["extra"] == {"x": {"y": [0.12345678901234568]}}
    assert changed("rounded", "/x/y/0", None, "0.12345678901234567890123", 0.12345678901234568) in result["changes"]


def test_numbers_that_a_double_keeps_are_not_touched(normalise):
    text = '{"a": 0.10000000000000001, "b": 1.50, "c": 314000000000000000000000, "d": 9223372036854775807, "e": -0.0}'
    result = normalise(text)
    assert [one["rule"] for one in result["changes"] if one["rule"] == "rounded"] == ["rounded"]
    assert result["metadata"]["extra"] == {"a": 0.1, "b": 1.5, "c": 3.14e23, "d": 9223372036854775807, "e": 0.0}


# --- external models ------------------------------------------------------------------------------------------------

EXTERNAL = {"model_family": "ViT", "framework": "pytorch"}


def test_an_external_source_says_that_a_model_is_external(normalise):
    document = EXTERNAL | {"external_source_url": "https://hub.example.org/vit", "external_source_version": 2}
    result = normalise(document)
    assert (result["metadata"], result["questions"]) == (
        document | {"is_external": True, "external_source_version": "2"},
        [],
    )
    assert result["changes"] == [
        changed(
            "external_source_url implies is_external",
            "/external_source_url",
            "is_external",
            "https://hub.example.org/vit",
            True,
        ),
        changed("external_source_version", "/external_source_version", "external_source_version", 2, "2"),
    ]


def test_a_column_can_say_where_a_model_comes_from(normalise):
    facts = {"origin_type": "Hugging Face", "origin_url": "https://huggingface.co/a/b"}
    result = normalise(EXTERNAL | {"hf_revision": "abc"}, facts)
    assert result["metadata"] == EXTERNAL | {
        "is_external": True,
        "external_source_url": "https://huggingface.co/a/b",
        "external_source_version": "abc",
    }
    assert result["valid"] is True
    assert (
        moved("column origin_url tells external_source_url", "origin_url", "external_source_url") in result["changes"]
    )


def test_a_column_only_stands_in_for_what_the_document_leaves_out(normalise):
    document = EXTERNAL | {"external_source_url": "https://hub.example.org/vit", "external_source_version": "2"}
    result = normalise(document, {"origin_url": "https://huggingface.co/a/b"})
    assert result["metadata"]["external_source_url"] == "https://hub.example.org/vit"
    assert result["questions"] == []


def test_the_source_of_an_internal_models_base_is_not_its_own(normalise):
    result = normalise(complete(hf_revision="abc"), {"origin_url": "https://huggingface.co/a/b"})
    assert (result["metadata"], result["questions"]) == (complete(extra={"hf_revision": "abc"}), [])


def test_a_model_is_internal_where_nothing_speaks_against_it(normalise):
    for facts in ({}, {"origin_type": "In-house"}, {"origin_url": "s3://models/risk"}, {"origin_url": "/mnt/models/x"}):
        result = normalise(complete("is_external"), facts)
        assert (result["metadata"], result["questions"]) == (COMPLETE, [])


# --- code -----------------------------------------------------------------------------------------------------------


def test_a_tag_is_no_commit_and_kept_as_what_it_is(normalise):
    result = normalise(complete(git_commit="v1.2"))
    assert (result["columns"], result["metadata"]) == ({}, complete(extra={"code_ref": "v1.2"}))
    assert result["changes"] == [moved("git_commit is code_commit_sha", "/git_commit", "extra")]


def test_a_link_to_a_branch_gives_the_repository_and_no_commit(normalise):
    link = "https://github.com/o/r/blob/main/train.py"
    result = normalise(complete(code_url=link))
    assert result["columns"] == {"code_repo_url": "https://github.com/o/r"}
    assert result["metadata"]["extra"] == {"code_ref": link}
    assert result["questions"] == []


def test_two_refs_stay_under_their_own_keys(normalise):
    result = normalise(complete(git_commit="v1.2", commit="main"))
    assert (result["metadata"]["extra"], result["questions"]) == ({"git_commit": "v1.2", "commit": "main"}, [])


def test_spellings_of_one_repository_agree(normalise):
    result = normalise(complete(repo="https://github.com/o/r.git", code_url=f"https://GitHub.com/o/r/tree/{SHA}"))
    assert result["columns"] == {"code_repo_url": "https://github.com/o/r.git", "code_commit_sha": SHA}
    assert result["questions"] == []


def test_a_url_with_credentials_is_not_lifted_and_never_repeated(normalise):
    document = complete("framework", repo="https://joe:s3cret@github.com/o/r", framework=["https://t0ken@h.org/a", "b"])
    result = normalise(document, {"notes": "https://joe:s3cret@github.com/o/r?token=s3cret"})
    assert result["columns"] == {}
    assert result["metadata"]["extra"]["repo"] == "https://joe:s3cret@github.com/o/r"
    said = repr((result["changes"], result["questions"]))
    assert "s3cret" not in said
    assert "t0ken" not in said
    assert "https://***@h.org/a" in said


def test_an_optional_fact_that_cannot_be_read_stays_in_extra_without_a_question(normalise):
    odd = {"training_config": "see the paper", "training_start": "May 2024", "license": 5, "repo": "o/r"}
    result = normalise(complete(**odd, gpu_allocation=[1]))
    assert (result["metadata"], result["questions"]) == (complete(extra=odd | {"gpu_allocation": [1]}), [])


def test_a_text_that_is_too_long_for_its_field_stays_in_extra(normalise):
    result = normalise(complete(license="x" * 257))
    assert (result["metadata"]["extra"], result["questions"]) == ({"license": "x" * 257}, [])


# --- in service -----------------------------------------------------------------------------------------------------


def test_a_row_says_that_it_was_in_service(normalise):
    for word in ("production", "In production", "deployed", "live", "IN_SERVICE"):
        assert normalise(COMPLETE, {"lifecycle_state": word})["promoted_by"] == "column lifecycle_state says in service"
    result = normalise(complete(status="deployed"))
    assert (result["promoted_by"], result["metadata"]) == (
        "status says in service",
        complete(extra={"status": "deployed"}),
    )


def test_these_words_do_not_say_that_a_row_was_in_service(normalise):
    for word in ("active", "released", "published", "approved", "archived", "staging", "", None, "anything"):
        result = normalise(COMPLETE, {"lifecycle_state": word})
        assert (result["promoted_by"], result["questions"]) == (None, [])


def test_the_row_says_it_even_where_questions_are_open(normalise):
    assert normalise({}, {"status": "live"})["promoted_by"] == "column status says in service"


# --- lengths --------------------------------------------------------------------------------------------------------


def test_a_value_is_quoted_up_to_200_characters(normalise):
    data = "y" * 300
    result = normalise(complete("training_data", train_data=f" {data}"))
    assert result["metadata"]["training_data"] == data
    assert result["changes"] == [
        changed("train_data is training_data", "/train_data", "training_data", " " + "y" * 199 + "…", "y" * 200 + "…")
    ]


def test_1000_changes_are_listed_and_the_others_counted(normalise):
    result = normalise(complete(**{f"key {number}": number for number in range(1500)}))
    assert len(result["changes"]) == 1001
    assert result["changes"][-1] == changed("unlisted", "", None, 500, None)
    assert len(result["metadata"]["extra"]) == 1500
