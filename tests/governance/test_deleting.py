"""Deleting: what was never in service and nothing refers to may go, by any door, and stays in the history."""

from __future__ import annotations

import pytest

from factories import internal_metadata


def names(governed) -> list[tuple]:
    return governed.rows("select artifact_id, version_number, is_latest from models order by 1")


def test_a_deleted_version_leaves_its_full_record_and_its_number_is_not_used_again(governed):
    governed.register("v")
    governed.ready("w", f1=0.5)
    assert governed.rows("select * from delete_model('w', 'trained on the wrong data')") == [("risk", 2, "v")]
    assert names(governed) == [("v", 1, True)]
    event = governed.history()[-1]
    assert (event["action"], event["reason"], event["version_number"]) == ("deleted", "trained on the wrong data", 2)
    assert event["old"]["artifact"]["metadata"] == internal_metadata()
    assert event["old"]["version"]["code_repo_url"] == "https://git.example.org/team/project"
    assert [evaluation["metrics"] for evaluation in event["old"]["evaluations"]] == [{"f1": 0.5}]
    governed.register("x")
    assert names(governed) == [("v", 1, False), ("x", 3, True)]
    governed.conn.execute("set constraints all immediate")


def test_a_name_without_a_version_left_goes_on_with_its_numbers(governed):
    governed.register("v")
    assert governed.rows("select * from delete_model('v', 'a trial')") == [("risk", 1, None)]
    assert governed.rows("select last_version from registered_models") == [(1,)]
    assert governed.refusal("update registered_models set last_version = 0").sqlstate == "MR005"
    governed.register("w")
    assert names(governed) == [("w", 2, True)]
    governed.conn.execute("set constraints all immediate")


@pytest.mark.parametrize("door", ["select delete_model('v', 'why not')", "delete from artifacts where id = 'v'"])
def test_what_is_or_was_in_service_is_kept_by_every_door(governed, door):
    governed.ready("v")
    governed.promote("v")
    assert governed.refusal(door).sqlstate == "MR008"
    governed.conn.execute("select demote_model('v')")
    assert governed.refusal(door).sqlstate == "MR008"
    governed.conn.execute("select reject_model('v')")
    assert governed.refusal(door).sqlstate == "MR008"
    governed.conn.execute("select reopen_model('v')")
    governed.promote("v")
    governed.ready("w")
    governed.promote("w")
    assert governed.refusal(door).sqlstate == "MR008"


@pytest.mark.parametrize("door", ["select delete_model('v', 'why not')", "delete from artifacts where id = 'v'"])
def test_what_others_refer_to_is_kept_and_they_are_named(governed, door):
    governed.register("v")
    governed.register("child", parent_version_id="v")
    governed.register("tuned", "tuned", metadata=internal_metadata(base_model_id="v"))
    error = governed.refusal(door)
    assert (error.sqlstate, error.diag.message_detail) == (
        "23503",
        "/base_model_id: tuned refers to it\n/parent_version_id: child refers to it",
    )
    for artifact_id in ("child", "tuned"):
        governed.conn.execute("select delete_model(%s, 'first')", [artifact_id])
    governed.conn.execute(door)
    assert names(governed) == []


def test_a_raw_delete_is_recorded_too_and_moves_the_latest(governed):
    for artifact_id in ("v", "w", "x"):
        governed.register(artifact_id)
    governed.conn.execute("set local role atlas_owner")
    governed.conn.execute("delete from artifacts where id in ('w', 'x')")
    governed.conn.execute("reset role")
    assert names(governed) == [("v", 1, True)]
    assert governed.actions()[-2:] == ["deleted", "deleted"]


def test_half_of_a_version_is_not_deleted_nor_is_a_table_emptied(governed):
    governed.ready("v")
    governed.conn.execute("set constraints all immediate")
    for statement in (
        "delete from model_versions",
        "delete from model_evaluations",
        "truncate artifacts, model_versions, model_evaluations",
        "truncate artifacts cascade",
        "truncate registered_models",
        "truncate promotion_gates",
        "truncate promotion_policies",
    ):
        assert governed.refusal(statement).sqlstate == "MR008", statement


def test_an_application_that_may_write_artifacts_alone_deletes_no_model(governed):
    governed.register("v")
    governed.conn.execute("grant select, delete on artifacts to test_stranger")
    assert governed.refusal_of("test_stranger", "delete from atlas.artifacts").sqlstate == "MR008"


def test_what_is_not_there_is_not_found_and_a_dataset_is_no_version(governed):
    governed.conn.execute("select register_artifact('dataset', 'cohort', artifact_id => 'd')")
    for artifact_id in ("nowhere", "d", None):
        assert governed.refusal("select delete_model(%s, 'why')", artifact_id).sqlstate == "P0002"


def test_registering_and_deleting_in_one_transaction_leaves_nothing_open(committing):
    with committing.conn.transaction():
        committing.register("v")
        committing.register("w")
        committing.conn.execute("select delete_model('w', 'at once')")
        committing.conn.execute("select delete_model('v', 'at once')")
    assert names(committing) == []
    assert committing.actions() == ["registered", "registered", "deleted", "deleted"]
