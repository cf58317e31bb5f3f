"""Legacy models stand at version 0: kept with what they lack, reached by nobody else, and never promoted."""

from __future__ import annotations

import json

import pytest
from psycopg.conninfo import conninfo_to_dict

from atlas_models.migration_runner import migrate, status
from factories import internal_metadata
from old_catalogues import SMALL_TABLE, SQLITE_TABLE, Catalogue
from refusals import refused

VALID = json.dumps(internal_metadata())


@pytest.fixture(scope="module")
def adopted_template(new_database):
    """Name of a database with what ``adopted`` has."""
    url = new_database()
    catalogue = Catalogue(url)
    catalogue.run(SQLITE_TABLE)
    catalogue.run(
        """
        insert into artifacts (id, artifact_type, title, metadata, is_latest, version_number, created_at) values
            ('old-1', 'model', 'Risk', '{"params": "1.2M"}', 0, 1, '2024-05-01'),
            ('old-2', 'model', 'Risk', null, 1, 2, null),
            ('set-1', 'dataset', 'Cohort', '{}', 1, 1, '2024-05-01')
        """
    )
    catalogue.adopt()
    catalogue.run(f"select register_model('new', '{VALID}', artifact_id => 'new-1')")
    catalogue.close()
    return str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def adopted(adopted_template, new_database):
    """Two legacy models and a dataset, taken over, beside a model that was registered afterwards."""
    catalogue = Catalogue(new_database(adopted_template), is_empty=False)
    yield catalogue
    catalogue.close()


def test_legacy_models_keep_what_they_lack(adopted):
    query = """
        select id, name, version_number, is_latest, metadata, metadata_schema_version, created_at is null
        from artifacts where metadata_schema_version = 0 order by id
    """
    assert adopted.rows(query) == [
        ("old-1", None, 1, False, {"params": "1.2M"}, 0, False),
        ("old-2", None, 2, True, None, 0, True),
    ]


INSERT = "insert into artifacts (id, artifact_type, name, metadata, metadata_schema_version)"
NOT_INSERTED = (
    "metadata_schema_version",
    "/metadata_schema_version: 0 marks rows that stood in the table before it was adopted",
)
NEVER_BACK = ("metadata_schema_version", "/metadata_schema_version: a row is only ever raised to a later version")
NO_MODEL = ("artifact_type", "/artifact_type: an artifact never becomes a model, and a model never ceases to be one")

DOORS_TO_ZERO = {
    "insert": (f"{INSERT} values ('x', 'model', 'x', '{{}}', 0)", *NOT_INSERTED),
    "insert valid": (f"{INSERT} values ('x', 'model', 'x', '{VALID}', 0)", *NOT_INSERTED),
    "insert from select": (f"{INSERT} select 'x', 'model', 'x', '{{}}', 0", *NOT_INSERTED),
    "insert of a known id": (
        f"{INSERT} values ('old-1', 'model', 'x', '{{}}', 0) on conflict (id) do update set title = 'x'",
        *NOT_INSERTED,
    ),
    "on conflict": (
        f"{INSERT} values ('new-1', 'model', 'new', '{VALID}', 1)"
        " on conflict (id) do update set metadata_schema_version = 0",
        *NEVER_BACK,
    ),
    "merge, inserting": (
        "merge into artifacts as a using (values ('x')) as s (id) on a.id = s.id when not matched then"
        " insert (id, artifact_type, name, metadata_schema_version) values ('x', 'model', 'x', 0)",
        *NOT_INSERTED,
    ),
    "merge, updating": (
        "merge into artifacts as a using (values ('new-1')) as s (id) on a.id = s.id when matched then"
        " update set metadata_schema_version = 0",
        *NEVER_BACK,
    ),
    "update": ("update artifacts set metadata_schema_version = 0 where id = 'new-1'", *NEVER_BACK),
    "update with metadata": (
        "update artifacts set metadata_schema_version = 0, metadata = '{}' where id = 'new-1'",
        *NEVER_BACK,
    ),
    "update to none": (
        f"update artifacts set metadata_schema_version = null, metadata = '{VALID}' where id = 'old-1'",
        *NEVER_BACK,
    ),
    "dataset to model": (
        "update artifacts set artifact_type = 'model', metadata_schema_version = 0 where id = 'set-1'",
        *NO_MODEL,
    ),
    "dataset to model by conflict": (
        "insert into artifacts (id, artifact_type) values ('set-1', 'dataset')"
        " on conflict (id) do update set artifact_type = 'model', metadata_schema_version = 0",
        *NO_MODEL,
    ),
    "legacy to dataset": (
        "update artifacts set artifact_type = 'dataset', metadata_schema_version = null where id = 'old-1'",
        *NO_MODEL,
    ),
}


