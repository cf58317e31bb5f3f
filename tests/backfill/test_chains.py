"""Old rows become the versions of one model along their parents; what cannot be told is asked."""

from __future__ import annotations

import pytest

from refusals import refused


def test_a_chain_becomes_the_versions_of_one_model_named_by_its_title(legacy):
    legacy.chain("a", "b", "c")
    assert legacy.backfill() == "3 rows done: 3 backfilled (0 of them promoted), 0 wait for a person"
    assert legacy.version("a") == ("A", 1, False, 1, "candidate")
    assert legacy.version("b") == ("A", 2, False, 1, "candidate")
    assert legacy.version("c") == ("A", 3, True, 1, "candidate")
    assert legacy.rows("select name, last_version from registered_models") == [("A", 3)]


def test_the_next_version_of_a_backfilled_model_follows_on(legacy):
    legacy.chain("a", "b")
    legacy.backfill()
    query = "select version_number from register_model('A', (select metadata from artifacts where id = 'a'))"
    assert legacy.value(query) == 3
    assert legacy.version("b") == ("A", 2, False, 1, "candidate")


def test_models_of_the_same_title_are_named_by_the_id_of_their_first_version(legacy):
    legacy.add("a", "Twin")
    legacy.chain("b", "c", title="Twin")
    legacy.backfill()
    assert [legacy.version(i)[:2] for i in "abc"] == [("a", 1), ("b", 1), ("b", 2)]


def test_thousands_of_rows_of_one_title_are_all_backfilled(legacy):
    legacy.run(
        """
        insert into artifacts (id, artifact_type, title, metadata)
        select 'model-' || i, 'model', 'The same', '{"is_external": true, "model_family": "f", "framework": "f",
            "external_source_url": "https://example.org/m", "external_source_version": "1"}'
        from generate_series(1, 3000) as i
        """
    )
    assert legacy.backfill() == "3000 rows done: 3000 backfilled (0 of them promoted), 0 wait for a person"
    assert legacy.value("select count(*) from artifacts where name = id and version_number = 1 and is_latest") == 3000


def test_a_chain_whose_titles_differ_is_named_by_the_id_of_its_first_version(legacy):
    legacy.chain("a", "b")
    legacy.run("update artifacts set title = 'Other' where id = 'b'")
    legacy.backfill()
    assert [legacy.version(i)[:2] for i in "ab"] == [("a", 1), ("a", 2)]


@pytest.mark.parametrize("title", ["", "  ", "line\nbreak", "x" * 257])
def test_a_title_that_is_no_name_is_not_taken(legacy, title):
    legacy.add("a", title)
    legacy.backfill()
    assert legacy.version("a")[:2] == ("a", 1)


def test_a_title_that_is_the_name_of_a_registered_model_is_not_taken(legacy):
    legacy.add("a", "Risk")
    legacy.adopt()
    legacy.run("select register_model('Risk', (select metadata from artifacts where id = 'a'))")
    legacy.backfill()
    assert legacy.version("a")[:2] == ("a", 1)


def test_white_space_around_a_title_is_no_part_of_the_name(legacy):
    legacy.add("a", " Risk ")
    legacy.backfill()
    assert legacy.version("a").name == "Risk"
    assert legacy.value("select title from artifacts where id = 'a'") == " Risk "


def test_an_id_too_long_for_a_name_is_a_question_when_the_title_is_taken(legacy):
    long = "m" * 2000
    legacy.add(long, "Twin")
    legacy.add("b", "Twin")
    legacy.backfill()
    assert legacy.version(long) == (None, 1, True, 0, "candidate")
    assert legacy.version("b")[:2] == ("b", 1)
    ((field, seen, readings, why),) = legacy.questions(long)
    assert (field, seen, readings) == ("name", {"title": "Twin", "id": "m" * 256}, [])
    assert why.startswith("neither the title nor the first version's id can be the name of a model")
    assert legacy.resolve(long, name="Twin of b") == ("backfilled", 0)
    assert legacy.version(long) == ("Twin of b", 1, True, 1, "candidate")


def test_rows_without_numbers_are_numbered_along_their_parents(legacy):
    legacy.chain("a", "b", version_number=None)
    legacy.backfill()
    assert [legacy.version(i)[:2] for i in "ab"] == [("A", 1), ("A", 2)]


def test_other_numbers_are_a_question(legacy):
    legacy.chain("a", "b")
    legacy.run("update artifacts set version_number = version_number + 1")
    legacy.backfill()
    why = "the numbers are not 1 to n along the chain of parents"
    assert legacy.questions("b") == [("version_number", {"version_number": [2, 3]}, ["along the parents"], why)]
    assert legacy.version("b") == (None, 3, True, 0, "candidate")
    assert legacy.resolve("a", version_number="along the parents") == ("backfilled", 0)
    assert [legacy.version(i)[:2] for i in "ab"] == [("A", 1), ("A", 2)]


def test_a_single_row_with_another_number_is_a_question(legacy):
    legacy.add("a", version_number=3)
    legacy.backfill()
    assert [question[0] for question in legacy.questions("a")] == ["version_number"]
    assert legacy.resolve("a", version_number=1) == ("backfilled", 0)
    assert legacy.version("a")[:2] == ("A", 1)


