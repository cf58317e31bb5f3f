-- A licence in the words of the Hugging Face Hub, whose cards name it by an identifier of its list.
-- https://huggingface.co/docs/hub/repositories-licenses; what a later list adds is written as a named licence until it stands here.
create or replace function _hub_license(license text)
returns text
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    return case
        when license is null then null
        when
            lower(license collate "C") = any(
                '{afl-3.0,agpl-3.0,apache-2.0,artistic-2.0,bigcode-openrail-m,bigscience-bloom-rail-1.0,bigscience-openrail-m,bsd,bsd-2-clause,
                bsd-3-clause,bsd-3-clause-clear,bsl-1.0,c-uda,cc,cc-by-2.0,cc-by-2.5,cc-by-3.0,cc-by-4.0,cc-by-nc-2.0,cc-by-nc-3.0,cc-by-nc-4.0,
                cc-by-nc-nd-3.0,cc-by-nc-nd-4.0,cc-by-nc-sa-2.0,cc-by-nc-sa-3.0,cc-by-nc-sa-4.0,cc-by-nd-4.0,cc-by-sa-3.0,cc-by-sa-4.0,cc0-1.0,
                cdla-permissive-1.0,cdla-permissive-2.0,cdla-sharing-1.0,creativeml-openrail-m,deepfloyd-if-license,ecl-2.0,epl-1.0,epl-2.0,
                etalab-2.0,eupl-1.1,gemma,gfdl,gpl,gpl-2.0,gpl-3.0,isc,lgpl,lgpl-2.1,lgpl-3.0,lgpl-lr,llama2,llama3,llama3.1,llama3.2,llama3.3,lppl-1.3c,mit,
                mpl-2.0,ms-pl,ncsa,odbl,odc-by,ofl-1.1,openrail,openrail++,osl-3.0,pddl,postgresql,unlicense,wtfpl,zlib}'::text[]
            )
            then format(e'license: %s\n', lower(license collate "C"))
        else format(e'license: other\nlicense_name: %s\n', _yaml(license))
    end;
end
$function$;

comment on function _hub_license(text) is
$$The lines of a card's front matter that name the licence: by the Hub's identifier, in whatever case it is given, else as a licence of another name.$$;
