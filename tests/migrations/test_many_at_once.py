"""Deploys that collide with each other, and one that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from atlas_models.migration_errors import MigrationError
from atlas_models.migration_runner import Patience, migrate
from waiting import wait_for_deploy, wait_until, wait_until_blocked

DEPLOY = """
import sys
from pathlib import Path
from atlas_models.migration_runner import Patience, migrate
report = migrate(sys.argv[1], source=Path(sys.argv[2]), patience=Patience(lock_timeout_seconds=60))
print("nothing" if report.nothing_to_do else "applied")
"""


def deploy_in_a_process(url: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", DEPLOY, url, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as conn:
        return [row[0] for row in conn.execute("select tablename from pg_tables where schemaname = 'atlas' order by 1")]


def test_of_twelve_deploys_at_once_exactly_one_applies(empty_database, tree):
    processes = [deploy_in_a_process(empty_database, tree.folder) for _ in range(12)]
    outcomes = [process.communicate(timeout=60) for process in processes]
    assert [errors for _, errors in outcomes if errors] == []
    assert sorted(output.strip() for output, _ in outcomes) == ["applied"] + ["nothing"] * 11


def test_a_deploy_killed_half_way_leaves_nothing_and_the_next_one_completes(empty_database, tree):
    tree.migration("0002_waits.sql", "create table half (id integer); lock table public.busy; create table rest ();")
    with psycopg.connect(empty_database) as holder, psycopg.connect(empty_database, autocommit=True) as observer:
        observer.execute("create table public.busy (id integer)")
        holder.execute("lock table public.busy")
        process = deploy_in_a_process(empty_database, tree.folder)
        pid = wait_for_deploy(observer)
        wait_until_blocked(observer, pid)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.communicate()
        # The lock is still held: the server itself must notice that the deploy is gone.
        gone = "select not exists (select from pg_stat_activity where pid = %s)"
        wait_until(lambda: observer.execute(gone, [pid]).fetchone()[0], "the server to end the killed deploy's session")
        assert tables(empty_database) == []
        holder.rollback()
    assert migrate(empty_database, source=tree.folder).applied == ("0001_things", "0002_waits")
    assert tables(empty_database) == [
        "atlas_adoption",
        "atlas_deployments",
        "atlas_migrations",
        "half",
        "rest",
        "things",
    ]


def test_a_session_that_the_server_ends_is_one_clear_error(empty_database, tree):
    tree.migration("0002_waits.sql", "lock table public.busy;")
    with (
        ThreadPoolExecutor() as pool,
        psycopg.connect(empty_database) as holder,
        psycopg.connect(empty_database, autocommit=True) as observer,
    ):
        observer.execute("create table public.busy (id integer)")
        holder.execute("lock table public.busy")
        deploy = pool.submit(migrate, empty_database, source=tree.folder, patience=Patience(lock_timeout_seconds=60))
        pid = wait_for_deploy(observer)
        wait_until_blocked(observer, pid)
        observer.execute("select pg_terminate_backend(%s)", [pid])
        with pytest.raises(MigrationError, match="the server ended the deploy: terminating connection"):
            deploy.result(timeout=30)
    assert tables(empty_database) == []


def test_a_role_that_another_database_makes_after_the_file_looked_for_it_is_looked_for_again(
    server_url, empty_database, empty_tree
):
    role = f"atlas_test_late_role_{os.getpid()}"
    empty_tree.migration(
        "0001_role.sql",
        f"""
        do $$
        begin
            if not exists (select from pg_roles where rolname = '{role}') then
                lock table public.busy;
                create role {role} nologin;
            end if;
        end
        $$;
        """,
    )
    empty_tree.code("nothing.sql", "-- atlas: superuser\nselect 1")
    progress: list[str] = []
    patience = Patience(lock_timeout_seconds=60, pause_seconds=0.01)
    try:
        with (
            ThreadPoolExecutor() as pool,
            psycopg.connect(empty_database) as holder,
            psycopg.connect(empty_database, autocommit=True) as observer,
        ):
            observer.execute("create table public.busy (id integer)")
            holder.execute("lock table public.busy")
            deploy = pool.submit(
                migrate, empty_database, source=empty_tree.folder, patience=patience, progress=progress.append
            )
            wait_until_blocked(observer, wait_for_deploy(observer))
            holder.execute(sql.SQL("create role {}").format(sql.Identifier(role)))
            holder.commit()
            assert deploy.result(timeout=30).applied == ("0001_role",)
        again = f'migrations/0001_role.sql: role "{role}" already exists; trying again (1 of 6)'
        assert progress == ["migration 0001_role", again, "migration 0001_role", "code: 1 files of sql/"]
    finally:
        with psycopg.connect(server_url, autocommit=True) as conn:
            conn.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(role)))


def test_a_role_that_stands_there_for_good_is_the_fault_of_the_file(empty_database, empty_tree):
    empty_tree.migration("0001_role.sql", "create role postgres;")
    empty_tree.code("nothing.sql", "-- atlas: superuser\nselect 1")
    with pytest.raises(MigrationError) as caught:
        migrate(empty_database, source=empty_tree.folder, patience=Patience(attempts=2, pause_seconds=0.01))
    assert caught.value.message == (
        'migrations/0001_role.sql: role "postgres" already exists (42710); nothing was changed'
    )


def test_two_databases_of_one_cluster_deploy_at_once(server_url, new_database, empty_tree):
    role = f"atlas_test_role_{os.getpid()}"
    empty_tree.migration(
        "0001_role.sql",
        f"""
        do $$
        begin
            if not exists (select from pg_roles where rolname = '{role}') then
                create role {role} nologin;
            end if;
        end
        $$;
        comment on role {role} is 'made by two databases at once';
        grant pg_monitor to {role};
        """,
    )
    empty_tree.code("nothing.sql", "-- atlas: superuser\nselect 1")
    try:
        for _ in range(5):
            urls = [new_database() for _ in range(4)]
            with ThreadPoolExecutor(len(urls)) as pool:
                reports = list(pool.map(lambda url: migrate(url, source=empty_tree.folder), urls))
            assert [report.applied for report in reports] == [("0001_role",)] * 4
            with psycopg.connect(server_url, autocommit=True) as conn:
                for url in urls:
                    name = sql.Identifier(str(conninfo_to_dict(url)["dbname"]))
                    conn.execute(sql.SQL("drop database {} with (force)").format(name))
                conn.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))
    finally:
        with psycopg.connect(server_url, autocommit=True) as conn:
            conn.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(role)))