@pytest.mark.parametrize("door", DOORS_TO_ZERO)
@pytest.mark.parametrize("role", ["postgres", "atlas_owner"])
def test_version_0_is_reached_by_nobody(adopted, door, role):
    statement, column, detail = DOORS_TO_ZERO[door]
    before = adopted.rows("select a::text from artifacts as a order by 1")
    with refused("MR005", column=column, detail=detail):
        adopted.run(f"set role {role}; {statement}")
    assert adopted.rows("select a::text from artifacts as a order by 1") == before


def test_version_0_is_not_reached_by_copy(adopted):
    with (
        refused("MR005", column="metadata_schema_version", detail=NOT_INSERTED[1]),
        adopted.connect() as conn,
        conn.cursor().copy("copy artifacts (id, artifact_type, name, metadata_schema_version) from stdin") as copy,
    ):
        copy.write_row(("x", "model", "x", 0))


def test_a_dataset_has_no_version_0_either(adopted):
    with pytest.raises(Exception, match="artifacts_row_complete"):
        adopted.run("update artifacts set metadata_schema_version = 0 where id = 'set-1'")


def test_a_negative_version_is_none(adopted):
    with pytest.raises(Exception, match="there is no metadata schema version -1"):
        adopted.run(f"{INSERT} values ('x', 'model', 'x', '{VALID}', -1)")


def test_a_table_without_any_model_is_sealed_at_once(catalogue):
    catalogue.run(f"{SMALL_TABLE}; insert into artifacts values ('d', 'dataset')")
    catalogue.adopt()
    seals = "select count(*) from pg_constraint where conname = 'artifacts_legacy_sealed' and convalidated"
    assert catalogue.value(seals) == 1


def test_an_empty_table_is_sealed_at_once(catalogue):
    catalogue.run(SQLITE_TABLE)
    report = catalogue.adopt()
    assert (report.adopted.rows, report.adopted.models) == (0, 0)
    assert catalogue.value("select count(*) from pg_constraint where conname = 'artifacts_legacy_sealed'") == 1


def test_a_database_that_began_as_a_registry_is_sealed(conn):
    query = "select count(*) from pg_constraint where conname = 'artifacts_legacy_sealed' and convalidated"
    assert conn.execute(query).fetchone() == (1,)


def test_a_table_with_models_waits_to_be_sealed(adopted):
    assert adopted.value("select count(*) from pg_constraint where conname = 'artifacts_legacy_sealed'") == 0


# --- what becomes of them --------------------------------------------------------------------------------------------


def test_a_legacy_model_without_version_is_not_promoted(adopted):
    with refused("MR004", detail="/artifact_id: 'old-1' is a model whose version was not written yet"):
        adopted.run("select promote_model('old-1')")


@pytest.mark.parametrize(
    "how",
    [
        "select promote_model('old-1')",
        "update model_versions set promotion_state = 'promoted' where artifact_id = 'old-1'",
    ],
)
def test_a_legacy_model_with_a_version_row_is_not_promoted(adopted, how):
    adopted.run("insert into model_versions (artifact_id) values ('old-1')")
    with refused("MR001", column="promotion_state", detail="/promotion_state: its metadata was never validated"):
        adopted.run(how)


def test_a_version_row_of_a_legacy_model_does_not_begin_as_promoted(adopted):
    detail = "/promotion_state: every version starts as candidate, never promoted before"
    with refused("MR001", column="promotion_state", detail=detail):
        adopted.run("insert into model_versions (artifact_id, promotion_state) values ('old-1', 'promoted')")


RAISE = f"""
    update artifacts
    set metadata_schema_version = 1, metadata = '{VALID}', name = 'old', is_latest = true,
        created_at = now(), updated_at = now()
    where id = 'old-1'
"""


def test_not_even_a_superuser_raises_a_legacy_model_without_its_version(adopted):
    constraint = "artifacts_71_require_version_of_legacy"
    detail = "/id: old-1 stands in artifacts and not in model_versions"
    with refused("MR004", constraint=constraint, detail=detail):
        adopted.run(RAISE)


