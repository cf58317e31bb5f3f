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
    foreach v_role in array array['atlas_owner', 'atlas_registrar', 'atlas_reviewer', 'atlas_reader'] loop
        if to_regrole(v_role) is null then
            begin
                execute format('create role %I nologin', v_role);
            exception when duplicate_object or unique_violation then
                null;
            end;
        end if;
    end loop;
    foreach v_role in array array['atlas_registrar', 'atlas_reviewer'] loop
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

-- What follows up to artifacts_pkey is for a table that stands here already. Only temporary functions: nothing of it stays.

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

return re.sub(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.", spelt_out, document, flags=re.DOTALL)
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
create function pg_temp.as_time(value text)
returns timestamptz
language plpgsql stable strict
as $function$
begin
    if value !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?( ?(Z|[+-][0-9]{2}(:?[0-9]{2})?))?)?$' then
        raise invalid_datetime_format;
    end if;
    return value::timestamptz;
end
$function$;

create function pg_temp.is_convertible(value text, target regtype)
returns boolean
language plpgsql stable strict
as $function$
begin
    if target = 'jsonb'::regtype then
        perform pg_temp.as_jsonb(value);
    else
        perform pg_temp.as_time(value);
    end if;
    return true;
exception when data_exception or program_limit_exceeded then
    return false;
end
$function$;

-- Which columns there are, what each must become, and by which expression. A column that is missing is added further down.
create function pg_temp.columns_to_adopt()
returns table (column_name name, source text, target text, expression text, is_accepted boolean, default_expression text)
language sql stable
as $function$
    select
        a.attname,
        s.source,
        w.target,
        case
            when s.source = w.target then null
            when w.target = 'text' then format('%I::text', a.attname)
            when w.target = 'jsonb' then format('pg_temp.as_jsonb(%I::text)', a.attname)
            when w.target = 'boolean' then format('(%I = 1)', a.attname)
            when w.target = 'integer' then format('%I::integer', a.attname)
            else format('pg_temp.as_time(%I)', a.attname)
        end,
        s.source = any(w.accepted::text[]) and a.attgenerated = '' and a.attidentity = '',
        pg_get_expr(d.adbin, d.adrelid)
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
        on a.attrelid = to_regclass('artifacts') and w.column_name = a.attname and not a.attisdropped
    left join pg_attrdef as d on a.attrelid = d.adrelid and a.attnum = d.adnum
    cross join lateral (select format_type(a.atttypid, null) as source) as s
$function$;

create function pg_temp.default_as_jsonb(expression text)
returns text
language plpgsql stable strict
as $function$
declare
    v_default jsonb;
begin
    execute format('select pg_temp.as_jsonb((%s)::text)', expression) into v_default;
    return quote_nullable(v_default) || '::jsonb';
end
$function$;

create function pg_temp.default_as_boolean(expression text)
returns text
language plpgsql stable strict
as $function$
declare
    v_default boolean;
begin
    execute format('select (%s) = 1', expression) into v_default;
    return quote_nullable(v_default::text);
end
$function$;

-- What stands in the way, from the catalog alone: nothing that somebody else wrote has run yet.
create function pg_temp.structural_problems()
returns table (problem text, remedy text)
language plpgsql stable
as $function$
declare
    v_table constant regclass := to_regclass('artifacts');
    v_name constant text := format('%I.artifacts', current_schema());
