"""A logical subscriber: it gets what happened as rows, by the first copy and after, and writes no events of its own."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from atlas_models.migration_runner import migrate
from waiting import wait_until

TABLES = "artifacts, registered_models, model_versions, model_evaluations, promotion_gates, model_events"
CONTENT = """
    select
        (select jsonb_agg(to_jsonb(e) order by e.event_id) from model_events as e),
        (select jsonb_agg(to_jsonb(m) order by m.artifact_id) from models as m),
        (select jsonb_agg(to_jsonb(e) order by e.evaluation_id) from evaluations as e)
"""


@pytest.fixture
def subscriber(committing, database_url: str, empty_database: str) -> Iterator[psycopg.Connection]:
    migrate(empty_database)
    source = committing.conn
    source.execute(f"create publication governance for table {TABLES}")
    source.execute("select pg_create_logical_replication_slot('governance', 'pgoutput')")
    with psycopg.connect(empty_database, autocommit=True, options="-c search_path=atlas") as conn:
        conn.execute(
            f"""create subscription governance connection '{database_url}' publication governance
            with (create_slot = false, slot_name = 'governance')"""
        )
        try:
            yield conn
        finally:
            conn.execute("alter subscription governance disable")
            conn.execute("alter subscription governance set (slot_name = none)")
            conn.execute("drop subscription governance")
            idle = "select count(*) from pg_replication_slots where database = current_database() and active"
            wait_until(lambda: source.execute(idle).fetchone() == (0,), "the slots to be free")
            slots = "from pg_replication_slots where database = current_database()"
            source.execute(f"select pg_drop_replication_slot(slot_name) {slots}")


def live(governed, model: str) -> None:
    """Every kind of event, in the life of one model."""
    for number in range(3):
        governed.ready(f"{model}-{number}", model, auroc=0.9 + number / 100)
    governed.gate("auroc", ">=", 0.5, model)
    governed.promote(f"{model}-0")
    governed.promote(f"{model}-1")
    governed.conn.execute("update artifacts set title = 'Risk' where id = %s", [f"{model}-0"])
    governed.conn.execute("select delete_model(%s, 'a trial')", [f"{model}-2"])


def test_a_subscriber_has_the_same_history_and_writes_none_of_its_own(committing, subscriber):
    live(committing, "risk")
    copied = "select count(*) from pg_subscription_rel where srsubstate = 'r'"
    wait_until(lambda: subscriber.execute(copied).fetchone() == (6,), "the first copy")
    live(committing, "churn")
    expected = committing.rows(CONTENT)
    wait_until(lambda: subscriber.execute(CONTENT).fetchall() == expected, "the rest to arrive")
    assert committing.actions("churn")[-1] == "deleted"
