"""The kinds of seal that rows may stand under, and who reads such rows. Pure.

The same policy stands a second time as row-level security on the pool (``ingestion.pool``), written from the same
data; a test holds the two together on random worlds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

#: the purpose of a query about one person for one case, asked with a reason and recorded
CASE_QUERY = "case_query"
#: the audit row without which, in the same transaction, such a query sees nothing
RECORDED = "case.query"


class Kind(BaseModel):
    """One kind of seal: the purpose and the department that open it, and on what it rests."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)
    purpose: str = Field(pattern=r"^[a-z_]+$")
    #: the only department whose people may read such rows ("" = any)
    department: str = Field(pattern=r"^[a-z_]*$")
    source: str = Field(min_length=1)
    since: date


def _load() -> dict[str, Kind]:
    path = Path(__file__).with_name("seals.yaml")
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {code: Kind.model_validate(entry) for code, entry in document.items()}


KINDS = _load()


@dataclass(frozen=True)
class Reach:
    """A scope as the pool's policy sees one."""

    offices: frozenset[str]
    feeds: frozenset[str]
    purpose: str
    department: str
    #: the open transaction has put a case query on record
    recorded: bool = False


@dataclass(frozen=True)
class PoolRow:
    """What decides about one row of the pool."""

    feed: str
    county: str | None
    #: code of the kind of seal, None when the row stands under none
    seal: str | None


def opens(purpose: str, department: str, seal: str | None, *, recorded: bool = False) -> bool:
    """Whether a scope of this purpose and department reads rows under ``seal``."""
    if seal is None:
        return True
    kind = KINDS[seal]
    asked = kind.purpose != CASE_QUERY or recorded
    return purpose == kind.purpose and kind.department in ("", department) and asked


def shut(seals: Iterable[str], department: str) -> bool:
    """Whether something under ``seals`` is not there for the department's people unless they ask first."""
    return any(
        KINDS[seal].purpose == CASE_QUERY or KINDS[seal].department not in ("", department) for seal in seals
    )


def purposes(seals: Iterable[str], department: str) -> list[str]:
    """The purposes for which the department's people read rows under ``seals`` without asking first."""
    found = {
        KINDS[seal].purpose
        for seal in seals
        if KINDS[seal].purpose != CASE_QUERY and KINDS[seal].department in ("", department)
    }
    return sorted(found)


def readable(reach: Reach, row: PoolRow) -> bool:
    """Within feeds and counties, and not sealed or sealed for others."""
    if row.feed not in reach.feeds or not (row.county is None or row.county in reach.offices):
        return False
    return opens(reach.purpose, reach.department, row.seal, recorded=reach.recorded)
