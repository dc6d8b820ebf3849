"""Screens: who may do what with them, and what a wall sees of waters, cameras and clues beyond single rows.

The views and functions run with the owner's rights and name their columns: no device number, no firm, no outfall's
name, no camera's number passes through them.
"""

from chuxiong.accounts.rights import OFFICE_IN_SCOPE

_IN_OFFICE = OFFICE_IN_SCOPE.format(column="office")
_OF_OFFICE = OFFICE_IN_SCOPE.format(column="office_id")
_DEVICE = "(select nullif(current_setting('cx.screen', true), ''))"
_OF_SCREEN = "exists (select 1 from dashboard_screen s where s.id = screen_id)"
_OF_GROUP = "exists (select 1 from dashboard_wallgroup g where g.id = group_id)"
# A player reaches the office of its own screen and nothing else.
_DEVICES_OFFICE = f"office = (select s.office from dashboard_screen s where s.token_digest = {_DEVICE})"
_CLEARED = "cleared_at is not null and withdrawn_at is null"
_ITS_SWITCH = "exists (select 1 from dashboard_screen s where s.id = any (screens))"

TABLES = {
    "dashboard_wallgroup": {"web": "SELECT, INSERT, UPDATE"},
    "dashboard_screen": {"web": "SELECT, INSERT, UPDATE"},
    "dashboard_pairing": {"web": "SELECT, INSERT, UPDATE (screen_id), DELETE"},
    "dashboard_playlist": {"web": "SELECT, INSERT, UPDATE"},
    "dashboard_schedule": {"web": "SELECT, INSERT, DELETE"},
    "dashboard_switch": {"web": "SELECT, INSERT, UPDATE (ready, apply_at)"},
    "dashboard_screenstate": {"web": "SELECT, INSERT, UPDATE"},
    "dashboard_screenhealth": {"web": "SELECT, INSERT, UPDATE"},
    "dashboard_interrupt": {"web": "SELECT, INSERT, UPDATE (begins, ends, ended_by)"},
    "dashboard_visit": {"web": "SELECT, INSERT, UPDATE (ended_at, ended_by)"},
    # A pair of pictures stands as it was handed in: it is cleared and taken down, never changed.
    "dashboard_displaypair": {
        "web": "SELECT, INSERT, UPDATE (cleared_at, cleared_by, for_visitors, withdrawn_at, withdrawn_by)"
    },
}
POLICIES = {
    "dashboard_wallgroup": [("office", ["web"], "all", _OF_OFFICE, _OF_OFFICE)],
    "dashboard_playlist": [("office", ["web"], "all", _OF_OFFICE, _OF_OFFICE)],
    "dashboard_schedule": [("of_group", ["web"], "all", _OF_GROUP, _OF_GROUP)],
    "dashboard_screen": [
        ("office", ["web"], "all", _IN_OFFICE, _IN_OFFICE),
        ("device", ["web"], "select", f"token_digest = {_DEVICE}", ""),
    ],
    "dashboard_screenstate": [("of_screen", ["web"], "all", _OF_SCREEN, _OF_SCREEN)],
    "dashboard_screenhealth": [("of_screen", ["web"], "all", _OF_SCREEN, _OF_SCREEN)],
    "dashboard_switch": [
        ("office", ["web"], "all", _IN_OFFICE, _IN_OFFICE),
        ("device", ["web"], "select", _ITS_SWITCH, ""),
        ("ready", ["web"], "update", _ITS_SWITCH, _ITS_SWITCH),
    ],
    "dashboard_interrupt": [
        ("office", ["web"], "all", _IN_OFFICE, _IN_OFFICE),
        ("device", ["web"], "select", _DEVICES_OFFICE, ""),
        ("call", ["web"], "insert", "", _DEVICES_OFFICE),
    ],
    "dashboard_displaypair": [
        ("office", ["web"], "all", _IN_OFFICE, _IN_OFFICE),
        # What may be seen on a wall is seen on every wall, as its counts are.
        (
            "device",
            ["web"],
            "select",
            f"{_CLEARED} and exists (select 1 from dashboard_screen s where s.token_digest = {_DEVICE})",
            "",
        ),
    ],
    "dashboard_visit": [
        ("office", ["web"], "all", _IN_OFFICE, _IN_OFFICE),
        ("device", ["web"], "select", _DEVICES_OFFICE, ""),
    ],
}

