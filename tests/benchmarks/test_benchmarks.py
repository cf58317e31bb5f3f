"""The benchmarks run, at the smallest size; how long they take is nobody's business here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import floor, report
from benchmarks.documents import document, size
from benchmarks.parts import FLOOR, PARTS, REGISTRY, TINY, Bench

FLOOR_AND_REGISTRY = """
    select
        array(
            select concat_ws(' ', attname, atttypid::regtype, attnotnull, pg_get_expr(adbin, adrelid), s.setting)
            from pg_attribute as a left join pg_attrdef as d on a.attrelid = d.adrelid and a.attnum = d.adnum
            left join lateral unnest(a.attoptions) as s (setting) on s.setting like 'n_distinct%%'
            where a.attrelid = c.oid and a.attnum > 0 order by a.attnum
        ),
        array(
            select regexp_replace(pg_get_indexdef(indexrelid), ' INDEX \\S+ ON \\w+\\.', ' ') as d
            from pg_index where indrelid = c.oid order by d
        ),
        array(
            select conname || replace(pg_get_constraintdef(oid), relnamespace::regnamespace || '.', '') as d
            from pg_constraint where conrelid = c.oid and contype = 'f' order by d
        )
    from pg_class as c
    where relnamespace = %s::regnamespace and relname = any(%s)
    order by relname
"""


@pytest.fixture
def bench(database_url: str) -> Bench:
    return Bench(database_url, TINY)


@pytest.mark.parametrize("part", PARTS)
def test_every_part_runs(bench: Bench, part: str) -> None:
    results = list(PARTS[part](bench))
    assert len(results) >= 2
    assert report.table(results).count("\n") == len(results) + 1


def test_the_floor_has_the_columns_indexes_and_foreign_keys_of_the_registry(bench: Bench) -> None:
    with bench.connect("pg_catalog") as conn:
        tables = [
            conn.execute(FLOOR_AND_REGISTRY, [schema, list(floor.TABLES)]).fetchall() for schema in (REGISTRY, FLOOR)
        ]
        checked = "select count(*) from pg_trigger where tgrelid::regclass::text like 'floor.%%' and not tgisinternal"
        assert conn.execute(checked, []).fetchone() == (0,)
    assert tables[0] == tables[1]
    assert len(tables[0]) == len(floor.TABLES)


def test_the_floor_writes_what_the_registry_writes(bench: Bench) -> None:
    models = bench.models.chunk(7, lambda number: f"name {number % 3}")
    one = bench.models.take(1, lambda _: "name 0")[0]
    content = """
        select array_agg((to_jsonb(a) || to_jsonb(v) || to_jsonb(r))
            - '{id,artifact_id,created_at,updated_at}'::text[] order by a.name, a.version_number)
        from artifacts as a
        inner join model_versions as v on a.id = v.artifact_id
        inner join registered_models as r on a.name = r.name
        where a.name like 'name%%'
    """
    kept = """
        select
            (select array_agg((e.action, e.model_name, e.version_number, e.new, e.actor)
                 order by e.model_name, e.version_number)
             from model_events as e where e.model_name like 'name%%'),
            (select array_agg((s.family, s.trained_at, s.metrics, s.document) order by a.name, a.version_number)
             from model_search as s inner join artifacts as a on s.artifact_id = a.id where a.name like 'name%%'),
            (select array_agg((m.metric, m.value) order by m.metric, m.value)
             from model_metrics as m inner join model_search as s on m.place = s.place
             inner join artifacts as a on s.artifact_id = a.id where a.name like 'name%%')
    """
    with bench.connect(REGISTRY) as registry, bench.connect(FLOOR) as plain:
        registry.execute("select from register_models(%s)", [models])
        floor.register_many(plain, models)
        arguments = one | {"metadata": json.dumps(one["metadata"])}
        named = ", ".join(f"{key} => %({key})s" for key in one)
        registry.execute(f"select register_model({named})", arguments)
        floor.register_one(plain, one)
        for query in (content, kept):
            assert plain.execute(query, []).fetchone() == registry.execute(query, []).fetchone()


def test_no_two_documents_are_alike_and_all_are_of_a_size() -> None:
    assert len({str(document(number)) for number in range(1000)}) == 1000
    assert all(750 <= size(number) <= 850 for number in range(1000))


def test_the_prose_around_the_results_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    path.write_text(f"# Before\n\n{report.BEGIN}\nold\n{report.END}\n\nAfter.\n")
    report.write(path, "new")
    assert path.read_text() == f"# Before\n\n{report.BEGIN}\n\nnew\n\n{report.END}\n\nAfter.\n"
