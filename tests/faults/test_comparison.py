"""The comparison that the other tests of this folder rest on finds whatever is lost, doubled or half-written."""

from __future__ import annotations

import pytest

from consistency import RULES, broken_rules
from registry_load import Acknowledged, load

TABLES = (
    "artifacts",
    "model_versions",
    "registered_models",
    "model_events",
    "model_evaluations",
    "model_search",
    "model_metrics",
)
A_VERSION = "(select artifact_id from model_versions where promotion_state = 'candidate' order by artifact_id limit 1)"
THE_PROMOTED = "(select artifact_id from model_versions where promotion_state = 'promoted' limit 1)"
DAMAGE = {
    f"delete from model_versions where artifact_id = {A_VERSION}": "a model has exactly one version row",
    f"update model_versions set model_name = 'other' where artifact_id = {A_VERSION}": "a model has exactly one",
    f"delete from artifacts where id = {A_VERSION}": "numbers of a name are 1..n",
    f"update artifacts set version_number = 99 where id = {A_VERSION}": "numbers of a name are 1..n",
    "update artifacts set is_latest = false where is_latest and name = 'churn'": "numbers of a name are 1..n",
    "update registered_models set last_version = last_version + 1 where name = 'churn'": "numbers of a name are 1..n",
    "insert into registered_models (name) values ('never registered')": "numbers of a name are 1..n",
    f"delete from model_events where artifact_id = {A_VERSION}": "a version has exactly one event",
    f"delete from model_search where artifact_id = {A_VERSION}": "a version has exactly one search row, which says",
    "delete from model_metrics where metric = 'auroc'": "the metrics that are searched",
    f"""update model_versions set promotion_state = 'superseded'
        where artifact_id = {THE_PROMOTED}""": "of a name that was ever promoted",
    "update artifacts set superseded_by = null": "of a name that was ever promoted",
    "delete from model_events where action = 'promoted'": "a version's state is what its last event says",
    "delete from model_events where action = 'evaluated'": "an evaluation has its event",
    "delete from model_evaluations": "an evaluation has its event",
}


@pytest.mark.slow
def test_every_kind_of_damage_is_found(database_url, conn):
    with load(database_url, writers=2) as running:
        running.wait_for(40)
    assert running.differences() == []
    assert running.interrupted == 0
    with conn.transaction(force_rollback=True):
        for table in TABLES:
            conn.execute(f"alter table {table} disable trigger all")
        conn.execute("alter table model_versions drop constraint model_versions_artifact_name_fkey")
        for damage, rule in DAMAGE.items():
            with conn.transaction(force_rollback=True):
                assert conn.execute(damage).rowcount > 0, damage
                queries = [query for what, query in RULES.items() if what.startswith(rule)]
                assert [row for query in queries for row in conn.execute(query).fetchall()], damage
        assert broken_rules(conn) == {}


@pytest.mark.slow
def test_whatever_differs_from_the_writers_notes_is_found(database_url):
    with load(database_url, writers=1) as running:
        running.wait_for(40)
    (writer,) = running.writers
    assert running.differences() == []
    key, made = next(iter(writer.acknowledged.items()))
    never = Acknowledged("churn", 1000, "never-registered")

    def differs(said: str) -> bool:
        return [said in difference for difference in running.differences()] == [True]

    writer.acknowledged["0-never"] = never
    assert differs("acknowledged, and not there as it was acknowledged: [('0-never', Acknowledged(")
    del writer.acknowledged["0-never"]
    writer.acknowledged[key] = made._replace(version_number=made.version_number + 1)
    assert differs("acknowledged, and not there as it was acknowledged")
    writer.acknowledged[key] = made
    name = writer.asked.pop(key)
    assert differs(f"there, and never asked for: ['{key}']")
    writer.asked[key] = name
    writer.arrays.append([key, "0-never"])
    assert differs(f"a part of an array: [['{key}', '0-never']]")
    writer.arrays.pop()
    writer.evaluated["0-never"] = made.artifact_id
    assert differs("evaluations that were acknowledged, and are not there: [('0-never'")
    del writer.evaluated["0-never"]
    writer.promoted.append("never-registered")
    assert differs("promotions that were acknowledged")
    writer.promoted.pop()
    assert running.differences() == []
