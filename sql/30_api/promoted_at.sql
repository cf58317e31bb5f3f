-- Which version of a model was in service at some time.
create or replace function promoted_at(name text, at timestamptz default null)
returns table (artifact_id text, version_number integer, since timestamptz, known boolean, note text)
language plpgsql stable called on null input parallel safe security definer
set search_path from current
as $function$
#variable_conflict use_column
declare
    v_at constant timestamptz := coalesce(promoted_at.at, clock_timestamp());
    v_first record;
    v_last record;
begin
    select e.happened_at into v_first
    from model_events as e
    where e.model_name = promoted_at.name and e.artifact_id is not null
    order by e.event_id
    limit 1;
    if not found then
        return query select null::text, null::integer, null::timestamptz, false, 'no model of this name is in the history';
        return;
    end if;
    if v_at < v_first.happened_at then
        return query select null::text, null::integer, null::timestamptz, false, 'unknown before ' || v_first.happened_at;
        return;
    end if;

    select e.artifact_id, e.version_number, e.action, e.event_id, coalesce((e.new ->> 'first_promoted_at')::timestamptz, e.happened_at) as since
    into v_last
    from model_events as e
    where
        e.model_name = promoted_at.name
        and e.happened_at <= v_at
        and (e.action = 'promoted' or (e.action = 'adopted' and e.new ->> 'promotion_state' = 'promoted'))
    order by e.event_id desc
    limit 1;
    if found and not exists (
        select
        from model_events as e
        where
            e.model_name = promoted_at.name
            and e.artifact_id = v_last.artifact_id
            and e.event_id > v_last.event_id
            and e.happened_at <= v_at
            and e.action in ('superseded', 'demoted')
    )
    then
        return query
        select
            v_last.artifact_id, v_last.version_number, v_last.since, true,
            case v_last.action when 'adopted' then 'in service when the history began' end;
    else
        return query select null::text, null::integer, null::timestamptz, true, 'none was promoted';
    end if;
end
$function$;

comment on function promoted_at(text, timestamptz) is
$$One row: the version of the model that was promoted at that time (now unless given), and since when. Without artifact_id none was
(known), or it is not known: known is false, and note says 'unknown before …', for times before the first event of the name.$$;
