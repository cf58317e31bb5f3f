-- Roles and the artifacts table: everything a platform keeps, models among them, and what makes a model's row acceptable. A table of
-- this name that stands in the schema already is taken over in place (docs/adopt.md).
-- Why: a model can only be stored with metadata that says what it is, where it came from and how to reproduce it.
-- Locks: ACCESS EXCLUSIVE on a table that is taken over, while it is rewritten; else only new objects. Ways down: docs/migrations.md.

create extension if not exists plpython3u with schema pg_catalog;

-- Roles belong to the cluster, migrations to a database: another database may create the same roles at the same moment.
do $do$
declare
    v_role text;
begin
    foreach v_role in array array['atlas_owner', 'atlas_registrar', 'atlas_reviewer', 'atlas_steward', 'atlas_reader'] loop
        if to_regrole(v_role) is null then
            begin
                execute format('create role %I nologin', v_role);
            exception when duplicate_object or unique_violation then
                null;
            end;
        end if;
    end loop;
    foreach v_role in array array['atlas_registrar', 'atlas_reviewer', 'atlas_steward'] loop
        if not pg_has_role(v_role, 'atlas_reader', 'member') then
            begin
                execute format('grant atlas_reader to %I', v_role);
            exception when unique_violation then
                null;
            end;
        end if;
    end loop;
    execute format('grant usage, create on schema %I to atlas_owner', current_schema());
    execute format('grant usage on schema %I to public', current_schema());
end
$do$;

-- Whatever atlas_owner creates here is closed until it is granted.
alter default privileges for role atlas_owner revoke execute on functions from public;

-- Stubs: they fail closed until sql/ puts the real bodies in, within the same transaction. What will be PL/Python stays with
-- the superuser who deploys; everything else belongs to atlas_owner.
create function is_valid_metadata(artifact_type text, schema_version integer, metadata jsonb)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $stub$ begin raise exception 'is_valid_metadata() is not deployed'; end $stub$;

create function explain_metadata()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $stub$ begin raise exception 'explain_metadata() is not deployed'; end $stub$;

set local role atlas_owner;

create table artifacts_original (
    id text not null,
    row_text text not null
);

comment on table artifacts_original is
$$Every row of artifacts as it was before the table was taken over; empty in a database that began as a registry.$$;
comment on column artifacts_original.id is $$The artifact that the row is of.$$;
comment on column artifacts_original.row_text is
$$A JSON object, column name → the value's text or null. row_text::json ->> 'metadata' gives back every byte that the column held.$$;

reset role;

-- What follows, up to the DO block that calls it, is for a table that stands here already: look at it, refuse it with every reason at
-- once, or convert it. Only temporary functions: nothing of it stays. Until the catalog says that nothing of somebody else's would
-- run, only PostgreSQL's own functions see a row.

-- Some escapes that JSON allows name no character that PostgreSQL can store; they are kept as the six characters that were written.
create function pg_temp.spell_out_escapes(document text)
returns text
language plpython3u immutable strict
as $python$
import re

def spelt_out(found):
    escape = found.group()
    if len(escape) == 6 and (escape[2:] == "0000" or escape[2].lower() == "d" and escape[3].lower() in "89abcdef"):
        return "\\" + escape
    return escape

two = "[0-9a-fA-F]" * 2
pair = r"\\u[dD][89abAB]" + two + r"\\u[dD][c-fC-F]" + two
return re.sub(pair + r"|\\u" + two * 2 + r"|\\.", spelt_out, document, flags=re.DOTALL)
$python$;

create function pg_temp.as_jsonb(document text)
returns jsonb
language plpgsql immutable strict
as $function$
begin
    if document ~ '\\u(0000|[dD][89a-fA-F])' then
        return pg_temp.spell_out_escapes(document)::jsonb;
    end if;
    return document::jsonb;
end
$function$;

-- ISO 8601, as SQLite's datetime('now') writes it too: without an offset it is UTC.
create function pg_temp.iso_8601()
returns text
language sql immutable
return '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?( ?(Z|[+-][0-9]{2}(:?[0-9]{2})?))?)?$';

create function pg_temp.as_time(value text)
returns timestamptz
language plpgsql stable strict
as $function$
begin
    if value !~ pg_temp.iso_8601() then
        raise invalid_datetime_format;
    end if;
    return value::timestamptz;
end
$function$;

create function pg_temp.is_convertible(value text, target text)
returns boolean
language plpgsql stable strict
as $function$
begin
    case target
        when 'jsonb' then perform pg_temp.as_jsonb(value);
        when 'boolean' then return value in ('0', '1');
        when 'integer' then perform value::integer;
        else perform pg_temp.as_time(value);
    end case;
    return true;
exception when data_exception or program_limit_exceeded then
    return false;
end
$function$;

