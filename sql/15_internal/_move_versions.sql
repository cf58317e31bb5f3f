-- The one statement that moves versions to other promotion states: one version and the one that it supersedes, or thousands, all locked
-- by the caller, and their names.
create or replace function _move_versions(artifact_ids text[], to_states text[], notes text[])
returns void
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
-- Planned once, for lookups by index: right for one row and for thousands, while a plan made when the tables were small would read
-- them whole ever after.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $function$
begin
    -- One after the other, in the order given: what is superseded stands before what takes its place, for only one can be promoted.
    update model_versions as v
    set promotion_state = m.to_state, promotion_notes = coalesce(m.notes, v.promotion_notes)
    from unnest(artifact_ids, to_states, notes) as m (id, to_state, notes)
    cross join lateral (select w.ctid from model_versions as w where w.artifact_id = m.id limit 1) as w
    where v.ctid = w.ctid;
end
$function$;

comment on function _move_versions(text[], text[], text[]) is
$$Moves versions to promotion states, in the caller's transaction; to_states and notes stand beside artifact_ids, and notes, where they are
not NULL, become promotion_notes. The caller has locked names and rows and knows their states; the triggers see to the rest.$$;
