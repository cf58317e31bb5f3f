"""What is refused in the files themselves, before a database is looked at."""

from __future__ import annotations

import pytest

from atlas_models.deployment_files import packaged_folder, read_source
from atlas_models.migration_errors import MigrationError


def refusal(tree) -> MigrationError:
    with pytest.raises(MigrationError) as caught:
        read_source(tree.folder)
    assert caught.value.hint
    return caught.value


def test_the_projects_own_files_are_in_order():
    source = read_source(packaged_folder())
    assert [migration.number for migration in source.migrations][:2] == [1, 2]
    assert source.code[-1].name == "90_privileges.sql"


def test_code_is_read_in_path_order(tree):
    tree.code("90_privileges.sql", "select 1")
    tree.code("10_validation/a.sql", "select 1")
    assert [file.name for file in read_source(tree.folder).code] == [
        "10_validation/a.sql",
        "30_api/count_things.sql",
        "90_privileges.sql",
    ]


def test_the_digest_changes_with_a_files_content_and_with_its_name(tree):
    before = read_source(tree.folder).code_digest
    path = tree.code("30_api/other.sql", "select 1")
    with_other = read_source(tree.folder).code_digest
    path.rename(path.with_name("renamed.sql"))
    assert len({before, with_other, read_source(tree.folder).code_digest}) == 3


def test_a_gap_is_refused(tree):
    tree.migration("0003_late.sql", "select 1")
    assert refusal(tree).message == "migration 0002 is missing: the numbers jump to 0003_late.sql"


def test_a_number_given_twice_is_refused(tree):
    tree.migration("0001_twin.sql", "select 1")
    assert refusal(tree).message == "two migrations have the number 0001: 0001_things.sql and 0001_twin.sql"


@pytest.mark.parametrize("name", ["2_short.sql", "0002-dash.sql", "0002_Upper.sql", "0002_x.sql.orig", "notes.md"])
def test_a_badly_named_migration_is_refused(tree, name):
    tree.migration(name, "select 1")
    assert refusal(tree).message == f"migrations/{name} is not named like a migration"


@pytest.mark.parametrize("name", ["30_api/Upper.sql", "30_api/x.sql.orig", "30_api/x.SQL"])
def test_a_badly_named_file_of_code_is_refused(tree, name):
    tree.code(name, "select 1")
    assert refusal(tree).message == f"sql/{name} is not named like a file of code"


def test_hidden_files_are_left_alone(tree):
    tree.migration(".swp", b"\xff")
    tree.code("30_api/.x.sql.swp", b"\xff")
    assert len(read_source(tree.folder).code) == 1


def test_a_top_level_commit_is_refused_with_its_line(tree):
    tree.migration("0002_half.sql", "select 1;\ncommit;\nselect 2;")
    assert refusal(tree).message.startswith("migrations/0002_half.sql, line 2: COMMIT at the top level")


def test_a_top_level_commit_in_code_is_refused(tree):
    tree.code("30_api/half.sql", "begin;")
    assert refusal(tree).message.startswith("sql/30_api/half.sql, line 1: BEGIN at the top level")


def test_a_psql_command_is_refused(tree):
    tree.migration("0002_psql.sql", "\\set x 1\n")
    assert refusal(tree).message.startswith("migrations/0002_psql.sql, line 1: a psql command")


def test_copy_from_stdin_is_refused(tree):
    tree.migration("0002_copy.sql", "copy things from stdin;")
    assert "COPY … FROM STDIN" in refusal(tree).message


def test_a_file_that_is_not_utf8_is_refused(tree):
    tree.migration("0002_latin.sql", b"select 'caf\xe9'")
    assert refusal(tree).message == "migrations/0002_latin.sql is not UTF-8: byte 12 does not belong there"


def test_a_byte_order_mark_is_refused(tree):
    tree.migration("0002_bom.sql", b"\xef\xbb\xbfselect 1")
    assert refusal(tree).message == "migrations/0002_bom.sql starts with a byte order mark"


def test_an_unclosed_string_is_refused_with_its_line(tree):
    tree.migration("0002_open.sql", "select 1;\nselect 'x")
    assert refusal(tree).message == "migrations/0002_open.sql, line 2: a string is never closed"


def test_an_empty_sql_folder_is_refused(empty_tree):
    empty_tree.migration("0001_things.sql", "select 1")
    assert refusal(empty_tree).message == "sql/ holds no file"


def test_an_empty_migrations_folder_is_refused(empty_tree):
    empty_tree.code("a.sql", "select 1")
    assert refusal(empty_tree).message == "migrations/ holds no migration"


def test_a_folder_that_is_no_source_is_refused(tmp_path):
    with pytest.raises(MigrationError, match="there is no folder migrations/"):
        read_source(tmp_path)


def test_an_unknown_directive_is_refused(tree):
    tree.migration("0002_new.sql", "-- atlas: no-transactions\nselect 1")
    assert refusal(tree).message == "migrations/0002_new.sql, line 1: unknown directive 'no-transactions'"


def test_a_directive_below_the_first_statement_is_refused(tree):
    tree.code("30_api/late.sql", "select 1;\n-- atlas: superuser\nselect 2;")
    assert "line 2: a directive stands above the first statement" in refusal(tree).message


def test_a_directive_inside_a_body_is_only_text(tree):
    tree.code("30_api/text.sql", "do $$ begin\n-- atlas: whatever\nend $$")
    assert read_source(tree.folder).code[1].directives == frozenset()


def test_a_migration_does_not_ask_for_the_superuser(tree):
    tree.migration("0002_super.sql", "-- atlas: superuser\nselect 1")
    assert "'superuser' is for files of sql/" in refusal(tree).message


def test_code_does_not_leave_the_transaction(tree):
    tree.code("30_api/index.sql", "-- atlas: no-transaction\ncreate index concurrently i on things (name)")
    assert "'no-transaction' is for migrations" in refusal(tree).message


@pytest.mark.parametrize(
    "statement",
    [
        "create index i on things (name)",
        "create index concurrently on things (name)",
        "create index concurrently if not exists i on things (name)",
        "create index concurrently i on things (name); select 1",
        "reindex index concurrently i",
        "",
    ],
)
def test_a_no_transaction_file_builds_one_named_index_and_does_nothing_else(tree, statement):
    tree.migration("0002_index.sql", f"-- atlas: no-transaction\n{statement}")
    assert "holds exactly one CREATE [UNIQUE] INDEX CONCURRENTLY" in refusal(tree).message
