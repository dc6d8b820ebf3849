-- The verbs of the audit store. Applied with the grants, after every migration; each statement may run again.
-- Who may call what stands at the end.

-- Nobody changes a row by mistake, not even the owner. Who drops this trigger on purpose meets the chain.
create or replace function audit_unchangeable() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
begin
    if current_setting('cx.audit_purge', true) is distinct from 'on' then
        raise exception '审计记录不可修改或删除；到期清理请用 manage.py audit purge'
            ' / audit rows are never changed or deleted; use manage.py audit purge';
    end if;
    return null;
end $$;
create or replace trigger audit_unchangeable before update or delete on audit_auditevent
    for each statement execute function audit_unchangeable();
create or replace trigger audit_unchangeable before update or delete on audit_auditseal
    for each statement execute function audit_unchangeable();

create or replace function audit_head()
returns table (number bigint, total bigint, digest bytea, now timestamptz)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select coalesce(s.number, 0), coalesce(s.total, 0), coalesce(s.digest, decode(repeat('00', 32), 'hex')), now()
    from (select 1) one left join (select * from audit_auditseal order by number desc limit 1) s on true
$$;

create or replace function audit_pending(limit_rows int)
returns table (id bigint, stamp bigint, writer text, actor text, office text, action text, object_kind text,
               object_ref text, reason text, purpose text, ip text, device text, session text, detail text,
               at_us bigint, logged_us bigint)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    -- A transaction below the snapshot's xmin has ended: no row of it can come later.
    select e.id, e.stamp, e.writer, e.actor, e.office, e.action, e.object_kind, e.object_ref, e.reason, e.purpose,
           e.ip, e.device, e.session, e.detail, (extract(epoch from e.at) * 1000000)::bigint,
           (extract(epoch from e.logged_at) * 1000000)::bigint
    from audit_auditevent e
    where (e.stamp, e.id) > (coalesce((select last_stamp from audit_auditseal order by number desc limit 1), -1),
                             coalesce((select last_id from audit_auditseal order by number desc limit 1), -1))
      and e.stamp < pg_snapshot_xmin(pg_current_snapshot())::text::bigint + audit_offset()
    order by e.stamp, e.id limit limit_rows
$$;

create or replace function audit_append_seal(s audit_auditseal) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    head record;
begin
    select * into head from audit_head();
    if s.number <> head.number + 1 or s.previous <> head.digest or s.purged_at is not null then
        return false;
    end if;
    insert into audit_auditseal select s.* on conflict (number) do nothing;
    return found;
end $$;

create or replace function audit_anchored(after bigint)
returns table (number bigint, total bigint, last_id bigint, digest bytea, sealed_at timestamptz)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select number, total, last_id, digest, sealed_at from audit_auditseal where number >= after order by number limit 10000
$$;

create or replace function audit_reader() returns boolean language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select exists (select 1 from accounts_person
                   where username = current_setting('cx.person', true) and is_active and 'audit_admin' = any (roles))
$$;

create or replace function audit_actions() returns text[]
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    -- One step through the index for each action that occurs, not one for each row.
    with recursive known (action) as (
        (select action from audit_auditevent order by action limit 1)
        union all
        select (select e.action from audit_auditevent e where e.action > k.action order by e.action limit 1)
        from known k where k.action is not null)
    select array(select action::text from known where action is not null order by action)
$$;

create or replace function audit_search(
    since timestamptz, until timestamptz, who text, what text, which text, from_office text,
    before_at timestamptz, before_id bigint, limit_rows int)
returns table (id bigint, at timestamptz, actor text, office text, action text, object_kind text, object_ref text,
               reason text, purpose text, ip text, device text, session text, detail text)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp
-- Every filter may be absent: planned anew for the filters that are there.
set plan_cache_mode = force_custom_plan as $$
declare
    wanted text[];
begin
    if not audit_reader() then
        return;
    end if;
    if what is not null then
        wanted := array(select a from unnest(audit_actions()) a where a = what or a like what || '.%');
    end if;
    return query
    select e.id, e.at, e.actor::text, e.office::text, e.action::text, e.object_kind::text, e.object_ref::text,
           e.reason::text, e.purpose::text, e.ip::text, e.device::text, e.session::text, e.detail
    from audit_auditevent e
    where (since is null or e.at >= since) and (until is null or e.at < until)
      and (who is null or e.actor = who) and (which is null or e.object_ref = which)
      and (wanted is null or e.action = any (wanted))
      and (from_office is null or e.office = from_office)
      and (before_id is null or (e.at, e.id) < (before_at, before_id))
    order by e.at desc, e.id desc limit limit_rows;
