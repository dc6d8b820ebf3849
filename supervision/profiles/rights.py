"""What a recorded query may ask: of the vault, which ref a number has, never the other way round; of the names, where they stand."""

from supervision.naming.rights import SCOPE

#: the audit row without which, in the same transaction, no number is looked up
RECORDED = "pool.search"

STATEMENTS = [
    # By token: whoever has not the key of the vault asks for nothing. The answer is a ref alone, and the records behind it
    # are held to the caller's scope like any others.
    f"""
    create or replace function supervision_number_ref(of_token bytea)
    returns uuid language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    begin
        if not audit_written('{RECORDED}') then
            raise exception 'no query on record' using errcode = 'insufficient_privilege';
        end if;
        return (select i.ref from vault_identifier i where i.lookup = of_token);
    end $$
    """,
    "revoke all on function supervision_number_ref(bytea) from public",
    "grant execute on function supervision_number_ref(bytea) to cx_web",
    # What the feeds in scope call the holders of full numbers, in which feeds and counties; the most usual spelling first.
    f"""
    create or replace function supervision_naming_where(subjects uuid[])
    returns table (ref uuid, names text[], feeds text[], counties text[])
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        select subject, array_agg(name order by times desc, name), array_agg(distinct feed), array_remove(array_agg(distinct county), null)
        from (
            select n.subject, n.name, n.feed::text as feed, n.county::text as county, count(*) over (partition by n.subject, n.name) as times
            from supervision_naming n where n.subject = any (subjects) and n.kind <> 'address' and {SCOPE}
        ) x group by subject
    $$
    """,
    "revoke all on function supervision_naming_where(uuid[]) from public",
    "grant execute on function supervision_naming_where(uuid[]) to cx_web",
]
