"""The lexer sees what the server would see as a statement of its own, and nothing inside of quotes."""

from __future__ import annotations

import pytest

from atlas_models.sql_lexer import UnfinishedSqlError, read_sql, transaction_control


def controls(text: str) -> list[str]:
    return [control for statement in read_sql(text).statements if (control := transaction_control(statement))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("begin;", "BEGIN"),
        ("BEGIN WORK;", "BEGIN"),
        ("start transaction isolation level serializable;", "START TRANSACTION"),
        ("commit", "COMMIT"),
        ("select 1; /* so */ Commit and chain;", "COMMIT"),
        ("end;", "END"),
        ("rollback to savepoint a;", "ROLLBACK"),
        ("abort;", "ABORT"),
        ("savepoint a;", "SAVEPOINT"),
        ("release a;", "RELEASE"),
        ("prepare transaction 'x';", "PREPARE TRANSACTION"),
        ("select 'it''s'; commit;", "COMMIT"),
        (r"select e'\''; commit; select '';", "COMMIT"),
        (r"select '\'; commit;", "COMMIT"),
        ("select $a$ $b$ $a$; commit;", "COMMIT"),
        ("select a$b$c; commit; select d$b$e;", "COMMIT"),
        ("/* a /* b */ c */ commit;", "COMMIT"),
        ('select "a""b"; commit;', "COMMIT"),
        ("create function f() returns int begin atomic select case when true then 1 end; end; commit;", "COMMIT"),
    ],
)
def test_transaction_control_at_the_top_level_is_seen(text, expected):
    assert controls(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "select 'commit;'; select ';commit;'",
        "-- commit;\nselect 1",
        "/* commit; /* begin; */ end; */ select 1",
        "do $$ begin commit; end $$",
        "do $body$ begin; commit; $$; end $body$",
        'select ";commit;" from t',
        r"select E'\';commit;'",
        "create function f() returns int language sql begin atomic select 1; select 2; end;",
        "create or replace procedure p() begin atomic select case 1 when 1 then 2 end; insert into t values (1); end",
        "create rule r as on insert to t do (select 1; commit)",
        "prepare plan as select 1",
        "start_things()",
        "",
        ";;",
    ],
)
def test_what_only_looks_like_transaction_control_is_let_through(text):
    assert controls(text) == []


def test_a_backslash_outside_of_quotes_is_a_psql_command():
    assert read_sql("select 1;\n\\i other.sql\n").backslash_lines == (2,)


def test_a_backslash_inside_of_quotes_is_none():
    assert read_sql(r"select '\i', $$\i$$ -- \i" + "\n/* \\i */").backslash_lines == ()


@pytest.mark.parametrize("text", ["select 'a", 'select "a', "select $x$ a $y$", "/* a /* b */", "select e'\\'"])
def test_what_is_opened_and_never_closed_is_refused_with_its_line(text):
    with pytest.raises(UnfinishedSqlError) as caught:
        read_sql("\n" + text)
    assert caught.value.line == 2


def test_statements_know_the_line_on_which_they_begin():
    parsed = read_sql("-- one\nselect\n1;\n\n/* two\n*/ select 2;")
    assert [statement.line for statement in parsed.statements] == [2, 6]