-- The columns of the registry that the table has: what each is, what it becomes (expression is NULL where it stays as it is), and the
-- value of its default where that is a constant. A column that is missing is added further down.
create function pg_temp.columns_to_adopt(catalogue regclass)
returns table (
    column_name name, number smallint, source text, target text, is_accepted boolean, expression text, changes_type boolean,
    default_expression text, default_value text
)
language sql stable
as $function$
    select
        a.attname,
        a.attnum,
        s.source,
        w.target,
        s.source = any(w.accepted::text[]),
        case
            when s.source = w.target and a.attcollation in (0, 'pg_catalog."default"'::regcollation) then null
            when w.target = 'text' then format('%I', a.attname)
            -- The usual value needs no closer look, which costs a call for each row.
            when w.target = 'jsonb'
                then format(
                    'case when %1$I::text like ''%%\\u%%'' then pg_temp.as_jsonb(%1$I::text) else %1$I::text::jsonb end', a.attname
                )
            when w.target = 'boolean' then format('(%I::text)::boolean', a.attname)
            when w.target = 'integer' then format('%I::integer', a.attname)
            else
                format('case when %1$I ~ pg_temp.iso_8601() then %1$I::timestamptz else pg_temp.as_time(%1$I) end', a.attname)
        end,
        w.target <> 'text' and s.source <> w.target,
        d.expression,
        case
            when d.expression ~ '^''([^'']|'''')*''(::[a-z ]+)?$'
                then replace(substring(d.expression from '^''(.*)''(?:::[a-z ]+)?$'), '''''', '''')
            when d.expression ~ '^[0-9]+$' then d.expression
        end
    from (
        values
        ('id', 'text', '{text,character varying}'),
        ('artifact_type', 'text', '{text,character varying}'),
        ('title', 'text', '{text,character varying}'),
        ('metadata', 'jsonb', '{jsonb,json,text,character varying}'),
        ('version_number', 'integer', '{integer,smallint,bigint}'),
        ('parent_version_id', 'text', '{text,character varying}'),
        ('version_tag', 'text', '{text,character varying}'),
        ('changelog', 'text', '{text,character varying}'),
        ('is_latest', 'boolean', '{boolean,smallint,integer,bigint}'),
        ('lifecycle_state', 'text', '{text,character varying}'),
        ('superseded_by', 'text', '{text,character varying}'),
        ('origin_type', 'text', '{text,character varying}'),
        ('origin_url', 'text', '{text,character varying}'),
        ('created_by', 'text', '{text,character varying}'),
        ('created_at', 'timestamp with time zone', '{timestamp with time zone,text,character varying}'),
        ('updated_at', 'timestamp with time zone', '{timestamp with time zone,text,character varying}')
    ) as w (column_name, target, accepted)
    inner join pg_attribute as a
        on a.attrelid = catalogue and w.column_name = a.attname and not a.attisdropped
    cross join lateral (select format_type(a.atttypid, null) as source) as s
    left join lateral (
        select nullif(pg_get_expr(p.adbin, p.adrelid), 'NULL::' || s.source) as expression
        from pg_attrdef as p
        where p.adrelid = a.attrelid and p.adnum = a.attnum and a.attgenerated = ''
    ) as d on true
$function$;

-- Functions that are not a superuser's and that the table calls, by itself or through operators, types and other functions: they would
-- run with the rights of the registry, some of them now with those of the superuser.
create function pg_temp.functions_of_others(catalogue regclass)
returns table (used_by text, function oid)
language sql stable
as $function$
    with recursive used (used_by, classid, objid) as (
        select 'the constraint ' || k.conname, 'pg_constraint'::regclass::oid, k.oid
        from pg_constraint as k
        where k.conrelid = catalogue
        union
        select 'the index ' || i.indexrelid::regclass, 'pg_class'::regclass, i.indexrelid
        from pg_index as i
        where i.indrelid = catalogue
        union
        select 'the statistics ' || s.stxname, 'pg_statistic_ext'::regclass, s.oid
        from pg_statistic_ext as s
        where s.stxrelid = catalogue
        union
        select 'the default of ' || a.attname, 'pg_attrdef'::regclass, d.oid
        from pg_attrdef as d
        inner join pg_attribute as a on d.adrelid = a.attrelid and d.adnum = a.attnum
        left join pg_temp.columns_to_adopt(catalogue) as c on a.attname = c.column_name and c.changes_type
        where d.adrelid = catalogue and c.column_name is null
        union
        select 'the column ' || a.attname, 'pg_type'::regclass, a.atttypid
        from pg_attribute as a
        where a.attrelid = catalogue and a.attnum > 0 and not a.attisdropped
        union
        -- A foreign key calls the cast from its column's type to that of the column that it refers to.
        select 'the foreign key ' || k.conname, 'pg_cast'::regclass, t.oid
        from pg_constraint as k
        inner join pg_attribute as a on k.conrelid = a.attrelid and a.attnum = any(k.conkey)
        inner join pg_cast as t on a.atttypid = t.castsource
        where catalogue in (k.conrelid, k.confrelid) and k.contype = 'f'
        union
        select u.used_by, n.classid, n.objid
        from used as u
        cross join lateral (
            select d.refclassid, d.refobjid
            from pg_depend as d
            where
                d.classid = u.classid
                and d.objid = u.objid
                and d.refclassid = any('{pg_proc,pg_operator,pg_type}'::regclass[])
            union all
            select 'pg_constraint'::regclass, k.oid
            from pg_constraint as k
            where u.classid = 'pg_type'::regclass and k.contypid = u.objid
        ) as n (classid, objid)
    )

    select min(u.used_by), p.oid
    from used as u
    inner join pg_proc as p on u.objid = p.oid and u.classid = 'pg_proc'::regclass
    inner join pg_roles as r on p.proowner = r.oid
    where not r.rolsuper
    group by p.oid
$function$;

-- The registry's own foreign keys take their place.
create function pg_temp.replaced_constraints(catalogue regclass)
returns table (oid oid, name name)
language sql stable
as $function$
    select k.oid, k.conname
    from pg_constraint as k
    inner join pg_attribute as a on k.conrelid = a.attrelid and k.conkey = array[a.attnum]
    where
        k.conrelid = catalogue
        and k.confrelid = k.conrelid
        and a.attname in ('parent_version_id', 'superseded_by')
$function$;

-- What stands in the way, from the catalog alone.
create function pg_temp.structural_problems(catalogue regclass)
returns table (problem text, remedy text)
language plpgsql stable
as $function$
declare
    v_changing constant smallint[] := array(select c.number from pg_temp.columns_to_adopt(catalogue) as c where c.changes_type);
