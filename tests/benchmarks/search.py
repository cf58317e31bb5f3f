"""A registry of a million model versions, and what docs/search.md shows, asked of it: searches, lineage, names."""

from __future__ import annotations

import hashlib
import json
import random
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from atlas_models import Registry
from benchmarks import processes


def _words(salt: int, count: int) -> str:
    """SQL for words of row f.n: two common ones, and so many of twenty thousand; spelt out, it takes no call a row."""
    common = "(array['weekly', 'extract', 'readmission', 'risk', 'leaf', 'lesion', 'credit', 'churn'])[{}]"
    words = [common.format(f"pg_temp.zipf(f.n, {salt + i}, 8)") for i in (1, 2)]
    words += [f"'word' || pg_temp.zipf(f.n, {salt + 100 + i}, 20000)" for i in range(1, count + 1)]
    return " || ' ' || ".join(words)


# Rows written by one statement for each table, as a superuser and without the triggers: what they would do, they would
# do row by row. What is said of a version depends on its number alone, so that every run has the same rows. Families,
# frameworks, names, words, datasets and bases are as unevenly spread as they are in life: a few are everywhere, most
# are rare. Agents come and go.
_FILL = (
    """
    create or replace function pg_temp.u(n bigint, salt bigint) returns double precision language sql immutable
    return (hashint8extended(n, salt) & 1048575) / 1048576.0
    """,
    """
    create or replace function pg_temp.zipf(n bigint, salt bigint, kinds integer) returns integer language sql immutable
    return floor(power(kinds + 1, pg_temp.u(n, salt)))::integer
    """,
    """
    create temporary table facts as
    select
        g.n,
        'model-' || md5(g.n::text)::uuid as id,
        'name-' || lpad((%(first_name)s + floor(%(names)s * power(pg_temp.u(g.n, 1), 2)))::text, 6, '0') as name,
        timestamptz '2022-01-01Z' + (g.n * 126e6 / %(total)s) * interval '1 s' as registered_at,
        pg_temp.zipf(g.n, 2, 300) as family,
        pg_temp.u(g.n, 3) < 0.08 or g.n <= %(bases)s as is_external,
        case
            when g.n > %(bases)s and pg_temp.u(g.n, 4) < 0.15
                then 'model-' || md5(pg_temp.zipf(g.n, 5, %(bases)s)::text)::uuid
        end as base,
        'agent-' || (g.n * 400 / %(total)s + pg_temp.zipf(g.n, 6, 100)) as agent,
        pg_temp.u(g.n, 7) as u7, pg_temp.u(g.n, 8) as u8, pg_temp.u(g.n, 9) as u9, pg_temp.u(g.n, 10) as u10
    from generate_series(%(first)s + 1, %(rows)s::bigint) as g (n)
    """,
    """
    insert into registered_models (name, last_version) select name, count(*) from facts group by name
    """,
    """
    insert into artifacts (id, artifact_type, title, created_at, updated_at, is_latest)
    select 'dataset-' || g.n, 'dataset', 'Dataset ' || g.n, now(), now(), false from generate_series(1, 200) as g (n)
    on conflict do nothing
    """,
    f"""
    insert into artifacts (
        id, artifact_type, name, title, metadata, metadata_schema_version, version_number, is_latest, created_at,
        updated_at, created_by
    )
    select
        f.id, 'model', f.name, initcap({_words(1000, 2)}),
        jsonb_strip_nulls(jsonb_build_object(
            'is_external', f.is_external,
            'model_family',
            (array['ResNet', 'BERT', 'U-Net', 'ViT', 'GBM', 'LSTM'])[1 + f.family %% 6] || '-' || f.family,
            'framework', (array['pytorch', 'tensorflow', 'xgboost', 'jax', 'monai', 'caffe'])[
                1 + case when f.u7 < 0.9 then f.family else floor(f.u8 * 6)::integer end %% 6
            ],
            'description', {_words(2000, 12)},
            'task', (array['classification', 'regression', 'segmentation', 'detection'])[1 + f.family %% 4],
            'base_model_id', f.base,
            'benchmark_id', case when f.u9 < 0.2 then 'benchmark-' || pg_temp.zipf(f.n, 11, 50) end,
            'external_source_url', case when f.is_external then 'https://example.org/' || f.n end,
            'external_source_version', case when f.is_external then 'v1' end
        )) || case when f.is_external then '{{}}' else jsonb_build_object(
            'parameter_count', 1000 + f.n,
            'training_data', jsonb_build_array(
                'warehouse://train/' || pg_temp.zipf(f.n, 12, 2000), 'warehouse://labs/' || pg_temp.zipf(f.n, 13, 50)
            ),
            'evaluation_dataset', 'warehouse://holdout/' || pg_temp.zipf(f.n, 14, 500),
            'evaluation_metrics', jsonb_build_object(
                'auroc', round(f.u8::numeric, 5),
                'metric-' || pg_temp.zipf(f.n, 15, 60), round((f.u9 * 100)::numeric, 3)
            ) || case
                when f.u10 < 0.3 then jsonb_build_object('top1_accuracy', round(power(f.u10, 0.3)::numeric, 5))
                else '{{}}'
            end
        ) end,
        1, row_number() over w, row_number() over w = count(*) over (partition by f.name), f.registered_at,
        f.registered_at, 'generator'
    from facts as f
    window w as (partition by f.name order by f.n)
    order by f.n
    """,
    """
    insert into model_versions (
        artifact_id, model_name, is_external, external_source_url, external_source_version, base_model_id,
        training_completed_at, trained_by, eval_metrics_json, eval_dataset_artifact_id, benchmark_id, promotion_state,
        created_at
    )
    select
        f.id, f.name, f.is_external, a.metadata ->> 'external_source_url',
        a.metadata ->> 'external_source_version', f.base,
        case when not f.is_external then f.registered_at - f.u7 * interval '3 days' end,
        case when not f.is_external then f.agent end,
        a.metadata -> 'evaluation_metrics',
        case when f.u10 < 0.3 then 'dataset-' || pg_temp.zipf(f.n, 16, 200) end,
        a.metadata ->> 'benchmark_id',
        case
            when a.is_latest and f.u10 < 0.4 then 'promoted'
            when not a.is_latest and f.u10 < 0.2 then 'superseded'
            when f.u10 > 0.9 then 'rejected'
            else 'candidate'
        end,
        f.registered_at
    from facts as f
    inner join artifacts as a on f.id = a.id
    order by f.n
    """,
    """
    insert into model_search (artifact_id, registered_at, trained_at, family, metrics, document)
    select s.artifact_id, s.registered_at, s.trained_at, s.family, s.metrics, s.document
    from facts as f
    inner join _searchable_models as s on f.id = s.artifact_id
    order by f.n
    """,
    """
    insert into model_metrics (metric, value, place)
    select e.key, e.value::double precision, s.place
    from facts as f
    inner join model_search as s on s.artifact_id = f.id
    cross join lateral jsonb_each(s.metrics) as e (key, value)
    """,
    "drop table facts",
)