_SEEN = "c.state not in ('merged', 'withdrawn') and not c.exercise and not c.sealed"
STATEMENTS = [
    # Geography is open to every reader.
    "create or replace view wall_river as select code, name_zh, name_en, names, line, from_km, to_km, stretches, schematic"
    " from ingestion_river",
    "grant select on wall_river to cx_wall, cx_web",
    # What stands on a river: sections and mouths by their names, outfalls by their place alone.
    "create or replace view wall_river_place as select p.id, r.code as river, p.kind,"
    " case when p.kind = 'section' then p.code else '' end as section,"
    " case when p.kind = 'outfall' then '' else p.name_zh end as name_zh,"
    " case when p.kind = 'outfall' then '' else p.name_en end as name_en,"
    " p.km, p.side, p.county, p.target_class from ingestion_riverplace p join ingestion_river r on r.id = p.river_id"
    " where p.active_from <= current_date and (p.active_to is null or p.active_to >= current_date)",
    "grant select on wall_river_place to cx_wall, cx_web",
    "create or replace view wall_camera as select c.id, c.name_zh, c.name_en, r.code as river, c.km, c.county,"
    " c.public_approved as approved, c.status = 'in_service' as playing from ingestion_camera c"
    " left join ingestion_river r on r.id = c.river_id where c.status <> 'removed'",
    "grant select on wall_camera to cx_wall, cx_web",
    # The pool's tables come after the migrations, so what reads them is bound when it runs.
    """
    create or replace function wall_section_readings(since timestamptz)
    returns table (section text, factor text, at timestamptz, value double precision)
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    begin
        return query select p.section_code::text, p.factor::text, p.monitor_time, p.value::double precision
            from pool.ee_surface_water p where p.to_landing is null and p.monitor_time > since and p.monitor_time <= now()
                and p.section_code in (select code from ingestion_riverplace where kind = 'section')
            order by 1, 2, 3;
    end $$
    """,
    """
    create or replace function wall_outfall_readings(since timestamptz)
    returns table (place bigint, last_at timestamptz, readings bigint, above bigint, factors text[])
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    begin
        return query select p.id, max(a.data_time), count(*),
            count(*) filter (where a.value_avg > a.limit_value and a.flag = 'N' and a.factor not in ('w01001', 'w01009')),
            array_agg(distinct a.factor::text) filter
                (where a.value_avg > a.limit_value and a.flag = 'N' and a.factor not in ('w01001', 'w01009'))
            from pool.ee_auto_monitor a join ingestion_riverplace p on p.mn = a.mn
            where a.to_landing is null and p.mn <> '' and a.data_type in ('2031', '2061')
                and a.data_time > since and a.data_time <= now() group by p.id;
    end $$
    """,
    # Hour and day means above their limits, wherever the outfall lies.
    """
    create or replace function wall_exceedances(since timestamptz)
    returns table (day date, factor text, readings bigint, above bigint, outfalls bigint, worst double precision)
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    begin
        return query select (a.data_time at time zone 'Asia/Shanghai')::date, a.factor::text, count(*),
            count(*) filter (where a.value_avg > a.limit_value),
            count(distinct a.mn) filter (where a.value_avg > a.limit_value),
            max(a.value_avg / nullif(a.limit_value, 0)) filter (where a.value_avg > a.limit_value)
            from pool.ee_auto_monitor a where a.to_landing is null and a.flag = 'N' and a.data_type in ('2031', '2061')
                and a.factor not in ('w01001', 'w01009') and a.limit_value is not null
                and a.data_time > since and a.data_time <= now() group by 1, 2 order by 1, 2;
    end $$
    """,
    """
    create or replace function wall_patrol(since timestamptz)
    returns table (river_code text, river_name text, kind text, found_at timestamptz, status text,
        lon double precision, lat double precision)
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    begin
        return query select coalesce(p.river_code, '')::text, coalesce(p.river_name, '')::text,
            coalesce(p.problem_type, '')::text, p.found_time, coalesce(p.status, '')::text,
            p.lon::double precision, p.lat::double precision
            from pool.wr_river_patrol p where p.to_landing is null and p.problem_id is not null
                and p.found_time > since and p.found_time <= now() order by p.found_time desc;
    end $$
    """,
    # Losses of cases, one a case however many parties its cards name; a case with a sealed card is not among them.
    """
    create or replace function wall_losses(since date)
    returns table (month date, county text, disposal text, cases bigint, lost numeric, recovered numeric, seized numeric)
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    begin
        return query select date_trunc('month', c.accept_date)::date, c.county::text, coalesce(c.seized_status, '')::text,
            count(*), sum(c.victim_loss_cny), sum(coalesce(c.recovered_cny, 0)), sum(coalesce(c.seized_cny, 0))
            from (select distinct on (p.unified_case_no) p.accept_date, p.county, p.seized_status, p.victim_loss_cny,
                    p.recovered_cny, p.seized_cny
                from pool.pr_case p where p.to_landing is null and p.accept_date >= since and p.accept_date <= current_date
                    and not exists (select 1 from pool.pr_case s where s.unified_case_no = p.unified_case_no
                        and s.to_landing is null and s.seal is not null)
                order by p.unified_case_no, p.record_id) c
            where c.victim_loss_cny > 0 group by 1, 2, 3;
    end $$
    """,
    """
    create or replace function wall_arrears(since date)
    returns table (month date, county text, industry text, claims bigint, still_open bigint, workers numeric, owed numeric,
        paid numeric)
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    begin
        return query select date_trunc('month', w.register_date)::date, w.county::text, coalesce(w.industry, '')::text,
            count(*), count(*) filter (where w.close_date is null), sum(coalesce(w.worker_count, 0))::numeric,
            sum(w.arrears_amount_cny), sum(least(coalesce(w.paid_amount_cny, 0), w.arrears_amount_cny))
            from pool.hr_wage_arrears w where w.to_landing is null and w.register_date >= since
                and w.register_date <= current_date group by 1, 2, 3;
    end $$
    """,
    # Sites at work by the latest month that the agency has sent, and what each lacks of what guards wages.
    """
    create or replace function wall_wage_sites()
    returns table (month date, sites bigint, no_account bigint, no_deposit bigint, no_guarantee bigint, nobody bigint)
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    begin
        return query select g.stat_month, count(*), count(*) filter (where g.account_status = '未开户'),
            count(*) filter (where g.deposit_form = '未存储'), count(*) filter (where g.payment_guarantee = '未提供'),
            count(*) filter (where g.realname_headcount = 0)
            from pool.hr_wage_guarantee g where g.to_landing is null and g.project_status = '在建'
                and g.stat_month = (select max(m.stat_month) from pool.hr_wage_guarantee m where m.to_landing is null)
            group by 1;
    end $$
    """,
    *(
        statement.format(name=name)
        for name in ("wall_losses(date)", "wall_arrears(date)", "wall_wage_sites()")
        for statement in (
            "revoke all on function {name} from public",
            "grant execute on function {name} to cx_wall, cx_web",
        )
    ),
    # What settled clues brought, by kind; sums alone, so that a clue open to one department counts, too.
    "create or replace view wall_result as select f.code, sum(f.amount)::bigint as amount, count(*) as clues"
    " from supervision_clue c cross join lateral jsonb_to_recordset(coalesce(c.results -> 'facts', '[]'))"
    f" as f(code text, amount bigint) where {_SEEN} and c.state = 'settled' group by f.code",
    "grant select on wall_result to cx_wall, cx_web",
    # Pictures before and after that somebody has cleared, of clues that a wall may tell of: what, where, when.
    "create or replace view wall_pair as select p.id, c.rule, c.origin, c.office, c.township, p.before_on, p.after_on,"
    f" p.for_visitors from dashboard_displaypair p join supervision_clue c on c.id = p.clue_id where p.cleared_at is not null and p.withdrawn_at is null"
    f" and {_SEEN} and c.closed_to = '' and c.state = 'settled'",
    "grant select on wall_pair to cx_wall, cx_web",
    *(
        statement.format(name=name)
        for name in ("wall_section_readings", "wall_outfall_readings", "wall_exceedances", "wall_patrol")
        for statement in (
            "revoke all on function {name}(timestamptz) from public",
            "grant execute on function {name}(timestamptz) to cx_wall, cx_web",
        )
    ),
    # Counts of clues by day; a clue open to one department counts, too.
    "create or replace view wall_clue_day as select day, sum(found)::bigint as found, sum(confirmed)::bigint as confirmed"
    " from (select (c.raised_at at time zone 'Asia/Shanghai')::date as day, 1 as found, 0 as confirmed"
    f" from supervision_clue c where {_SEEN} union all"
    " select (c.confirmed_at at time zone 'Asia/Shanghai')::date, 0, 1"
    f" from supervision_clue c where {_SEEN} and c.confirmed_at is not null) d group by day",
    "grant select on wall_clue_day to cx_wall, cx_web",
    "create or replace view wall_landing_day as select (landed_at at time zone 'Asia/Shanghai')::date as day,"
    " count(*) as landings, count(distinct feed) as feeds from ingestion_landing where feed <> '' group by 1",
    "grant select on wall_landing_day to cx_wall, cx_web",
    # What the automatic interrupts look for: fresh, urgent, not looked at yet.
    "create or replace view wall_urgent_clue as select c.id, c.raised_at from supervision_clue c"
    f" where {_SEEN} and c.closed_to = '' and c.level = 'urgent' and c.state = 'raised'",
    "grant select on wall_urgent_clue to cx_wall, cx_web",
    # A waiting player receives its token through this function alone; the offer is used up by it.
    """
    create or replace function dashboard_take_token(secret text, token text, at timestamptz)
    returns text language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp as $$
    declare
        bound bigint;
        named text;
    begin
        delete from dashboard_pairing p where p.secret_digest = secret and p.expires_at > at and p.screen_id is not null
            returning p.screen_id into bound;
        update dashboard_screen s set token_digest = token, paired_at = at where s.id = bound returning s.code into named;
        return named;
    end $$
    """,
    "revoke all on function dashboard_take_token(text, text, timestamptz) from public",
    "grant execute on function dashboard_take_token(text, text, timestamptz) to cx_web",
    # A player says that it is ready and agrees on the moment; the rest of a switch stands.
    """
    create or replace function dashboard_switch_guard() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        if old.apply_at is not null and new.apply_at is distinct from old.apply_at then
            raise exception 'the moment of a switch is agreed once' using errcode = 'insufficient_privilege';
        end if;
        return new;
    end $$
    """,
    "create or replace trigger dashboard_switch_guard before update on dashboard_switch"
    " for each row execute function dashboard_switch_guard()",
]