begin
    return query
    select p.problem, p.remedy
    from pg_class as c
    cross join lateral (values
        (c.relpersistence <> 'p', 'it is not a permanent, logged table', format('alter table %s set logged', catalogue)),
        (c.reloftype <> 0, 'it is a typed table', format('alter table %s not of', catalogue)),
        (
            c.relispartition or exists (select from pg_inherits as i where c.oid in (i.inhrelid, i.inhparent)),
            'it is part of an inheritance tree',
            'copy its rows into a table of its own'
        ),
        (
            c.relrowsecurity,
            'it has row level security, which would hide rows from the registry',
            format('alter table %s disable row level security', catalogue)
        )
    ) as p (applies, problem, remedy)
    where c.oid = catalogue and p.applies;

    -- The remedy drops what would not survive the change: its own foreign keys, which the registry makes anew, and the default.
    return query
    select
        format('the column %s is of type %s, not %s', c.column_name, c.source, c.target),
        format(
            'alter table %s %salter column %I type %s using %s -- or whatever fits its values', catalogue,
            coalesce((
                select string_agg(format('drop constraint if exists %I, ', k.conname), '' order by k.conname)
                from pg_constraint as k
                where k.conrelid = catalogue and k.confrelid = catalogue and (c.number = any(k.conkey) or c.number = any(k.confkey))
            ), '')
            || case when c.default_expression is not null and c.target <> 'text' then format('alter column %I drop default, ', c.column_name) else '' end,
            c.column_name, c.target,
            case
                when c.target = 'text' or c.target = 'integer' then format('%I::%s', c.column_name, c.target)
                when c.target = 'boolean' and t.typcategory = 'N' then format('%I <> 0', c.column_name)
                when c.target = 'timestamp with time zone' and t.typcategory = 'N' then format('to_timestamp(%I)', c.column_name)
                when c.target = 'timestamp with time zone' and t.typcategory = 'D'
                    then format('%I::timestamp at time zone ''UTC''', c.column_name)
                else format('%I::text::%s', c.column_name, c.target)
            end
        )
    from pg_temp.columns_to_adopt(catalogue) as c
    inner join pg_attribute as a on a.attrelid = catalogue and a.attnum = c.number
    inner join pg_type as t on a.atttypid = t.oid
    where not c.is_accepted;

    return query
    select
        format('the column %s is %s', a.attname, case a.attgenerated when '' then 'an identity' else 'generated' end),
        format(
            'alter table %s alter column %I drop %s', catalogue, a.attname, case a.attgenerated when '' then 'identity' else 'expression' end
        )
    from pg_temp.columns_to_adopt(catalogue) as c
    inner join pg_attribute as a on a.attrelid = catalogue and a.attnum = c.number
    where a.attgenerated <> '' or a.attidentity <> '';

    return query
    select
        format('the column %s has a collation by which different texts are equal', c.column_name),
        format('alter table %s alter column %I type text collate "default"', catalogue, c.column_name)
    from pg_temp.columns_to_adopt(catalogue) as c
    inner join pg_attribute as a on a.attrelid = catalogue and a.attnum = c.number
    inner join pg_collation as l on a.attcollation = l.oid
    where not l.collisdeterministic;

    return query
    select
        format('the default of %s cannot be carried over: %s', c.column_name, c.default_expression),
        format('alter table %s alter column %I drop default -- or make it a constant', catalogue, c.column_name)
    from pg_temp.columns_to_adopt(catalogue) as c
    where
        c.is_accepted
        and c.changes_type
        and c.default_expression is not null
        and not case c.target
            when 'integer' then true
            when 'timestamp with time zone' then coalesce(pg_temp.is_convertible(c.default_value, c.target), true)
            else coalesce(pg_temp.is_convertible(c.default_value, c.target), false)
        end;

    return query
    select
        format('the registry keeps a column %s of its own', a.attname),
        format('alter table %s rename column %I to %I', catalogue, a.attname, 'legacy_' || a.attname)
    from pg_attribute as a
    where a.attrelid = catalogue and a.attname in ('name', 'metadata_schema_version') and not a.attisdropped;

    return query
    select
        format('the column %s must be given and has no default, so that nothing could be registered', a.attname),
        case
            when a.attnotnull
                then format('alter table %s alter column %I drop not null -- or give it a default', catalogue, a.attname)
            else format('alter domain %s drop not null -- or give the column a default', a.atttypid::regtype)
        end
    from pg_attribute as a
    inner join pg_type as t on a.atttypid = t.oid
    where
        a.attrelid = catalogue
        and a.attnum > 0
        and not a.attisdropped
        and (a.attnotnull or t.typnotnull)
        and not a.atthasdef
        and t.typdefault is null
        and a.attidentity = ''
        and a.attname not in (select c.column_name from pg_temp.columns_to_adopt(catalogue) as c);

    return query
    select
        case
            when k.contype is null then 'it has no primary key'
            when k.condeferrable then 'its primary key is deferrable, and nothing could refer to it'
            else 'its primary key is not the column id'
        end,
        case
            when k.contype is null then format('alter table %s add primary key (id)', catalogue)
            else
                format(
                    'alter table %s drop constraint %I, add primary key (id) -- foreign keys that refer to it go first', catalogue, k.conname
                )
        end
    from (select) as one
    left join pg_constraint as k on k.conrelid = catalogue and k.contype = 'p'
    where
        k.contype is null
        or k.condeferrable
        or k.conkey <> array(select a.attnum from pg_attribute as a where a.attrelid = catalogue and a.attname = 'id');

    return query
    select
        format('the trigger %s would run within the registry', t.tgname),
        format('drop trigger %I on %s', t.tgname, catalogue)
    from pg_trigger as t
    where t.tgrelid = catalogue and not t.tgisinternal
    order by t.tgname;

    -- Whoever reads a view can be read by another one: the last first.
    return query
    with recursive readers (relation, depth) as (
        select catalogue::oid, 0
        union
        select r.ev_class, v.depth + 1
        from readers as v
        inner join pg_depend as d on d.refclassid = 'pg_class'::regclass and d.refobjid = v.relation and d.classid = 'pg_rewrite'::regclass
        inner join pg_rewrite as r on d.objid = r.oid and r.ev_class <> v.relation
        inner join pg_class as c on r.ev_class = c.oid and c.relkind in ('v', 'm')
    )

    select
        format('the %s %s reads it', k.kind, c.oid::regclass),
        format('drop %s %s -- keep its text: select pg_get_viewdef(%L)', k.kind, c.oid::regclass, c.oid::regclass::text)
    from readers as v
    inner join pg_class as c on v.relation = c.oid and v.depth > 0
    cross join lateral (select case c.relkind when 'm' then 'materialized view' else 'view' end as kind) as k
    group by c.oid, k.kind
    order by max(v.depth) desc, c.oid::regclass::text;

    return query
    select distinct
        format('the rule %s on %s uses it', r.rulename, r.ev_class::regclass),
        format('drop rule %I on %s', r.rulename, r.ev_class::regclass)
    from pg_rewrite as r
    inner join pg_class as c on r.ev_class = c.oid and c.relkind not in ('v', 'm')
    left join pg_depend as d on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid and d.refclassid = 'pg_class'::regclass
    where catalogue in (r.ev_class, d.refobjid);

    -- What PostgreSQL would not let its columns change under.
    return query
    select distinct
        format('the policy %s on %s uses it', p.polname, p.polrelid::regclass),
        format('drop policy %I on %s', p.polname, p.polrelid::regclass)
    from pg_policy as p
    left join pg_depend as d on d.classid = 'pg_policy'::regclass and p.oid = d.objid and d.refclassid = 'pg_class'::regclass
    where catalogue in (p.polrelid, d.refobjid)
    union all
    select distinct
        format('the body of the function %s is bound to it', d.objid::regprocedure),
        format('drop routine %s -- and make it anew afterwards', d.objid::regprocedure)
    from pg_depend as d
    where d.classid = 'pg_proc'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = catalogue and d.refobjsubid > 0
    union all
    select
        format('the publication %s takes some of its rows or columns only', p.pubname),
        format('alter publication %I drop table %s -- and add it again afterwards', p.pubname, catalogue)
    from pg_publication_rel as r
    inner join pg_publication as p on r.prpubid = p.oid
    where r.prrelid = catalogue and (r.prqual is not null or r.prattrs is not null)
    union all
    select
        format('the column %s of %s is of its row type', a.attname, a.attrelid::regclass),
        format('alter table %s alter column %I type jsonb using to_jsonb(%I)', a.attrelid::regclass, a.attname, a.attname)
    from pg_class as c
    inner join pg_type as t on c.reltype = t.oid
    inner join pg_attribute as a on a.atttypid in (t.oid, t.typarray) and not a.attisdropped
    inner join pg_class as o on a.attrelid = o.oid and o.relkind in ('r', 'm', 'p', 'f')
    where c.oid = catalogue
    union all
    select
        format('the column %s is computed from one that changes its type', a.attname),
        format('alter table %s alter column %I drop expression', catalogue, a.attname)
    from pg_attrdef as g
    inner join pg_attribute as a on g.adrelid = a.attrelid and g.adnum = a.attnum and a.attgenerated <> ''
    where
        g.adrelid = catalogue
        and exists (
            select from pg_depend as d
            inner join pg_temp.columns_to_adopt(catalogue) as c on d.refobjsubid = c.number and c.expression is not null
            where d.classid = 'pg_attrdef'::regclass and d.objid = g.oid and d.refclassid = 'pg_class'::regclass and d.refobjid = catalogue
        );

    -- A constraint or an index over a value that becomes another type would no longer be what it says.
    return query
    select
        format('the constraint %s says something of a column that changes its type', k.conname),
        format('alter table %s drop constraint %I', k.conrelid::regclass, k.conname)
    from pg_constraint as k
    where
        (k.conrelid = catalogue and k.contype in ('c', 'x', 'f') and k.conkey && v_changing)
        or (k.confrelid = catalogue and k.confkey && v_changing)
    order by k.conname;

    return query
    select
        format('the index %s is made for the type of a column that changes it', i.indexrelid::regclass),
        case
            when k.conname is null then format('drop index %s', i.indexrelid::regclass)
            else format('alter table %s drop constraint %I', catalogue, k.conname)
        end
    from pg_index as i
    inner join pg_class as c on i.indexrelid = c.oid
    inner join pg_am as m on c.relam = m.oid
    left join pg_constraint as k on k.conindid = i.indexrelid and k.conrelid = catalogue
    where
        i.indrelid = catalogue
        and k.contype is distinct from 'x'
        and (
            -- An expression or a condition.
            exists (
                select from pg_depend as d
                where
                    (i.indexprs is not null or i.indpred is not null)
                    and d.classid = 'pg_class'::regclass
                    and d.objid = i.indexrelid
                    and d.refclassid = 'pg_class'::regclass
                    and d.refobjid = catalogue
                    and d.refobjsubid = any(v_changing)
            )
            -- An operator class of the former type; or values that differed, and may be equal afterwards.
            or exists (
                select
                from generate_series(0, i.indnkeyatts - 1) as place
                inner join pg_opclass as o on i.indclass[place] = o.oid
                inner join pg_temp.columns_to_adopt(catalogue) as t on i.indkey[place] = t.number and t.changes_type
                where
                    not o.opcdefault
                    or m.amname not in ('btree', 'hash')
                    or (i.indisunique and t.target in ('jsonb', 'timestamp with time zone'))
            )
        )
    order by i.indexrelid::regclass::text;

    return query
    select distinct
        format('the statistics %s are made for the type of a column that changes it', s.stxname),
        format('drop statistics %I.%I', n.nspname, s.stxname)
    from pg_statistic_ext as s
    inner join pg_namespace as n on s.stxnamespace = n.oid
    inner join pg_depend as d
        on d.classid = 'pg_statistic_ext'::regclass and s.oid = d.objid and d.refclassid = 'pg_class'::regclass and d.refobjid = catalogue
    where s.stxrelid = catalogue and s.stxexprs is not null and d.refobjsubid = any(v_changing);

    return query
    select
        format('the constraint %s was never validated', k.conname),
        format('alter table %s validate constraint %I -- or drop it', catalogue, k.conname)
    from pg_constraint as k
    where k.conrelid = catalogue and not k.convalidated and k.oid not in (select r.oid from pg_temp.replaced_constraints(catalogue) as r)
    order by k.conname;

    return query
    select
        format('the name %s, which the registry uses, belongs to another constraint', k.conname),
        format('alter table %s rename constraint %I to %I', catalogue, k.conname, 'legacy_' || k.conname)
    from pg_constraint as k
    where
        k.conrelid = catalogue
        and k.contype <> 'p'
        and k.oid not in (select r.oid from pg_temp.replaced_constraints(catalogue) as r)
        and k.conname = any(array[
            'artifacts_id_name_key', 'artifacts_legacy_sealed', 'artifacts_metadata_bounded', 'artifacts_metadata_valid',
            'artifacts_parent_fkey', 'artifacts_pkey', 'artifacts_row_complete',
            'artifacts_superseded_by_fkey'
        ])
    order by k.conname;

    return query
    select
        format('the function %s, which %s uses, belongs to %s', p.oid::regprocedure, o.used_by, p.proowner::regrole),
        format(
            '%salter function %s owner to %I -- after reading it',
            case when p.prosecdef then format('alter function %s security invoker; ', p.oid::regprocedure) else '' end,
            p.oid::regprocedure, session_user
        )
    from pg_temp.functions_of_others(catalogue) as o
    inner join pg_proc as p on o.function = p.oid
    order by p.oid::regprocedure::text;