# What is built at once at the end, as in the migration, and not row by row.
_INDEXES = (
    "idx_model_search_document",
    "idx_model_search_family",
    "idx_model_search_registered",
    "idx_model_search_trained",
)
# A chain of parents, and all that was made from one base; written like the rest.
_LINEAGE = (
    """
    insert into registered_models (name, last_version) values ('chain', %(chain)s), ('fan', %(fan)s + 1)
    """,
    """
    insert into artifacts (
        id, artifact_type, name, metadata, metadata_schema_version, version_number, is_latest, parent_version_id
    )
    select
        l.name || '-' || g.n, 'model', l.name, jsonb_strip_nulls(jsonb_build_object(
            'is_external', true, 'model_family', 'lineage', 'framework', 'none', 'external_source_version', 'v1',
            'external_source_url', 'https://example.org',
            'base_model_id', case when l.name = 'fan' and g.n > 1 then 'fan-1' end
        )),
        1, g.n, g.n = l.versions, case when l.name = 'chain' and g.n > 1 then 'chain-' || g.n - 1 end
    from (values ('chain', %(chain)s::integer), ('fan', %(fan)s + 1)) as l (name, versions)
    cross join lateral generate_series(1, l.versions) as g (n)
    """,
    """
    insert into model_versions (
        artifact_id, model_name, is_external, external_source_url, external_source_version, base_model_id
    )
    select a.id, a.name, true, a.metadata ->> 'external_source_url', 'v1', a.metadata ->> 'base_model_id'
    from artifacts as a
    where a.name in ('chain', 'fan')
    """,
)
_CHAIN, _FAN = 10_000, 100_000


