"""When no legacy row is left, none can ever be again."""

from __future__ import annotations

from factories import internal_metadata, meet_policies
from refusals import refused


def test_sealing_is_refused_while_a_legacy_row_is_left(legacy):
    legacy.add("a", metadata={"notes": "?"})
    legacy.add("b")
    legacy.adopt()
    waiting = "/a: not backfilled yet\n/b: not backfilled yet"
    with refused("MR010", detail=waiting, column="metadata_schema_version"):
        legacy.value("select seal_legacy()")
    legacy.backfill()
    with refused("MR010", detail="/a: 6 open questions", column="metadata_schema_version"):
        legacy.value("select seal_legacy()")


def test_an_odd_id_is_listed_as_a_pointer_on_one_line(legacy):
    legacy.add("a/b~c: d\n")
    legacy.adopt()
    with refused("MR010", detail="/a~1b~0c: d\\n: not backfilled yet", column="metadata_schema_version"):
        legacy.value("select seal_legacy()")


def test_a_hundred_rows_are_listed(legacy):
    legacy.run("insert into artifacts (id, artifact_type) select 'm' || i, 'model' from generate_series(101, 250) as i")
    legacy.adopt()
    lines = [f"/m{i}: not backfilled yet" for i in range(101, 201)] + [": and 50 more"]
    with refused("MR010", detail="\n".join(lines), column="metadata_schema_version"):
        legacy.value("select seal_legacy()")


def test_a_sealed_registry_has_the_constraint_of_a_fresh_one(legacy, conn):
    legacy.add("a")
    legacy.backfill()
    assert legacy.value("select seal_legacy()") is True
    query = "select pg_get_constraintdef(oid) from pg_constraint where conname = 'artifacts_legacy_sealed'"
    assert legacy.value(query) == conn.execute(query).fetchone()[0]
    assert legacy.value("select seal_legacy()") is False


def test_a_fresh_registry_is_sealed_already(conn):
    assert conn.execute("select seal_legacy()").fetchone() == (False,)


def test_after_sealing_the_registry_goes_on(legacy):
    legacy.chain("a", "b")
    legacy.backfill()
    legacy.value("select seal_legacy()")
    with legacy.connect() as conn:
        meet_policies(conn, "b")
        conn.execute("select promote_model('b')")
    assert legacy.version("b") == ("A", 2, True, 1, "promoted")
    assert legacy.value("select metadata from artifacts where id = 'a'") == internal_metadata()