end
$function$;

-- Rows that no column of the registry could hold.
create function pg_temp.problems_in_rows(catalogue regclass)
returns table (problem text, remedy text)
language plpgsql stable
as $function$
declare
    v_check record;
    v_rows bigint;
    v_ids text;
begin
    for v_check in
        select 'artifact_type is null' as condition, 'without an artifact_type' as problem, 'say what each of them is' as remedy
        union all
        select
            'artifact_type <> ''model'' and lower(btrim(artifact_type)) in (''model'', '''')',
            'whose artifact_type is blank or almost ''model''',
            'write ''model'' for what is one, and another type for what is none'
        union all
        select
            format('not pg_temp.is_convertible(%I::text, %L)', c.column_name, c.target),
            case c.target
                when 'jsonb' then format('whose %s is no JSON that PostgreSQL can hold', c.column_name)
                when 'boolean' then format('whose %s is neither 0 nor 1', c.column_name)
                when 'integer' then format('whose %s is beyond a 32-bit integer', c.column_name)
                else format('whose %s is no ISO 8601 time', c.column_name)
            end,
            case c.target
                when 'jsonb' then 'make it valid JSON (NaN and Infinity are none), or NULL'
                when 'boolean' then 'make it 0, 1 or NULL'
                when 'integer' then 'number them lower'
                else 'write it as 2024-05-01T12:00:00Z, or NULL'
            end
        from pg_temp.columns_to_adopt(catalogue) as c
        where c.is_accepted and c.changes_type
        union all
        select
            format('artifact_type <> ''model'' and %I = id', c.column_name),
            format('that are no model and whose %s is the row itself', c.column_name),
            'make it NULL'
        from pg_temp.columns_to_adopt(catalogue) as c
        where c.column_name in ('parent_version_id', 'superseded_by')
    loop
        execute format('select count(*) from only %s where %s', catalogue, v_check.condition) into v_rows;
        if v_rows > 0 then
            execute format(
                'select string_agg(to_json(left(r.id, 64))::text, '', '') from (select id from only %s where %s order by id limit 10) as r',
                catalogue, v_check.condition
            )
            into v_ids;
            problem := format(
                '%s %s %s: %s%s', v_rows, case v_rows when 1 then 'row' else 'rows' end, v_check.problem, v_ids,
                case when v_rows > 10 then ' …' end
            );
            remedy := v_check.remedy;
            return next;
        end if;
    end loop;
