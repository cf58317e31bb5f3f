"""What model_lineage() lists: ancestors and descendants, each once, however they hang together."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from benchmarks import search
from factories import external_metadata, internal_metadata, register
from refusals import refused


@pytest.fixture(scope="module")
def family(template_database: str, new_database: Callable[..., str]) -> Iterator[psycopg.Connection]:
    """A base, two versions made from it, one of them promoted after the other, a version of both, and a dataset."""
    with psycopg.connect(new_database(template_database), autocommit=True, options="-c search_path=atlas") as conn:
        conn.execute("select register_artifact('dataset', 'Fields', artifact_id => 'fields')")
        register(conn, "vit", external_metadata(), artifact_id="vit-1")
        based = internal_metadata(base_model_id="vit-1")
        register(conn, "crop", based, artifact_id="crop-1", eval_dataset_artifact_id="fields")
        register(conn, "crop", based, artifact_id="crop-2", parent_version_id="crop-1")
        register(conn, "leaf", internal_metadata(base_model_id="crop-2"), artifact_id="leaf-1")
        register(conn, "leaf", internal_metadata(), artifact_id="leaf-2", parent_version_id="leaf-1")
        for promoted in ("crop-1", "crop-2"):
            conn.execute("select promote_model(%s)", [promoted])
        yield conn


def steps(conn: psycopg.Connection, *arguments: object) -> list[tuple]:
    places = ", ".join(["%s"] * len(arguments))
    query = f"select side, depth, relation, via, id, path from model_lineage({places})"
    return [(*row[:5], "/".join(row[5])) for row in conn.execute(query, arguments)]


def test_ancestors_are_what_a_version_was_made_from(family):
    assert steps(family, "leaf-2", "ancestors") == [
        ("self", 0, None, None, "leaf-2", "leaf-2"),
        ("ancestor", 1, "parent", "leaf-2", "leaf-1", "leaf-2/leaf-1"),
        ("ancestor", 2, "base_model", "leaf-1", "crop-2", "leaf-2/leaf-1/crop-2"),
        ("ancestor", 3, "base_model", "crop-2", "vit-1", "leaf-2/leaf-1/crop-2/vit-1"),
        ("ancestor", 3, "parent", "crop-2", "crop-1", "leaf-2/leaf-1/crop-2/crop-1"),
        ("ancestor", 4, "evaluation_dataset", "crop-1", "fields", "leaf-2/leaf-1/crop-2/crop-1/fields"),
    ]


def test_descendants_are_what_came_of_it(family):
    assert steps(family, "vit-1", "descendants") == [
        ("self", 0, None, None, "vit-1", "vit-1"),
        ("descendant", 1, "base_model", "vit-1", "crop-1", "vit-1/crop-1"),
        ("descendant", 1, "base_model", "vit-1", "crop-2", "vit-1/crop-2"),
        ("descendant", 2, "base_model", "crop-2", "leaf-1", "vit-1/crop-2/leaf-1"),
        ("descendant", 3, "parent", "leaf-1", "leaf-2", "vit-1/crop-2/leaf-1/leaf-2"),
    ]
    assert [step[1:5] for step in steps(family, "fields", "descendants", 2)] == [
        (0, None, None, "fields"),
        (1, "evaluation_dataset", "fields", "crop-1"),
        (2, "parent", "crop-1", "crop-2"),
    ]


def test_both_sides_are_listed_after_the_artifact_itself(family):
    assert [step[:2] + step[4:5] for step in steps(family, "crop-2")] == [
        ("self", 0, "crop-2"),
        ("ancestor", 1, "vit-1"),
        ("ancestor", 1, "crop-1"),
        ("ancestor", 2, "fields"),
        ("descendant", 1, "leaf-1"),
        ("descendant", 2, "leaf-2"),
    ]
    assert [step[4] for step in steps(family, "crop-2", "both", 1)] == ["crop-2", "vit-1", "crop-1", "leaf-1"]


def test_what_superseded_another_came_of_it(family):
    with family.transaction(force_rollback=True):
        register(family, "risk", artifact_id="risk-1")
        register(family, "risk", artifact_id="risk-2")
        for promoted in ("risk-1", "risk-2"):
            family.execute("select promote_model(%s)", [promoted])
        assert [step[:5] for step in steps(family, "risk-1")] == [
            ("self", 0, None, None, "risk-1"),
            ("descendant", 1, "superseded_by", "risk-1", "risk-2"),
        ]
        assert steps(family, "risk-2", "ancestors")[1][:5] == ("ancestor", 1, "superseded_by", "risk-2", "risk-1")


def test_a_circle_of_successions_and_parents_ends(family):
    with family.transaction(force_rollback=True):
        # The child is superseded by its parent again.
        family.execute("select promote_model('crop-1')")
        assert [step[4] for step in steps(family, "crop-1", "descendants")] == ["crop-1", "crop-2", "leaf-1", "leaf-2"]
        assert [step[4] for step in steps(family, "crop-2", "ancestors")] == ["crop-2", "vit-1", "crop-1", "fields"]
        family.execute("set local session_replication_role = replica")
        family.execute("update artifacts set superseded_by = 'vit-1' where id = 'leaf-2'")
        assert {step[4] for step in steps(family, "leaf-1", "ancestors", 20)} == {
            *("leaf-1", "crop-2", "crop-1", "fields", "vit-1", "leaf-2")
        }


def test_a_row_says_what_the_artifact_is(family):
    query = """
        select id, artifact_type, name, version_number, title, promotion_state
        from model_lineage('crop-1', 'ancestors') order by id
    """
    assert family.execute(query).fetchall() == [
        ("crop-1", "model", "crop", 1, None, "superseded"),
        ("fields", "dataset", None, None, "Fields", None),
        ("vit-1", "model", "vit", 1, None, "candidate"),
    ]


def test_what_is_not_understood_is_refused(family):
    with refused("22023", detail="/direction: must be ancestors, descendants or both"):
        steps(family, "crop-1", "up")
    with refused("22023", detail="/direction: must be ancestors, descendants or both"):
        steps(family, "crop-1", None)
    with refused("22023", detail="/max_depth: must be at least 1"):
        steps(family, "crop-1", "both", 0)
    with refused("P0002", detail="/artifact_id: names no artifact"):
        steps(family, "nothing")
    with refused("P0002", detail="/artifact_id: names no artifact"):
        steps(family, None)


def chain(conn: psycopg.Connection, length: int) -> None:
    conn.execute(
        """
        insert into artifacts (id, artifact_type, name, metadata, parent_version_id)
        select 'chain-' || n, 'model', 'chain', %s, case when n > 1 then 'chain-' || n - 1 end
        from generate_series(1, %s) as n
        """,
        [psycopg.types.json.Jsonb(internal_metadata()), length],
    )
    conn.execute("insert into model_versions (artifact_id) select id from artifacts where name = 'chain'")


def test_a_long_chain_is_walked_to_its_end_with_paths_as_far_as_a_hundred_steps(family):
    with family.transaction(force_rollback=True):
        chain(family, 300)
        query = "select count(*), max(depth), max(cardinality(path)), count(path) from model_lineage(%s, %s)"
        assert family.execute(query, ["chain-1", "descendants"]).fetchone() == (300, 299, 101, 101)
        assert family.execute(query, ["chain-300", "ancestors"]).fetchone() == (300, 299, 101, 101)
        last = family.execute(
            "select depth, via, id from model_lineage('chain-1', 'descendants') order by depth desc limit 1"
        )
        assert last.fetchone() == (299, "chain-299", "chain-300")


def test_a_diamond_of_diamonds_takes_no_longer_than_its_edges(family):
    # Parent and base of each: as many ways from the first to the last as there are subsets.
    with family.transaction(force_rollback=True):
        chain(family, 60)
        family.execute("set local session_replication_role = replica")
        family.execute(
            """
            update model_versions as v set base_model_id = 'chain-' || (substr(v.artifact_id, 7)::integer - 2)
            where v.model_name = 'chain' and substr(v.artifact_id, 7)::integer > 2
            """
        )
        query = "select count(*), max(depth) from model_lineage(%s, %s, %s)"
        assert family.execute(query, ["chain-60", "ancestors", None]).fetchone() == (60, 30)
        assert family.execute(query, ["chain-60", "ancestors", 20]).fetchone() == (41, 20)
        assert family.execute(query, ["chain-1", "descendants", None]).fetchone() == (60, 30)


def assert_chain_and_fan(conn: psycopg.Connection, share: float) -> None:
    """Everything that is listed of a long chain and a wide fan: sides, depths, relations, ways, all of it in order."""
    length, width = int(10_000 * share), int(100_000 * share)
    lineage = "select side, depth, relation, via, id, name, version_number, path from model_lineage(%s, %s)"
    with conn.transaction(force_rollback=True):
        conn.execute("set local session_replication_role = replica")
        for statement in search._LINEAGE:
            conn.execute(statement, {"chain": length, "fan": width})
        conn.execute("set local session_replication_role = origin")

        found = conn.execute(lineage, ["chain-1", "descendants"]).fetchall()
        wanted = [("self", 0, None, None, "chain-1", "chain", 1, ["chain-1"])]
        for n in range(2, length + 1):
            path = [f"chain-{k}" for k in range(1, n + 1)] if n <= 101 else None
            wanted.append(("descendant", n - 1, "parent", f"chain-{n - 1}", f"chain-{n}", "chain", n, path))
        assert found == wanted

        found = conn.execute(lineage, [f"chain-{length}", "ancestors"]).fetchall()
        assert [row[:5] for row in found[1:]] == [
            ("ancestor", length - n, "parent", f"chain-{n + 1}", f"chain-{n}") for n in range(length - 1, 0, -1)
        ]
        assert found[100][7] == [f"chain-{n}" for n in range(length, length - 101, -1)]
        assert found[101][7] is None

        found = conn.execute(lineage, ["fan-1", "descendants"]).fetchall()
        assert found == [("self", 0, None, None, "fan-1", "fan", 1, ["fan-1"])] + [
            ("descendant", 1, "base_model", "fan-1", f"fan-{n}", "fan", n, ["fan-1", f"fan-{n}"])
            for n in range(2, width + 2)
        ]


def test_a_chain_of_hundreds_and_a_fan_of_thousands_are_listed_exactly(family):
    assert_chain_and_fan(family, 0.03)


@pytest.mark.long
def test_a_chain_of_ten_thousand_and_a_fan_of_a_hundred_thousand_are_listed_exactly(family):
    assert_chain_and_fan(family, 1)


def test_of_two_ways_of_one_length_the_first_relation_is_told(family):
    with family.transaction(force_rollback=True):
        both = internal_metadata(base_model_id="vit-1")
        register(family, "twice", both, artifact_id="twice-1", parent_version_id="vit-1")
        assert steps(family, "twice-1", "ancestors") == [
            ("self", 0, None, None, "twice-1", "twice-1"),
            ("ancestor", 1, "base_model", "twice-1", "vit-1", "twice-1/vit-1"),
        ]
