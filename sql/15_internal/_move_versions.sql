-- The one statement that moves versions to another promotion state: for one version or thousands, of names that the caller has locked.
create or replace function _move_versions(artifact_ids text[], to_state text, notes text[])
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
    -- The rest of the lock order, and what keeps each row in its place for the next statement.
    perform
    from unnest(artifact_ids) as i (id)
    cross join lateral (select from artifacts as a where a.id = i.id for no key update) as a;
    perform
    from unnest(artifact_ids) as i (id)
    cross join lateral (select from model_versions as w where w.artifact_id = i.id for no key update) as w;

    update model_versions as v
    set promotion_state = to_state, promotion_notes = coalesce(m.notes, v.promotion_notes)
    from unnest(artifact_ids, notes) as m (id, notes)
    cross join lateral (select w.ctid from model_versions as w where w.artifact_id = m.id limit 1) as w
    where v.ctid = w.ctid;
end
$function$;

comment on function _move_versions(text[], text, text[]) is
$$Moves versions to a promotion state, in the caller's transaction; notes stands beside artifact_ids and, where it is not NULL, becomes
promotion_notes. The caller has locked their names and knows their states; the triggers see to the rest.$$;
