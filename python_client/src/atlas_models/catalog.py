"""What PostgreSQL's catalog says about a registry, fact by fact, and how two of them differ.

The facts of a database are compared with those of the same code, deployed a moment ago on the same server: so both are
written by the same PostgreSQL, and no version's way of printing a definition has to be known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

ADOPTED_TABLE = "artifacts"
_OWNER = "atlas_owner"
_SEAL = "constraint artifacts_legacy_sealed on artifacts"
_VALIDATED = "validated"
_GRANTED = "granted to "

# Who owns something, and who was granted what. One superuser is as good as another: a dump may be restored by a second.
_OWNED_BY = "case when {owner}.rolsuper then 'a superuser' else {owner}.rolname::text end"
_GRANTS = """
    select
        'granted to ' || case
            when e.grantee = 0 then 'everybody'
            when e.grantee = {owner} then 'its owner'
            else pg_get_userbyid(e.grantee)::text
        end as property,
        string_agg(
            e.privilege_type || case when e.is_grantable then ' with grant option' else '' end, ', '
            order by e.privilege_type
        ) as value
    from aclexplode(coalesce({acl}, acldefault('{kind}', {owner}))) as e
    group by e.grantee
"""


def _digest(text: str) -> str:
    return f"'sha256 ' || left(encode(sha256(convert_to({text}, 'UTF8')), 'hex'), 32)"


def _grants(acl: str, owner: str, kind: str) -> str:
    return _GRANTS.format(acl=acl, owner=owner, kind=kind)


_BODY = "replace(concat(f.prosrc, f.probin::text, pg_get_function_sqlbody(f.oid)), %(name)s, %(stands_for)s)"

# Each gives: the object, the table or view that it belongs to, its owner, a property, its value.
_QUERIES = (
    # The schema.
    f"""
    select 'the schema', null, null, p.property, p.value
    from pg_namespace as n
    inner join pg_roles as w on n.nspowner = w.oid
    cross join lateral (
        select 'owner', {_OWNED_BY.format(owner="w")}
        union all {_grants("n.nspacl", "n.nspowner", "n")}
    ) as p (property, value)
    where n.oid = %(oid)s
    """,
    # Tables, views, sequences, composite types.
    f"""
    select
        case c.relkind when 'v' then 'view ' when 'S' then 'sequence ' when 'c' then 'type ' else 'table ' end
            || c.relname,
        c.relname,
        w.rolname,
        p.property,
        p.value
    from pg_class as c
    inner join pg_roles as w on c.relowner = w.oid
    cross join lateral (
        select
            'kind',
            case c.relpersistence when 'u' then 'unlogged ' else '' end || case c.relkind when 'r' then 'table'
                when 'v' then 'view' when 'S' then 'sequence' when 'c' then 'type' else c.relkind::text end
        union all select 'owner', {_OWNED_BY.format(owner="w")}
        union all select 'row level security', 'forced' where c.relforcerowsecurity
        union all select 'row level security enabled', 'yes' where c.relrowsecurity
        union all select 'options', array_to_string(c.reloptions, ', ') where c.reloptions is not null
        union all select 'definition', {_digest("pg_get_viewdef(c.oid, true)")} where c.relkind in ('v', 'm')
        union all
        select
            'counting',
            format('%%s from %%s to %%s by %%s%%s', s.seqtypid::regtype, s.seqmin, s.seqmax, s.seqincrement,
                case when s.seqcycle then ', again and again' else '' end)
        from pg_sequence as s
        where s.seqrelid = c.oid
        union all
        select 'inherited by', string_agg(i.inhrelid::regclass::text, ', ' order by i.inhrelid::regclass::text)
        from pg_inherits as i
        where i.inhparent = c.oid
        having count(*) > 0
        union all
        select g.property, g.value
        from ({_grants("c.relacl", "c.relowner", "r")}) as g
        where c.relkind in ('r', 'p', 'v', 'm', 'f')
        union all
        select g.property, g.value from ({_grants("c.relacl", "c.relowner", "s")}) as g where c.relkind = 'S'
    ) as p (property, value)
    where c.relnamespace = %(oid)s and c.relkind not in ('i', 'I', 't')
    """,
    # Types: who may use them.
    f"""
    select 'type ' || t.typname, t.typname, w.rolname, p.property, p.value
    from pg_type as t
    inner join pg_roles as w on t.typowner = w.oid
    left join pg_class as c on t.typrelid = c.oid
    cross join lateral ({_grants("t.typacl", "t.typowner", "T")}) as p
    where t.typnamespace = %(oid)s and t.typelem = 0 and coalesce(c.relkind, 'c') = 'c'
    """,
    # Columns.
    """
    select format('column %%s of %%s', a.attname, c.relname), c.relname, null, p.property, p.value
    from pg_attribute as a
    inner join pg_class as c on a.attrelid = c.oid
    left join pg_attrdef as d on a.attrelid = d.adrelid and a.attnum = d.adnum
    cross join lateral (
        select 'type', format_type(a.atttypid, a.atttypmod)
        union all select 'null', case when a.attnotnull then 'refused' else 'allowed' end
        union all select 'default', pg_get_expr(d.adbin, d.adrelid, true) where d.oid is not null
        union all
        select 'generated', a.attidentity::text || a.attgenerated::text
        where a.attidentity <> '' or a.attgenerated <> ''
        union all
        select 'collation', o.collname from pg_collation as o
        where o.oid = a.attcollation and o.collname <> 'default'
        union all select 'options', array_to_string(a.attoptions, ', ') where a.attoptions is not null
        union all
        select g.property, g.value
        from (
            select
                'granted to '
                || case when e.grantee = 0 then 'everybody' else pg_get_userbyid(e.grantee)::text end as property,
                string_agg(
                    e.privilege_type || case when e.is_grantable then ' with grant option' else '' end, ', '
                    order by e.privilege_type
                ) as value
            from aclexplode(a.attacl) as e
            group by e.grantee
        ) as g
    ) as p (property, value)
    where c.relnamespace = %(oid)s and c.relkind not in ('i', 'I', 't', 'S') and a.attnum > 0 and not a.attisdropped
    """,
    # Constraints; a table that was taken over keeps the name of its primary key. Kind n (PostgreSQL 18) is attnotnull.
    """
    select
        format(
            'constraint %%s on %%s', case k.contype when 'p' then c.relname || '_pkey' else k.conname end, c.relname
        ),
        c.relname, null, p.property, p.value
    from pg_constraint as k
    inner join pg_class as c on k.conrelid = c.oid
    cross join lateral (
        select 'definition', replace(pg_get_constraintdef(k.oid, true), ' NOT VALID', '')
        union all select 'validated', case when k.convalidated then 'yes' else 'no' end
        union all
        -- A foreign key is kept by triggers of its own, which a superuser can disable.
        select
            'kept by',
            string_agg(
                f.proname || case t.tgenabled when 'O' then '' else ' (' || t.tgenabled::text || ')' end, ', '
                order by f.proname, t.tgenabled::text
            )
        from pg_trigger as t
        inner join pg_proc as f on t.tgfoid = f.oid
        where t.tgconstraint = k.oid
        having count(*) > 0
    ) as p (property, value)
    where c.relnamespace = %(oid)s and k.contype in ('c', 'f', 'p', 'u', 'x')
    """,
    # Indexes that are not a constraint's.
    """
    select format('index %%s on %%s', i.relname, c.relname), c.relname, null, p.property, p.value
    from pg_index as x
    inner join pg_class as i on x.indexrelid = i.oid
    inner join pg_class as c on x.indrelid = c.oid
    cross join lateral (
        select 'definition', pg_get_indexdef(i.oid, 0, true)
        union all select 'valid', case when x.indisvalid and x.indisready and x.indislive then 'yes' else 'no' end
    ) as p (property, value)
    where c.relnamespace = %(oid)s and c.relkind <> 't'
        and not exists (select from pg_constraint as k where k.conindid = i.oid and k.contype in ('p', 'u', 'x'))
    """,
    # Triggers.
    """
    select format('trigger %%s on %%s', t.tgname, c.relname), c.relname, null, p.property, p.value
    from pg_trigger as t
    inner join pg_class as c on t.tgrelid = c.oid
    cross join lateral (
        select 'definition', pg_get_triggerdef(t.oid, true)
        union all
        select 'fires',
            case t.tgenabled when 'D' then 'never (disabled)' when 'A' then 'always' when 'R' then 'on a replica only'
            else 'on the origin only' end
    ) as p (property, value)
    where c.relnamespace = %(oid)s and not t.tgisinternal
    """,
    # Rules and policies; the rule that makes a view is its definition.
    """
    select format('rule %%s on %%s', r.rulename, c.relname), c.relname, null, p.property, p.value
    from pg_rewrite as r
    inner join pg_class as c on r.ev_class = c.oid
    cross join lateral (
        select 'definition', pg_get_ruledef(r.oid, true) || ' ' || r.ev_enabled::text
    ) as p (property, value)
    where c.relnamespace = %(oid)s and not (r.rulename = '_RETURN' and c.relkind in ('v', 'm'))
    union all
    select format('policy %%s on %%s', y.polname, c.relname), c.relname, null, 'definition',
        format('%%s %%s using (%%s) check (%%s) for %%s',
            case when y.polpermissive then 'permissive' else 'restrictive' end, y.polcmd,
            pg_get_expr(y.polqual, y.polrelid), pg_get_expr(y.polwithcheck, y.polrelid),
            array(
                select case when u.member = 0 then 'everybody' else pg_get_userbyid(u.member)::text end
                from unnest(y.polroles) as u (member) order by 1
            ))
    from pg_policy as y
    inner join pg_class as c on y.polrelid = c.oid
    where c.relnamespace = %(oid)s
    """,
    # Functions.
    f"""
    select
        case f.prokind when 'p' then 'procedure ' else 'function ' end
            || f.proname || '(' || oidvectortypes(f.proargtypes) || ')',
        null, w.rolname, p.property, p.value
    from pg_proc as f
    inner join pg_roles as w on f.proowner = w.oid
    inner join pg_language as l on f.prolang = l.oid
    cross join lateral (
        select
            'definition',
            format(
                '%%s returns %%s language %%s',
                pg_get_function_arguments(f.oid), pg_get_function_result(f.oid), l.lanname
            )
        union all
        select
            'attributes',
            concat_ws(
                ' ',
                case f.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
                'parallel ' || case f.proparallel when 's' then 'safe' when 'r' then 'restricted' else 'unsafe' end,
                case when f.proisstrict then 'strict' end,
                case when f.proleakproof then 'leakproof' end,
                format('cost %%s rows %%s', f.procost, f.prorows),
                nullif(f.prosupport::text, '-')
            )
        union all select 'runs with the rights of', case when f.prosecdef then 'its owner' else 'its caller' end
        union all select 'settings', array_to_string(f.proconfig, '; ') where f.proconfig is not null
        union all
        select
            'body',
            {_digest(_BODY)}
        where f.prokind <> 'a'
        union all select 'owner', {_OWNED_BY.format(owner="w")}
        union all {_grants("f.proacl", "f.proowner", "f")}
    ) as p (property, value)
    where f.pronamespace = %(oid)s
    """,
    # What is granted by itself on what will be made.
    """
    select
        format(
            'default privileges of %%s for %%s%%s',
            pg_get_userbyid(d.defaclrole),
            case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
                when 'T' then 'types' else d.defaclobjtype::text end,
            case when d.defaclnamespace <> 0 then ' of the schema' else '' end
        ),
        null, null, g.property, g.value
    from pg_default_acl as d
    cross join lateral (
        select
            'granted to ' || case when e.grantee = 0 then 'everybody' else pg_get_userbyid(e.grantee)::text end,
            string_agg(e.privilege_type, ', ' order by e.privilege_type)
        from aclexplode(d.defaclacl) as e
        group by e.grantee
    ) as g (property, value)
    where d.defaclnamespace = %(oid)s or d.defaclnamespace = 0 and pg_get_userbyid(d.defaclrole) = 'atlas_owner'
    """,
    # The roles, which are the server's: nobody logs in as one of them, and nobody else is the owner.
    """
    select 'role ' || r.rolname, null, null, p.property, p.value
    from pg_roles as r
    cross join lateral (
        select 'may', nullif(concat_ws(', ',
            case when r.rolcanlogin then 'log in' end, case when r.rolsuper then 'everything' end,
            case when r.rolcreaterole then 'create roles' end, case when r.rolcreatedb then 'create databases' end,
            case when r.rolreplication then 'replicate' end,
            case when r.rolbypassrls then 'bypass row security' end), '')
        union all
        select 'is a member of', string_agg(distinct pg_get_userbyid(m.roleid)::text, ', ')
        from pg_auth_members as m where m.member = r.oid having count(*) > 0
        union all
        select 'can be taken by', string_agg(distinct pg_get_userbyid(m.member)::text, ', ')
        from pg_auth_members as m where m.roleid = r.oid and r.rolname = 'atlas_owner' having count(*) > 0
    ) as p (property, value)
    where r.rolname in ('atlas_owner', 'atlas_registrar', 'atlas_reviewer', 'atlas_steward', 'atlas_reader')
        and p.value is not null
    """,
)

# Roles are not made anew beside the others, so what they are to be stands here.
_ROLES = {f"role {role}": "atlas_reader" for role in ("atlas_registrar", "atlas_reviewer", "atlas_steward")}


@dataclass
class CatalogObject:
    """A table, column, trigger, function … and what the catalog says of it.

    Args:
        table: The relation that it is, or belongs to.
        owner: The role that owns it, where it has an owner of its own.
        properties: Property → value.
    """

    table: str | None
    owner: str | None
    properties: dict[str, str] = field(default_factory=dict)

    def summary(self) -> str:
        """One property that says most about it."""
        name = next((name for name in ("definition", "type", "counting", "kind") if name in self.properties), None)
        return self.properties[name] if name else ", ".join(f"{key} {value}" for key, value in self.properties.items())


Catalog = dict[str, CatalogObject]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as this version of the code makes it.

    Args:
        what: The object, and its property unless the whole object is missing or superfluous.
        expected: What it is to be; None: not to be there.
        found: What it is; None: it is not there.
    """

    what: str
    expected: str | None
    found: str | None

    def __str__(self) -> str:
        return f"{self.what}: expected {self._told(self.expected)}, found {self._told(self.found)}"

    @staticmethod
    def _told(value: str | None) -> str:
        return "nothing" if value is None else " ".join(value.split())


