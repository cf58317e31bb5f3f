-- superseded_by is a fact, not an opinion: at COMMIT it names a version of the same name that was promoted, never on the promoted
-- version itself, and never in a circle.
create or replace function verify_succession()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
declare
    v_next text;
    v_seen text[] := '{}';
    v_problem text;
begin
    -- Two sessions that each close half of a circle meet here.
    perform _lock_model_name(new.name);
    select a.superseded_by into v_next from artifacts as a where a.id = new.id;
    if v_next is null then
        return null;
    end if;

    v_problem := case
        when exists (select from model_versions as v where v.artifact_id = new.id and v.promotion_state = 'promoted')
            then format('%s is promoted itself', new.id)
        when not exists (select from artifacts as a where a.id = v_next and a.name = new.name)
            then format('%s is no version of %s', v_next, new.name)
        when not exists (
            select from model_versions as v where v.artifact_id = v_next and v.first_promoted_at is not null
        )
            then format('%s was never promoted', v_next)
    end;
    -- A circle further on, closed by the same transaction, is found when its own rows come here.
    while v_next is not null and v_next <> all (v_seen) and v_problem is null loop
        if v_next = new.id then
            v_problem := format('%s would be superseded by itself', new.id);
        end if;
        v_seen := v_seen || v_next;
        -- Locked: in REPEATABLE READ the snapshot may be older than the other session's half, and this then fails with 40001.
        select a.superseded_by into v_next from artifacts as a where a.id = v_next for no key update;
    end loop;
    if v_problem is not null then
        raise exception 'superseded_by of a model is kept by the database' using
            errcode = 'MR005',
            detail = '/superseded_by: ' || v_problem,
            hint = 'Leave it alone; promote_model() sets it.',
            schema = tg_table_schema, table = tg_table_name, column = 'superseded_by', constraint = tg_name;
    end if;
    return null;
end
$function$;

comment on function verify_succession() is
$$Trigger function of the deferred constraint trigger artifacts_74_verify_succession: MR005 at COMMIT when superseded_by leaves the
name, names a version that was never promoted, stands on the promoted one, or closes a circle.$$;
