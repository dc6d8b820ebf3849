"""What of a clue's records may go to an agency with a letter: field by field, each under the clause that lets it leave.

An agency gets its own records back: the columns that the model reads and its own keys, by which it finds them; numbers in
those keys stand in clear where the sender has given the reason and may see them. Another supplier's fields leave only under an
agreement in force that lets them be fed back, never with a number or a person's full name. Sealed records never leave.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from chuxiong.kit import mask
from ingestion import agreements
from ingestion import selectors as ingestion
from ingestion.api.limits import LIMITS
from ingestion.catalog.spec import FeedSpec
from ingestion.models import Agreement
from supervision import selectors
from supervision.clues.actions.moving import Refused, unknown_clue
from supervision.models import Clue
from supervision.rulebook.compiler import compile_rule

_NUMBERS = ("citizen_id", "credit_code", "phone", "bank_account", "plate")


@dataclass(frozen=True)
class Column:
    name: str
    zh: str
    en: str
    #: whether the values stand as a mask
    masked: bool


@dataclass(frozen=True)
class Source:
    """Records of one feed that leave, and why they may."""

    feed: str
    title_zh: str
    title_en: str
    clause_zh: str
    clause_en: str
    columns: list[Column]
    rows: list[list[str]]


@dataclass(frozen=True)
class Kept:
    """Records of one feed that stay, and why."""

    title_zh: str
    title_en: str
    rows: int
    why_zh: str
    why_en: str


@dataclass(frozen=True)
class Leaving:
    sources: list[Source]
    kept: list[Kept]

    @property
    def rows(self) -> int:
        return sum(len(source.rows) for source in self.sources)

    def content(self) -> bytes:
        """As it leaves: JSON."""
        sources = [
            {
                "feed": s.feed,
                "title_zh": s.title_zh,
                "title_en": s.title_en,
                "clause": {"zh": s.clause_zh, "en": s.clause_en},
                "columns": [{"name": c.name, "zh": c.zh, "en": c.en, "masked": c.masked} for c in s.columns],
                "rows": s.rows,
            }
            for s in self.sources
        ]
        return json.dumps({"sources": sources}, ensure_ascii=False, sort_keys=True).encode()

    @property
    def digest(self) -> str:
        """Of what leaves: what was looked at is what is sent, or nothing is."""
        return hashlib.sha256(self.content()).hexdigest()


def leaving(person: Person, number: str, agency: str, *, at: datetime) -> tuple[Clue, Leaving] | None:
    """What would go to ``agency`` now; None when the clue is out of the person's sight. The look is on record."""
    with person_scope(person):
        clue = Clue.objects.filter(number=number).first()
        if clue is None:
            return None
        record(
            at=at, actor=person.username, office=person.office_id, action="letter.preview", object_kind="clue",
            object_ref=number, detail={"agency": agency},
        )  # fmt: skip
        return clue, of_clue(person, clue, agency, at=at)


def of_clue(person: Person, clue: Clue, agency: str, *, at: datetime) -> Leaving:
    """As ``leaving``, within the person's scope."""
    rule, catalog, on = selectors.rulebook().get(clue.rule), ingestion.catalog(), timezone.localdate(at)
    if rule is None or not agency:
        return Leaving([], [])
    read = compile_rule(rule, catalog).fields_read
    wanted: dict[str, list[int]] = {}
    for item in clue.evidence:
        wanted.setdefault(item["feed"], []).append(item["record_id"])
    stopped = agreements.check({feed: read[feed] for feed in wanted}, on=on).refused
    inside = agreements.kept_inside(wanted, agency=agency, on=on)
    opened = _opened(person, clue, at) if set(wanted) - inside else {}
    sources, kept = [], []
    for code, ids in wanted.items():
        feed, own = catalog[code], catalog[code].agency.code == agency
        if code in stopped:
            kept.append(_kept(feed, len(ids), stopped[code], "No agreement covers its use today"))
            continue
        if code in inside:
            kept.append(
                _kept(
                    feed, len(ids), "协议未约定可反馈给其他单位", "Its agreement does not let it be fed back"
                )
            )
            continue
        found = _records(person, code, ids)
        if len(found) < len(ids):
            kept.append(
                _kept(feed, len(ids) - len(found), "封存记录，不得外送", "Sealed records never leave")
            )
        if found:
            agreement = _clause(code, agency if own else "", on)
            sources.append(_source(feed, read[code], found, own, agreement, opened))
    return Leaving(_capped(sources, kept), kept)