begin
    return query
    select p.problem, p.remedy
    from pg_class as c
    cross join lateral (values
        (c.relpersistence <> 'p', 'it is not a permanent, logged table', format('alter table %s set logged', v_name)),
        (
            c.relispartition or exists (select from pg_inherits as i where c.oid in (i.inhrelid, i.inhparent)),
            'it is part of an inheritance tree',
            'copy its rows into a table of its own'
        ),
        (
            c.relrowsecurity or exists (select from pg_policy as p where p.polrelid = c.oid),
            'it has row level security, which would hide rows from the registry',
            format('drop its policies, and: alter table %s disable row level security', v_name)
        )
    ) as p (applies, problem, remedy)
    where c.oid = v_table and p.applies;

    return query
    select
        format('the column %s is of type %s, not %s', c.column_name, c.source, c.target),
        format(
            'alter table %s alter column %I type %s using %s', v_name, c.column_name, c.target,
            case c.source
                when 'timestamp without time zone' then format('%I at time zone ''UTC'', or whatever its time zone is', c.column_name)
                else format('%I::%s, or what fits its values', c.column_name, c.target)
            end
        )
    from pg_temp.columns_to_adopt() as c
    where not c.is_accepted;

    return query
    select
        format('the registry keeps a column %s of its own', a.attname),
        format('alter table %s rename column %I to %I', v_name, a.attname, 'legacy_' || a.attname)
    from pg_attribute as a
    where a.attrelid = v_table and a.attname in ('name', 'metadata_schema_version') and not a.attisdropped;

    return query
    select
        format('the column %s must be given and has no default, so that nothing could be registered', a.attname),
        format('alter table %s alter column %I drop not null; or give it a default', v_name, a.attname)
    from pg_attribute as a
    where
        a.attrelid = v_table
        and a.attnum > 0
        and a.attnotnull
        and not a.atthasdef
        and a.attidentity = ''
        and a.attname not in (select c.column_name from pg_temp.columns_to_adopt() as c);

    return query
    select
        case
            when k.contype is null then 'it has no primary key'
            when k.condeferrable then 'its primary key is deferrable, and nothing could refer to it'
            else 'its primary key is not the column id'
        end,
        case
            when k.contype is null then format('alter table %s add primary key (id)', v_name)
            else format('alter table %s drop constraint %I, add primary key (id)', v_name, k.conname)
        end
    from (select) as one
    left join pg_constraint as k on k.conrelid = v_table and k.contype = 'p'
    where
        k.contype is null
        or k.condeferrable
        or k.conkey <> array(select a.attnum from pg_attribute as a where a.attrelid = v_table and a.attname = 'id');

    return query
    select
        format('the trigger %s would run within the registry', t.tgname),
        format('drop trigger %I on %s', t.tgname, v_name)
    from pg_trigger as t
    where t.tgrelid = v_table and not t.tgisinternal
    order by t.tgname;

    return query
    select distinct
        format('the %s %s reads it', case c.relkind when 'm' then 'materialized view' else 'view' end, c.oid::regclass),
        format(
            'keep what pg_get_viewdef(''%s'') says, and: drop %s %s', c.oid::regclass,
            case c.relkind when 'm' then 'materialized view' else 'view' end, c.oid::regclass
        )
    from pg_depend as d
    inner join pg_rewrite as r on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
    inner join pg_class as c on r.ev_class = c.oid
    where d.refclassid = 'pg_class'::regclass and d.refobjid = v_table and r.ev_class <> v_table;

    return query
    select format('it has the rule %s', r.rulename), format('drop rule %I on %s', r.rulename, v_name)
    from pg_rewrite as r
    where r.ev_class = v_table
    order by r.rulename;

    -- An index or a CHECK over a value that becomes another type would no longer be what it says.
    return query
    select distinct
        format('the constraint %s says something of a column that changes its type', k.conname),
        format('alter table %s drop constraint %I', v_name, k.conname)
    from pg_constraint as k
    inner join pg_attribute as a on k.conrelid = a.attrelid and a.attnum = any(k.conkey)
    inner join pg_temp.columns_to_adopt() as c on a.attname = c.column_name and c.target <> 'text' and c.expression is not null
    where k.conrelid = v_table and k.contype in ('c', 'x');

    return query
    select distinct
        format('the index %s is built on an expression over a column that changes its type', i.indexrelid::regclass),
        format('drop index %s', i.indexrelid::regclass)
    from pg_index as i
    inner join pg_depend as d
        on d.classid = 'pg_class'::regclass and i.indexrelid = d.objid and d.refclassid = 'pg_class'::regclass and i.indrelid = d.refobjid
    inner join pg_attribute as a on i.indrelid = a.attrelid and d.refobjsubid = a.attnum
    inner join pg_temp.columns_to_adopt() as c on a.attname = c.column_name and c.target <> 'text' and c.expression is not null
    where i.indrelid = v_table and (i.indexprs is not null or i.indpred is not null);

    -- They would run with the rights of the registry, and now with those of the superuser.
    return query
    select distinct
        format('the function %s, which %s uses, belongs to %s', p.oid::regprocedure, o.used_by, r.rolname),
        format('alter function %s owner to %I', p.oid::regprocedure, session_user)
    from (
        select 'pg_constraint'::regclass as classid, k.oid as objid, 'the constraint ' || k.conname as used_by
        from pg_constraint as k
        where k.conrelid = v_table
        union all
        select 'pg_class'::regclass, i.indexrelid, 'the index ' || i.indexrelid::regclass
        from pg_index as i
        where i.indrelid = v_table
        union all
        select 'pg_attrdef'::regclass, d.oid, 'the default of ' || a.attname
        from pg_attrdef as d
        inner join pg_attribute as a on d.adrelid = a.attrelid and d.adnum = a.attnum
        where d.adrelid = v_table
    ) as o
    inner join pg_depend as d on o.classid = d.classid and o.objid = d.objid and d.refclassid = 'pg_proc'::regclass
    inner join pg_proc as p on d.refobjid = p.oid
    inner join pg_roles as r on p.proowner = r.oid
    where not r.rolsuper;

    return query
    select
        format('the name %s, which the registry uses, belongs to another index', c.relname),
        format('alter index %s rename to %I', c.oid::regclass, 'legacy_' || c.relname)
    from pg_class as c
    where
        c.relnamespace = (select n.oid from pg_namespace as n where n.nspname = current_schema())
        and c.relname in (
            'artifacts_id_name_key', 'artifacts_name_version_key', 'artifacts_one_latest', 'idx_artifacts_parent',
            'idx_artifacts_superseded_by'
        )
    order by c.relname;
