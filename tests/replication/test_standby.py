"""A streaming standby: what can be read on it, and what is there when it takes over from a primary that was killed."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from atlas_models import Registry, server_engine
from atlas_models.migration_errors import PreflightError
from atlas_models.migration_runner import migrate, verify
from atlas_models.server_programs import find_or_install
from commands import as_url
from conftest import Server, _create_login_roles
from factories import external_metadata, internal_metadata, register
from standbys import kill_server, standby_of
from waiting import wait_until

# How every function that reads, and that a reader may call, is called; and what it answers with at least one row.
CALLS = {
    "check_gates": "('risk-1')",
    "current_metadata_schema_version": "()",
    "has_bounded_numbers": "('{}')",
    "is_bounded_metadata": "('model', 1, '{}')",
    "is_bounded_object": "('{}')",
    "is_commit_sha": "('0123456789abcdef0123456789abcdef01234567')",
    "is_complete_artifact": "('model', 1, 'a', 'a', 1, true, null, null, now(), now())",
    "is_complete_version": "(null, null, null, null, null, null, null, null, null, null)",
    "is_model_name": "('risk')",
    "is_repository_url": "('https://git.example.org/a/b')",
    "is_valid_metadata": "('model', 1, '{}')",
    "json_matches_schema": "('{}', '{}')",
    "jsonb_matches_schema": "('{}', '{}')",
    "jsonschema_is_valid": "('{}')",
    "jsonschema_validation_errors": "('{\"type\": \"object\"}', '1')",
    "metadata_errors": "('{}')",
    "migration_report": "()",
    "model_card": "('risk-1')",
    "model_history": "('risk')",
    "model_lineage": "('risk-2')",
    "needs_explanation": "('model', 1, '{}')",
    "needs_facts": "('risk', null, null)",
    "needs_place": "('model', 'risk', 1, true, 1, null, 'risk-1')",
    "promoted_at": "('risk')",
    "resolve_artifact": "('risk')",
    "rows_are_complete": "()",
    "search_models": """('{"text": "risk", "metric": "auroc", "op": ">=", "value": 0.5}')""",
    "suggest_names": "('rsk')",
    "validate_metadata": None,  # answers with nothing, or refuses
}
READING = """
    select p.proname from pg_proc as p
    where p.pronamespace = 'atlas'::regnamespace and p.provolatile <> 'v' and p.prorettype <> 'trigger'::regtype
        and has_function_privilege('atlas_reader', p.oid, 'execute')
    order by 1
"""
VIEWS = """
    select c.relname from pg_class as c
    where c.relnamespace = 'atlas'::regnamespace and c.relkind in ('v', 'm')
        and has_table_privilege('atlas_reader', c.oid, 'select')
    order by 1