def test_a_fork_is_a_question_about_every_row_of_it(legacy):
    legacy.chain("a", "b")
    legacy.add("c", "A", parent_version_id="a", version_number=2, is_latest=0)
    legacy.backfill()
    why = "one version has several successors: which of them goes on, and which is a model of its own?"
    for artifact_id in "abc":
        assert legacy.questions(artifact_id) == [
            ("parent_version_id", {"parent": "a", "children": ["b", "c"]}, [], why)
        ]
        assert legacy.version(artifact_id).name is None
    # c is a model of its own: the others need no more.
    assert legacy.resolve("c", parent_version_id=None, version_number=1, name="C") == ("backfilled", 0)
    assert [legacy.version(i)[:4] for i in "abc"] == [("A", 1, False, 1), ("A", 2, True, 1), ("C", 1, True, 1)]
    assert legacy.value("select parent_version_id from artifacts where id = 'c'") is None
    assert legacy.value("select row_text::json ->> 'parent_version_id' from artifacts_original where id = 'c'") == "a"


def test_two_latest_are_a_question(legacy):
    legacy.chain("a", "b", is_latest=1)
    legacy.backfill()
    assert legacy.questions("a") == [
        ("is_latest", {"is_latest": ["a", "b"]}, ["a", "b"], "several versions are said to be the latest")
    ]
    assert legacy.resolve("b", is_latest=True) == ("backfilled", 0)
    assert [legacy.version(i)[:4] for i in "ab"] == [("A", 1, False, 1), ("A", 2, True, 1)]


def test_the_latest_of_three_can_be_named_from_any_of_them(legacy):
    legacy.chain("a", "b", "c", is_latest=1)
    legacy.backfill()
    with refused("22023", detail='/patch/is_latest: "d" is no version of the chain'):
        legacy.resolve("a", is_latest="d")
    assert legacy.resolve("a", is_latest="c") == ("backfilled", 0)
    assert [legacy.version(i)[:4] for i in "abc"] == [("A", 1, False, 1), ("A", 2, False, 1), ("A", 3, True, 1)]


def test_a_latest_version_with_a_successor_is_a_question(legacy):
    legacy.chain("a", "b")
    legacy.run("update artifacts set is_latest = 1 - is_latest")
    legacy.backfill()
    assert legacy.questions("a") == [
        ("is_latest", {"is_latest": ["a"]}, [], "a version that has a successor is said to be the latest")
    ]


def test_a_circle_of_parents_is_a_question_about_every_row_that_leads_into_it(legacy):
    legacy.add("a", parent_version_id="b")
    legacy.add("b", parent_version_id="a")
    legacy.add("c", parent_version_id="b")
    legacy.add("self", parent_version_id="self")
    legacy.backfill()
    why = "the parents run in a circle: which of them was the first version?"
    for artifact_id in ("a", "b", "c", "self"):
        questions = legacy.questions(artifact_id)
        assert ("parent_version_id", why) in [(field, reason) for field, _, _, reason in questions]
        assert legacy.version(artifact_id).name is None
    assert legacy.resolve("self", parent_version_id=None) == ("backfilled", 0)


def test_a_parent_that_does_not_exist_is_a_question(legacy):
    legacy.chain("a", "b")
    legacy.run("update artifacts set parent_version_id = 'gone' where id = 'a'")
    legacy.backfill()
    assert legacy.questions("a") == [
        ("parent_version_id", {"parent_version_id": "gone"}, [None], "the parent does not exist")
    ]
    assert legacy.questions("b") == [
        ("parent_version_id", {"chain": "a"}, [], "another version of the same chain has an open question")
    ]
    assert legacy.resolve("a", parent_version_id=None) == ("backfilled", 0)
    assert [legacy.version(i)[:2] for i in "ab"] == [("A", 1), ("A", 2)]


def test_a_parent_that_is_no_model_is_a_question(legacy):
    legacy.add("d", artifact_type="dataset")
    legacy.add("a", parent_version_id="d")
    legacy.backfill()
    assert legacy.questions("a") == [
        ("parent_version_id", {"parent_version_id": "d"}, [None], "the parent is no model but a dataset")
    ]


def test_a_chain_of_two_thousand_is_one_model(legacy):
    legacy.run(
        """
        insert into artifacts (id, artifact_type, title, metadata, version_number, parent_version_id, is_latest)
        select 'm' || i, 'model', 'Long', '{"is_external": true, "model_family": "f", "framework": "f",
            "external_source_url": "https://example.org/m", "external_source_version": "1"}', i,
            case when i > 1 then 'm' || i - 1 end, (i = 2000)::integer
        from generate_series(1, 2000) as i
        """
    )
    legacy.backfill()
    assert legacy.version("m2000") == ("Long", 2000, True, 1, "candidate")
    assert legacy.rows("select name, last_version from registered_models") == [("Long", 2000)]
    assert legacy.value("select count(*) from artifacts where is_latest") == 1


def test_a_row_with_a_question_about_its_metadata_keeps_its_place_in_the_chain(legacy):
    legacy.chain("a", "b", "c")
    legacy.run("update artifacts set metadata = '{\"is_external\": false}' where id = 'b'")
    legacy.backfill()
    assert [legacy.version(i) for i in "abc"] == [
        ("A", 1, False, 1, "candidate"),
        ("A", 2, False, 0, "candidate"),
        ("A", 3, True, 1, "candidate"),
    ]
    assert legacy.value("select metadata from artifacts where id = 'b'") == {"is_external": False}
    notes = legacy.value("select promotion_notes from model_versions where artifact_id = 'b'")
    assert notes.startswith("open: ")
    assert "parameter_count" in notes


def test_a_legacy_row_made_from_a_registered_model_begins_a_chain(legacy):
    legacy.add("a")
    legacy.adopt()
    query = "select artifact_id from register_model('New', (select metadata from artifacts where id = 'a'))"
    parent = legacy.value(query)
    with legacy.connect() as conn:
        conn.execute("update artifacts set parent_version_id = %s where id = 'a'", [parent])
    legacy.backfill()
    assert legacy.version("a")[:2] == ("A", 1)
    assert legacy.value("select parent_version_id from artifacts where id = 'a'") == parent
