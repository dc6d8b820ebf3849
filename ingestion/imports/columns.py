"""Which header feeds which column: what the catalogue knows, what people have registered, what somebody chose."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rapidfuzz import fuzz, process

from ingestion.catalog.load import Catalog
from ingestion.catalog.spec import Column, FeedSpec
from ingestion.imports.bounds import bounds
from ingestion.intake import normalising

NOT_TAKEN = "-"
#: columns that an error receipt adds to the sender's own
ROW_NO, REASONS, CURES = "原文件行号", "退回原因", "改正办法"
ADDED = (ROW_NO, REASONS, CURES)
#: the sheet of notes in the blank workbooks that agencies fill in: never data
NOTES = "填报说明"


@dataclass(frozen=True)
class Registered:
    """A header alias in force. ``column`` empty: not taken. ``uses``: imports that have used it."""

    id: int
    key: str
    column: str
    uses: int
    made_by_name: str = ""

    @property
    def settled(self) -> bool:
        return self.uses >= bounds().alias_uses


@dataclass(frozen=True)
class Proposal:
    """What is proposed for one header. ``choice``: a column, ``-`` or empty (a person decides).

    ``why``: same, variant, alias, added, ignored, unnamed, double, or unknown. ``hint``: a column that may be meant,
    because of an alias not yet settled (``registered``) or a similar header.
    """

    choice: str
    why: str
    hint: str = ""
    registered: Registered | None = None


@dataclass(frozen=True)
class Candidate:
    """A feed whose headers a file has: ``hits`` of ``headers``, ``missing`` required columns of ``required``."""

    feed: str
    hits: int
    headers: int
    required: int
    missing: tuple[str, ...] = field(default=())


def key_of(header: str) -> str:
    """What counts when headers are compared: width, blanks and case do not."""
    return "".join(unicodedata.normalize("NFKC", header).split()).casefold()


def unnamed(header: str) -> bool:
    """The reader calls a column without header 第3列."""
    return header.startswith("第") and header.endswith("列") and header[1:-1].isdigit()


def fingerprint(headers: Sequence[str], header_row: int) -> str:
    """Tells whether a file is read as it was when somebody chose its columns."""
    return hashlib.sha256("\x1f".join([str(header_row), *headers]).encode()).hexdigest()[:16]


def with_aliases(feed: FeedSpec, aliases: Iterable[Registered]) -> FeedSpec:
    """The feed as if the settled aliases stood in its file; a registered header is taken away from other columns."""
    settled = {a.key: a.column for a in aliases if a.settled}
    columns = []
    for column in feed.columns:
        kept = tuple(h for h in column.headers if settled.get(key_of(h), column.name) == column.name)
        own = tuple(key for key, name in settled.items() if name == column.name)
        # The agency's first header leads the messages; a column that is delivered must keep one.
        columns.append(
            column.model_copy(update={"headers": (kept or column.headers[:1]) + own})
            if column.headers
            else column
        )
    ignored = (*feed.ignored_headers, *ADDED, *(key for key, name in settled.items() if not name))
    return feed.model_copy(update={"columns": tuple(columns), "ignored_headers": ignored})


def every_header(catalog: Catalog) -> FeedSpec:
    """No feed: all headers of all feeds, so that the header row of an unknown file is found."""
    columns = tuple(c for feed in catalog.values() for c in feed.delivered)
    any_feed = next(iter(catalog.values()))
    return any_feed.model_copy(update={"columns": columns, "ignored_headers": ADDED})


def propose(headers: Sequence[str], feed: FeedSpec, aliases: Sequence[Registered]) -> list[Proposal]:
    """One proposal per header, in the file's order."""
    known = normalising.map_headers(headers, with_aliases(feed, aliases))
    by_key = {a.key: a for a in aliases}
    ignored = {key_of(h) for h in feed.ignored_headers}
    free = [c for c in feed.delivered if c.name not in known.columns.values()]
    found = []
    for header in headers:
        key, name = key_of(header), known.columns.get(header)
        alias = by_key.get(key)
        if alias and alias.settled:
            taken = alias.column if name == alias.column else NOT_TAKEN
            found.append(
                Proposal(
                    taken, "alias" if taken == (alias.column or NOT_TAKEN) else "double", registered=alias
                )
            )
        elif name:
            first = {key_of(feed.column(name).headers[0]), key_of(name)}
            found.append(Proposal(name, "same" if key in first else "variant"))
        elif key in {key_of(h) for h in ADDED}:
            found.append(Proposal(NOT_TAKEN, "added"))
        elif key in ignored:
            found.append(Proposal(NOT_TAKEN, "ignored"))
        elif unnamed(header):
            found.append(Proposal(NOT_TAKEN, "unnamed"))
        elif alias:
            found.append(Proposal("", "unknown", alias.column or NOT_TAKEN, alias))
        elif _double(header, known.columns):
            found.append(Proposal(NOT_TAKEN, "double"))
        else:
            found.append(Proposal("", "unknown", _similar(key, free)))
    return found


def _double(header: str, taken: Mapping[str, str]) -> bool:
    """The reader numbers headers that stand twice: 姓名, 姓名#2."""
    bare, sign, number = header.rpartition("#")
    return bool(sign) and number.isdigit() and bare in taken


def _similar(key: str, free: Sequence[Column]) -> str:
    """The free column with the most similar header, or none."""
    words = {key_of(h): c.name for c in free for h in (*c.headers, c.zh)}
    best = process.extractOne(key, list(words), scorer=fuzz.WRatio, score_cutoff=bounds().similar)
    return words[best[0]] if best else ""


def mapping_of(headers: Sequence[str], choices: Sequence[str], feed: FeedSpec) -> normalising.Mapping:
    """The choices (one per header) as intake wants them. A column chosen twice keeps the first."""
    base = normalising.map_headers(headers, feed)
    columns: dict[str, str] = {}
    ten_thousands = set()
    ignored, unknown = [], []
    for header, choice in zip(headers, choices, strict=True):
        if choice == NOT_TAKEN or choice in columns.values():
            ignored.append(header)
        elif not choice:
            unknown.append(header)
        else:
            columns[header] = choice
            if _in_ten_thousands(header, feed.column(choice), base):
                ten_thousands.add(choice)
    fed = set(columns.values())
    return normalising.Mapping(
        columns,
        ignored,
        unknown,
        [c.name for c in feed.columns if c.required and c.name not in fed],
        frozenset(ten_thousands),
        tuple(c.name for c in feed.delivered if not c.required and c.name not in fed),
    )


def _in_ten_thousands(header: str, column: Column, base: normalising.Mapping) -> bool:
    if column.type != "money":
        return False
    if base.columns.get(header) == column.name:
        return column.name in base.ten_thousands
    return "万元" in header or ("元" not in header and column.ten_thousands)


def candidates(headers: Sequence[str], catalog: Catalog, *, most: int = 3) -> list[Candidate]:
    """Feeds that the headers fit, best first: required columns count most, then the number of hits."""
    named = [h for h in headers if not unnamed(h) and key_of(h) not in {key_of(a) for a in ADDED}]
    found = []
    for feed in catalog.values():
        mapping = normalising.map_headers(named, feed)
        if len(mapping.columns) >= 2:
            required = sum(c.required for c in feed.columns)
            found.append(
                Candidate(feed.code, len(mapping.columns), len(named), required, tuple(mapping.missing))
            )
    return sorted(found, key=lambda c: (2 * len(c.missing) - c.hits, len(c.missing)))[:most]
