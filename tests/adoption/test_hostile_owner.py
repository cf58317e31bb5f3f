"""Nothing that the former owner wrote runs with the rights of who deploys or of the registry."""

from __future__ import annotations

import json

import psycopg
import pytest

from atlas_models.migration_errors import PreflightError
from atlas_models.migration_runner import migrate
from factories import internal_metadata
from old_catalogues import refused_unchanged

pytestmark = pytest.mark.long

# Says for whom it ran. The owner may write it, everybody may: whoever calls it is caught.
CAUGHT = """
    create table public.caught (role text);
    grant insert, select on public.caught to public;
    create function public.catch() returns void language sql as $$ insert into public.caught values (current_user) $$;
    create schema evil authorization test_evil;
    grant usage on schema evil to public;
"""


@pytest.fixture
def evil(catalogue, server_url):
    """``evil(statements)`` runs them as the old owner, while the schema was his."""
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute("create role test_evil login")
    catalogue.run(CAUGHT)
    catalogue.run("alter schema atlas owner to test_evil; grant create on schema public to test_evil")

    def act(statements):
        with catalogue.connect("test_evil") as conn:
            conn.execute(statements)
        catalogue.run("alter schema atlas owner to postgres; revoke create on schema public from test_evil")

    yield act
    catalogue.close()
    catalogue.run("drop owned by test_evil cascade")
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute("drop role test_evil")


FUNCTION = """
    create function evil.f(text) returns text language plpgsql immutable as $$
    begin
        insert into public.caught values (current_user);
        return $1;
    exception when others then
        return $1;
    end $$;
"""
TABLE = "create table artifacts (id varchar primary key, artifact_type varchar not null, metadata text, created_at text"
F = "evil.f(text)"
REMEDY = f"alter function {F} owner to postgres -- after reading it"

CALLED = {
    "check": (f"{FUNCTION} {TABLE}, title text constraint c check (evil.f(title) <> 'x'))", F, "the constraint c"),
    "check through an operator": (
        f"{FUNCTION} create function evil.o(text, integer) returns boolean language sql immutable return true;"
        "create operator evil.@@ (leftarg = text, rightarg = integer, function = evil.o);"
        f"{TABLE}, title text, constraint c check (title operator(evil.@@) 1))",
        "evil.o(text,integer)",
        "the constraint c",
    ),
    "check through a bound body": (
        f"{FUNCTION} create function evil.g(text) returns boolean language sql immutable"
        " begin atomic select evil.f($1) = 'x'; end;"
        f"{TABLE}, title text, constraint c check (evil.g(title)))",
        "evil.f(text) evil.g(text)",
        "the constraint c",
    ),
    "default": (f"{FUNCTION} {TABLE}, size text default evil.f('x'))", F, "the default of size"),
    "generated column": (
        f"{FUNCTION} {TABLE}, size text generated always as (evil.f('x')) stored)",
        F,
        "the default of size",
    ),
    "index": (f"{FUNCTION} {TABLE}, size text); create index i on artifacts (evil.f(size))", F, "the index atlas.i"),
    "condition of an index": (
        f"{FUNCTION} {TABLE}, size text); create index i on artifacts (id) where evil.f(size) = 'x'",
        F,
        "the index atlas.i",
    ),
    "statistics": (
        f"{FUNCTION} {TABLE}, size text); create statistics evil.s on (evil.f(size)), id from artifacts",
        F,
        "the statistics s",
    ),
    "domain": (
        f"{FUNCTION} create domain evil.d as text check (evil.f(value) <> 'x'); {TABLE}, size evil.d)",
        F,
        "the column size",
    ),
    "default of a domain": (
        f"{FUNCTION} create domain evil.d as text default evil.f('x');"
        f"create domain evil.e as evil.d; {TABLE}, size evil.e)",
        F,
        "the column size",
    ),
    "range": (
        "create function evil.diff(text, text) returns float8 language sql immutable return 1;"
        f"create type evil.r as range (subtype = text, subtype_diff = evil.diff); {TABLE}, size evil.r)",
        "evil.diff(text,text)",
        "the column size",
    ),
    "cast of a foreign key": (
        "create type evil.t as enum ('x');"
        "create function evil.c(evil.t) returns text language sql immutable return 'x';"
        "create cast (evil.t as text) with function evil.c(evil.t) as implicit;"
        "create table artifacts (id text primary key, artifact_type text);"
        "create table evil.uses (a evil.t constraint k references artifacts)",
        "evil.c(evil.t)",
        "the foreign key k",
    ),
}


