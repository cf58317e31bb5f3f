"""A dump brings back every row, in any order of restoring, and a registry that goes on working.

On the same server first, and, as the long form, on a new one that has had nothing but the roles.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from atlas_models import server_engine
from atlas_models.migration_runner import verify
from atlas_models.server_programs import ServerPrograms, find_or_install
from conftest import Server, memory_folder
from factories import Registered, external_metadata, internal_metadata, register, register_many
from refusals import refused


@pytest.fixture(scope="session")
def programs() -> ServerPrograms:
    return find_or_install(print)


@pytest.fixture
def filled(conn: psycopg.Connection, database_url: str) -> str:
    """URL of a database with datasets, lineage, and every promotion state."""
    conn.execute(
        "select register_artifact('dataset', 'Cohort B — «ß»', '[1e300, \"\\u00e9\"]', artifact_id => 'a-dataset')"
    )
    # Ids are chosen so that what is pointed at comes after what points at it.
    register(conn, "zoo", external_metadata(), artifact_id="z-base")
    for number in range(4):
        register(
            conn,
            "churn",
            internal_metadata(base_model_id="z-base", parameter_count=2**63 - 1 - number),
            artifact_id=f"m{9 - number}",
            parent_version_id=f"m{10 - number}" if number else None,
            eval_dataset_artifact_id="a-dataset",
            training_started_at="2024-05-01T10:00:00+02:00",
            idempotency_key=f"key {number}",
        )
    for artifact_id in ("m9", "m8", "z-base"):
        conn.execute("select promote_model(%s)", [artifact_id])
    conn.execute("select reject_model('m7', 'not enough')")
    conn.execute(
        "select record_evaluation('m6', metrics => '{\"auroc\": 0.1}', eval_dataset_artifact_id => 'a-dataset')"
    )
    conn.execute("select set_promotion_gate('auroc', '>=', 0.3, model_name => 'churn')")
    conn.execute("select set_promotion_policy('churn', require_second_person => false)")
    register(conn, "churn", artifact_id="deleted")
    conn.execute("select delete_model('deleted', 'a trial')")
    register_many(
        conn,
        [{"name": f"bulk {i % 7}", "metadata": internal_metadata(base_model_id=f"m{9 - i % 4}")} for i in range(200)],
    )
    return database_url


@pytest.fixture
def restored(
    request: pytest.FixtureRequest, filled: str, empty_database: str, programs: ServerPrograms, tmp_path: Path
) -> Iterator[psycopg.Connection]:
    """A connection to a new database that the dump of the filled one was restored into."""
    RESTORE[request.param](programs, filled, empty_database, tmp_path / "dump")
    with psycopg.connect(empty_database, autocommit=True) as conn:
        conn.execute("set search_path = atlas, public")
        yield conn


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def restore_plain(programs: ServerPrograms, source: str, target: str, file: Path) -> None:
    run(programs.program("pg_dump"), "--file", str(file), source)
    run(programs.program("psql"), "-qX", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", str(file), target)


def restore_custom(programs: ServerPrograms, source: str, target: str, file: Path) -> None:
    run(programs.program("pg_dump"), "--format=custom", "--file", str(file), source)
    run(programs.program("pg_restore"), "--jobs=2", "--exit-on-error", "--dbname", target, str(file))


def restore_directory(programs: ServerPrograms, source: str, target: str, folder: Path) -> None:
    run(programs.program("pg_dump"), "--format=directory", "--jobs=2", "--file", str(folder), source)
    run(programs.program("pg_restore"), "--jobs=2", "--exit-on-error", "--dbname", target, str(folder))


RESTORE: dict[str, Callable[[ServerPrograms, str, str, Path], None]] = {
    "plain": restore_plain,
    "custom": restore_custom,
    "directory": restore_directory,
}


def dump(programs: ServerPrograms, url: str) -> str:
    """A plain dump as text, without the random token that newer versions of pg_dump write."""
    program = programs.program("pg_dump")
    restrict = ["--restrict-key=fixed"] if "--restrict-key" in run(program, "--help") else []
    return run(program, *restrict, url)


both_ways = pytest.mark.parametrize("restored", ["plain", "custom"], indirect=True)


@pytest.mark.parametrize("restored", ["plain", "custom", "directory"], indirect=True)
def test_every_row_comes_back_and_the_second_dump_equals_the_first(
    restored: psycopg.Connection, filled: str, empty_database: str, programs: ServerPrograms
) -> None:
    rows = restored.execute("select (select count(*) from artifacts), (select count(*) from model_versions)")
    assert rows.fetchall() == [(206, 205)]
    assert dump(programs, empty_database) == dump(programs, filled)
    assert verify(empty_database) == []


@both_ways
def test_a_restored_registry_goes_on_counting_promoting_and_refusing(restored: psycopg.Connection) -> None:
    count_promote_and_refuse(restored)


def count_promote_and_refuse(restored: psycopg.Connection) -> None:
    """What a registry does, on what the fixture ``filled`` laid down."""
    assert register(restored, "churn", artifact_id="new", parent_version_id="m6") == Registered("new", 6, True)
    again = register(
        restored,
        "churn",
        internal_metadata(base_model_id="z-base", parameter_count=2**63 - 1),
        artifact_id="m9",
        eval_dataset_artifact_id="a-dataset",
        training_started_at="2024-05-01T08:00:00Z",
        idempotency_key="key 0",
    )
    assert again == Registered("m9", 1, False)
    with refused("MR011", detail="/auroc: wanted >= 0.3, missing"):
        restored.execute("select promote_model('new')")
    restored.execute("select record_evaluation('new', metrics => '{\"auroc\": 0.30000000000000004}')")
    assert restored.execute("select * from promote_model('new')").fetchall() == [("churn", 6, "m8")]
    states = restored.execute(
        "select artifact_id, promotion_state, is_latest, superseded_by from models where name = 'churn' order by 1"
    )
    assert states.fetchall() == [
        ("m6", "candidate", False, None),
        ("m7", "rejected", False, None),
        ("m8", "superseded", False, "new"),
        ("m9", "superseded", False, "m8"),
        ("new", "promoted", True, None),
    ]
    with refused(
        "23514",
        column="metadata",
        constraint="artifacts_metadata_valid",
        detail="/is_external: is required",
    ):
        register(restored, "churn", {})
    query = "select event_id, artifact_id, action from model_history('churn') where artifact_id in ('deleted', 'new')"
    events = restored.execute(query).fetchall()
    assert [event[1:] for event in events] == [
        ("deleted", "registered"),
        ("deleted", "deleted"),
        ("new", "registered"),
        ("new", "evaluated"),
        ("new", "changed"),
        ("new", "promoted"),
    ]
    assert [event[0] for event in events] == sorted({event[0] for event in events})
    with refused("MR008", detail="DELETE on atlas.model_events would change what is remembered"):
        restored.execute("delete from model_events")
    with refused("MR005", column="version_number", detail="/version_number: a registered version keeps it"):
        restored.execute("update artifacts set version_number = 9 where id = 'm6'")


@both_ways
def test_no_constraint_comes_back_unvalidated_and_no_trigger_disarmed(
    restored: psycopg.Connection, conn: psycopg.Connection
) -> None:
    guards = """
        select conrelid::regclass::text, conname, convalidated::text from pg_constraint
        where connamespace = 'atlas'::regnamespace
        union all
        select tgrelid::regclass::text, tgname, tgenabled::text from pg_trigger where not tgisinternal
        order by 1, 2, 3
    """
    assert restored.execute(guards).fetchall() == conn.execute(guards).fetchall()
    unvalidated = "select count(*) from pg_constraint where connamespace = 'atlas'::regnamespace and not convalidated"
    assert restored.execute(unvalidated).fetchall() == [(0,)]


# --- on a new server --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="atlas-test-engine-"))
    server_engine.install(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def new_server(engine: Path) -> Iterator[Server]:
    """Another server, with the engine, on which nothing has been deployed."""
    with Server(find_or_install(print), engine, folder=memory_folder()) as server:
        yield server


def move(way: str, programs: ServerPrograms, source: str, server: Server, folder: Path) -> str:
    """Restores a database on a new server, the roles first; the URL of what was made there."""
    maintenance, target = server.url(database="postgres"), server.url(database="moved")
    # Of the roles, the new server has its superuser already.
    roles = run(programs.program("pg_dumpall"), "--roles-only", "--dbname", source)
    (folder / "roles.sql").write_text(roles.replace("CREATE ROLE postgres;\n", ""))
    run(programs.program("psql"), "-qX", "-v", "ON_ERROR_STOP=1", "-f", str(folder / "roles.sql"), maintenance)
    with psycopg.connect(maintenance, autocommit=True) as conn:
        conn.execute("create database moved template template0")
    RESTORE[way](programs, source, target, folder / "dump")
    return target


@pytest.mark.long
@pytest.mark.parametrize("way", RESTORE)
def test_a_fresh_registry_moves_to_a_new_server(way, filled, new_server, programs, tmp_path) -> None:
    target = move(way, programs, filled, new_server, tmp_path)
    assert dump(programs, target) == dump(programs, filled)
    assert verify(target) == []
    with psycopg.connect(target, autocommit=True, options="-c search_path=atlas,public") as conn:
        assert conn.execute("select count(*) from models").fetchone() == (205,)
        count_promote_and_refuse(conn)


@pytest.mark.long
@pytest.mark.parametrize("way", RESTORE)
def test_a_catalogue_that_was_taken_over_moves_to_a_new_server(
    way, backfilled_url, new_server, programs, tmp_path
) -> None:
    target = move(way, programs, backfilled_url, new_server, tmp_path)
    assert dump(programs, target) == dump(programs, backfilled_url)
    assert verify(target) == []
    with psycopg.connect(target, autocommit=True, options="-c search_path=atlas,public") as conn:
        assert conn.execute("select count(*) from artifacts_original").fetchone() == (6,)
        waiting = conn.execute("select artifact_id from backfill_reviews order by artifact_id").fetchall()
        assert waiting == [("drift-1",), ("drift-2",), ("ode-1",)]
        conn.execute("select resolve_backfill_review('ode-1', '{\"parameter_count\": 31}', 'counted again')")
        assert register(conn, "Risk", artifact_id="risk-2", parent_version_id="risk-1").version_number == 2
        conn.execute("select promote_model('risk-2', override_reason => 'a trial')")
        history = conn.execute("select artifact_id, action from model_history('Risk') order by event_id").fetchall()
        assert history == [
            ("risk-1", "adopted"),
            ("risk-1", "promoted"),
            ("risk-2", "registered"),
            ("risk-1", "superseded"),
            ("risk-2", "promoted"),
        ]
