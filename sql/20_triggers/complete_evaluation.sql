-- What the database says of an evaluation by itself: who recorded it, and when.
create or replace function complete_evaluation()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
begin
    new.recorded_by := session_user;
    new.recorded_at := now();
    if new.eval_dataset_artifact_id is not null
        and (select a.artifact_type from artifacts as a where a.id = new.eval_dataset_artifact_id) is not distinct from 'model'
    then
        raise exception 'a model is no evaluation dataset' using
            errcode = 'foreign_key_violation',
            detail = format('/eval_dataset_artifact_id: %s is a model', new.eval_dataset_artifact_id),
            hint = 'Register the dataset with register_artifact() and give its id.',
            schema = tg_table_schema, table = tg_table_name, column = 'eval_dataset_artifact_id',
            constraint = 'model_evaluations_eval_dataset_fkey';
    end if;
    return new;
end
$function$;

comment on function complete_evaluation() is
$$Trigger function of model_evaluations_10_complete_evaluation: fills recorded_by and recorded_at; 23503 for a dataset that is a model.$$;
