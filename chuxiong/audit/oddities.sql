-- The watch for mass or odd use. Applied with the grants, after functions.sql.

create or replace function audit_within(at timestamptz, first int, until int) returns boolean
language sql stable set search_path = pg_catalog, public, pg_temp as $$
    select first is null
        or (first < until and extract(hour from at at time zone 'Asia/Shanghai') between first and until - 1)
        or (first >= until and (extract(hour from at at time zone 'Asia/Shanghai') >= first
                                or extract(hour from at at time zone 'Asia/Shanghai') < until))
$$;

-- Reads at most limit_rows settled rows that no round has read yet, each once, in the order of the chain.
create or replace function audit_notice(told text, limit_rows int)
returns table (rows_read bigint, noticed bigint)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
#variable_conflict use_column
declare
    seen_stamp bigint;
    seen_last bigint;
begin
    -- One round at a time; another that comes meanwhile has nothing to do.
    if not pg_try_advisory_xact_lock(hashtext('audit_notice')) then
        return query select 0::bigint, 0::bigint;
        return;
    end if;
    insert into audit_watch (id, stamp, last) values (1, -1, -1) on conflict (id) do nothing;
    select w.stamp, w.last into seen_stamp, seen_last from audit_watch w where w.id = 1;
    return query
    with rules as materialized (
        select * from json_to_recordset(told::json) as r(code text, actions text[], wanted jsonb, by_address boolean,
            objects boolean, minutes int, over int, first int, until int)
    ), fresh as materialized (
        -- A transaction below the snapshot's xmin has ended: no row of it can come later.
        select e.id, e.stamp, e.at, e.actor, e.office, e.ip, e.action, e.detail from audit_auditevent e
        where (e.stamp, e.id) > (seen_stamp, seen_last)
            and e.stamp < pg_snapshot_xmin(pg_current_snapshot())::text::bigint + audit_offset()
        order by e.stamp, e.id limit limit_rows
    ), moved as (
        update audit_watch w set stamp = l.stamp, last = l.id
        from (select f.stamp, f.id from fresh f order by f.stamp desc, f.id desc limit 1) l where w.id = 1 returning 1
    ), hits as materialized (
        select r.*, f.at, f.office, case when r.by_address then f.ip else f.actor end as who
        from fresh f join rules r on f.action = any (r.actions)
        where (r.wanted = '{}' or f.detail::jsonb @> r.wanted) and audit_within(f.at, r.first, r.until)
            and case when r.by_address then f.ip else f.actor end <> ''
    ), counted as (
        select h.*, n.found, n.first_at from hits h, lateral (
            select case when h.objects then count(distinct (e.object_kind, e.object_ref)) else count(*) end as found,
                   min(e.at) as first_at
            from audit_auditevent e
            where e.actor = h.who and e.action = any (h.actions)
                and e.at > h.at - make_interval(mins => h.minutes) and e.at <= h.at
                and (h.wanted = '{}' or e.detail::jsonb @> h.wanted) and audit_within(e.at, h.first, h.until)) n
        where not h.by_address and n.found > h.over
        union all
        select h.*, n.found, n.first_at from hits h, lateral (
            select case when h.objects then count(distinct (e.object_kind, e.object_ref)) else count(*) end as found,
                   min(e.at) as first_at
            from audit_auditevent e
            where e.ip = h.who and e.action = any (h.actions)
                and e.at > h.at - make_interval(mins => h.minutes) and e.at <= h.at
                and (h.wanted = '{}' or e.detail::jsonb @> h.wanted) and audit_within(e.at, h.first, h.until)) n
        where h.by_address and n.found > h.over
    ), told_of as (
        insert into audit_oddity as o (rule, subject, office, day, peak, allowed, first_at, last_at, noticed_at,
                                       acknowledged_by, note)
        select code, left(who, 60), case when bool_or(by_address) then '' else max(office) end,
               (at at time zone 'Asia/Shanghai')::date, max(found), max(over), min(first_at), max(at), now(), '', ''
        from counted group by code, who, (at at time zone 'Asia/Shanghai')::date
        on conflict (rule, subject, day) do update set
            -- What goes on after somebody has looked asks for another look.
            acknowledged_by = case when excluded.last_at > o.acknowledged_at then '' else o.acknowledged_by end,
            acknowledged_at = case when excluded.last_at > o.acknowledged_at then null else o.acknowledged_at end,
            peak = greatest(o.peak, excluded.peak), allowed = excluded.allowed,
            first_at = least(o.first_at, excluded.first_at), last_at = greatest(o.last_at, excluded.last_at)
        returning 1)
    select (select count(*) from fresh), (select count(*) from told_of);
end $$;

create or replace function audit_oddities(only_open boolean, before_at timestamptz, before_id bigint, limit_rows int)
returns setof audit_oddity language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select o.* from audit_oddity o
    where audit_reader() and (not only_open or o.acknowledged_at is null)
        and (before_id is null or (o.last_at, o.id) < (before_at, before_id))
    order by o.last_at desc, o.id desc limit limit_rows
$$;

create or replace function audit_oddities_open() returns bigint
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select count(*) from audit_oddity o where audit_reader() and o.acknowledged_at is null
$$;

-- In the name of the audit administrator who asks, never of the one whom the oddity is about; true when it was open.
create or replace function audit_acknowledge(oddity bigint, why text) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not audit_reader() or trim(coalesce(why, '')) = '' then
        return false;
    end if;
    update audit_oddity set acknowledged_by = current_setting('cx.person', true), acknowledged_at = now(),
        note = left(why, 500)
    where id = oddity and acknowledged_at is null and subject <> current_setting('cx.person', true);
    return found;
end $$;

revoke all on function audit_notice(text, int), audit_oddities(boolean, timestamptz, bigint, int), audit_oddities_open(),
    audit_acknowledge(bigint, text) from public;
grant execute on function audit_notice(text, int) to cx_worker;
grant execute on function audit_oddities(boolean, timestamptz, bigint, int), audit_oddities_open(),
    audit_acknowledge(bigint, text) to cx_web;
