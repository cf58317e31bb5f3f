"""Who may do what, as one readable table that is checked in; a change of privileges shows as a difference to it.

To accept a change, read the difference, then write the table anew: ATLAS_WRITE_EXPECTED=1 with these tests.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest

EXPECTED = Path(__file__).with_name("privileges.txt")
HEADER = """\
# Who may do what. For a function x is EXECUTE, for the schema and a type USAGE; for tables and views:
# s SELECT, i INSERT, u UPDATE, d DELETE, t TRUNCATE, r REFERENCES, g TRIGGER. A dot is a refusal.
"""
ROLES = ("atlas_owner", "atlas_registrar", "atlas_reviewer", "atlas_steward", "atlas_reader", "public")

QUERY = """
with objects as (
    select 1 as place, 'schema' as kind, n.oid, n.nspname::text as name, n.nspowner as owner
    from pg_namespace as n
    where n.nspname = 'atlas'
    union all
    select
        2, case c.relkind when 'r' then 'table' when 'v' then 'view' when 'S' then 'sequence' else c.relkind::text end,
        c.oid, c.relname, c.relowner
    from pg_class as c
    where c.relnamespace = 'atlas'::regnamespace and c.relkind not in ('i', 'c')
    union all
    select 3, 'type', t.oid, t.typname, t.typowner
    from pg_type as t
    left join pg_class as c on t.typrelid = c.oid
    where t.typnamespace = 'atlas'::regnamespace and t.typelem = 0 and coalesce(c.relkind, 'c') = 'c'
    union all
    select
        4, case p.prokind when 'p' then 'procedure' else 'function' end, p.oid,
        p.proname::text || '(' || oidvectortypes(p.proargtypes) || ')', p.proowner
    from pg_proc as p
    where p.pronamespace = 'atlas'::regnamespace
)

select
    o.kind, o.name, case when w.rolsuper then 'superuser' else w.rolname end,
    array(
        select case
            when o.kind = 'schema' then
                concat(
                    case when has_schema_privilege(r.role, o.oid, 'usage') then 'x' else '.' end,
                    case when has_schema_privilege(r.role, o.oid, 'create') then 'c' end
                )
            when o.kind = 'type' then case when has_type_privilege(r.role, o.oid, 'usage') then 'x' else '.' end
            when o.kind in ('function', 'procedure') then
                case when has_function_privilege(r.role, o.oid, 'execute') then 'x' else '.' end
            when o.kind = 'sequence' then
                case when has_sequence_privilege(r.role, o.oid, 'usage, select, update') then 'x' else '.' end
            else coalesce(nullif((
                select string_agg(p.letter, '' order by p.place)
                from unnest(
                    '{s,i,u,d,t,r,g}'::text[],
                    '{select,insert,update,delete,truncate,references,trigger}'::text[]
                ) with ordinality as p (letter, privilege, place)
                where has_table_privilege(r.role, o.oid, p.privilege)
            ), ''), '.')
        end
        from unnest(%s::text[]) with ordinality as r (role, place)
        order by r.place
    )
from objects as o
inner join pg_roles as w on o.owner = w.oid
order by o.place, o.kind, o.name collate "C"
"""


def render(rows: list[tuple]) -> str:
    lines = [("object", "owner", *ROLES)]
    lines += [(f"{kind} {name}", owner, *privileges) for kind, name, owner, privileges in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(1, 8)]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(line[1:], widths, strict=True)) + f"  {line[0]}"
        for line in lines
    ]
    return HEADER + "\n".join(table) + "\n"


@pytest.fixture
def matrix(superuser) -> str:
    superuser.execute("set local search_path = atlas, pg_catalog")
    return render(superuser.execute(QUERY, [list(ROLES)]).fetchall())


def test_the_privileges_are_those_of_the_table(matrix):
    if os.environ.get("ATLAS_WRITE_EXPECTED"):
        EXPECTED.write_text(matrix)
    difference = difflib.unified_diff(
        EXPECTED.read_text().splitlines(), matrix.splitlines(), "privileges.txt", "the database", lineterm="", n=0
    )
    assert "\n".join(difference) == ""


def test_single_columns_are_granted_in_the_history_alone_and_not_those_that_say_who_and_when(superuser):
    query = """
        select a.attrelid::regclass::text, x.grantee::regrole::text, x.privilege_type, array_agg(a.attname::text)
        from pg_attribute as a
        cross join lateral aclexplode(a.attacl) as x
        where a.attrelid > 16384
        group by 1, 2, 3
    """
    written = ["action", "artifact_id", "evidence", "gates", "model_name", "new", "old", "reason", "version_number"]
    ((table, role, privilege, columns),) = superuser.execute(query).fetchall()
    assert (table, role, privilege, sorted(columns)) == ("model_events", "atlas_owner", "INSERT", written)


def test_nobody_can_pass_a_privilege_on(superuser):
    query = """
        select o.name, a.grantee::regrole::text, a.privilege_type
        from (
            select oid::regclass::text as name, relacl as acl, relowner as owner
            from pg_class where relnamespace = 'atlas'::regnamespace
            union all
            select oid::regprocedure::text, proacl, proowner from pg_proc where pronamespace = 'atlas'::regnamespace
        ) as o
        cross join lateral aclexplode(o.acl) as a
        where a.is_grantable and a.grantee <> o.owner
    """
    assert superuser.execute(query).fetchall() == []
