"""What a deploy does to a database, and what it leaves when it does not succeed."""

from __future__ import annotations

from atlas_models.migration_runner import migrate


def test_a_second_run_finds_nothing_to_do(empty_database, tree):
    first = migrate(empty_database, source=tree.folder)
    assert first.applied == ("0001_things",)
    assert first.code_deployed
    assert migrate(empty_database, source=tree.folder).nothing_to_do