def read_catalog(conn: psycopg.Connection[TupleRow], schema: str, stands_for: str | None = None) -> Catalog:
    """Reads what the catalog says about a schema and the registry's roles.

    Args:
        conn: A connection in a transaction; its search_path is changed for it.
        schema: The schema.
        stands_for: The schema that it was made to be compared with; its name is written instead.

    Returns:
        The objects by name.
    """
    # What is visible is written without its schema, so that the same things read the same in two of them.
    conn.execute(sql.SQL("set local search_path = {}, pg_temp").format(sql.Identifier(schema)))
    query = "select n.oid, quote_ident(n.nspname), quote_ident(%s) from pg_namespace as n where n.nspname = %s"
    ((oid, name, replacement),) = conn.execute(query, [stands_for or schema, schema]).fetchall()
    found: Catalog = {}
    for query in _QUERIES:
        rows = conn.execute(query, {"oid": oid, "name": name, "stands_for": replacement})
        for label, table, owner, key, value in rows:
            entry = found.setdefault(label, CatalogObject(table, owner))
            entry.owner = entry.owner or owner
            entry.properties[key] = "" if value is None else str(value).replace(name, replacement)
    return found


def differences(
    expected: Catalog,
    found: Catalog,
    *,
    taken_over: Mapping[tuple[str, str], str],
    has_legacy_rows: bool,
    dangling: frozenset[str],
    builtin: frozenset[str],
) -> list[Difference]:
    """Compares what is there with what is to be there.

    Args:
        expected: What this version of the code makes.
        found: What is there.
        taken_over: What a table brought along when it was taken over: (object, property) → value.
        has_legacy_rows: Whether rows wait at schema version 0, so that the database cannot be sealed yet.
        dangling: The foreign keys that cannot be validated, because rows of a table that was taken over dangle.
        builtin: Names of PostgreSQL's own functions.

    Returns:
        What differs, in the order of the names.
    """
    wanted = _with_roles(expected)
    ours = {entry.table for entry in wanted.values() if entry.table}
    functions = {_function_name(label) for label in wanted if label.startswith(("function ", "procedure "))}

    def belongs(label: str, entry: CatalogObject) -> bool:
        if (
            entry.table in ours
            or entry.owner == _OWNER
            or label == "the schema"
            or label.startswith(("role ", "default"))
        ):
            return True
        # Somebody else's function in the schema is their affair, unless it could be called instead of one of ours.
        return entry.table is None and _function_name(label) in functions | builtin

    whole = {label: entry.table for label, entry in wanted.items() if label.startswith(("table ", "view "))}
    gone = {table for label, table in whole.items() if label not in found}
    result: list[Difference] = []
    for label in sorted(wanted.keys() | found.keys()):
        here, there = wanted.get(label), found.get(label)
        if here is not None and here.table in gone and label not in whole:
            continue  # it went with its table
        if here is None and there is not None:
            if belongs(label, there):
                result += _superfluous(label, there, taken_over)
        elif there is None and here is not None:
            if not (label == _SEAL and taken_over and has_legacy_rows):
                result.append(Difference(label, here.summary(), None))
        elif here is not None and there is not None:
            result += _changed(label, here.properties, there.properties, _kept(label, taken_over, dangling))
    return result


