"""Who may do what with the control tables. Pool tables get theirs from ``feed sync``."""

from chuxiong.accounts.rights import OFFICE_IN_SCOPE
from ingestion import partitions

_COUNTY_IN_SCOPE = OFFICE_IN_SCOPE.format(column="county")
_OWN = "person = (select coalesce(current_setting('cx.person', true), ''))"

TABLES = {
    "ingestion_agreement": {"intake": "SELECT", "worker": "SELECT", "web": "SELECT"},
    "ingestion_batch": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT"},
    "ingestion_landing": {"intake": "SELECT, INSERT", "worker": "SELECT", "web": "SELECT"},
    "ingestion_touch": {"intake": "SELECT, INSERT", "worker": "SELECT, INSERT"},
    "ingestion_quarantine": {"intake": "SELECT, INSERT, DELETE", "web": "SELECT"},
    "ingestion_telemetrydevice": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT"},
    "ingestion_telemetrylimit": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT"},
    "ingestion_telemetrysource": {"intake": "SELECT, INSERT, UPDATE", "web": "SELECT"},
    "ingestion_telemetrycontact": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT"},
    "ingestion_telemetryframes": {"intake": "SELECT, INSERT"},
    "ingestion_river": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT"},
    "ingestion_riverplace": {"intake": "SELECT, INSERT, UPDATE, DELETE", "worker": "SELECT", "web": "SELECT"},
    "ingestion_camera": {"intake": "SELECT, INSERT, UPDATE", "web": "SELECT"},
    # Who looked, and since when, is written once; a viewing goes on and ends.
    "ingestion_cameraviewing": {"web": 'SELECT, INSERT, UPDATE (opened_at, last_at, ended_at, "end")'},
    "ingestion_cameraframe": {"web": "SELECT, INSERT"},
    "ingestion_feedissue": {"intake": "SELECT, INSERT, UPDATE", "worker": "SELECT", "web": "SELECT, UPDATE"},
}
POLICIES = {
    "ingestion_camera": [
        ("register", ["intake"], "all", "true", "true"),
        ("office", ["web"], "select", _COUNTY_IN_SCOPE, ""),
    ],
    # Seen within the office, written and ended by whoever looks.
    "ingestion_cameraviewing": [
        ("office", ["web"], "select", _COUNTY_IN_SCOPE, ""),
        ("begin", ["web"], "insert", "", f"{_OWN} and {_COUNTY_IN_SCOPE}"),
        ("end", ["web"], "update", f"{_OWN} and {_COUNTY_IN_SCOPE}", f"{_OWN} and {_COUNTY_IN_SCOPE}"),
    ],
    "ingestion_cameraframe": [
        ("office", ["web"], "select", _COUNTY_IN_SCOPE, ""),
        ("keep", ["web"], "insert", "", f"{_OWN} and {_COUNTY_IN_SCOPE}"),
    ],
}
STATEMENTS = [
    "create schema if not exists pool",
    "create schema if not exists staging",
    "grant usage on schema pool to cx_intake, cx_worker, cx_web",
    "grant usage, create on schema staging to cx_intake",
    *partitions.RIGHTS,
    # Rewritten every second: room on the page keeps the new version beside the old one.
    "alter table ingestion_telemetrycontact set (fillfactor = 50)",
    # The wall needs the age of every feed, nothing else of intake.
    "create or replace view wall_feed as select feed, max(landed_at) as landed_at, max(covers_until) as covers_until,"
    " count(*) as landings from ingestion_landing group by feed",
    "grant select on wall_feed to cx_wall, cx_web",
]
