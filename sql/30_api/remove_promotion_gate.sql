-- Removes a gate, for good; what it was stands in the history.
create or replace function remove_promotion_gate(gate_id bigint, reason text default null)
returns boolean
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
#variable_conflict use_column
declare
    v_gate promotion_gates;
begin
    perform _refuse_blank('reason', remove_promotion_gate.reason);
    select g.* into v_gate from promotion_gates as g where g.gate_id = remove_promotion_gate.gate_id;
    if not found then
        raise exception 'there is no gate %', remove_promotion_gate.gate_id using
            errcode = 'no_data_found',
            detail = format('/gate_id: %s names no gate', coalesce(remove_promotion_gate.gate_id::text, 'NULL')),
            hint = 'select * from gates lists them.';
    end if;
    perform _lock_rules(v_gate.model_name);
    perform _state_change(remove_promotion_gate.reason);
    delete from promotion_gates as g where g.gate_id = remove_promotion_gate.gate_id;
    perform _state_change();
    return true;
end
$function$;

comment on function remove_promotion_gate(bigint, text) is
$$Removes a gate; the history keeps what it was. Returns true. P0002 when there is none of this id.$$;
