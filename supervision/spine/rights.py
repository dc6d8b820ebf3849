"""What the spine may ask of the vault and of the landings, and what a page may ask of the spine: by function alone."""

STATEMENTS = [
    # What rules need of a number without the number; tokens find nobody who has not the key of the vault.
    "drop function if exists supervision_identifier_facts(uuid[])",
    """
    create or replace function supervision_identifier_facts(refs uuid[])
    returns table (ref uuid, birth_date date, sex varchar, mask_token bytea, division varchar)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        select i.ref, i.birth_date, i.sex, i.mask_token, i.division from vault_identifier i
        where i.ref = any (refs) and i.kind = 'citizen_id'
    $$
    """,
    "revoke all on function supervision_identifier_facts(uuid[]) from public",
    "grant execute on function supervision_identifier_facts(uuid[]) to cx_worker",
    # How many other numbers bear the name: counts alone, whoever they are.
    """
    create or replace function supervision_namesakes(of_subject uuid)
    returns table (name text, everywhere bigint, county bigint, birth_year bigint)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        with own as (
            select a.kind, a.name, a.town, a.birth from supervision_appearance a where a.subject = of_subject
            union all
            select m.kind, m.name, m.town, m.birth from supervision_mention m
            where m.subject = of_subject and m.to_landing is null
        ), named as (select kind, name from own group by kind, name order by count(*) desc, name limit 1)
        select n.name, count(distinct a.subject),
            count(distinct a.subject) filter (where a.town in (select town from own)),
            count(distinct a.subject) filter (where date_part('year', a.birth) in (select date_part('year', birth) from own))
        from named n left join supervision_appearance a on a.kind = n.kind and a.name = n.name and a.subject <> of_subject
        group by n.name
    $$
    """,
    "revoke all on function supervision_namesakes(uuid) from public",
    "grant execute on function supervision_namesakes(uuid) to cx_web, cx_worker",
    # Both sides of a pair that the caller sees: what each tells, without numbers.
    "drop function if exists supervision_pair_sides(bigint)",
    """
    create or replace function supervision_pair_sides(of_pair bigint)
    returns table (side text, source text, name text, birth date, sex text, masked boolean, issued boolean, legacy text, phone uuid, town text,
        address text, numbered boolean)
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    #variable_conflict use_column
    declare
        p record;
    begin
        select * into p from supervision_identitypair x where x.id = of_pair
            and x.feeds <@ string_to_array(current_setting('cx.feeds', true), ',')::varchar[]
            and (x.counties = '{}' or x.counties && string_to_array(current_setting('cx.offices', true), ',')::varchar[]);
        if p is null then
            return;
        end if;
        return query
            select s.side, m.feed::text, m.name, m.birth, m.sex::text, m.masked is not null, m.issued is not null, m.legacy, m.phone, m.town::text,
                m.address, false
            from (values ('left', p."left"), ('right', p."right")) s(side, key) join supervision_mention m
                on m.feed = split_part(s.key, '/', 1) and m.role = split_part(s.key, '/', 2)
                and m.natural_hash = decode(case when s.key like 'ref/%' then '' else split_part(s.key, '/', 3) end, 'hex')
                and m.to_landing is null
            where s.key not like 'ref/%'
            union all
            (select s.side, '', a.name, a.birth, a.sex::text, a.masked is not null, a.issued is not null, a.legacy, a.phone, a.town::text, a.address, true
            from (values ('left', p."left"), ('right', p."right")) s(side, key) join supervision_appearance a
                on a.subject = case when s.key like 'ref/%' then substr(s.key, 5)::uuid end and a.kind = p.kind
            where s.key like 'ref/%' order by a.name, a.town, a.address limit 8);
    end $$
    """,
    "revoke all on function supervision_pair_sides(bigint) from public",
    "grant execute on function supervision_pair_sides(bigint) to cx_web",
]
