"""How names are searched and relations counted: by function alone, which applies the caller's scope itself.

Under a policy no index serves likeness or arrays (their operators could leak); these functions read the narrow table with
the owner's rights and hold every row to the same scope as the record it came from.
"""

#: a row of the names is in the caller's scope
SCOPE = (
    "n.feed = any (string_to_array((select current_setting('cx.feeds', true)), ','))"
    " and (n.county is null or n.county = any (string_to_array((select current_setting('cx.offices', true)), ',')))"
)
_FOUND = "n.id, n.feed::text, n.role::text, n.county::text, n.subject, n.written, n.name, n.core"


def _alike(kind: str) -> str:
    """The whole names most alike; where they are few, names that hold what was typed as a part. That costs as much again."""
    return f"""return query select {_FOUND} from supervision_naming n
                where n.kind = '{kind}' and n.core % of_core and {SCOPE}
                order by similarity(n.core, of_core) desc, n.name <> wanted, n.id limit most;
            get diagnostics whole = row_count;
            if whole < 10 then
                return query select {_FOUND} from supervision_naming n
                    where n.kind = '{kind}' and of_core <% n.core and not n.core % of_core and {SCOPE}
                    order by word_similarity(of_core, n.core) desc, n.id limit most;
            end if;"""


STATEMENTS = [
    # Few are looked at closely, the likeliest by the index's own measure first; the caller ranks them. A core of four
    # characters with one of them wrong shares a fifth of its trigrams, and what is typed in part is within the whole.
    # The limits are set at every call, for the transaction: calling the library first loads it, and only then may others
    # than a superuser set them.
    f"""
    create or replace function supervision_naming_search(of_kind text, wanted text, of_core text, of_keys text[], most integer)
    returns table (id bigint, feed text, role text, county text, subject uuid, written text, name text, core text)
    language plpgsql security definer rows 100 set search_path = pg_catalog, public, pg_temp
    set plan_cache_mode = force_custom_plan as $$
    declare
        whole integer;
    begin
        perform show_limit();
        perform set_config('pg_trgm.similarity_threshold', case when length(of_core) <= 5 then '0.15' else '0.3' end, true),
            set_config('pg_trgm.word_similarity_threshold', '0.6', true);
        if of_kind = 'person' then
            return query select {_FOUND} from supervision_naming n
                where n.kind = 'person' and n.keys && of_keys and {SCOPE}
                order by n.name <> wanted, not (n.keys && array[(select k from unnest(of_keys) k where k like '~%' limit 1)]),
                    n.id
                limit most;
        elsif of_kind = 'organisation' then
            {_alike("organisation")}
        elsif of_kind = 'address' then
            return query select {_FOUND} from supervision_naming n
                where n.kind = 'address' and n.keys && of_keys and {SCOPE}
                order by similarity(n.core, of_core) desc, n.id limit most;
            get diagnostics whole = row_count;
            -- Where the place and the numbers are known, in scope or not, words that are alike lead to other doors only.
            if whole = 0 and not exists (select from supervision_naming n
                where n.kind = 'address' and n.keys && of_keys) then
                {_alike("address")}
            end if;
        end if;
    end $$
    """,
    "revoke all on function supervision_naming_search(text, text, text, text[], integer) from public",
    "grant execute on function supervision_naming_search(text, text, text, text[], integer) to cx_web, cx_worker",
    # What the feeds in scope call the holders of full numbers, the most usual spelling first.
    f"""
    create or replace function supervision_naming_of(subjects uuid[])
    returns table (ref uuid, names text[])
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        select subject, array_agg(name order by times desc, name) from (
            select n.subject, n.name, count(*) as times from supervision_naming n
            where n.subject = any (subjects) and n.kind <> 'address' and {SCOPE} group by 1, 2) x group by subject
    $$
    """,
    "revoke all on function supervision_naming_of(uuid[]) from public",
    "grant execute on function supervision_naming_of(uuid[]) to cx_web, cx_worker",
    # How many hold a value, counted over all records: a number alone, and no further than asked.
    """
    create or replace function supervision_relation_holders(vias text[], at_landing bigint, most integer)
    returns table (via text, holders integer)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        select v.via, (select count(*)::integer from (select distinct r.a_ref from supervision_relation r
            where r.via = v.via and r.from_landing <= at_landing and (r.to_landing is null or r.to_landing > at_landing)
            limit most) x)
        from unnest(vias) v(via)
    $$
    """,
    "revoke all on function supervision_relation_holders(text[], bigint, integer) from public",
    "grant execute on function supervision_relation_holders(text[], bigint, integer) to cx_web, cx_worker",
]