end
$function$;

-- Rows that no column of the registry could hold. Read under the lock that the conversion needs.
create function pg_temp.problems_in_rows()
returns table (problem text, remedy text)
language plpgsql stable
as $function$
declare
    v_check record;
    v_rows bigint;
    v_ids text;
begin
    for v_check in
        select format('artifact_type is null') as condition, 'without an artifact_type' as problem, 'say what each of them is' as remedy
        union all
        select
            'artifact_type <> ''model'' and lower(btrim(artifact_type)) in (''model'', '''')',
            'whose artifact_type is blank or almost ''model''',
            'write ''model'' for what is one, and another type for what is none'
        union all
        select format('%I not in (0, 1)', c.column_name), format('whose %s is neither 0 nor 1', c.column_name), 'make it 0, 1 or NULL'
        from pg_temp.columns_to_adopt() as c
        where c.target = 'boolean' and c.expression is not null
        union all
        select
            format('%I not between -2147483648 and 2147483647', c.column_name),
            format('whose %s is beyond a 32-bit integer', c.column_name),
            'number them lower'
        from pg_temp.columns_to_adopt() as c
        where c.source = 'bigint' and c.target = 'integer'
        union all
        select
            format('not pg_temp.is_convertible(%I::text, %L)', c.column_name, c.target),
            case c.target
                when 'jsonb' then format('whose %s is no JSON that PostgreSQL can hold', c.column_name)
                else format('whose %s is no ISO 8601 time', c.column_name)
            end,
            case c.target
                when 'jsonb' then 'make it valid JSON (NaN and Infinity are none), or NULL'
                else 'write it as 2024-05-01T12:00:00Z, or NULL'
            end
        from pg_temp.columns_to_adopt() as c
        where c.target in ('jsonb', 'timestamp with time zone') and c.expression is not null
        union all
        select
            format('artifact_type <> ''model'' and %I = id', c.column_name),
            format('that are no model and whose %s is the row itself', c.column_name),
            'make it NULL'
        from pg_temp.columns_to_adopt() as c
        where c.column_name in ('parent_version_id', 'superseded_by')
    loop
        execute format('select count(*) from artifacts where %s', v_check.condition) into v_rows;
        if v_rows > 0 then
            execute format(
                'select string_agg(to_json(left(r.id, 64))::text, '', '') from (select id from artifacts where %s order by id limit 5) as r',
                v_check.condition
            )
            into v_ids;
            problem := format(
                '%s %s: %s%s', v_rows, case v_rows when 1 then 'row' else 'rows' end || ' ' || v_check.problem, v_ids,
                case when v_rows > 5 then ' …' end
            );
            remedy := v_check.remedy;
            return next;
        end if;
    end loop;
end
$function$;

