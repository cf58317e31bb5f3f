-- Finds the one artifact that somebody means: by its id, a model's name, name@version, or the beginning of an id.
create or replace function resolve_artifact(reference text)
returns text
language plpgsql stable called on null input parallel safe security definer
set search_path from current
set enable_seqscan = off
as $function$
declare
    c_last constant text := chr(1114111);  -- the last character there is
    v_name text;
    v_version integer;
    v_ids text[];
    v_near text[];
begin
    if exists (select from artifacts as a where a.id = reference) then
        return reference;
    end if;

    select array_agg(a.id) into v_ids from artifacts as a where a.name = reference and a.is_latest;
    if v_ids is null and reference ~ '@[0-9]{1,9}$' then
        v_name := regexp_replace(reference, '@[0-9]+$', '');
        v_version := substring(reference from '[0-9]+$')::integer;
        select array_agg(a.id) into v_ids from artifacts as a where a.name = v_name and a.version_number = v_version;
    end if;
    -- Shorter than this it says nothing: most ids begin alike.
    if v_ids is null and char_length(reference) >= 3 then
        select array_agg(c.id) into v_ids
        from (
            (
                select s.artifact_id as id
                from model_search as s
                where s.artifact_id >= reference and s.artifact_id < (reference || c_last)
                order by s.artifact_id
                limit 11
            )
            union all
            (
                select a.id
                from artifacts as a
                where a.artifact_type <> 'model' and a.id ~>=~ reference and a.id ~<~ (reference || c_last)
                order by a.id using ~<~
                limit 11
            )
        ) as c;
    end if;

    if cardinality(v_ids) = 1 then
        return v_ids[1];
    elsif cardinality(v_ids) > 1 then
        raise exception '% is the beginning of more than one artifact id', reference using
            errcode = 'too_many_rows',
            detail = (
                select
                    string_agg('/reference: ' || c.id || coalesce(format(' (%s@%s)', a.name, a.version_number), ''), e'\n' order by c.nth)
                from unnest(v_ids) with ordinality as c (id, nth)
                inner join artifacts as a on c.id = a.id
                where c.nth <= 10
            ) || case when cardinality(v_ids) > 10 then e'\n/reference: and more' else '' end,
            hint = 'Give more of the id.';
    end if;

    v_near := array(select n.name from suggest_names(coalesce(v_name, reference), 3) as n);
    raise exception 'there is no artifact %', coalesce(reference, 'without a reference') using
        errcode = 'no_data_found',
        detail = '/reference: is no artifact id, no beginning of one, no name of a model and no name@version',
        hint = case
            when cardinality(v_near) > 0 then 'Did you mean ' || array_to_string(v_near, ', ') || '?'
            else 'search_models() lists the models, the view other_artifacts what is none.'
        end;
end
$function$;

comment on function resolve_artifact(text) is
$$The artifact id that is meant by an id, a name (its latest version), name@version or the beginning (3 characters and more) of an id, in
this order. P0003 with the candidates in DETAIL when several ids begin so, P0002 with the nearest names in HINT when nothing is meant.$$;
