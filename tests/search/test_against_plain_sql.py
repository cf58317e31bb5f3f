"""Whatever the filter, the order and the size of its pages, a search finds what a plain look at all versions finds."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from benchmarks import search as questions

# Every version with what can be asked for, from the tables that hold it; nothing of what the search itself reads, but
# the place, by which what is equal in an order is told apart.
_PLAIN = """
    create temporary table plain as
    select
        v.artifact_id, v.model_name as name, v.created_at as registered, v.training_completed_at as trained,
        a.is_latest, v.is_external, v.promotion_state as state, v.trained_by, v.base_model_id as base_model,
        v.benchmark_id as benchmark, coalesce(v.eval_metrics_json, '{}') as metrics,
        lower(a.metadata ->> 'model_family') as family, lower(a.metadata ->> 'framework') as framework,
        lower(a.metadata ->> 'task') as task, coalesce(a.metadata -> 'training_data', '[]') as training_dataset,
        jsonb_build_array(a.metadata -> 'evaluation_dataset', v.eval_dataset_artifact_id) as evaluation_dataset,
        to_tsvector('simple', concat_ws(' ', v.model_name, a.title, a.metadata ->> 'description')) as words, s.place
    from model_versions as v
    inner join artifacts as a on v.artifact_id = a.id
    inner join model_search as s on v.artifact_id = s.artifact_id
