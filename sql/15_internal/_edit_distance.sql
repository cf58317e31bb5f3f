-- How many letters must be put in, left out, changed or swapped with the next to make one word of the other.
create or replace function _edit_distance(word text, other text)
returns integer
language plpgsql immutable strict parallel safe security invoker
set search_path from current
as $function$
declare
    -- What is longer is not told apart any more; the work grows with the product of the lengths.
    v_word constant text[] := string_to_array(left(word, 64), null);
    v_other constant text[] := string_to_array(left(other, 64), null);
    v_width constant integer := coalesce(cardinality(v_other), 0);
    v_before_last integer[];
    v_last integer[] := array(select g.n from generate_series(0, v_width) as g (n));
    v_row integer[];
    v_cost integer;
begin
    for i in 1 .. coalesce(cardinality(v_word), 0) loop
        v_row := array[i];
        for j in 1 .. v_width loop
            v_cost := least(v_last[j + 1] + 1, v_row[j] + 1, v_last[j] + (v_word[i] <> v_other[j])::integer);
            if i > 1 and j > 1 and v_word[i] = v_other[j - 1] and v_word[i - 1] = v_other[j] then
                v_cost := least(v_cost, v_before_last[j - 1] + 1);
            end if;
            v_row := v_row || v_cost;
        end loop;
        v_before_last := v_last;
        v_last := v_row;
    end loop;
    return v_last[v_width + 1];
end
$function$;

comment on function _edit_distance(text, text) is
$$The edit distance of two words, neighbouring letters swapped counting as one edit; of their first 64 characters.$$;