def _records(person: Person, code: str, ids: list[int]) -> list[dict[str, Any]]:
    """Of the plain purpose: what is sealed is not among them, whoever looks."""
    with person_scope(person, feeds=[code]):
        found = ingestion.records({code: ids})
    return [found[code, one] for one in ids if (code, one) in found and not found[code, one].get("seal")]


def _clause(code: str, own: str, on: date) -> Agreement | None:
    """The agreement that lets the feed's fields go: its own supplier's, or one that may be fed back."""
    for agreement in Agreement.objects.filter(fields__has_key=code, valid_from__lte=on).order_by("number"):
        last = min(agreement.valid_to, agreement.ended_on) if agreement.ended_on else agreement.valid_to
        if on <= last and (own or agreement.may_be_fed_back):
            return agreement
    return None


def _source(
    feed: FeedSpec,
    read: frozenset[str] | set[str],
    found: list[dict[str, Any]],
    own: bool,
    agreement: Agreement | None,
    opened: dict[str, str],
) -> Source:
    number = agreement.number if agreement else "—"
    allowed = set(agreement.fields.get(feed.code, ["*"])) if agreement and not own else {"*"}
    keys = set(feed.natural_key) if own else set()
    chosen = [
        c for c in feed.columns
        if (c.name in keys or c.name in read) and ("*" in allowed or c.name in allowed)
        and any(row.get(c.name) is not None for row in found)
    ]  # fmt: skip
    columns, rows = [], [[str(row["row_no"])] if own else [] for row in found]
    if own:
        columns.append(Column("row_no", "贵单位文件中的行号", "Row of your file", False))
    for column in chosen:
        clear = opened if column.name in keys else {}
        texts = [_text(column, row.get(column.name), clear, own) for row in found]
        masked = column.type in _NUMBERS and any(t == ingestion.MASK for t in texts)
        columns.append(Column(column.name, column.zh, column.en, masked))
        for row, text in zip(rows, texts, strict=True):
            row.append(text)
    return Source(
        feed.code, feed.title.zh, feed.title.en,
        f"本单位提供的数据，凭本单位主键返还（协议 {number}）" if own else f"协议 {number}：记录可反馈给其他单位",
        f"Your own data, returned by your own keys (agreement {number})" if own
        else f"Agreement {number}: records may be fed back to other agencies",
        columns, rows,
    )  # fmt: skip


def _text(column: Any, value: Any, clear: dict[str, str], own: bool) -> str:
    if value is None:
        return ""
    if column.type == "person_name" and not own:
        return mask.person_name(str(value))
    return clear.get(str(value)) or ingestion.display(column, value)


def _kept(feed: FeedSpec, rows: int, zh: str, en: str) -> Kept:
    return Kept(feed.title.zh, feed.title.en, rows, zh, en)


def _capped(sources: list[Source], kept: list[Kept]) -> list[Source]:
    """At most so many rows with one letter; what is over is told."""
    left, most, out = LIMITS.letter_rows.value, LIMITS.letter_rows.value, []
    for source in sources:
        if len(source.rows) > left:
            kept.append(
                Kept(
                    source.title_zh,
                    source.title_en,
                    len(source.rows) - left,
                    f"一件至多附 {most} 行；其余请以数据包交接",
                    f"At most {most} rows a letter; hand the rest over as a bundle",
                )
            )
            source = Source(
                source.feed, source.title_zh, source.title_en, source.clause_zh, source.clause_en,
                source.columns, source.rows[:left],
            )  # fmt: skip
        left -= len(source.rows)
        if source.rows:
            out.append(source)
    return out


def _opened(person: Person, clue: Clue, at: datetime) -> dict[str, str]:
    """Numbers by ref, for a sender who has given the reason within the day and may see them; else none."""
    given = clue.unmaskings.filter(person=person.username, at__gt=at - timedelta(days=1)).exists()
    if not given or not selectors.may_open(clue, person):
        return {}
    return selectors.open_numbers(clue, person, at)


def agreed(person: Person, number: str, agency: str, digest: str, *, at: datetime) -> tuple[bytes, int]:
    """(content, rows) of what was looked at, if it is what would leave now. Raises ``Refused``."""
    found = leaving(person, number, agency, at=at)
    if found is None:
        raise unknown_clue(number)
    _clue, what = found
    if what.digest != digest:
        raise Refused(
            "所附记录在查看之后有变化，没有发出；请重新查看后再发",
            "the records changed since they were looked at and nothing was sent: look at them again",
        )
    if not what.rows:
        raise Refused("没有可附的记录，请不附记录发出", "no record may go along: send the letter without")
    return what.content(), what.rows
