"""The benchmarks run, at the smallest size; how long they take is nobody's business here."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks import floor, growth, peers, report, validators
from benchmarks.__main__ import Run
from benchmarks.clients import tags_of
from benchmarks.documents import document, large_document, registration, size
from benchmarks.parts import FLOOR, PARTS, REGISTRY, TINY, Bench, Result, growing

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


MLFLOW = peers.is_installed()


@pytest.fixture
def bench(database_url: str) -> Bench:
    return Bench(database_url, TINY)


@pytest.fixture
def without_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "is_installed", lambda: False)


@pytest.mark.usefixtures("without_mlflow")
@pytest.mark.parametrize("part", [part for part in PARTS if part not in ("peers", "growth")])
def test_every_part_runs(bench: Bench, part: str) -> None:
    results = list(PARTS[part](bench))
    assert len(results) >= 2
    assert report.table(results).count("\n") == len(results) + 1


@pytest.mark.usefixtures("without_mlflow")
def test_clients_in_processes_of_their_own_register_the_same_on_every_side(bench: Bench) -> None:
    results = list(bench.peers())
    assert [result.measured for result in results] == [
        "register_model(), new names, 1 client",
        "Registry.register_model(), new names, 1 client",
        "register_model(), versions of 200 names, 1 client",
        "Registry.register_model(), versions of 200 names, 1 client",
    ]
    counted = """
        select
            count(*) filter (where name like 'peer %%'), count(*) filter (where name like 'peers''%%'),
            count(distinct name) filter (where name like 'peers''%%')
        from artifacts
    """
    # Three turns of three calls each, of one call for thirty, and before them 200 names that are known.
    for schema, sides, bulk in ((FLOOR, 1, 0), (REGISTRY, 2, 1)):
        with bench.connect(schema) as conn:
            each = (9 * sides + 90 * bulk, 209 * sides + 290 * bulk, 200)
            assert conn.execute(counted, []).fetchone() == each, schema


def test_an_operation_is_measured_at_every_size_and_leaves_nothing_behind(empty_database: str) -> None:
    bench = growing(empty_database, TINY)
    results = list(bench.growth())
    assert [cost.operation for cost in bench.costs] == ["search", "lineage", "register", "promote", "backfill"] * 2
    assert [cost.size for cost in bench.costs] == [30] * 5 + [300] * 5
    assert all(cost.took > 0 for cost in bench.costs)
    assert [result.measured.partition(", of")[0] for result in results] == list(growth.OPERATIONS.values())
    with bench.connect(REGISTRY) as conn:
        of_whom = "select created_by, count(*) from artifacts where artifact_type = 'model' group by 1 order by 1"
        assert conn.execute(of_whom).fetchall() == [("generator", 300), (None, 102)]
        assert conn.execute("select count(*) from model_events where artifact_id is not null").fetchone() == (0,)
        guards = "select count(*) from pg_trigger where tgrelid = 'artifacts'::regclass and tgenabled = 'A'"
        assert conn.execute(guards).fetchone() == (6,)


def test_what_grows_faster_than_the_logarithm_is_told_from_what_does_not() -> None:
    def verdict(*worked: float) -> growth.Verdict:
        costs = zip((1_000, 10_000, 100_000, 1_000_000), worked, strict=True)
        return growth.Verdict("search", tuple(growth.Cost("search", size, each, 0) for size, each in costs))

    assert growth.sizes(1_000_000) == [1_000, 10_000, 100_000, 1_000_000]
    assert verdict(100, 110, 140, 190).grew == 1.9
    assert verdict(100, 110, 140, 190).log_grew == pytest.approx(2)
    assert verdict(100, 200, 400, 800).grew == 8


def test_the_plots_show_every_operation(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plots are drawn by matplotlib, which `make bench` installs")
    from benchmarks import plots

    costs = [growth.Cost(each, size, 100 + size / 100, 0) for each in growth.OPERATIONS for size in (1_000, 10_000)]
    plots.draw(growth.verdicts(costs), tmp_path / "growth.svg")
    picture = (tmp_path / "growth.svg").read_text()
    assert all(title.partition(",")[0] in picture for title in growth.OPERATIONS.values())
    assert picture.count("growth by log n") == 1
    plots.draw(growth.verdicts(costs), tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text() == picture


def test_a_part_that_fails_takes_no_other_results_with_it(
    monkeypatch: pytest.MonkeyPatch, bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: Bench) -> Iterator[Result]:
        yield Result("1", "first", "1 ms", "", "", "reported", None)
        raise ValueError("no disk\nat all")

    monkeypatch.setitem(PARTS, "one", broken)
    run = Run(["one", "promotion"], TINY)
    for part in ("one", "promotion"):
        run.part(part, lambda: bench)
    assert run.failed == ["one"]
    assert [result.measured for result in run.results[:2]] == ["first", "one"]
    assert run.results[1].ours == "failed: ValueError: no disk"
    assert run.results[1].is_met is False
    assert [result.part for result in run.results[2:]] == ["7", "7"]
    assert "[ 0.0 min] one; about 1 min to go in full" in capsys.readouterr().out


def test_python_jsonschema_checks_what_the_registry_checks(bench: Bench) -> None:
    with validators.python_jsonschema() as folder, bench.connect(REGISTRY) as conn:
        if validators.server_python(conn) != sys.version_info[:2]:
            pytest.skip("its parts are built for this environment's Python, and the server has another one")
        assert validators.make_tables(conn, REGISTRY, folder) == ("validated", "pythonic", "unchecked")
        for metadata, expected in ((document(1), True), (large_document(1), True), (document(1) | {"task": 7}, False)):
            query = "select pg_temp.is_valid_by_python(%(m)s), is_valid_metadata('model', 1, %(m)s)"
            assert conn.execute(query, {"m": json.dumps(metadata)}).fetchone() == (expected, expected)
        insert = "insert into {} (id, artifact_type, name, metadata, metadata_schema_version, version_number)"
        insert += " values ('model-1', 'model', 'a', '{{}}', 1, 1)"
        for table in ("validated", "pythonic"):
            with pytest.raises(psycopg.errors.CheckViolation):
                conn.execute(insert.format(table))
        conn.execute(insert.format("unchecked"))


def test_mlflow_holds_a_registration_as_twelve_texts() -> None:
    tags = tags_of(registration(7, "risk"))
    assert len(tags) == 12
    assert all(isinstance(value, str) for value in tags.values())
    assert tags["model_family"] == "ResNet"
    assert tags["parameter_count"] == "1200007"


@pytest.mark.long
@pytest.mark.skipif(not MLFLOW, reason="`make bench` has not installed MLflow into build/ yet")
def test_mlflow_registers_and_searches_the_same(bench: Bench) -> None:
    (new, known) = peers.measure(bench.url, bench.models.take, 3, 1, (2,))
    assert all(new.median(kind) > 0 and known.median(kind) > 0 for kind in peers.KINDS)
    assert (new.gave_up, known.gave_up) == (0, 0)
    mlflow = f"{conninfo_to_dict(bench.url)['dbname']}_mlflow"
    try:
        with psycopg.connect(make_conninfo(bench.url, dbname=mlflow), autocommit=True) as conn:
            # Three turns of three calls by two clients, twice; and the names that are known.
            assert conn.execute("select count(*), count(distinct name) from model_versions").fetchone() == (236, 218)
            assert conn.execute("select count(*) from model_version_tags").fetchone() == (236 * 12,)
        assert peers.statements(make_conninfo(bench.url, dbname=mlflow), bench.models.take) == (10, 7)
    finally:
        _drop(bench.url, mlflow)
    try:
        asked = list(peers.search(bench.url, 400, 3))
        assert [question.kind[:2] for question, *_ in asked] == ["1.", "2.", "9."]
        assert all(len(times) == 3 and min(times) > 0 for _, times, _ in asked)
    finally:
        _drop(bench.url, mlflow)


def _drop(url: str, database: str) -> None:
    with psycopg.connect(make_conninfo(url, dbname="postgres"), autocommit=True) as conn:
        conn.execute(f"drop database {database} with (force)")


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
    assert all(19_500 <= size(number, large_document) <= 20_500 for number in range(1000))


def test_the_prose_around_the_results_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    path.write_text(f"# Before\n\n{report.BEGIN}\nold\n{report.END}\n\nAfter.\n")
    report.write(path, "new")
    assert path.read_text() == f"# Before\n\n{report.BEGIN}\n\nnew\n\n{report.END}\n\nAfter.\n"
