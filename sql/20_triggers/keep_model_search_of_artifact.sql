-- What search_models() reads follows the name, title and metadata of an artifact.
create or replace function keep_model_search_of_artifact()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
begin
    -- Who changes the version at the same time reads the artifact as it was: one of the two must wait for the other.
    perform from model_versions as v where v.artifact_id = new.id for no key update;
    if found then
        perform _refresh_model_search(array[new.id], metrics_changed => false);
    end if;
    return null;
end
$function$;

comment on function keep_model_search_of_artifact() is
$$Trigger function of artifacts_85_keep_search: writes the rows of model_search and model_metrics anew.$$;
