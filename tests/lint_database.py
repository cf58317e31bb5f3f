"""`make lint`: what can be said of SQL once it is deployed: plpgsql_check and pgspot, on a server of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from atlas_models import migration_runner, server_engine
from atlas_models.server_programs import find_or_install
from conftest import Server

SCHEMA = "atlas"
PGSPOT = Path(sys.executable).with_name("pgspot")

# A trigger function is checked for each table that it is bound to, with the names of its transition tables.
_CHECK = """
    select
        p.oid::regprocedure || coalesce(' on ' || t.tgrelid::regclass, '')
        || ', line ' || coalesce(c.lineno::text, '?') || ': ' || c.level
        || ': ' || c.message || coalesce(' (' || c.detail || ')', '')
    from pg_proc as p
    inner join pg_language as l on p.prolang = l.oid and l.lanname = 'plpgsql'
    left join (
        select tgfoid, tgrelid, max(tgoldtable) as old_table, max(tgnewtable) as new_table
        from pg_trigger where not tgisinternal group by tgfoid, tgrelid
    ) as t on p.oid = t.tgfoid
    cross join lateral public.plpgsql_check_function_tb(
        p.oid, coalesce(t.tgrelid, 0), fatal_errors => false, extra_warnings => false, other_warnings => false,
        performance_warnings => false, security_warnings => true, oldtable => t.old_table, newtable => t.new_table
    ) as c
    where p.pronamespace = %s::regnamespace and (p.prorettype <> 'trigger'::regtype or t.tgrelid is not null)
    order by 1
"""
# These have no search_path, for reasons that tests/catalog/test_deployed.py gives.
WITHOUT_SEARCH_PATH = ("_declared_facts", "_search_term", "backfill_model_versions")

# As one script that makes the schema and puts everything into it, with the search_path of the deploy. Bodies that are
# bound when they are created name nothing that a search_path could lead astray, and pgspot cannot read them; Python
# it does not read.
_BUNDLE = """
    select pg_get_functiondef(p.oid) || ';'
    from pg_proc as p
    inner join pg_language as l on p.prolang = l.oid and l.lanname in ('sql', 'plpgsql')
    where p.pronamespace = %s::regnamespace and p.prosqlbody is null and p.proname <> all(%s)
    order by p.proname
"""


def main() -> int:
    """Deploy into a throwaway server, run both tools, print what they find; 1 when that is anything."""
    programs = find_or_install(print)
    engine = Path(tempfile.mkdtemp(prefix="atlas-lint-engine-"))
    try:
        server_engine.install(engine)
        with Server(programs, engine) as server:
            url = server.url(database="postgres")
            migration_runner.migrate(url, schema=SCHEMA)
            with psycopg.connect(url, autocommit=True, options=f"-c search_path={SCHEMA}") as conn:
                if not _install_plpgsql_check(conn, programs.major):
                    return 1
                return max(_plpgsql_check(conn), _pgspot(conn))
    finally:
        shutil.rmtree(engine, ignore_errors=True)


def _install_plpgsql_check(conn: psycopg.Connection, major: int) -> bool:
    """Make the extension, from Debian's package where it is not here and may be installed."""
    available = "select count(*) from pg_available_extensions where name = 'plpgsql_check'"
    package = f"postgresql-{major}-plpgsql-check"
    if conn.execute(available).fetchone() == (0,):
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            print(f"lint: plpgsql_check is not installed here: sudo apt-get install {package}", file=sys.stderr)
            return False
        print(f"installing {package} (apt-get)")
        for command in (["update"], ["install", "--yes", "--no-install-recommends", package]):
            environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            result = subprocess.run(["apt-get", "-qq", *command], env=environment, capture_output=True, check=False)
            if result.returncode != 0:
                print(f"lint: apt-get {' '.join(command)} failed: {result.stderr.decode()}", file=sys.stderr)
                return False
    conn.execute("create extension plpgsql_check with schema public")
    return True


def _plpgsql_check(conn: psycopg.Connection) -> int:
    found = [line for (line,) in conn.execute(_CHECK, [SCHEMA])]
    print("\n".join([*found, f"plpgsql_check: {len(found)} findings"]))
    return int(bool(found))


def _pgspot(conn: psycopg.Connection) -> int:
    functions = [definition for (definition,) in conn.execute(_BUNDLE, [SCHEMA, list(WITHOUT_SEARCH_PATH)])]
    bundle = "\n".join([f"create schema {SCHEMA};", f"set search_path = {SCHEMA}, pg_temp;", *functions])
    result = subprocess.run([PGSPOT], input=bundle, text=True, check=False)
    return result.returncode


if __name__ == "__main__":
    sys.exit(main())
