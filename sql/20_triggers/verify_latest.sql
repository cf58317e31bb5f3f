-- is_latest is a fact, not an opinion: at COMMIT the highest version of a name carries it (a unique index: no other does).
create or replace function verify_latest()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
declare
    v_highest record;
begin
    -- Only models are numbered, and a legacy row only once it has its name.
    if new.artifact_type <> 'model' or new.name is null then
        return null;
    end if;
    -- No row at all: the transaction took the last version away.
    if (select a.is_latest is true from artifacts as a where a.name = new.name order by a.version_number desc limit 1) = false then
        select a.id, a.version_number
        into v_highest
        from artifacts as a
        where a.name = new.name
        order by a.version_number desc
        limit 1;
        raise exception 'is_latest of a model is kept by the database' using
            errcode = 'MR005',
            detail = format('/is_latest: %s is the highest version of %s (%s)', v_highest.version_number, new.name, v_highest.id),
            hint = 'Leave is_latest alone.',
            schema = tg_table_schema, table = tg_table_name, column = 'is_latest', constraint = tg_name;
    end if;
    return null;
end
$function$;

comment on function verify_latest() is
$$Trigger function of the deferred constraint trigger artifacts_72_verify_latest: MR005 at COMMIT when the highest version
of a name is not its latest.$$;