"""
_COMMON = ("weekly", "extract", "readmission", "risk", "leaf", "lesion", "credit", "churn")
_METRICS = ("auroc", "top1_accuracy", "metric-1", "metric-3")


def _some(chance: random.Random, one: Callable[[], Any]) -> Any:
    """One value, or now and then a list of some."""
    return one() if chance.random() < 0.8 else [one() for _ in range(chance.randint(1, 3))]


def _name(chance: random.Random, rows: int) -> str:
    return f"name-{int(rows / 8 * chance.random() ** 2):06}"


def _time(chance: random.Random) -> str:
    return f"{chance.randint(2022, 2025)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T05:00:00Z"


def _word(chance: random.Random) -> str:
    return chance.choice((*_COMMON, f"word{chance.randint(1, 40)}", f"word{chance.randint(1, 99)}*", "le*"))


def _condition(chance: random.Random, rows: int) -> dict[str, Any]:
    key = chance.choice(
        (
            *("name", "name_prefix", "name_prefix", "family", "family", "framework", "task", "state", "text", "text"),
            *("trained_by", "base_model", "benchmark", "dataset", "training_dataset", "evaluation_dataset"),
            *("is_external", "is_latest", "metric", "metric", "metric", "times", "times", "latest of a prefix"),
        )
    )
    data = f"warehouse://{chance.choice(('train', 'labs', 'holdout'))}/{chance.randint(1, 30)}"
    values: dict[str, Callable[[], Any]] = {
        "name": lambda: _name(chance, rows),
        "name_prefix": lambda: _name(chance, rows)[: chance.randint(6, 11)],
        "family": lambda: questions._family(chance).upper(),
        "framework": lambda: questions._framework(chance).title(),
        "task": lambda: chance.choice(("classification", "regression", "nothing")),
        "state": lambda: chance.choice(("candidate", "promoted", "rejected", "superseded")),
        "text": lambda: " ".join(_word(chance) for _ in range(chance.randint(1, 2))),
        "trained_by": lambda: questions._agent(chance),
        "base_model": lambda: questions._base(chance, rows),
        "benchmark": lambda: f"benchmark-{chance.randint(1, 20)}",
        "dataset": lambda: chance.choice((data, f"dataset-{chance.randint(1, 20)}")),
        "training_dataset": lambda: data,
        "evaluation_dataset": lambda: chance.choice((data, f"dataset-{chance.randint(1, 20)}")),
    }
    if key in values:
        return {key: _some(chance, values[key])}
    if key in ("is_external", "is_latest"):
        return {key: chance.random() < 0.5}
    if key == "latest of a prefix":
        return {"name_prefix": _name(chance, rows)[: chance.randint(6, 11)], "is_latest": True}
    if key == "times":
        what = chance.choice(("registered", "trained"))
        ends = sorted((_time(chance), _time(chance)))
        both = {f"{what}_since": ends[0], f"{what}_before": ends[1]}
        return both if chance.random() < 0.6 else dict([chance.choice(list(both.items()))])
    metric = chance.choice(_METRICS)
    if chance.random() < 0.2:
        return {"metric": metric}
    most = 100 if metric.startswith("metric") else 1
    return {
        "metric": metric,
        "op": chance.choice((">=", ">", "<=", "<", "=")),
        "value": round(chance.random() * most, chance.randint(1, 3)),
    }


def _filter(chance: random.Random, rows: int, depth: int = 1) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    for _ in range(chance.choice((1, 1, 2, 3))):
        asked |= _condition(chance, rows)
    # Of two conditions on a metric the later one's name may have met the earlier one's comparison, which is as good.
    if depth < 3 and chance.random() < 0.45:
        inner = [_filter(chance, rows, depth + 1) for _ in range(chance.choice((1, 2, 2, 3, 5)))]
        asked = (asked if chance.random() < 0.5 else {}) | {chance.choice(("any", "any", "all")): inner}
    return asked


def _plain(asked: dict[str, Any]) -> sql.Composable:
    """The same as a condition on the table plain, every value in it a literal."""
    said: list[sql.Composable] = []
    for key, value in asked.items():
        if key in ("all", "any"):
            joint = sql.SQL(" and " if key == "all" else " or ")
            said.append(sql.SQL("({})").format(joint.join(_plain(inner) for inner in value)))
        elif key in ("is_external", "is_latest"):
            said.append(sql.SQL("{} = {}").format(sql.Identifier(key), value))
        elif key == "metric" and "op" not in asked:
            said.append(sql.SQL("metrics ? {}").format(value))
        elif key == "metric":
            compared = "(metrics ->> {})::double precision " + asked["op"] + " {}"
            said.append(sql.SQL(compared).format(value, asked["value"]))
        elif key.endswith(("_since", "_before")):
            what, _, end = key.partition("_")
            operator = ">=" if end == "since" else "<"
            said.append(sql.SQL("{} " + operator + " {}::timestamptz").format(sql.Identifier(what), value))
        elif key not in ("op", "value"):
            any_of = [_plain_fact(key, one) for one in (value if isinstance(value, list) else [value])]
            said.append(sql.SQL("({})").format(sql.SQL(" or ").join(any_of)))
    return sql.SQL(" and ").join(said)


def _plain_fact(key: str, value: str) -> sql.Composable:
    if key == "name_prefix":
        return sql.SQL("starts_with(name, {})").format(value)
    if key == "text":
        words = " & ".join(word.replace("*", ":*") for word in value.split())
        return sql.SQL("words @@ to_tsquery('simple', {})").format(words)
    if key in ("training_dataset", "evaluation_dataset"):
        return sql.SQL("{} ? {}").format(sql.Identifier(key), value)
    if key == "dataset":
        return sql.SQL("(training_dataset ? {value} or evaluation_dataset ? {value})").format(value=value)
    lowered = value.lower() if key in ("family", "framework", "task") else value
    return sql.SQL("{} = {}").format(sql.Identifier(key), lowered)


def _by_pages(conn: psycopg.Connection, asked: Any, order: str, descending: bool, size: int, most: int) -> list[str]:
    query = """
        select artifact_id, cursor
        from search_models(%s, order_by => %s, descending => %s, page_size => %s, after => %s)
    """
    found: list[str] = []
    after = None
    while len(found) < most:
        page = conn.execute(query, [json.dumps(asked), order, descending, size, after], prepare=True).fetchall()
        assert len(page) <= size
        found += [artifact_id for artifact_id, _ in page]
        if len(page) < size:
            break
        after = page[-1][1]
    return found


def _compare(conn: psycopg.Connection, rows: int, seed: int, count: int) -> None:
    """Ask so many questions; each answer, page after page, is the plain one, as far as some hundred versions."""
    chance = random.Random(seed)
    not_empty = 0
    for _ in range(count):
        asked = _filter(chance, rows)
        metric = chance.choice(_METRICS)
        order = chance.choice(("registered", "registered", "trained", f"metric:{metric}"))
        descending, size = chance.random() < 0.7, chance.choice((3, 20, 20, 100))
        most = size * 8
        key = sql.SQL("(metrics ->> {})::double precision").format(metric)
        key = key if order.startswith("metric") else sql.Identifier(order)
        plain = sql.SQL("select artifact_id from plain where {} and {key} is not null order by {key} {to}, place {to}")
        to = sql.SQL("desc" if descending else "asc")
        wanted = [row[0] for row in conn.execute(plain.format(_plain(asked), key=key, to=to))]
        found = _by_pages(conn, asked, order, descending, size, most)
        assert found == wanted[: max(len(found), most)], (asked, order, descending, size)
        not_empty += bool(wanted)
    assert not_empty > count / 4


def _filled(url: str, rows: int) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, autocommit=True, options="-c search_path=atlas") as conn:
        questions.fill(conn, rows)
        conn.execute(_PLAIN)
        yield conn


@pytest.fixture(scope="module")
def filled(template_database: str, new_database: Callable[..., str]) -> Iterator[psycopg.Connection]:
    yield from _filled(new_database(template_database), 5_000)


@pytest.fixture(scope="module")
def filled_well(template_database: str, new_database: Callable[..., str]) -> Iterator[psycopg.Connection]:
    yield from _filled(new_database(template_database), 60_000)


def test_sixty_searches_find_what_a_plain_look_finds(filled):
    _compare(filled, 5_000, seed=1, count=60)


@pytest.mark.long
def test_two_thousand_searches_find_what_a_plain_look_finds(filled):
    _compare(filled, 5_000, seed=2, count=2_000)


@pytest.mark.long
def test_many_searches_among_many_versions_find_what_a_plain_look_finds(filled_well):
    _compare(filled_well, 60_000, seed=3, count=500)


def _compare_kinds(conn: psycopg.Connection, rows: int, count: int) -> None:
    """The benchmark's own questions are answered rightly, and none reads a table without an index."""
    for kind in questions.KINDS:
        chance = random.Random(kind.name)
        asked = [kind.ask(chance, rows) for _ in range(count)]
        for question in asked:
            order = question.get("order_by", "registered")
            key = sql.Identifier(order)
            if order.startswith("metric:"):
                key = sql.SQL("(metrics ->> {})::double precision").format(order.partition(":")[2])
            plain = sql.SQL(
                "select artifact_id from plain where {} and {key} is not null order by {key} desc, place desc limit 60"
            )
            wanted = [row[0] for row in conn.execute(plain.format(_plain(question["filter"]), key=key))]
            assert _by_pages(conn, question["filter"], order, True, 20, 60) == wanted, question
        assert questions._read_whole(conn, asked) == set(), kind.name


def test_each_kind_of_question_is_answered_rightly_and_by_indexes(filled):
    _compare_kinds(filled, 5_000, 3)


@pytest.mark.long
def test_each_kind_of_question_is_answered_rightly_and_by_indexes_among_many(filled_well):
    _compare_kinds(filled_well, 60_000, 40)
