"""How functions, tables and roles are defined, as far as it decides who can do what."""

from __future__ import annotations

import re

import pytest

from atlas_models.deployment_files import packaged_folder

OPEN_TO_ALL = [
    "current_metadata_schema_version",
    "has_bounded_numbers",
    "is_bounded_metadata",
    "is_bounded_object",
    "is_commit_sha",
    "is_complete_artifact",
    "is_complete_version",
    "is_model_name",
    "is_repository_url",
    "is_valid_metadata",
    "json_matches_schema",
    "jsonb_matches_schema",
    "jsonschema_is_valid",
    "jsonschema_validation_errors",
    "metadata_errors",
    "needs_explanation",
    "needs_facts",
    "needs_place",
    "rows_are_complete",
    "validate_metadata",
]
IN_PYTHON = [
    "_normalise_documents",
    "explain_metadata",
    "is_valid_metadata",
    "json_matches_schema",
    "jsonschema_is_valid",
    "jsonschema_validation_errors",
    "metadata_errors",
]
FUNCTIONS = """
    select p.proname
    from pg_proc as p
    inner join pg_language as l on p.prolang = l.oid
    inner join pg_roles as r on p.proowner = r.oid
    where p.pronamespace = 'atlas'::regnamespace and ({})
    order by p.proname
"""
ROLES = ["atlas_owner", "atlas_reader", "atlas_registrar", "atlas_reviewer", "atlas_steward"]


def names(conn, query: str, parameters: list | None = None) -> list[str]:
    return [row[0] for row in conn.execute(query, parameters).fetchall()]


def test_only_the_pure_validation_functions_are_open_to_all(superuser):
    assert names(superuser, FUNCTIONS.format("has_function_privilege('public', p.oid, 'execute')")) == OPEN_TO_ALL


def test_what_is_open_to_all_is_immutable_and_runs_with_the_callers_rights(superuser):
    # But for those that read a setting.
    query = FUNCTIONS.format("p.proname = any(%s) and (p.provolatile <> 'i' or p.prosecdef)")
    assert names(superuser, query, [OPEN_TO_ALL]) == [
        "needs_explanation",
        "needs_facts",
        "needs_place",
        "rows_are_complete",
    ]


def test_what_runs_with_its_owners_rights_looks_at_temporary_objects_last(superuser):
    # Where pg_temp is not named it comes first, and anybody's temporary table takes the place of ours.
    query = FUNCTIONS.format(
        "p.prosecdef and 'search_path=atlas, pg_temp' is distinct from"
        " (select s from unnest(p.proconfig) as s where s like 'search_path=%%')"
    )
    assert names(superuser, query, []) == []


def test_only_sql_and_plpgsql_run_with_their_owners_rights(superuser):
    assert names(superuser, FUNCTIONS.format("p.prosecdef and l.lanname not in ('sql', 'plpgsql')")) == []


def test_what_runs_with_its_owners_rights_is_owned_by_a_role_that_is_no_superuser(superuser):
    assert names(superuser, FUNCTIONS.format("p.prosecdef and r.rolname <> 'atlas_owner'")) == []


def test_these_functions_are_in_python(superuser):
    assert names(superuser, FUNCTIONS.format("l.lanname not in ('sql', 'plpgsql')")) == IN_PYTHON


def test_a_superuser_keeps_the_functions_in_python_and_the_guard_of_the_history_and_nothing_else(superuser):
    # Only a superuser can replace them.
    assert names(superuser, FUNCTIONS.format("r.rolsuper")) == sorted([*IN_PYTHON, "guard_history"])


def test_no_function_in_python_reaches_the_database(superuser):
    reaching = re.compile(r"plpy\s*\.\s*(execute|prepare|cursor|subtransaction|commit|rollback)")
    query = "select p.proname, p.prosrc from pg_proc as p where p.proname = any(%s)"
    assert [name for name, source in superuser.execute(query, [IN_PYTHON]) if reaching.search(source)] == []


def test_no_source_file_has_python_reach_the_database():
    reaching = re.compile(r"plpy\s*\.\s*(execute|prepare|cursor|subtransaction|commit|rollback)")
    root = packaged_folder()
    files = [path for folder in ("sql", "migrations", "schemas") for path in sorted((root / folder).rglob("*.sql"))]
    assert len(files) > 40
    assert [path.name for path in files if reaching.search(path.read_text())] == []


def test_the_owner_role_owns_every_table_and_view_but_the_ledger_and_the_history(superuser):
    query = """
        select c.relname
        from pg_class as c
        inner join pg_roles as r on c.relowner = r.oid
        where c.relnamespace = 'atlas'::regnamespace and c.relkind = any('{r,v,m,p}') and r.rolname <> 'atlas_owner'
        order by c.relname
    """
    assert names(superuser, query) == ["atlas_adoption", "atlas_deployments", "atlas_migrations", "model_events"]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_of_ours_is_for_membership_only(superuser, role):
    query = """
        select rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
        from pg_roles where rolname = %s
    """
    assert superuser.execute(query, [role]).fetchone() == (False,) * 6


def test_registrars_reviewers_and_stewards_are_readers_and_nobody_is_the_owner(superuser):
    query = """
        select m.member::regrole::text, m.roleid::regrole::text
        from pg_auth_members as m
        where m.member::regrole::text = any(%s) or m.roleid::regrole::text = 'atlas_owner'
        order by 1, 2
    """
    assert superuser.execute(query, [ROLES]).fetchall() == [
        ("atlas_registrar", "atlas_reader"),
        ("atlas_reviewer", "atlas_reader"),
        ("atlas_steward", "atlas_reader"),
    ]


def test_a_new_function_of_the_owner_role_is_closed_until_it_is_granted(superuser):
    superuser.execute("set local role atlas_owner")
    superuser.execute("create function atlas.brand_new() returns integer language sql return 1")
    superuser.execute("create procedure atlas.brand_new_procedure() language sql begin atomic select 1; end")
    query = """
        select proname, has_function_privilege('public', oid, 'execute')
        from pg_proc where proname like 'brand_new%%' order by proname
    """
    assert superuser.execute(query, []).fetchall() == [("brand_new", False), ("brand_new_procedure", False)]


def test_a_new_table_of_the_owner_role_is_closed_until_it_is_granted(superuser):
    superuser.execute("set local role atlas_owner")
    superuser.execute("create table atlas.brand_new (id integer)")
    query = "select has_table_privilege('public', 'atlas.brand_new', 'select, insert, update, delete')"
    assert superuser.execute(query).fetchone() == (False,)
