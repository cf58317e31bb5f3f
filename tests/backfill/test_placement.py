"""A legacy row that is given its name by hand meets the same rules as the backfill."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from backfill_catalogues import LegacyCatalogue
from refusals import refused


@pytest.fixture(scope="module")
def template_of_two(new_database):
    """Name of a database with what ``two`` has."""
    url = new_database()
    legacy = LegacyCatalogue(url)
    legacy.add("a")
    legacy.add("b")
    legacy.adopt()
    legacy.close()
    return str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def two(template_of_two, new_database):
    """Two legacy rows without parents, ``a`` and ``b``, adopted and not backfilled."""
    legacy = LegacyCatalogue(new_database(template_of_two), is_empty=False)
    yield legacy
    legacy.close()


def test_a_name_without_a_version_row_is_refused_at_commit(two):
    with refused(
        "MR004",
        detail="/id: a stands in artifacts and not in model_versions",
        constraint="artifacts_71_require_version_of_legacy",
    ):
        two.run("update artifacts set name = 'n', version_number = 1 where id = 'a'")


def test_both_rows_in_one_transaction_are_taken(two):
    two.run(
        """
        update artifacts set name = 'n', version_number = 1, metadata_schema_version = 1 where id = 'a';
        insert into model_versions (artifact_id) values ('a');
        """
    )
    assert two.version("a") == ("n", 1, True, 1, "candidate")
    assert two.rows("select name, last_version from registered_models") == [("n", 1)]


@pytest.mark.parametrize("number", [2, 7])
def test_a_number_out_of_turn_is_refused(two, number):
    with refused("MR006", detail=f"/version_number: the next one of n is not {number}", column="version_number"):
        two.run(f"update artifacts set name = 'n', version_number = {number} where id = 'a'")


def test_no_number_is_refused(two):
    two.run("update artifacts set version_number = null")
    with refused("MR006", detail="/version_number: the next one of n is not NULL", column="version_number"):
        two.run("update artifacts set name = 'n' where id = 'a'")


def test_a_number_that_is_taken_is_refused(two):
    two.run("select register_model('n', (select metadata from artifacts where id = 'b'))")
    with pytest.raises(psycopg.Error, match="artifacts_name_version_key"):
        two.run("update artifacts set name = 'n', version_number = 1 where id = 'a'")


def test_a_highest_version_that_is_not_the_latest_is_refused(two):
    with refused("MR005", detail="/is_latest: 1 is the highest version of n", column="is_latest"):
        two.run("update artifacts set name = 'n', version_number = 1, is_latest = false where id = 'a'")


def test_a_parent_that_is_not_there_is_refused(two):
    two.run("alter table artifacts disable trigger all; update artifacts set parent_version_id = 'gone' where id = 'a'")
    two.run("alter table artifacts enable trigger all")
    with refused("MR007", detail="/parent_version_id: gone, the parent of a, is not there", column="parent_version_id"):
        two.run("update artifacts set name = 'n', version_number = 1 where id = 'a'")


def test_a_circle_is_refused(two):
    two.run("update artifacts set parent_version_id = case id when 'a' then 'b' else 'a' end")
    with refused(
        "MR007",
        detail="/parent_version_id: a, b would be made from each other in a circle",
        column="parent_version_id",
    ):
        two.run("update artifacts set name = id, version_number = 1")


def test_a_name_that_is_none_is_refused(two):
    with pytest.raises(psycopg.Error, match="artifacts_row_complete"):
        two.run("update artifacts set name = ' n', version_number = 1 where id = 'a'")


def test_metadata_that_is_not_valid_cannot_step_up(legacy):
    legacy.add("a", metadata={"is_external": False})
    legacy.adopt()
    with pytest.raises(psycopg.Error, match="invalid metadata: 6 problems"):
        legacy.run("update artifacts set name = 'n', version_number = 1, metadata_schema_version = 1")


def test_a_name_that_was_given_stays(two):
    two.backfill()
    with refused("MR005", detail="/name: a registered version keeps it", column="name"):
        two.run("update artifacts set name = 'other' where id = 'a'")