end $$;

create or replace function audit_state()
returns table (segments bigint, total bigint, sealed_at timestamptz, waiting bigint, oldest_waiting timestamptz,
               actions text[])
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    with head as (select * from audit_auditseal order by number desc limit 1),
    waiting as (select count(*) as n, min(logged_at) as oldest from audit_auditevent e
                where (e.stamp, e.id) > (coalesce((select last_stamp from head), -1),
                                         coalesce((select last_id from head), -1)))
    select coalesce((select number from head), 0), coalesce((select head.total from head), 0),
           (select head.sealed_at from head), waiting.n, waiting.oldest,
           audit_actions()
    from waiting where audit_reader()
$$;

create or replace function audit_purge(keep_days int, who text, why text)
returns table (rows_removed bigint, segments bigint, first_segment bigint, last_segment bigint)
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
    first_number bigint;
    last_number bigint;
    claimed_from bigint;
    removed bigint := 0;
begin
    if keep_days < @floor_days@ then
        raise exception '审计记录至少保留 @floor_days@ 天（@floor_source@）'
            ' / keep at least @floor_days@ days: @floor_source_en@';
    end if;
    if trim(coalesce(why, '')) = '' or trim(coalesce(who, '')) = '' then
        raise exception '请写明清理人和事由 / name who removes the rows and why';
    end if;
    lock table audit_auditseal in share row exclusive mode;
    select min(number) into first_number from audit_auditseal where purged_at is null;
    -- Whole segments from the oldest on, up to the first that holds a younger row.
    select coalesce(min(number) filter (where until >= now() - make_interval(days => keep_days)), max(number) + 1) - 1
    into last_number from audit_auditseal where purged_at is null;
    if first_number is null or last_number < first_number then
        return query select 0::bigint, 0::bigint, 0::bigint, 0::bigint;
        return;
    end if;
    -- The row of an earlier act may itself go now: what it lawfully claimed, before the floor of its day, is claimed
    -- again by this one. What no lawful act claimed stays unclaimed for ever.
    with recursive stated as (
        select substring(object_ref from '^([0-9]{1,18})-[0-9]{1,18}$')::bigint as first,
               substring(object_ref from '^[0-9]{1,18}-([0-9]{1,18})$')::bigint as last, logged_at
        from audit_auditevent where action = 'audit.purge'),
    lawful as materialized (
        select first, last from stated
        where logged_at - (select max(until) from audit_auditseal where number between first and last)
              >= make_interval(days => @floor_days@)),
    carried (first) as (
        select first_number
        union
        select l.first from carried c join lawful l on l.first < c.first and l.last >= c.first - 1)
    select min(first) into claimed_from from carried;
    perform set_config('cx.audit_purge', 'on', true);
    delete from audit_auditevent e using audit_auditseal a, audit_auditseal z
    where a.number = first_number and z.number = last_number
      and (e.stamp, e.id) >= (a.first_stamp, a.first_id) and (e.stamp, e.id) <= (z.last_stamp, z.last_id);
    get diagnostics removed = row_count;
    update audit_auditseal set purged_at = now() where number between first_number and last_number;
    perform set_config('cx.audit_purge', 'off', true);
    insert into audit_auditevent (at, actor, office, action, object_kind, object_ref, reason, purpose, ip, device, session,
                                  detail)
    values (now(), left(who, 60), '', 'audit.purge', 'audit_segment', claimed_from || '-' || last_number, left(why, 500),
            '', '', '', '',
            json_build_object('first', first_number, 'last', last_number, 'rows', removed, 'keep_days', keep_days)::text);
    return query select removed, last_number - first_number + 1, first_number, last_number;
end $$;

-- Whether the open transaction has written such a row: what must not be looked at without a trace asks this.
create or replace function audit_written(what text) returns boolean
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select exists (select 1 from audit_auditevent e
        where e.stamp = pg_current_xact_id_if_assigned()::text::bigint + audit_offset() and e.action = what)
$$;

revoke all on function audit_written(text), audit_head(), audit_pending(int), audit_append_seal(audit_auditseal), audit_anchored(bigint),
    audit_reader(), audit_actions(), audit_state(), audit_purge(int, text, text),
    audit_search(timestamptz, timestamptz, text, text, text, text, timestamptz, bigint, int) from public;
grant execute on function audit_head(), audit_pending(int), audit_append_seal(audit_auditseal), audit_anchored(bigint)
    to cx_worker;
grant execute on function audit_written(text) to cx_web, cx_worker;
grant execute on function audit_state(),
    audit_search(timestamptz, timestamptz, text, text, text, text, timestamptz, bigint, int) to cx_web;
