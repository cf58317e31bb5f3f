-- Registers an array of models, all or none: register_model() for a whole catalogue.
create or replace function register_models(models jsonb)
returns table (artifact_id text, version_number integer, created boolean)
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
-- Thousands of documents pass through here, more than once: from disk only when there are really many.
set work_mem = '64MB'
as $function$
begin
    perform _check_batch(models);
    begin
        return query
        select r.artifact_id, r.version_number, r.created
        from _register(
            array(select m from jsonb_populate_recordset(null::model_registration, models) as m),
            -- Before a CHECK refuses a row, and PostgreSQL writes it out to say which.
            explain => not has_bounded_numbers(models)
        ) as r;
    exception
        -- All of these can be one model's fault; anything else (a lost connection, a serialization failure) goes straight on.
        when
            data_exception or integrity_constraint_violation or program_limit_exceeded
            or sqlstate 'MR003' or sqlstate 'MR005' or sqlstate 'MR007'
        then
            perform _blame_models(models);
            raise;
    end;
end
$function$;

comment on function register_models(jsonb) is
$$Registers every element of an array, each an object with the parameters of register_model() as keys, all or none; returns one row
for each, in their order. A model may name as parent or base one that stands in the same array under a given artifact_id (a parent
anywhere, a base too). When models are refused, the error has the first one's SQLSTATE and constraint, and its DETAIL one line a
problem, each opening with the place in the array: /0/metadata/framework: is required. At most 5,000 a call keeps memory small.$$;