create function pg_temp.refuse_adoption(problems text[], remedies text[])
returns void
language plpgsql volatile
as $function$
begin
    if cardinality(problems) > 0 then
        raise exception '%.artifacts cannot be taken over as it is', quote_ident(current_schema()) using
            errcode = 'MR009',
            detail = array_to_string(problems, e'\n'),
            hint = array_to_string(remedies, e'\n'),
            schema = current_schema(), table = 'artifacts';
    end if;
end
$function$;

create function pg_temp.adopt_artifacts()
returns void
language plpgsql volatile
set timezone = 'UTC'
set datestyle = 'ISO'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $function$
declare
    v_owner constant name := (select pg_get_userbyid(c.relowner) from pg_class as c where c.oid = to_regclass('artifacts'));
    v_statements text[];
    v_statement text;
begin
    perform pg_temp.refuse_adoption(array_agg(p.problem), array_agg(p.remedy)) from pg_temp.structural_problems() as p;
    perform pg_temp.refuse_adoption(array_agg(p.problem), array_agg(p.remedy)) from pg_temp.problems_in_rows() as p;

    execute (
        select
            format(
                'insert into artifacts_original (id, row_text) select id, json_object(%L, array[%s])::text from artifacts',
                array_agg(a.attname order by a.attnum), string_agg(format('%I::text', a.attname), ', ' order by a.attnum)
            )
        from pg_attribute as a
        where a.attrelid = to_regclass('artifacts') and a.attnum > 0 and not a.attisdropped
    );

    -- One rewrite of the table for everything, the mark of legacy models included; no trigger fires for it. The foreign keys of the
    -- registry take the place of those that stand, and the default of a column that changes its type is made anew.
    v_statements := array(
        select format(
            'alter table artifacts alter column %I set default %s', c.column_name,
            case c.target
                when 'jsonb' then pg_temp.default_as_jsonb(c.default_expression)
                when 'boolean' then pg_temp.default_as_boolean(c.default_expression)
                else 'now()'
            end
        )
        from pg_temp.columns_to_adopt() as c
        where
            c.default_expression is not null
            and c.expression is not null
            and c.target in ('jsonb', 'boolean', 'timestamp with time zone')
    );
    for v_statement in
        select format('alter table artifacts drop constraint %I', k.conname)
        from pg_constraint as k
        inner join pg_attribute as a on k.conrelid = a.attrelid and k.conkey = array[a.attnum]
        where
            k.conrelid = to_regclass('artifacts')
            and k.confrelid = k.conrelid
            and a.attname in ('parent_version_id', 'superseded_by')
        union all
        select 'alter table artifacts add column metadata_schema_version integer'
    loop
        execute v_statement;
    end loop;
    execute (
        select 'alter table artifacts ' || string_agg(k.clause, ', ' order by k.place)
        from (
            select 1 as place, format('alter column %I drop default', c.column_name) as clause
            from pg_temp.columns_to_adopt() as c
            where c.expression is not null and c.target in ('jsonb', 'boolean', 'timestamp with time zone')
            union all
            select 2, format('alter column %I type %s using %s', c.column_name, c.target, c.expression)
            from pg_temp.columns_to_adopt() as c
            where c.expression is not null
            union all
            select 2, 'alter column metadata_schema_version type integer using case when artifact_type = ''model'' then 0 end'
            union all
            select
                3,
                format(
                    'alter column %I %s not null', c.column_name,
                    case when c.column_name in ('id', 'artifact_type') then 'set' else 'drop' end
                )
            from pg_temp.columns_to_adopt() as c
        ) as k
    );
    -- Who wrote rows before goes on doing so; what would change the table itself, or empty it, is over.
    v_statements := v_statements || array(
        select format('alter table artifacts rename constraint %I to artifacts_pkey', k.conname)
        from pg_constraint as k
        where k.conrelid = to_regclass('artifacts') and k.contype = 'p' and k.conname <> 'artifacts_pkey'
    ) || 'alter table artifacts owner to atlas_owner'::text || array(
        select format(o.statement, o.object, v_owner)
        from (
            select 'artifacts' as object, 'grant select, insert, update, delete on %s to %I' as statement
            union all
            select d.objid::regclass::text, 'grant usage, select, update on sequence %s to %I'
            from pg_depend as d
            inner join pg_class as c on d.objid = c.oid and c.relkind = 'S'
            where d.classid = 'pg_class'::regclass and d.refobjid = to_regclass('artifacts') and d.deptype in ('a', 'i')
        ) as o
        where v_owner <> 'atlas_owner'
    );
    foreach v_statement in array v_statements loop
        execute v_statement;
    end loop;
    for v_statement in
        select distinct format(
            'revoke truncate, trigger on artifacts from %s',
            case g.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(g.grantee)) end
        )
        from pg_class as c
        cross join lateral aclexplode(c.relacl) as g
        where c.oid = to_regclass('artifacts') and g.grantee <> c.relowner and g.privilege_type in ('TRUNCATE', 'TRIGGER')
    loop
        execute v_statement;
    end loop;
