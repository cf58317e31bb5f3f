-- Sets what a promotion asks for besides the gates, for one model or for every model.
create or replace function set_promotion_policy(
    model_name text default null,
    require_code_pin boolean default null,
    require_evaluation boolean default null,
    require_second_person boolean default null,
    reason text default null
)
returns void
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
#variable_conflict use_column
begin
    if not is_model_name(set_promotion_policy.model_name) then
        raise exception 'this is no name of a model' using
            errcode = 'invalid_parameter_value', detail = '/model_name: must be the name of a model, or NULL for every model',
            hint = 'For instance set_promotion_policy(''credit-risk'', require_second_person => true).';
    end if;
    perform _refuse_blank('reason', set_promotion_policy.reason);
    perform _lock_rules(set_promotion_policy.model_name);
    perform _state_change(set_promotion_policy.reason);
    if set_promotion_policy.model_name is null then
        insert into promotion_policies as p (require_code_pin, require_evaluation, require_second_person)
        values (
            coalesce(set_promotion_policy.require_code_pin, true), coalesce(set_promotion_policy.require_evaluation, true),
            coalesce(set_promotion_policy.require_second_person, false)
        )
        on conflict on constraint promotion_policies_once do update
        set
            require_code_pin = coalesce(set_promotion_policy.require_code_pin, p.require_code_pin),
            require_evaluation = coalesce(set_promotion_policy.require_evaluation, p.require_evaluation),
            require_second_person = coalesce(set_promotion_policy.require_second_person, p.require_second_person),
            set_by = session_user,
            set_at = now();
    else
        insert into promotion_policies (model_name, require_code_pin, require_evaluation, require_second_person)
        values (
            set_promotion_policy.model_name, set_promotion_policy.require_code_pin, set_promotion_policy.require_evaluation,
            set_promotion_policy.require_second_person
        )
        on conflict on constraint promotion_policies_once do update
        set
            require_code_pin = excluded.require_code_pin,
            require_evaluation = excluded.require_evaluation,
            require_second_person = excluded.require_second_person,
            set_by = session_user,
            set_at = now();
    end if;
    perform _state_change();
end
$function$;

comment on function set_promotion_policy(text, boolean, boolean, boolean, text) is
$$Sets what promote_model() asks for: a code pin and a recorded evaluation, of internal models; a second person, who did not register the
version, of every model. For a model by name, NULL means: as for every model. For every model (model_name NULL), NULL leaves it as it is.$$;