def _kept(
    label: str, taken_over: Mapping[tuple[str, str], str], dangling: frozenset[str]
) -> dict[tuple[str, str], str]:
    """What an object of ours may have kept of what it was before; everything else of it was made as anywhere."""
    kept = {key: value for key, value in taken_over.items() if key[1] == "default" or key[1].startswith(_GRANTED)}
    return kept | ({(label, _VALIDATED): "no"} if taken_over and label in dangling else {})


def _superfluous(label: str, entry: CatalogObject, taken_over: Mapping[tuple[str, str], str]) -> Iterator[Difference]:
    brought = {key: value for (name, key), value in taken_over.items() if name == label}
    if brought:
        # What was brought may have been validated since.
        yield from _changed(label, brought, entry.properties, {(label, _VALIDATED): "yes"})
    else:
        yield Difference(label, None, entry.summary())


def _changed(
    label: str, wanted: Mapping[str, str], found: Mapping[str, str], known: Mapping[tuple[str, str], str]
) -> Iterator[Difference]:
    for key in sorted(wanted.keys() | found.keys()):
        here, there = wanted.get(key), found.get(key)
        if here != there and not _is_kept(key, here, there, known.get((label, key))):
            yield Difference(f"{label}: {key}", here, there)


def _is_kept(key: str, wanted: str | None, found: str | None, before: str | None) -> bool:
    if found is None or before is None:
        return False
    if not key.startswith(_GRANTED):
        return found == before
    # Some of what was granted before may have been revoked since.
    least, given, most = (set((value or "").split(", ")) - {""} for value in (wanted, found, before))
    return least <= given <= most | least


def _with_roles(expected: Catalog) -> Catalog:
    wanted = {label: entry for label, entry in expected.items() if not label.startswith("role ")}
    return wanted | {label: CatalogObject(None, None, {"is a member of": group}) for label, group in _ROLES.items()}


def _function_name(label: str) -> str:
    return label.partition(" ")[2].partition("(")[0]