end
$function$;

do $do$
begin
    if to_regclass('artifacts') is not null then
        perform pg_temp.adopt_artifacts();
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
add constraint artifacts_superseded_by_fkey foreign key (superseded_by) references artifacts (id) not valid,
add constraint artifacts_parent_is_another check (metadata_schema_version = 0 or parent_version_id <> id),
add constraint artifacts_superseded_by_another check (metadata_schema_version = 0 or superseded_by <> id),
-- 'Model' would be no model, and validated by nobody.
add constraint artifacts_type_unambiguous check (artifact_type = 'model' or lower(btrim(artifact_type)) not in ('model', '')),
add constraint artifacts_schema_version_of_models check (
    (artifact_type = 'model') = (metadata_schema_version is not null)
),
add constraint artifacts_name_of_models check (artifact_type = 'model' or name is null),
add constraint artifacts_model_complete check (
    artifact_type <> 'model'
    or metadata_schema_version is not distinct from 0
    or (
        name is not null and version_number is not null and is_latest is not null
        and created_at is not null and updated_at is not null
    )
),
add constraint artifacts_version_number_positive check (
    artifact_type <> 'model' or metadata_schema_version is not distinct from 0 or version_number >= 1
);

-- A database without legacy rows is sealed against them for good.
do $do$
begin
    if not exists (select from artifacts where metadata_schema_version = 0) then
        alter table artifacts add constraint artifacts_legacy_sealed check (metadata_schema_version <> 0);
    end if;
end
$do$;

create unique index artifacts_name_version_key on artifacts (name, version_number);
create unique index artifacts_one_latest on artifacts (name) where is_latest and name is not null;
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

create function current_metadata_schema_version()
returns integer
language plpgsql immutable strict parallel safe security invoker
set search_path from current
as $stub$ begin raise exception 'current_metadata_schema_version() is not deployed'; end $stub$;

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

-- CHECKs run in the order of their names, so this one comes before artifacts_metadata_valid.
alter table artifacts add constraint artifacts_metadata_bounded check (
    artifact_type <> 'model' or metadata_schema_version = 0 or has_bounded_numbers(metadata)
) not valid;

alter table artifacts add constraint artifacts_metadata_valid check (
    artifact_type <> 'model' or is_valid_metadata(artifact_type, metadata_schema_version, metadata) is true
) not valid;

alter table artifacts add constraint artifacts_name_wellformed check (is_model_name(name)) not valid;

comment on constraint artifacts_metadata_valid on artifacts is
$$A model's metadata is valid against the schema version that its row names; metadata_errors() lists what is not.$$;

-- Row guards that look at the row alone fire always, on a replica's apply too.
create trigger artifacts_05_refuse_unbounded_number
before insert or update of artifact_type, metadata, metadata_schema_version on artifacts
for each row
when (
    new.artifact_type = 'model'
    and new.metadata_schema_version is distinct from 0
    and not has_bounded_numbers(new.metadata)
)
execute function refuse_unbounded_number();

create trigger artifacts_10_explain_metadata
before insert or update of artifact_type, metadata, metadata_schema_version on artifacts
for each row
when (
    new.artifact_type = 'model'
    and is_valid_metadata(
        new.artifact_type, coalesce(new.metadata_schema_version, current_metadata_schema_version()), new.metadata
    ) is not true
)
execute function explain_metadata();

create trigger artifacts_20_guard_update
before update on artifacts
for each row
when (old.artifact_type = 'model' or new.artifact_type = 'model')
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
alter table artifacts enable always trigger artifacts_20_refuse_delete;
alter table artifacts enable always trigger artifacts_20_refuse_truncate;
