"""Who may do what with the audit store.

Acting roles insert, and only the columns that an act names: no row number, no stamp, no time of the database.
Everything else goes through functions of the owner, each with one narrow verb:

* the worker continues the chain (``audit_head``, ``audit_pending``, ``audit_append_seal``, ``audit_anchored``);
* the web server reads for a person who is an active audit administrator (``audit_search``, ``audit_state``);
* the worker notes mass or odd use (``audit_notice``), the audit administrator reads it and says that it was looked into
  (``audit_oddities``, ``audit_acknowledge``);
* the owner alone removes what is older than the floor (``audit_purge``), and that writes a row itself.
"""

from pathlib import Path

from .retention import policy

_ACT = "INSERT (at, actor, office, action, object_kind, object_ref, reason, purpose, ip, device, session, detail)"
TABLES = {
    "audit_auditevent": {"web": _ACT, "worker": _ACT, "intake": _ACT},
}

_FLOOR = policy()["floor_days"]
_FUNCTIONS = Path(__file__).with_name("functions.sql").read_text(encoding="utf-8")

STATEMENTS = [
    # Transaction numbers start anew in a cluster restored from a dump; the offset keeps stamps rising.
    """
    do $$
    declare
        highest bigint;
        behind bigint;
    begin
        if to_regprocedure('audit_offset()') is null then
            create function audit_offset() returns bigint language sql immutable as 'select 0::bigint';
        end if;
        select greatest(max(stamp), (select max(last_stamp) from audit_auditseal)) into highest from audit_auditevent;
        behind := coalesce(highest, 0) - (pg_current_xact_id()::text::bigint + audit_offset());
        if behind > 0 then
            execute format('create or replace function audit_offset() returns bigint language sql immutable as %L',
                           'select ' || (audit_offset() + behind)::text || '::bigint');
        end if;
    end $$
    """,
    "alter table audit_auditevent alter column stamp set default pg_current_xact_id()::text::bigint + audit_offset(),"
    " alter column logged_at set default clock_timestamp(), alter column writer set default session_user,"
    " alter column purpose set default '', alter column ip set default '', alter column device set default '',"
    " alter column session set default '', alter column detail set default '{}'",
    _FUNCTIONS.replace("@floor_days@", str(_FLOOR.value))
    .replace("@floor_source@", _FLOOR.source)
    .replace("@floor_source_en@", _FLOOR.source_en),
    Path(__file__).with_name("oddities.sql").read_text(encoding="utf-8"),
]
