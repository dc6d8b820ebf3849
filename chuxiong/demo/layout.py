"""How each agency's files look (``layouts.yaml``) and where in a feed a kind of fault may occur."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

import ingestion
from chuxiong.demo.defects import Places
from ingestion.catalog.load import Catalog, live, load_catalog
from ingestion.catalog.spec import Column, FeedSpec

_FILE = Path(__file__).with_name("layouts.yaml")


@dataclass(frozen=True)
class Layout:
    """``name``: the agency's way to name a file, with ``{period}``; ``kind``: csv, tsv, xlsx or jsonl."""

    name: str
    kind: str
    encoding: str = "utf-8"
    title: str = ""
    footer: tuple[tuple[str, ...], ...] = ()
    #: (group over the header, columns under it), in the order of the columns
    groups: tuple[tuple[str, int], ...] = ()
    #: column → another of the headers that this agency writes
    headers: dict[str, str] | None = None
    #: columns that are merged down over rows of one household or case
    merged: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def catalogue() -> Catalog:
    """The live feeds: their agencies and the headers they agreed on."""
    return live(load_catalog(Path(ingestion.__file__).parent / "feeds"))


@lru_cache(maxsize=1)
def layouts() -> dict[str, Layout]:
    document = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return {
        code: Layout(
            **{
                **entry,
                "footer": tuple(tuple(line) for line in entry.get("footer", ())),
                "groups": tuple((name, count) for name, count in entry.get("groups", ())),
                "merged": tuple(entry.get("merged", ())),
            }
        )
        for code, entry in document.items()
    }


@lru_cache(maxsize=1)
def agencies() -> list[str]:
    """Agency folders in the order in which agreements are numbered."""
    return sorted({feed.agency.code for feed in catalogue().values()})


def header(column: Column, layout: Layout) -> str:
    return (layout.headers or {}).get(column.name, column.headers[0])


@lru_cache(maxsize=64)
def places_of(code: str) -> Places:
    """Headers by the kind of fault that fits them, read off the feed's column types."""
    feed, layout = catalogue()[code], layouts()[code]
    key = set(feed.natural_key) | {feed.county_column}
    ordered = {name for pair in feed.in_order for name in pair}

    def among(*kinds: str, free: bool = False, form: str | None = None) -> tuple[str, ...]:
        return tuple(
            header(c, layout)
            for c in feed.delivered
            if c.type in kinds
            and (form is None or c.form == form)
            and not (free and (c.name in key or c.required))
        )

    return Places(
        ids=among("citizen_id"),
        names=among("person_name"),
        dates=tuple(h for h in among("date") if h not in {header(feed.column(n), layout) for n in ordered}),
        months=among("month"),
        moments=among("datetime"),
        money=tuple(h for h in among("money") if "万元" not in h),
        divisions=among("division"),
        codes={header(c, layout): c.codes for c in feed.delivered if c.codes and c.name not in key},
        required=tuple(header(c, layout) for c in feed.delivered if c.required),
        orgs=tuple(header(c, layout) for c in feed.delivered if c.type == "org_name" and c.name not in key),
        firms=among("credit_code"),
        cases=among("case_no"),
        several=among("text", form="identities"),
        phones=among("phone", free=True),
        axes=among("number", form="longitude") + among("number", form="latitude"),
        floors=tuple(
            header(c, layout) for c in feed.delivered if c.at_least == 0 and c.type in ("number", "int")
        ),
        texts=_plain(feed, layout, key),
        optional=among("text", "date", "phone", "person_name", "org_name", "address", "code", free=True),
        ditto=among("text", "org_name", "address", free=True) if layout.kind == "xlsx" else (),
        spreadsheet=layout.kind == "xlsx",
    )


def _plain(feed: FeedSpec, layout: Layout, key: set[str | None]) -> tuple[str, ...]:
    """Free texts that may be cut off: no form, no key."""
    return tuple(
        header(c, layout)
        for c in feed.delivered
        if c.type == "text" and not c.form and not c.subject and c.name not in key and not c.required
    )
