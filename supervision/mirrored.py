"""What this room adds to the column mirror: who is meant by a mention, and who is related to whom.

Only what rules read: no names, no reasons, no shared values.
"""

from __future__ import annotations

from ingestion.mirror.tables import FURTHER, Table

_LANDINGS = {"from_landing": "bigint", "to_landing": "bigint"}
MENTIONS, RELATIONS = "supervision_mention", "supervision_relation"

FURTHER[MENTIONS] = Table(
    name=MENTIONS,
    relation=MENTIONS,
    columns={
        "id": "bigint",
        "feed": "text",
        "role": "text",
        "natural_hash": "bytea",
        "subject": "uuid",
        "tier": "text",
        **_LANDINGS,
    },
    key="id",
)
FURTHER[RELATIONS] = Table(
    name=RELATIONS,
    relation=RELATIONS,
    columns={
        "id": "bigint",
        "kind": "text",
        "a_kind": "text",
        "a_ref": "uuid",
        "b_kind": "text",
        "b_ref": "uuid",
        **_LANDINGS,
    },
    # A value that several share relates nobody by itself.
    where="b_ref is not null",
    key="id",
)
