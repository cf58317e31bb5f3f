-- One event for each gate or policy that was set, changed or removed.
create or replace function record_rules()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
declare
    v_reason constant text := nullif(current_setting('atlas_models.change', true), '')::jsonb ->> 'reason';
    v_rule constant text := case tg_table_name when 'promotion_gates' then 'gate' else 'policy' end;
    v_kept constant text[] := array['set_by', 'set_at'];
begin
    if tg_op = 'INSERT' then
        insert into model_events (action, model_name, reason, new)
        select v_rule || '_set', n.model_name, v_reason, to_jsonb(n) - v_kept
        from new_rows as n;
    elsif tg_op = 'DELETE' then
        insert into model_events (action, model_name, reason, old)
        select v_rule || '_removed', o.model_name, v_reason, to_jsonb(o) - v_kept
        from old_rows as o;
    else
        insert into model_events (action, model_name, reason, old, new)
        select v_rule || '_set', n.model_name, v_reason, to_jsonb(o) - v_kept, to_jsonb(n) - v_kept
        from new_rows as n
        inner join old_rows as o on to_jsonb(n) -> (v_rule || '_id') = to_jsonb(o) -> (v_rule || '_id')
        where to_jsonb(o) - v_kept <> to_jsonb(n) - v_kept;
    end if;
    return null;
end
$function$;

comment on function record_rules() is
$$Trigger function of promotion_gates_90_record_rules_set, promotion_gates_90_record_rules_changed, promotion_gates_90_record_rules_removed,
promotion_policies_90_record_rules_set, promotion_policies_90_record_rules_changed and promotion_policies_90_record_rules_removed:
writes one event for each gate or policy that was set or removed.$$;