@pytest.mark.parametrize("place", CALLED)
def test_a_function_that_the_table_calls_is_refused_until_a_superuser_takes_it_over(catalogue, evil, place):
    statements, functions, used_by = CALLED[place]
    evil(f"{statements}; insert into artifacts (id, artifact_type) values ('a', 'model')")
    catalogue.run("truncate public.caught")
    with refused_unchanged(catalogue) as findings:
        catalogue.adopt()
    assert findings == [
        (
            f"the function {function}, which {used_by} uses, belongs to test_evil",
            f"alter function {function} owner to postgres -- after reading it",
        )
        for function in functions.split(" ")
    ]
    assert catalogue.rows("select * from public.caught") == []
    for _, remedy in findings:
        catalogue.run(remedy)
    assert catalogue.adopt().adopted.rows == 1


def test_taking_a_function_over_does_not_lend_it_a_superusers_rights(catalogue, evil):
    evil(
        f"{FUNCTION} alter function evil.f(text) security definer;"
        f"{TABLE}, title text constraint c check (evil.f(title) <> 'x'))"
    )
    with refused_unchanged(catalogue) as findings:
        catalogue.adopt()
    assert findings == [
        (
            "the function evil.f(text), which the constraint c uses, belongs to test_evil",
            "alter function evil.f(text) security invoker; alter function evil.f(text) owner to postgres"
            " -- after reading it",
        )
    ]


def test_casts_to_text_that_he_made_are_not_called(catalogue, evil):
    evil(
        """
        create type evil.t as enum ('x', 'y');
        create type evil.p as (a integer, b text);
        create function evil.lie(evil.t) returns text language sql as
            $$ select public.catch(); select 'a lie' $$;
        create function evil.lie(evil.p) returns text language sql as
            $$ select public.catch(); select 'a lie' $$;
        create function evil.lie(evil.t[]) returns text language sql as
            $$ select public.catch(); select 'a lie' $$;
        create cast (evil.t as text) with function evil.lie(evil.t) as implicit;
        create cast (evil.p as text) with function evil.lie(evil.p) as implicit;
        create cast (evil.t[] as text) with function evil.lie(evil.t[]) as implicit;
        create table artifacts (id text primary key, artifact_type text, t evil.t, p evil.p, ts evil.t[]);
        insert into artifacts values ('a', 'model', 'y', row(1, 'b'), '{x,y}');
        """
    )
    catalogue.adopt()
    assert json.loads(catalogue.value("select row_text from artifacts_original")) == {
        "id": "a",
        "artifact_type": "model",
        "t": "y",
        "p": "(1,b)",
        "ts": "{x,y}",
    }
    assert catalogue.rows("select * from public.caught") == []


