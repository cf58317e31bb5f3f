-- Which of some versions can be reached from themselves over parents and bases.
create or replace function _lineage_cycles(artifact_ids text[])
returns text[]
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
-- Planned once, for lookups by index: right for one row and for thousands, while a plan made when the tables were small would read
-- them whole ever after.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $function$
declare
    v_id text;
    v_cyclic text[] := '{}';
begin
    foreach v_id in array coalesce(artifact_ids, '{}') loop
        if exists (
            with recursive ancestors (id) as (
                select edge.target
                from artifacts as a
                left join model_versions as v on a.id = v.artifact_id
                cross join lateral (values (a.parent_version_id), (v.base_model_id)) as edge (target)
                where a.id = v_id and edge.target is not null
                union
                select edge.target
                from ancestors
                inner join artifacts as a on ancestors.id = a.id
                left join model_versions as v on a.id = v.artifact_id
                cross join lateral (values (a.parent_version_id), (v.base_model_id)) as edge (target)
                where edge.target is not null
            )

            select from ancestors where ancestors.id = v_id
        ) then
            v_cyclic := v_cyclic || v_id;
        end if;
    end loop;
    return v_cyclic;
end
$function$;

comment on function _lineage_cycles(text[]) is
$$Those of the given artifact ids that are their own ancestors over parent_version_id and base_model_id.$$;