end
$function$;

create function pg_temp.refuse_adoption(catalogue regclass, problems text[], remedies text[])
returns void
language plpgsql volatile
as $function$
begin
    if cardinality(problems) > 0 then
        raise exception '% cannot be taken over as it is', catalogue using
            errcode = 'MR009',
            -- A line each, whatever a name is made of.
            detail = array_to_string(array(select regexp_replace(p, e'[\r\n]+', ' ', 'g') from unnest(problems) as p), e'\n'),
            hint = array_to_string(array(select regexp_replace(r, e'[\r\n]+', ' ', 'g') from unnest(remedies) as r), e'\n'),
            table = 'artifacts';
    end if;
end
$function$;

-- Copies the rows as text, then rewrites the table once for everything, the mark of legacy models included; no trigger fires for it.
create function pg_temp.convert_artifacts(catalogue regclass)
returns void
language plpgsql volatile
as $function$
declare
    -- All of them before the first one runs: they are made from the catalog as it was.
    v_statements constant text[] := array(
        -- By the type's own output, never by a cast that somebody made.
        select
            format(
                'insert into %s.artifacts_original (id, row_text) select id, json_object(%L, array[%s])::text from only %s',
                min(c.relnamespace::regnamespace::text),
                array_agg(a.attname order by a.attnum),
                string_agg(
                    format(
                        case when a.atttypid < 16384 then '%1$I::text' else 'case when %1$I is distinct from null then format(''%%s'', %1$I) end' end,
                        a.attname
                    ),
                    ', ' order by a.attnum
                ),
                catalogue
            )
        from pg_attribute as a
        inner join pg_class as c on a.attrelid = c.oid
        where a.attrelid = catalogue and a.attnum > 0 and not a.attisdropped
        union all
        select format('alter table %s drop constraint %I', catalogue, r.name) from pg_temp.replaced_constraints(catalogue) as r
        union all
        select format('alter table %s add column metadata_schema_version integer', catalogue)
        union all
        select format('alter table %s ', catalogue) || string_agg(k.clause, ', ')
        from (
            select format('alter column %I drop default', c.column_name) as clause
            from pg_temp.columns_to_adopt(catalogue) as c
            where c.changes_type and c.default_expression is not null and c.target <> 'integer'
            union all
            select
                format(
                    'alter column %I type %s %s using %s', c.column_name, c.target,
                    case c.target when 'text' then 'collate "default"' else '' end, c.expression
                )
            from pg_temp.columns_to_adopt(catalogue) as c
            where c.expression is not null
            union all
            select 'alter column metadata_schema_version type integer using case when artifact_type = ''model'' then 0 end'
            union all
            select
                format(
                    'alter column %I %s not null', c.column_name,
                    case when c.column_name in ('id', 'artifact_type') then 'set' else 'drop' end
                )
            from pg_temp.columns_to_adopt(catalogue) as c
        ) as k
        union all
        select
            format(
                'alter table %s alter column %I set default %s', catalogue, c.column_name,
                case
                    when c.target = 'jsonb' then format('%L::jsonb', pg_temp.as_jsonb(c.default_value)::text)
                    when c.target = 'boolean' then (c.default_value = '1')::text
                    when c.default_value is not null then format('%L::timestamptz', pg_temp.as_time(c.default_value)::text)
                    else 'now()'
                end
            )
        from pg_temp.columns_to_adopt(catalogue) as c
        where c.changes_type and c.default_expression is not null and c.target <> 'integer'
    );
    v_statement text;
    v_is_unfit boolean;
