-- What an idempotency key stands for: the same whenever the same arguments are given, in whatever session.
create or replace function _registration_digest(registration model_registration)
returns bytea
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    -- What cannot be written out is refused by the triggers and CHECKs of the row, and never recognised: it has no row.
    if false = any(array[
        is_bounded_metadata('model', 1, registration.metadata), is_bounded_metadata('model', 1, registration.training_params_json),
        is_bounded_metadata('model', 1, registration.eval_metrics_json)
    ]) then
        return sha256('');
    end if;
    -- The same instant written in another time zone is the same payload.
    return sha256(convert_to((
        to_jsonb(registration) - '{idempotency_key,training_started_at,training_completed_at}'::text[]
        || jsonb_build_object(
            'training_started_at', extract(epoch from registration.training_started_at),
            'training_completed_at', extract(epoch from registration.training_completed_at)
        )
    )::text, 'UTF8'));
end
$function$;

comment on function _registration_digest(model_registration) is
$$SHA-256 of everything in a registration but its idempotency key.$$;
