-- When the latest version of a name is removed, the highest that is left is the latest. The counter stays: numbers are never used again.
create or replace function settle_removals()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
begin
    update artifacts as a
    set is_latest = true
    from (select distinct o.name from old_rows as o where o.artifact_type = 'model' and o.is_latest) as p
    cross join lateral (
        select h.id from artifacts as h where h.name = p.name order by h.version_number desc limit 1
    ) as highest
    where a.id = highest.id and not a.is_latest;
    return null;
end
$function$;

comment on function settle_removals() is
$$Trigger function of artifacts_54_settle_removals: gives is_latest to the highest version that is left of a name.$$;
