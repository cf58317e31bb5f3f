-- What an artifact was made from and what came of it, over parents, bases, successions and evaluation datasets.
create or replace function model_lineage(
    artifact_id  text,
    direction    text default 'both',
    max_depth    integer default null
)
returns table (
    side             text,
    depth            integer,
    relation         text,
    via              text,
    id               text,
    artifact_type    text,
    name             text,
    version_number   integer,
    title            text,
    promotion_state  text,
    path             text[]
)
language plpgsql stable called on null input parallel safe security definer
set search_path from current
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set work_mem = '64MB'
set jit = off
as $function$
#variable_conflict use_column
begin
    if model_lineage.direction is null or model_lineage.direction not in ('ancestors', 'descendants', 'both') then
        raise exception 'invalid argument: direction' using
            errcode = 'invalid_parameter_value',
            detail = '/direction: must be ancestors, descendants or both',
            hint = 'ancestors: what it was made from; descendants: what came of it.';
    end if;
    if model_lineage.max_depth < 1 then
        raise exception 'invalid argument: max_depth' using
            errcode = 'invalid_parameter_value',
            detail = '/max_depth: must be at least 1',
            hint = 'Leave it out to see everything.';
    end if;
    if not exists (select from artifacts as a where a.id = model_lineage.artifact_id) then
        raise exception 'there is no artifact %', model_lineage.artifact_id using
            errcode = 'no_data_found',
            detail = '/artifact_id: names no artifact',
            hint = 'resolve_artifact() finds the id that is meant by a name or by the beginning of an id.';
    end if;

    return query
    select
        case when l.depth = 0 then 'self' else d.side end, l.depth, l.relation, l.via, l.id, l.artifact_type, l.name, l.version_number,
        l.title, l.promotion_state, l.path
    from (values ('ancestors', 'ancestor', false), ('descendants', 'descendant', true)) as d (direction, side, forwards)
    cross join lateral _lineage(model_lineage.artifact_id, d.forwards, model_lineage.max_depth) as l
    where
        model_lineage.direction in (d.direction, 'both')
        -- The artifact itself is the first row, once.
        and (l.depth > 0 or model_lineage.direction <> 'both' or d.forwards)
    -- Side, depth and relation as one number, and texts by their bytes: there may be a hundred thousand rows.
    order by
        case when l.depth > 0 then d.forwards::integer * 4294967296 + l.depth * 4::bigint else -1 end + case l.relation
            when 'base_model' then 0 when 'evaluation_dataset' then 1 when 'parent' then 2 else 3
        end,
        l.name collate "C", l.version_number, l.id collate "C";
end
$function$;

comment on function model_lineage(text, text, integer) is
$$What an artifact was made from (direction 'ancestors') and what came of it ('descendants'), or 'both': each artifact once for each
side (ancestor, descendant; the artifact itself: self), by the shortest way. relation says how it and via hang together: parent, base_model, evaluation_dataset or superseded_by (the
one that superseded another came of it); path holds the ids from the given artifact to this one, NULL beyond 100 steps.
P0002 when there is no such artifact.$$;
