"""What a deploy does to a database, and what it leaves when it does not succeed."""

from __future__ import annotations

import threading

import psycopg
import pytest

from atlas_models.migration_errors import MigrationError
from atlas_models.migration_runner import Patience, migrate, status
from waiting import wait_for_deploy, wait_until_blocked

IMPATIENT = Patience(deploy_lock_seconds=0.5, lock_timeout_seconds=0.2, attempts=2, pause_seconds=0.01)


def value(url: str, query: str):
    with psycopg.connect(url, autocommit=True) as conn:
        return conn.execute(query).fetchone()[0]


def run(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(statement)


def refusal(url: str, tree, **options) -> MigrationError:
    with pytest.raises(MigrationError) as caught:
        migrate(url, source=tree.folder, **options)
    return caught.value


def ledger(url: str) -> list[tuple]:
    with psycopg.connect(url, autocommit=True) as conn:
        return conn.execute("select number, name, xmin::text from atlas.atlas_migrations order by number").fetchall()


def test_the_first_run_applies_migrations_and_code(empty_database, tree):
    report = migrate(empty_database, source=tree.folder)
    assert (report.applied, report.code_deployed) == (("0001_things",), True)
    assert value(empty_database, "select atlas.count_things()") == 0


def test_the_second_run_writes_nothing(empty_database, tree):
    migrate(empty_database, source=tree.folder)
    before = value(empty_database, "select txid_current()")
    report = migrate(empty_database, source=tree.folder)
    assert report.nothing_to_do
    # The next transaction id is the very next one: the run in between took none.
    assert value(empty_database, "select txid_current()") == before + 1


def test_objects_are_made_in_the_schema_that_was_asked_for(empty_database, tree):
    migrate(empty_database, schema='odd "name"', source=tree.folder)
    query = 'select "odd ""name""".count_things()'
    assert value(empty_database, query) == 0
    assert value(empty_database, "select to_regnamespace('atlas') is null")


def test_two_schemas_of_one_database_do_not_know_of_each_other(empty_database, tree):
    migrate(empty_database, schema="one", source=tree.folder)
    assert migrate(empty_database, schema="two", source=tree.folder).applied == ("0001_things",)


def test_a_new_migration_is_applied_alone_and_the_code_after_it(empty_database, tree):
    migrate(empty_database, source=tree.folder)
    tree.migration("0002_size.sql", "set local role atlas_owner; alter table things add size integer;")
    report = migrate(empty_database, source=tree.folder)
    assert (report.applied, report.code_deployed) == (("0002_size",), True)


def test_a_function_edited_in_sql_deploys_alone(empty_database, tree):
    migrate(empty_database, source=tree.folder)
    before = ledger(empty_database)
    tree.code("30_api/count_things.sql", "create or replace function count_things() returns bigint return 42;")
    report = migrate(empty_database, source=tree.folder)
    assert (report.applied, report.code_deployed) == ((), True)
    assert value(empty_database, "select atlas.count_things()") == 42
    assert ledger(empty_database) == before
    assert migrate(empty_database, source=tree.folder).nothing_to_do


def test_code_belongs_to_the_owner_role_unless_it_asks_for_the_superuser(empty_database, tree):
    tree.code("10_validation/mine.sql", "-- atlas: superuser\ncreate function mine() returns int return 1;")
    migrate(empty_database, source=tree.folder)
    owner = "select pg_get_userbyid(proowner) from pg_proc where proname = '{}'"
    assert value(empty_database, owner.format("count_things")) == "atlas_owner"
    assert value(empty_database, owner.format("mine")) == value(empty_database, "select current_user")


def test_a_file_leaves_no_settings_to_the_next_one(empty_database, tree):
    tree.migration(
        "0002_leaky.sql",
        "set role atlas_owner; set search_path = pg_catalog; set local lock_timeout = 1; set statement_timeout = 1;",
    )
    tree.migration(
        "0003_clean.sql",
        """
        create table seen as select current_user::text as who, current_setting('search_path') as path,
            current_setting('statement_timeout') as patience, current_setting('lock_timeout') as lock_patience;
        """,
    )
    migrate(empty_database, source=tree.folder)
    with psycopg.connect(empty_database) as conn:
        who, path, patience, lock_patience = conn.execute("select * from atlas.seen").fetchone()
        assert who == conn.execute("select session_user").fetchone()[0]
    assert (path, patience, lock_patience) == ("atlas, pg_temp", "0", "4s")


def test_deferred_constraints_are_checked_after_the_file_that_broke_them(empty_database, tree):
    tree.migration(
        "0002_deferred.sql",
        """
        create table parents (id integer primary key);
        create table children (parent integer references parents deferrable initially deferred);
        insert into children values (1);
        """,
    )
    tree.migration("0003_innocent.sql", "alter table children add note text;")
    error = refusal(empty_database, tree)
    assert error.message.startswith("migrations/0002_deferred.sql")
    assert "(23503)" in error.message


def test_a_file_that_fails_half_way_leaves_no_trace(empty_database, tree):
    tree.migration("0002_fails.sql", "create table half (id integer);\nselect 1 / 0;\ncreate table rest (id integer);")
    error = refusal(empty_database, tree)
    assert error.message == "migrations/0002_fails.sql: division by zero (22012); nothing was changed"
    assert value(empty_database, "select to_regnamespace('atlas') is null")


def test_an_error_names_the_file_and_the_line(empty_database, tree):
    tree.migration("0002_typo.sql", "select 'é';\n\nselect nothing from nowhere;")
    assert refusal(empty_database, tree).message == (
        'migrations/0002_typo.sql, line 3: relation "nowhere" does not exist (42P01); nothing was changed'
    )


def test_code_that_fails_takes_the_migrations_before_it_back(empty_database, tree):
    migrate(empty_database, source=tree.folder)
    tree.migration("0002_size.sql", "alter table things add size integer;")
    tree.code("30_api/broken.sql", "create function broken() returns int language sql as 'select nothing';")
    assert refusal(empty_database, tree).message.startswith("sql/30_api/broken.sql")
    assert [row[0] for row in ledger(empty_database)] == [1]


def test_a_dry_run_leaves_the_database_as_it_was(empty_database, tree):
    report = migrate(empty_database, source=tree.folder, dry_run=True)
    assert (report.dry_run, report.applied) == (True, ("0001_things",))
    assert value(empty_database, "select to_regnamespace('atlas') is null")


def test_a_dry_run_finds_what_would_fail(empty_database, tree):
    tree.migration("0002_fails.sql", "select 1 / 0;")
    assert "division by zero" in refusal(empty_database, tree, dry_run=True).message


def test_code_without_its_owner_role_is_refused(empty_database, tree, monkeypatch):
    monkeypatch.setattr("atlas_models.migration_runner._OWNER", "atlas_nobody")
    assert refusal(empty_database, tree).message == (
        "sql/30_api/count_things.sql runs as the role atlas_nobody, which does not exist"
    )


# --- the ledger and the files ---------------------------------------------------------------------------------------


def test_an_edited_applied_file_is_refused(empty_database, tree):
    path = tree.migration("0002_more.sql", "create table more (id integer);")
    migrate(empty_database, source=tree.folder)
    path.write_text("create table more (id bigint);")
    assert "migrations/0002_more.sql was edited after it was applied" in refusal(empty_database, tree).message


def test_a_renamed_applied_file_is_refused(empty_database, tree):
    path = tree.migration("0002_more.sql", "create table more (id integer);")
    migrate(empty_database, source=tree.folder)
    path.rename(path.with_name("0002_less.sql"))
    assert "was edited after it was applied as 0002_more" in refusal(empty_database, tree).message


def test_a_ledger_row_without_its_file_is_refused(empty_database, tree):
    path = tree.migration("0002_more.sql", "create table more (id integer);")
    migrate(empty_database, source=tree.folder)
    path.unlink()
    assert refusal(empty_database, tree).message == (
        "migration 0002_more is applied in this database, but its file is missing"
    )


def test_a_number_below_an_applied_one_is_refused(empty_database, tree):
    tree.migration("0002_more.sql", "create table more (id integer);")
    tree.migration("0003_last.sql", "create table last (id integer);")
    migrate(empty_database, source=tree.folder)
    run(empty_database, "delete from atlas.atlas_migrations where number = 2")
    error = refusal(empty_database, tree)
    assert error.message == "migrations/0002_more.sql is out of order: 0003 is applied already"


def test_the_ledger_says_who_applied_what_and_has_comments(empty_database, tree):
    migrate(empty_database, source=tree.folder)
    assert value(empty_database, "select applied_by = session_user from atlas.atlas_migrations")
    for table in ("atlas_migrations", "atlas_deployments"):
        assert value(empty_database, f"select obj_description('atlas.{table}'::regclass) is not null")


# --- status ---------------------------------------------------------------------------------------------------------


def test_the_status_of_an_empty_database_is_that_all_is_pending(empty_database, tree):
    found = status(empty_database, source=tree.folder)
    assert (found.pending, found.code_is_current, found.up_to_date) == (("0001_things",), False, False)


def test_the_status_after_a_deploy_is_up_to_date(empty_database, tree):
    migrate(empty_database, source=tree.folder)
    found = status(empty_database, source=tree.folder)
    assert [migration.name for migration in found.applied] == ["0001_things"]
    assert found.up_to_date


def test_edited_code_is_pending(empty_database, tree):
    migrate(empty_database, source=tree.folder)
    tree.code("30_api/more.sql", "select 1")
    found = status(empty_database, source=tree.folder)
    assert (found.pending, found.code_is_current) == ((), False)


# --- locks ----------------------------------------------------------------------------------------------------------


def test_a_deploy_that_meets_a_locked_table_tries_again(empty_database, tree):
    migrate(empty_database, source=tree.folder)
    tree.migration("0002_size.sql", "alter table things add size integer;")
    lines = []
    with psycopg.connect(empty_database) as other:
        other.execute("lock table atlas.things in access share mode")

        def progress(line: str) -> None:
            lines.append(line)
            if "trying again" in line:
                other.rollback()

        report = migrate(
            empty_database, source=tree.folder, progress=progress, patience=Patience(lock_timeout_seconds=0.2)
        )
    assert report.applied == ("0002_size",)
    assert [line for line in lines if "trying again" in line] == [
        "migrations/0002_size.sql: canceling statement due to lock timeout; trying again (1 of 6)"
    ]


def test_a_table_that_stays_locked_ends_the_deploy_with_a_clear_error(empty_database, tree):
    migrate(empty_database, source=tree.folder)
    tree.migration("0002_size.sql", "alter table things add size integer;")
    with psycopg.connect(empty_database) as other:
        other.execute("lock table atlas.things in access share mode")
        error = refusal(empty_database, tree, patience=IMPATIENT)
    assert error.message.endswith("(tried 2 times; nothing was changed)")
    assert [row[0] for row in ledger(empty_database)] == [1]


def test_a_deploy_does_not_wait_for_another_one_for_ever(empty_database, tree):
    tree.migration("0002_waits.sql", "lock table public.busy;")
    run(empty_database, "create table public.busy (id integer)")
    with psycopg.connect(empty_database) as holder, psycopg.connect(empty_database, autocommit=True) as observer:
        holder.execute("lock table public.busy")
        first = threading.Thread(
            target=lambda: migrate(empty_database, source=tree.folder, patience=Patience(lock_timeout_seconds=60))
        )
        first.start()
        pid = wait_for_deploy(observer)
        wait_until_blocked(observer, pid)
        error = refusal(empty_database, tree, patience=IMPATIENT)
        holder.rollback()
        first.join()
    assert error.message == f"another deploy of this database (server process {pid}) has not ended within 0.5 s"


# --- indexes and constraints after the transaction ------------------------------------------------------------------

INDEX = "-- atlas: no-transaction\ncreate index concurrently things_by_name on things (name);"


def test_an_index_is_built_outside_of_the_transaction(empty_database, tree):
    tree.migration("0002_index.sql", INDEX)
    tree.migration("0003_after.sql", "create table after (id integer);")
    report = migrate(empty_database, source=tree.folder)
    assert report.applied == ("0001_things", "0002_index", "0003_after")
    assert value(empty_database, "select indisvalid from pg_index where indexrelid = 'atlas.things_by_name'::regclass")
    assert migrate(empty_database, source=tree.folder).nothing_to_do


def test_an_index_that_is_there_already_is_recorded(empty_database, tree):
    migrate(empty_database, source=tree.folder)
    run(empty_database, "create index things_by_name on atlas.things (name)")
    before = value(empty_database, "select 'atlas.things_by_name'::regclass::oid")
    tree.migration("0002_index.sql", INDEX)
    assert migrate(empty_database, source=tree.folder).applied == ("0002_index",)
    assert value(empty_database, "select 'atlas.things_by_name'::regclass::oid") == before


def test_an_invalid_leftover_is_dropped_and_built_anew(empty_database, tree):
    migrate(empty_database, source=tree.folder)
    run(empty_database, "insert into atlas.things values (1, 'twin'), (2, 'twin')")
    tree.migration("0002_index.sql", INDEX.replace("create index", "create unique index"))
    error = refusal(empty_database, tree)
    assert "(23505); the transaction before it is committed" in error.message
    invalid = "select not indisvalid from pg_index where indexrelid = 'atlas.things_by_name'::regclass"
    assert value(empty_database, invalid)
    run(empty_database, "delete from atlas.things where id = 2")
    assert migrate(empty_database, source=tree.folder).applied == ("0002_index",)
    assert not value(empty_database, invalid)


def test_a_not_valid_constraint_is_validated(empty_database, tree):
    tree.migration("0002_check.sql", "alter table things add constraint named check (name <> '') not valid;")
    assert migrate(empty_database, source=tree.folder).validated == ("named",)
    assert value(empty_database, "select convalidated from pg_constraint where conname = 'named'")


def test_rows_that_violate_a_new_constraint_are_one_clear_error_and_the_next_run_finishes(empty_database, tree):
    migrate(empty_database, source=tree.folder)
    run(empty_database, "insert into atlas.things values (1, '')")
    tree.migration("0002_check.sql", "alter table things add constraint named check (name <> '') not valid;")
    error = refusal(empty_database, tree)
    assert error.message.startswith("rows of atlas.things violate the constraint named:")
    assert not status(empty_database, source=tree.folder).up_to_date
    run(empty_database, "delete from atlas.things")
    report = migrate(empty_database, source=tree.folder)
    assert (report.applied, report.validated) == ((), ("named",))


def test_other_peoples_not_valid_constraints_are_left_alone(empty_database, tree):
    run(empty_database, "create table public.theirs (id int); alter table public.theirs add check (id > 0) not valid")
    assert migrate(empty_database, schema="public", source=tree.folder).validated == ()