"""


def fill(conn: psycopg.Connection) -> None:
    """Something of everything that can be read."""
    register(conn, "risk", artifact_id="risk-1")
    register(conn, "risk", artifact_id="risk-2", parent_version_id="risk-1")
    register(conn, "vit", external_metadata(), artifact_id="vit-1")
    conn.execute("select register_artifact('dataset', 'Loans', artifact_id => 'loans')")
    conn.execute(
        "select record_evaluation('risk-1', metrics => '{\"auroc\": 0.9}', eval_dataset_artifact_id => 'loans')"
    )
    conn.execute("select set_promotion_gate('auroc', '>=', 0.5, model_name => 'risk')")
    conn.execute("select promote_model('risk-1', override_reason => 'a trial')")


def read_everything(conn: psycopg.Connection) -> None:
    """Reads every view and calls every function that a reader may, as the reader that is connected."""
    views = [name for (name,) in conn.execute(VIEWS)]
    functions = [name for (name,) in conn.execute(READING)]
    assert {"models", "unlinked_models"} <= set(views)
    assert functions == sorted(CALLS), "a function that reads needs a call in this list"
    for view in views:
        found = conn.execute(f"select * from atlas.{view}").fetchall()
        assert bool(found) == (view != "backfill_reviews"), view
    for function, arguments in CALLS.items():
        if arguments is None:
            with pytest.raises(psycopg.errors.CheckViolation):
                conn.execute(f"select atlas.{function}('{{}}')")
            continue
        assert conn.execute(f"select * from atlas.{function}{arguments}").fetchall(), function


def as_reader(url: str) -> psycopg.Connection:
    return psycopg.connect(make_conninfo(url, user="test_reader"), autocommit=True)


def test_everything_that_a_reader_may_call_reads_only(conn, database_url):
    fill(conn)
    with as_reader(database_url) as reader:
        reader.execute("begin read only")
        read_everything(reader)


@pytest.fixture(scope="module")
def engine() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="atlas-test-engine-"))
    server_engine.install(folder)
    yield folder
    shutil.rmtree(folder)


# A server that is killed: what it acknowledges is on its disk.
SETTINGS = ("-c max_connections=200", "-c wal_level=replica", "-c max_wal_senders=5")


@pytest.fixture
def primary(engine: Path) -> Iterator[Server]:
    """A server with a registry, in the database ``postgres``, that may be killed."""
    with Server(find_or_install(print), engine, SETTINGS) as server:
        url = server.url(database="postgres")
        migrate(url)
        _create_login_roles(url)
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("alter database postgres set search_path = atlas, public")
        yield server


def database_of(server: Server) -> str:
    return as_url(server.url(database="postgres"))


class Load:
    """Sessions that register models without a pause, each until its connection is lost; and what was acknowledged."""

    def __init__(self, url: str, sessions: int) -> None:
        self.acknowledged: list[tuple[str, str, int]] = []
        self._url = url
        self._threads = [threading.Thread(target=self._register, args=[number]) for number in range(sessions)]

    def _register(self, session: int) -> None:
        with psycopg.connect(self._url, autocommit=True) as conn:
            for number in range(1_000_000):
                name = f"load {(session + number) % 3}"  # sessions meet at names
                try:
                    made = register(conn, name, artifact_id=f"load-{session}-{number}")
                except psycopg.OperationalError:
                    return
                self.acknowledged.append((made.artifact_id, name, made.version_number))

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()


@pytest.mark.long
def test_a_synchronous_standby_is_read_and_takes_over_without_losing_what_was_acknowledged(primary, engine):
    url = database_of(primary)
    server = url.rpartition("/")[0]
    with psycopg.connect(url, autocommit=True) as conn:
        fill(conn)
    with standby_of(server, engine) as standby:
        standby.catch_up()
        with as_reader(f"{standby.url}/postgres") as reader:
            assert reader.execute("select pg_is_in_recovery()").fetchone() == (True,)
            read_everything(reader)
        with (
            psycopg.connect(f"{standby.url}/postgres", autocommit=True) as conn,
            pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
        ):
            register(conn, "risk")
        with pytest.raises(PreflightError, match="the server is a standby, which cannot be written"):
            verify(f"{standby.url}/postgres")

        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("alter system set synchronous_standby_names = 'standby_1'")
            conn.execute("select pg_reload_conf()")
        standby.wait_for_streaming()
        places = [conninfo_to_dict(place) for place in (url, standby.url)]
        both = make_conninfo(
            url, host=",".join(place["host"] for place in places), port=",".join(place["port"] for place in places)
        )
        with (
            Registry(make_conninfo(both, target_session_attrs="read-write")) as writes,
            Registry(make_conninfo(both, target_session_attrs="prefer-standby")) as reads,
        ):
            assert writes.register_model("risk", internal_metadata()).version_number == 3
            standby.catch_up()
            assert reads.get_model("risk").version_number == 3
            with Load(url, sessions=4) as load:
                wait_until(lambda: len(load.acknowledged) >= 2000, "2,000 registrations")
                kill_server(primary.child_process)
            acknowledged = set(load.acknowledged)
            standby.promote()
            with psycopg.connect(f"{standby.url}/postgres", autocommit=True) as conn:
                kept = conn.execute("select artifact_id, name, version_number from models where name like 'load %'")
                rows = set(kept.fetchall())
                print(f"acknowledged {len(acknowledged)}, kept {len(rows)}")
                assert acknowledged - rows == set()
                # What was written and not acknowledged may be there as well: one for each session at most.
                assert len(rows) <= len(acknowledged) + 4
                numbers = "select name, array_agg(version_number order by version_number) from models group by name"
                for name, found in conn.execute(numbers):
                    assert found == list(range(1, len(found) + 1)), name
            # The client that was open all the while finds the new primary.
            assert writes.register_model("risk", internal_metadata()).version_number == 4
            assert reads.get_model("risk").version_number == 4
            writes.promote(writes.get_model("risk").artifact_id, override_reason="the new primary")
            assert [event.action for event in reads.model_history("risk")][-2:] == ["superseded", "promoted"]
        with as_reader(f"{standby.url}/postgres") as reader:
            read_everything(reader)
        assert verify(f"{standby.url}/postgres") == []


@pytest.mark.slow
def test_an_asynchronous_standby_takes_over_without_what_had_not_arrived_and_its_numbers_are_given_again(
    primary, engine
):
    url = database_of(primary)
    with standby_of(url.rpartition("/")[0], engine) as standby:
        with psycopg.connect(url, autocommit=True) as conn:
            assert register(conn, "risk", artifact_id="arrived").version_number == 1
            standby.catch_up()
            # What is stopped sends nothing: as if the network stood still just before the primary dies.
            ((sender,),) = conn.execute("select pid from pg_stat_replication").fetchall()
            os.kill(sender, signal.SIGSTOP)
            lost = [register(conn, "risk", artifact_id=f"lost-{number}").version_number for number in range(5)]
            assert lost == [2, 3, 4, 5, 6]
        kill_server(primary.child_process)
        standby.promote()
        with psycopg.connect(f"{standby.url}/postgres", autocommit=True) as conn:
            assert conn.execute("select artifact_id from models").fetchall() == [("arrived",)]
            assert conn.execute("select artifact_id from model_history('risk')").fetchall() == [("arrived",)]
            assert register(conn, "risk", artifact_id="another").version_number == 2