def test_functions_and_operators_that_he_left_in_the_schema_are_refused_before_anything_runs(catalogue, evil):
    evil(
        f"""
        {TABLE});
        create function atlas.format(text, text) returns text language sql
            return case when public.catch() is null then 'select 1' end;
        create function atlas.lower(varchar) returns text language sql return 'x';
        create function atlas.yes(varchar, varchar) returns boolean language sql return true;
        create operator atlas.<> (leftarg = varchar, rightarg = varchar, function = atlas.yes);
        create aggregate atlas.count(text) (sfunc = textcat, stype = text);
        """
    )
    what = "is somebody else's, and could be called in place of one that the registry means"
    remedy = "-- after reading it; or move the table: create schema atlas; alter table … set schema atlas"
    assert catalogue.preflight_findings() == [
        (f"the {kind} {name} {what}", f"alter {kind} {name} owner to postgres {remedy}")
        for kind, name in (
            ("operator", "atlas.<>(character varying,character varying)"),
            ("routine", "atlas.count(text)"),
            ("routine", "atlas.format(text,text)"),
            ("routine", "atlas.lower(character varying)"),
            ("routine", "atlas.yes(character varying,character varying)"),
        )
    ]
    assert catalogue.rows("select * from public.caught") == []


def test_they_stay_behind_when_the_table_moves(catalogue, evil):
    evil(f"{TABLE}); create function atlas.format(text, text) returns text language sql return 'select 1'")
    catalogue.run("alter schema atlas rename to old; create schema atlas; alter table old.artifacts set schema atlas")
    assert catalogue.adopt().adopted is not None


def test_what_is_planted_after_the_first_deploy_is_refused_by_the_next(catalogue, evil):
    evil(f"{TABLE})")
    catalogue.adopt()
    catalogue.run("grant create on schema atlas to test_evil")
    with catalogue.connect("test_evil") as conn:
        conn.execute("create function atlas.format(text, text) returns text language sql return 'select 1'")
    catalogue.run(
        "revoke create on schema atlas from test_evil; insert into atlas_deployments (digest) values (repeat('0', 64))"
    )
    with pytest.raises(PreflightError, match=r"the routine atlas.format\(text,text\) is somebody else's"):
        catalogue.adopt()


def test_a_schema_of_his_is_taken_over_first(catalogue, evil):
    evil(f"{TABLE})")
    catalogue.run("alter schema atlas owner to test_evil; grant create on schema atlas to test_evil, public")
    assert catalogue.preflight_findings() == [
        (
            "everybody may create objects in the schema atlas, and functions that shadow the registry's",
            'alter schema "atlas" owner to postgres; revoke create on schema "atlas" from public'
            " -- or move the table: create schema atlas; alter table … set schema atlas",
        )
    ]
    catalogue.run(catalogue.preflight_findings()[0][1])
    assert catalogue.adopt().adopted is not None


def test_a_default_that_is_replaced_may_call_what_it_likes(catalogue, evil):
    evil(
        """
        create function evil.datetime(text) returns text language sql as
            $$ select public.catch(); select now()::text $$;
        create table artifacts (id text primary key, artifact_type text, created_at text default evil.datetime('now'));
        """
    )
    catalogue.adopt()
    assert catalogue.rows("select * from public.caught") == []


def test_a_table_in_public_of_a_database_that_he_owns(catalogue, evil, server_url):
    evil("create table public.artifacts (id text primary key, artifact_type text); select 1")
    catalogue.run("drop schema atlas")
    catalogue.run("alter schema public owner to pg_database_owner")
    name = catalogue.value("select current_database()")
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute(f"alter database {name} owner to test_evil")
        try:
            with pytest.raises(PreflightError) as caught:
                migrate(catalogue.url, schema="public")
            ((problem, remedy),) = caught.value.findings
            assert problem.startswith("test_evil may create objects in the schema public")
            assert remedy.startswith('alter schema "public" owner to postgres --')
            catalogue.run(remedy)
            assert migrate(catalogue.url, schema="public").adopted.rows == 0
        finally:
            conn.execute(f"alter database {name} owner to postgres")


def test_his_defaults_run_with_nobody_elses_rights_when_a_model_is_registered(catalogue, evil):
    evil(
        "create sequence evil.numbers; create table artifacts (id text primary key, artifact_type text,"
        " number integer not null default nextval('evil.numbers'))"
    )
    catalogue.adopt()
    catalogue.run(f"select register_model('x', '{json.dumps(internal_metadata())}')")
    assert catalogue.rows("select number from artifacts") == [(1,)]