def filled(conn: psycopg.Connection) -> int:
    """How many model versions fill() has written."""
    (count,) = conn.execute("select count(*) from artifacts where created_by = 'generator'").fetchone() or (0,)
    return int(count)


def fill(conn: psycopg.Connection, rows: int, total: int | None = None) -> None:
    """Write model versions, as a superuser, into the registry on the search_path, until so many of them are there.

    Args:
        conn: In autocommit mode.
        rows: Up to which one.
        total: How many there are to be in the end, when the registry grows in steps; each step has names of its own.
    """
    first = filled(conn)
    if first >= rows:
        return
    first_name = first // 8
    sizes = {
        "first": first,
        "rows": rows,
        "total": total or rows,
        "first_name": first_name,
        "names": max(1, rows // 8 - first_name),
        "bases": max(1, rows // 500),
    }
    with conn.transaction():
        write_plainly(conn)
        conn.execute("set local work_mem = '256MB'")
        conn.execute("set local maintenance_work_mem = '512MB'")
        builds = [conn.execute("select pg_get_indexdef(%s::regclass)", [name]).fetchone() for name in _INDEXES]
        conn.execute(f"drop index {', '.join(_INDEXES)}")
        conn.execute("alter table model_metrics drop constraint model_metrics_pkey")
        for statement in _FILL:
            conn.execute(statement, sizes if "%(" in statement or "%%" in statement else None)
        conn.execute("alter table model_metrics add constraint model_metrics_pkey primary key (metric, value, place)")
        for build in builds:
            conn.execute((build or ("",))[0])
    conn.execute("vacuum analyze")


def write_plainly(conn: psycopg.Connection) -> None:
    conn.execute("set local session_replication_role = replica")
    conn.execute("set local atlas_models.rows_are_complete = 'yes'")


def warm(conn: psycopg.Connection) -> None:
    """Read all of it into the memory of the server, where what is used day by day is; without pg_prewarm do nothing."""
    if not conn.execute("select from pg_available_extensions where name = 'pg_prewarm'").fetchone():
        return
    conn.execute("create extension if not exists pg_prewarm schema public")
    conn.execute(
        """
        select public.pg_prewarm(c.oid) from pg_class as c
        where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'i')
        """
    ).fetchall()


@dataclass(frozen=True)
class Kind:
    """A kind of question.

    Args:
        name: What is asked, as docs/search.md says it.
        ask: Gives the arguments of search_models() for one question, from a source of chance and the number of rows.
    """

    name: str
    ask: Callable[[random.Random, int], dict[str, Any]]


def _zipf(chance: random.Random, kinds: int) -> int:
    return int((kinds + 1) ** chance.random())


def _family(chance: random.Random) -> str:
    number = _zipf(chance, 300) if chance.random() < 0.5 else chance.randint(1, 300)
    return f"{('resnet', 'bert', 'u-net', 'vit', 'gbm', 'lstm')[number % 6]}-{number}"


def _framework(chance: random.Random) -> str:
    return chance.choice(("pytorch", "tensorflow", "xgboost", "jax", "monai", "caffe"))


def _month(chance: random.Random) -> tuple[str, str]:
    month = chance.randint(0, 46)
    return tuple(f"{2022 + m // 12}-{m % 12 + 1:02}-01" for m in (month, month + 1))  # type: ignore[return-value]


def _agent(chance: random.Random) -> str:
    return f"agent-{chance.randint(1, 400) + _zipf(chance, 100)}"


def _text(chance: random.Random) -> str:
    common = chance.choice(("weekly", "extract", "readmission", "risk", "leaf", "lesion", "credit", "churn"))
    rare = f"word{_zipf(chance, 20000)}"
    return chance.choice((common, rare, f"{common} {rare}", f"{common} lesion", f"{rare[:-1]}* {common}"))


KINDS = (
    Kind("1. the newest of a family", lambda c, _: {"filter": {"family": _family(c)}}),
    Kind(
        "2. what is in service of a family and framework",
        lambda c, _: {"filter": {"family": _family(c), "framework": _framework(c), "state": "promoted"}},
    ),
    Kind(
        "3. the best by a metric",
        lambda c, _: {
            "filter": {"metric": "auroc", "op": "<=", "value": round(c.random(), 3)},
            "order_by": "metric:auroc",
        },
    ),
    Kind(
        "4. the best of a family by a metric, above a bound",
        lambda c, _: {
            "filter": {
                "all": [
                    {"family": _family(c)},
                    {"metric": "top1_accuracy", "op": ">=", "value": round(c.uniform(0.3, 0.7), 3)},
                ]
            },
            "order_by": "metric:top1_accuracy",
        },
    ),
    Kind("5. words of title and description", lambda c, _: {"filter": {"text": _text(c)}}),
    Kind(
        "6. what an agent trained in a month",
        lambda c, _: {
            "filter": {"trained_by": _agent(c)}
            | dict(zip(("trained_since", "trained_before"), _month(c), strict=True)),
            "order_by": "trained",
        },
    ),
    Kind(
        "7. what learned from or was measured on a dataset",
        lambda c, _: {
            "filter": {
                "dataset": c.choice(
                    (
                        f"warehouse://train/{_zipf(c, 2000)}",
                        f"warehouse://holdout/{c.randint(1, 500)}",
                        f"dataset-{_zipf(c, 200)}",
                    )
                )
            }
        },
    ),
    Kind(
        "8. what was made from a base model, still in question",
        lambda c, rows: {"filter": {"base_model": _base(c, rows), "state": ["candidate", "promoted"]}},
    ),
    Kind(
        "9. the latest of the names that begin alike",
        lambda c, rows: {
            "filter": {
                "name_prefix": f"name-{int(rows / 8 * c.random() ** 2):06}"[: c.randint(8, 11)],
                "is_latest": True,
            }
        },
    ),
    Kind(
        "10. either of two: a family above a bound, or external and of a benchmark",
        lambda c, _: {
            "filter": {
                "any": [
                    {"family": _family(c), "metric": "auroc", "op": ">=", "value": round(c.uniform(0.5, 0.999), 3)},
                    {"is_external": True, "benchmark": f"benchmark-{c.randint(1, 50)}"},
                ]
            }
        },
    ),
)


def _base(chance: random.Random, rows: int) -> str:
    number = _zipf(chance, max(1, rows // 500))
    return f"model-{uuid.UUID(hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest())}"


_SEARCH = """
    select * from search_models(
        %(filter)s, order_by => %(order_by)s, page_size => 20, after => %(after)s
    )
"""


def ask(conn: psycopg.Connection, question: dict[str, Any], after: str | None = None) -> list[Any]:
    """Ask one question; gives its page."""
    arguments = {"order_by": "registered", "after": after} | question | {"filter": json.dumps(question["filter"])}
    return conn.execute(_SEARCH, arguments, prepare=True).fetchall()


def ask_client(url: str, kind: Kind, rows: int, questions: int) -> list[float]:
    """Ask questions of a kind through the Python client; gives the milliseconds of each."""
    chance = random.Random(kind.name)
    times = []
    with Registry(url) as registry:
        for _ in range(questions + 5):
            question = kind.ask(chance, rows)
            began = time.perf_counter()
            registry.search(question.pop("filter"), **question, page_size=20)
            times.append((time.perf_counter() - began) * 1e3)
    # The first ones are for warming up.
    return times[5:]


@dataclass(frozen=True)
class Asked:
    """What became of the questions of one kind: milliseconds of each, and the server's processor time within them.

    Processor time tells on a machine that has other things to do as well; it is 0 where the system does not give it.
    """

    name: str
    times: list[float]
    worked: list[float]
    empty: int
    read_whole: set[str]


def measure(conn: psycopg.Connection, rows: int, questions: int) -> Iterator[Asked]:
    """Ask so many questions of each kind, each with arguments of its own; a third of them for the second page."""
    for kind in KINDS:
        chance = random.Random(kind.name)
        for _ in range(5):
            ask(conn, kind.ask(chance, rows))
        times, worked, empty = [], [], 0
        for nth in range(questions):
            question = kind.ask(chance, rows)
            after = None
            if nth % 3 == 2 and (page := ask(conn, question)):
                after = page[-1][-1]
            began, began_work = time.perf_counter(), processor_time(conn)
            found = ask(conn, question, after)
            times.append((time.perf_counter() - began) * 1e3)
            worked.append(processor_time(conn) - began_work)
            empty += not found
        yield Asked(kind.name, times, worked, empty, _read_whole(conn, [kind.ask(chance, rows) for _ in range(10)]))


def fill_lineage(conn: psycopg.Connection, share: float) -> None:
    """Write a chain of 10,000 versions and a fan of 100,000, or such a share of them."""
    lay_chain(conn, max(2, int(_CHAIN * share)), max(1, int(_FAN * share)))


def lay_chain(conn: psycopg.Connection, chain: int, fan: int, prefix: str = "") -> None:
    """Write a chain of so many versions, and so many that were made from one base, their names with a prefix."""
    with conn.transaction():
        write_plainly(conn)
        for statement in _LINEAGE:
            named = statement.replace("'chain", f"'{prefix}chain").replace("'fan", f"'{prefix}fan")
            conn.execute(named, {"chain": chain, "fan": fan})
    conn.execute("vacuum analyze artifacts, model_versions")


def measure_others(conn: psycopg.Connection, share: float, rounds: int) -> Iterator[tuple[str, list[float], float]]:
    """Time lineage and suggestions; gives what was asked, the seconds that it took, and how many it may take."""
    chain = max(2, int(_CHAIN * share))
    (names,) = conn.execute("select count(*) from registered_models").fetchone() or (0,)
    for asked, query, most in (
        (f"a chain of {chain:,}, from its first", "select * from model_lineage('chain-1', 'descendants')", 1.0),
        (f"a chain of {chain:,}, from its last", f"select * from model_lineage('chain-{chain}', 'ancestors')", 1.0),
        (f"a fan of {int(_FAN * share):,}", "select * from model_lineage('fan-1', 'descendants')", 1.0),
        (f"a name suggested among {names:,}", "select * from suggest_names('name-0O1234')", 1.0),
    ):
        times = []
        for _ in range(rounds):
            began = time.perf_counter()
            conn.execute(query).fetchall()
            times.append(time.perf_counter() - began)
        yield asked, times[1:], most


def processor_time(conn: psycopg.Connection) -> float:
    """Milliseconds that the connection's server process has worked, on Linux and on this machine; 0 elsewhere."""
    return processes.worked(conn.info.backend_pid)


def _read_whole(conn: psycopg.Connection, questions: list[dict[str, Any]]) -> set[str]:
    """Tables that a plan of one of these questions reads without an index, in any statement within the function."""
    plans: list[str] = []

    def keep(message: psycopg.errors.Diagnostic) -> None:
        plans.append(message.message_primary or "")

    conn.add_notice_handler(keep)
    conn.execute("load 'auto_explain'")
    for name, value in (("log_min_duration", "0"), ("log_nested_statements", "on"), ("log_level", "notice")):
        conn.execute(f"set auto_explain.{name} = '{value}'")
    for question in questions:
        ask(conn, question)
    conn.execute("set auto_explain.log_min_duration = -1")
    conn.remove_notice_handler(keep)
    lines = [line for plan in plans for line in plan.splitlines()]
    assert any("Index" in line for line in lines)
    return {line.split("Seq Scan on ")[1].split()[0] for line in lines if "Seq Scan on " in line}
