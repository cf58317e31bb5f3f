-- The promotion state machine, and what a version row keeps for ever. Looks at the row alone.
create or replace function guard_version_update()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $function$
declare
    v_column text;
begin
    v_column := case
        when new.artifact_id is distinct from old.artifact_id then 'artifact_id'
        when old.model_name is not null and new.model_name is distinct from old.model_name then 'model_name'
        when new.created_at is distinct from old.created_at then 'created_at'
        when new.registered_by is distinct from old.registered_by then 'registered_by'
        when new.idempotency_key is distinct from old.idempotency_key then 'idempotency_key'
        when new.idempotency_digest is distinct from old.idempotency_digest then 'idempotency_digest'
        when
            new.first_promoted_at is distinct from old.first_promoted_at
            and not (old.first_promoted_at is null and new.promotion_state = 'promoted' and old.promotion_state <> 'promoted')
            then 'first_promoted_at'
    end;
    if v_column is not null then
        raise exception 'column % of version % is kept by the database', v_column, old.artifact_id using
            errcode = 'MR005',
            detail = '/' || v_column || ': a registered version keeps it',
            hint = 'Leave it alone.',
            schema = tg_table_schema, table = tg_table_name, column = v_column;
    end if;

    if new.promotion_state is distinct from old.promotion_state
        and ((old.promotion_state, new.promotion_state) in (
            ('candidate', 'promoted'), ('candidate', 'rejected'),
            ('promoted', 'superseded'), ('promoted', 'candidate'),
            ('superseded', 'promoted'), ('superseded', 'rejected'),
            ('rejected', 'candidate')
        )) is not true
    then
        raise exception 'version % cannot go from % to %',
            old.artifact_id, old.promotion_state, coalesce(new.promotion_state, 'none') using
            errcode = 'MR001',
            detail = format(
                '/promotion_state: %s → %s is not a transition', old.promotion_state, coalesce(new.promotion_state, 'none')
            ),
            hint = 'candidate → promoted | rejected; promoted → superseded | candidate; '
            'superseded → promoted | rejected; rejected → candidate.',
            schema = tg_table_schema, table = tg_table_name, column = 'promotion_state';
    end if;
    return new;
end
$function$;

comment on function guard_version_update() is
$$Trigger function of model_versions_20_guard_update: MR001 for a transition that the state machine does not have, MR005 for
a change of identity, time of creation, idempotency key or first promotion.$$;