begin
    -- What no conversion would stumble over.
    execute (
        select
            format('select exists (select from only %s where artifact_type is null or (artifact_type <> ''model'' and ', catalogue)
            || '(lower(btrim(artifact_type)) in (''model'', '''')'
            || coalesce(string_agg(format(' or %I = id', c.column_name), ''), '')
            || ')))'
        from pg_temp.columns_to_adopt(catalogue) as c
        where c.column_name in ('parent_version_id', 'superseded_by')
    )
    into v_is_unfit;
    if v_is_unfit then
        raise data_exception;
    end if;
    foreach v_statement in array v_statements loop
        execute v_statement;
    end loop;
end
$function$;

-- Who wrote rows before goes on doing so; what would change the table itself, bind it or empty it, is over.
create function pg_temp.hand_over_artifacts(catalogue regclass)
returns void
language plpgsql volatile
as $function$
declare
    v_owner constant name := (select pg_get_userbyid(c.relowner) from pg_class as c where c.oid = catalogue);
    v_statements constant text[] := array(
        select format('alter table %s rename constraint %I to artifacts_pkey', catalogue, k.conname)
        from pg_constraint as k
        where k.conrelid = catalogue and k.contype = 'p' and k.conname <> 'artifacts_pkey'
        union all
        select format('alter table %s owner to atlas_owner', catalogue)
        union all
        select format('grant select, insert, update, delete on %s to %I', catalogue, v_owner)
        where v_owner <> 'atlas_owner'
        union all
        select format('grant usage, select, update on sequence %s to %I', d.objid::regclass, v_owner)
        from pg_depend as d
        inner join pg_class as c on d.objid = c.oid and c.relkind = 'S'
        where d.classid = 'pg_class'::regclass and d.refobjid = catalogue and d.deptype in ('a', 'i')
        union all
        select format('grant usage on sequence %s to atlas_owner', d.refobjid::regclass)
        from pg_attrdef as f
        inner join pg_depend as d on d.classid = 'pg_attrdef'::regclass and f.oid = d.objid and d.refclassid = 'pg_class'::regclass
        inner join pg_class as c on d.refobjid = c.oid and c.relkind = 'S'
        where f.adrelid = catalogue
    );
    v_statement text;
    v_grant record;
begin
    foreach v_statement in array v_statements loop
        execute v_statement;
    end loop;

    -- Who gave a right takes it back, a superuser would do so in the owner's name only; and first what was passed on.
    loop
        with given as (
            select g.grantor, g.grantee, g.privilege_type, p.of_column
            from (
                select c.relacl as acl, '' as of_column from pg_class as c where c.oid = catalogue
                union all
                select a.attacl, format(' (%I)', a.attname) from pg_attribute as a where a.attrelid = catalogue
            ) as p
            cross join lateral aclexplode(p.acl) as g
            where g.grantee <> 'atlas_owner'::regrole and g.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN')
        )

        select
            g.grantor::regrole as grantor,
            case g.grantee when 0 then 'public' else g.grantee::regrole::text end as grantee,
            g.privilege_type || g.of_column as privilege
        into v_grant
        from given as g
        order by exists (select from given as further where further.grantor = g.grantee)
        limit 1;
        exit when not found;
        execute format('set local role %s', v_grant.grantor);
        execute format('revoke %s on %s from %s', v_grant.privilege, catalogue, v_grant.grantee);
        reset role;
    end loop;
end
$function$;

create function pg_temp.adopt_artifacts(catalogue regclass)
returns void
language plpgsql volatile
-- Of what stands in the schema nothing is found by its bare name, so that remedies can be typed as they are; and how values are
-- written as text must not depend on who deploys.
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
set timezone = 'UTC'
set datestyle = 'ISO'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $function$
declare
    v_problems text[] := array(select s.problem from pg_temp.structural_problems(catalogue) as s);
    v_remedies text[] := array(select s.remedy from pg_temp.structural_problems(catalogue) as s);
begin
    if v_problems <> '{}' then
        -- The rows are looked at to complete the refusal, unless a column is of a type that somebody may have made.
        if not exists (select from pg_temp.columns_to_adopt(catalogue) as c where not c.is_accepted) then
            v_problems := v_problems || array(select r.problem from pg_temp.problems_in_rows(catalogue) as r);
            v_remedies := v_remedies || array(select r.remedy from pg_temp.problems_in_rows(catalogue) as r);
        end if;
        perform pg_temp.refuse_adoption(catalogue, v_problems, v_remedies);
    end if;
    begin
        perform pg_temp.convert_artifacts(catalogue);
    exception when data_exception or program_limit_exceeded or not_null_violation then
        -- Rows are looked at one by one only when the conversion of all has failed.
        perform pg_temp.refuse_adoption(catalogue, array_agg(p.problem), array_agg(p.remedy)) from pg_temp.problems_in_rows(catalogue) as p;
        raise;
    end;
    perform pg_temp.hand_over_artifacts(catalogue);
end
$function$;

do $do$
begin
    if to_regclass('artifacts') is not null then
        perform pg_temp.adopt_artifacts('artifacts');
    end if;
end
$do$;

set local role atlas_owner;

alter table artifacts_original add constraint artifacts_original_pkey primary key (id);

create table if not exists artifacts (
    id text not null,
    artifact_type text not null,
    constraint artifacts_pkey primary key (id)
);

alter table artifacts
add column if not exists name text,
add column if not exists title text,
add column if not exists metadata jsonb,
add column if not exists metadata_schema_version integer,
add column if not exists version_number integer,
add column if not exists parent_version_id text,
add column if not exists version_tag text,
add column if not exists changelog text,
add column if not exists is_latest boolean,
add column if not exists lifecycle_state text,
add column if not exists superseded_by text,
add column if not exists origin_type text,
add column if not exists origin_url text,
add column if not exists created_by text,
add column if not exists created_at timestamptz,
add column if not exists updated_at timestamptz;

-- After the columns, or the rows of a table that was taken over would be given a time that is not theirs.
do $do$
declare
    v_column text;
begin
    for v_column in
        select a.attname
        from pg_attribute as a
        where a.attrelid = to_regclass('artifacts') and a.attname in ('is_latest', 'created_at', 'updated_at') and not a.atthasdef
    loop
        execute format(
            'alter table artifacts alter column %I set default %s', v_column, case v_column when 'is_latest' then 'true' else 'now()' end
        );
    end loop;
end
$do$;

-- Legacy rows (metadata_schema_version 0) are kept as they are, so every rule over what they may lack exempts them; that
-- nobody makes new ones is up to the triggers. Rows of a table that was taken over may name an artifact that never was: such a
-- foreign key stays NOT VALID, which keeps it for all that is written from now on.
alter table artifacts
-- What model_versions refers to, so that its model_name is always the artifact's name.
add constraint artifacts_id_name_key unique (id, name),
add constraint artifacts_parent_fkey foreign key (parent_version_id) references artifacts (id) not valid,
add constraint artifacts_superseded_by_fkey foreign key (superseded_by) references artifacts (id) not valid;

-- A database without legacy rows is sealed against them for good.
do $do$
begin
    if not exists (select from artifacts where metadata_schema_version = 0) then
        alter table artifacts add constraint artifacts_legacy_sealed check (metadata_schema_version <> 0);
    end if;
end
$do$;

create unique index artifacts_name_version_key on artifacts (name, version_number);
-- By its bytes, so that it finds the names that begin alike, too, whatever the database's collation.
create unique index artifacts_one_latest on artifacts (name text_pattern_ops) where is_latest and name is not null;
create index idx_artifacts_parent on artifacts (parent_version_id) where parent_version_id is not null;
create index idx_artifacts_superseded_by on artifacts (superseded_by) where superseded_by is not null;

comment on table artifacts is
$$Everything the platform keeps: models, datasets, benchmarks … A model's row carries validated metadata and has exactly one row in model_versions.$$;
comment on column artifacts.id is $$Identity of the artifact; what feedback, lineage and model_versions refer to.$$;
comment on column artifacts.artifact_type is $$'model' for a model version; any other text for what is not one (dataset, benchmark …). Never changes to or from 'model'.$$;
comment on column artifacts.name is $$The model's name: all versions of one model share it. Write-once; NULL for what is no model.$$;
comment on column artifacts.title is $$A heading for people; free text.$$;
comment on column artifacts.metadata is $$The declared facts, valid against the metadata schema when the artifact is a model; free-form otherwise.$$;
comment on column artifacts.metadata_schema_version is $$The version of the metadata schema that metadata was validated against; 0: legacy, not validated; NULL for what is no model.$$;
comment on column artifacts.version_number is $$Number of this version of the model: 1..n for each name, without gaps, never used again. Allotted by the database.$$;
comment on column artifacts.parent_version_id is $$The model version that this one was made from. Write-once for models.$$;
comment on column artifacts.version_tag is $$A label of the version that people use, for instance '2.1-rc1'.$$;
comment on column artifacts.changelog is $$What changed against the parent; free text.$$;
comment on column artifacts.is_latest is $$Whether this is the highest version of its name. For models kept by the database, never given.$$;
comment on column artifacts.lifecycle_state is $$A legacy fact, free text; drives nothing. See model_versions.promotion_state.$$;
comment on column artifacts.superseded_by is $$The version that took this one's place when it was promoted. For models kept by the database.$$;
comment on column artifacts.origin_type is $$How the artifact came to be, in the platform's own words; free text.$$;
comment on column artifacts.origin_url is $$Where the artifact came from; free text.$$;
comment on column artifacts.created_by is $$Who is said to have created the artifact; a claim, not an authenticated identity.$$;
comment on column artifacts.created_at is $$When the row was written.$$;
comment on column artifacts.updated_at is $$When the row was last changed.$$;

create function is_model_name(name text)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $stub$ begin raise exception 'is_model_name() is not deployed'; end $stub$;

create function has_bounded_numbers(metadata jsonb)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $stub$ begin raise exception 'has_bounded_numbers() is not deployed'; end $stub$;

create function is_bounded_metadata(artifact_type text, schema_version integer, metadata jsonb)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $stub$ begin raise exception 'is_bounded_metadata() is not deployed'; end $stub$;

create function is_complete_artifact(
    artifact_type text,
    metadata_schema_version integer,
    id text,
    name text,
    version_number integer,
    is_latest boolean,
    parent_version_id text,
    superseded_by text,
    created_at timestamptz,
    updated_at timestamptz
)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $stub$ begin raise exception 'is_complete_artifact() is not deployed'; end $stub$;

create function current_metadata_schema_version()
returns integer
language plpgsql immutable strict parallel safe security invoker
set search_path from current
as $stub$ begin raise exception 'current_metadata_schema_version() is not deployed'; end $stub$;

create function rows_are_complete()
returns boolean
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
as $stub$ begin raise exception 'rows_are_complete() is not deployed'; end $stub$;

create function needs_explanation(artifact_type text, schema_version integer, metadata jsonb)
returns boolean
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
as $stub$ begin raise exception 'needs_explanation() is not deployed'; end $stub$;

create function refuse_unbounded_number()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $stub$ begin raise exception 'refuse_unbounded_number() is not deployed'; end $stub$;

create function guard_artifact_update()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $stub$ begin raise exception 'guard_artifact_update() is not deployed'; end $stub$;

create function refuse_removal()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $stub$ begin raise exception 'refuse_removal() is not deployed'; end $stub$;

create function refuse_rewriting()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $stub$ begin raise exception 'refuse_rewriting() is not deployed'; end $stub$;

-- Every statement that writes a row reads and plans its CHECKs anew: few, and short ones.
-- CHECKs run in the order of their names, so this one comes before artifacts_metadata_valid.
alter table artifacts add constraint artifacts_metadata_bounded check (
    is_bounded_metadata(artifact_type, metadata_schema_version, metadata)
) not valid;

alter table artifacts add constraint artifacts_metadata_valid check (
    artifact_type <> 'model' or is_valid_metadata(artifact_type, metadata_schema_version, metadata) is true
) not valid;

alter table artifacts add constraint artifacts_row_complete check (
    is_complete_artifact(
        artifact_type, metadata_schema_version, id, name, version_number, is_latest, parent_version_id, superseded_by,
        created_at, updated_at
    ) is true
) not valid;

comment on constraint artifacts_metadata_valid on artifacts is
$$A model's metadata is valid against the schema version that its row names; metadata_errors() lists what is not.$$;

-- Row guards that look at the row alone fire always, on a replica's apply too. The first two only explain what the CHECKs refuse; the
-- second need not look at rows that are said to be complete. A condition too is read anew by every statement: one call, and little else.
create trigger artifacts_05_refuse_unbounded_number
before insert or update of artifact_type, metadata, metadata_schema_version on artifacts
for each row
when (not is_bounded_metadata(new.artifact_type, new.metadata_schema_version, new.metadata))
execute function refuse_unbounded_number();

create trigger artifacts_10_explain_metadata
before insert or update of artifact_type, metadata, metadata_schema_version on artifacts
for each row
when (needs_explanation(new.artifact_type, new.metadata_schema_version, new.metadata))
execute function explain_metadata();

-- Every new version takes the latest flag from the one before, and such an update has nothing else to look at.
create trigger artifacts_20_guard_update
before update of
id, artifact_type, name, title, metadata, metadata_schema_version, version_number, parent_version_id, version_tag, changelog,
lifecycle_state, superseded_by, origin_type, origin_url, created_by, created_at, updated_at
on artifacts
for each row
execute function guard_artifact_update();

create trigger artifacts_20_guard_update_of_latest
before update of is_latest on artifacts
for each row
when (new.is_latest is null)
execute function guard_artifact_update();

create trigger artifacts_20_refuse_delete
before delete on artifacts
for each row
when (old.artifact_type = 'model')
execute function refuse_removal();

create trigger artifacts_20_refuse_truncate
before truncate on artifacts
for each statement
execute function refuse_removal();

create trigger artifacts_original_20_refuse_rewriting
before update or delete on artifacts_original
for each row
execute function refuse_rewriting();

create trigger artifacts_original_20_refuse_truncate
before truncate on artifacts_original
for each statement
execute function refuse_rewriting();

alter table artifacts_original enable always trigger artifacts_original_20_refuse_rewriting;
alter table artifacts_original enable always trigger artifacts_original_20_refuse_truncate;
alter table artifacts enable always trigger artifacts_05_refuse_unbounded_number;
alter table artifacts enable always trigger artifacts_10_explain_metadata;
alter table artifacts enable always trigger artifacts_20_guard_update;
alter table artifacts enable always trigger artifacts_20_guard_update_of_latest;
alter table artifacts enable always trigger artifacts_20_refuse_delete;
alter table artifacts enable always trigger artifacts_20_refuse_truncate;