def test_a_legacy_model_can_be_raised_together_with_its_version(adopted):
    adopted.run(f"begin; {RAISE}; insert into model_versions (artifact_id) values ('old-1'); commit")
    query = "select name, promotion_state, parameter_count from models where artifact_id = 'old-1'"
    assert adopted.rows(query) == [("old", "candidate", 12400)]


def test_a_legacy_model_is_not_raised_with_invalid_metadata(adopted):
    with refused("23514", column="metadata", constraint="artifacts_metadata_valid", detail="/is_external: is required"):
        adopted.run("update artifacts set metadata_schema_version = 1, name = 'old' where id = 'old-1'")


def test_a_legacy_model_is_not_deleted(adopted):
    with refused("MR008", detail="DELETE on atlas.artifacts would take away the provenance of model versions"):
        adopted.run("delete from artifacts where id = 'old-1'")


def test_a_legacy_model_may_be_the_parent_and_the_base_of_a_new_one(adopted):
    based = json.dumps(internal_metadata(base_model_id="old-2"))
    adopted.run(f"select register_model('new', '{based}', parent_version_id => 'old-1', artifact_id => 'new-2')")
    query = "select version_number, parent_version_id, base_model_id from models where artifact_id = 'new-2'"
    assert adopted.rows(query) == [(2, "old-1", "old-2")]


# --- what names artifacts that are not there -------------------------------------------------------------------------

DANGLING = """
    insert into artifacts (id, artifact_type, parent_version_id, superseded_by) values
        ('a', 'model', 'gone', null), ('b', 'dataset', 'gone', 'a'),
        ('c', 'model', 'c', 'c'), ('d', 'model', 'a', 'lost')
"""


def test_what_dangles_is_kept_and_said_at_every_deploy_until_it_is_put_right(catalogue):
    catalogue.run(SQLITE_TABLE)
    catalogue.run(DANGLING)
    first = catalogue.adopt()
    assert [(d.constraint, d.rows) for d in first.dangling] == [
        ("artifacts_parent_fkey", 2),
        ("artifacts_superseded_by_fkey", 1),
    ]
    assert "artifacts_parent_fkey" not in first.validated
    assert catalogue.rows("select id, parent_version_id, superseded_by from artifacts order by id") == [
        ("a", "gone", None),
        ("b", "gone", "a"),
        ("c", "c", "c"),
        ("d", "a", "lost"),
    ]
    second = catalogue.adopt()
    assert second.nothing_to_do
    assert second.dangling == first.dangling
    assert status(catalogue.url).up_to_date
    catalogue.run("update artifacts set parent_version_id = null where id = 'a'; delete from artifacts where id = 'b'")
    third = catalogue.adopt()
    assert third.validated == ("artifacts_parent_fkey",)
    assert [(d.constraint, d.rows) for d in third.dangling] == [("artifacts_superseded_by_fkey", 1)]
    catalogue.run("update artifacts set superseded_by = null where id = 'd'")
    assert catalogue.adopt().validated == ("artifacts_superseded_by_fkey",)
    assert catalogue.adopt().dangling == ()


def test_what_is_written_from_now_on_does_not_dangle(catalogue):
    catalogue.run(SQLITE_TABLE)
    catalogue.run(DANGLING)
    catalogue.adopt()
    for statement in (
        "insert into artifacts (id, artifact_type, parent_version_id) values ('e', 'dataset', 'gone')",
        "update artifacts set parent_version_id = 'lost' where id = 'a'",
    ):
        with pytest.raises(Exception, match='violates foreign key constraint "artifacts_parent_fkey"'):
            catalogue.run(statement)
    catalogue.run("update artifacts set title = 'a row that dangles can be written' where id = 'a'")


def test_a_dry_run_says_what_would_wait(catalogue):
    catalogue.run(SQLITE_TABLE)
    catalogue.run(DANGLING)
    report = migrate(catalogue.url, dry_run=True)
    assert [(d.constraint, d.rows) for d in report.dangling] == [
        ("artifacts_parent_fkey", 2),
        ("artifacts_superseded_by_fkey", 1),
    ]


@pytest.mark.parametrize("column", ["parent_version_id", "superseded_by"])
def test_a_dataset_does_not_become_its_own_parent_or_successor(adopted, column):
    with pytest.raises(Exception, match="violates check constraint"):
        adopted.run(f"update artifacts set {column} = id where id = 'set-1'")
