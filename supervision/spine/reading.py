"""What the pool tells of persons and organisations, as columns in one spelling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
from django.db import connection

from chuxiong.kit.divisions import today
from chuxiong.vault.keys import keys
from ingestion.catalog.mentions import COUNTY, Mention
from ingestion.catalog.spec import FeedSpec
from supervision.identity.addresses import addresses
from supervision.identity.organisations import organisation_names
from supervision.identity.spellings import person_names
from supervision.identity.tiers import ATTRIBUTES, Kind

#: rows of the pool that are in memory at once
CHUNK = 100_000
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_REF = {"person": "citizen_id", "organisation": "credit_code"}
#: 王某, 李*, 张XX: as good as no name
_NOBODY = r"[某*＊×?？]|[xX]{2}|^.$"
_STARRED = r"^(\d{4,6})\*{8,10}([\dX]{4})$"
#: a number starred further back tells where it was given out
_ISSUED = r"^(\d{6})\d*\*"
_SEX = {"1": "M", "2": "F"}
_TOLD = ("name", "former", "birth", "sex", "masked", "legacy", "phone", "address", "area")


def visible(alias: str = "t") -> str:
    """SQL: the row is visible at landing ``%(landing)s``."""
    return f"{alias}.from_landing <= %(landing)s and ({alias}.to_landing is null or {alias}.to_landing > %(landing)s)"


def number_of(feed: FeedSpec, mention: Mention, alias: str = "t") -> str:
    """SQL of the full number's ref as uuid, null where there is none."""
    if mention.number is None:
        return "null::uuid"
    if feed.column(mention.number).type == _REF[mention.kind]:
        return f'{alias}."{mention.number}"'
    return f"(regexp_match({alias}.\"{mention.number}\", '〔{_REF[mention.kind]}:({_UUID})〕'))[1]::uuid"


def without_number(feed: FeedSpec, mention: Mention, alias: str = "t") -> str:
    """SQL: the row mentions somebody and holds no full number. A text that may hold a number of either kind tells

    nothing when it holds none: whether a person or an organisation is meant stays open.
    """
    if mention.number is None:
        return f'{alias}."{mention.name}" is not null'
    if feed.column(mention.number).type != _REF[mention.kind]:
        return "false"
    return f'{alias}."{mention.number}" is null and {alias}."{mention.name}" is not null'


def _told(feed: FeedSpec, mention: Mention) -> str:
    parts = []
    for key in _TOLD:
        column = getattr(mention, key)
        if key == "masked" and column is None and mention.kind == "person" and mention.number:
            number = feed.column(mention.number)
            column = number.companion[0] if number.companion else None
        if key == "area" and column == COUNTY:
            column = "county"
        parts.append(f't."{column}"::text as {key}' if column else f"null::text as {key}")
    return ", ".join(parts)


def numbered(feed: FeedSpec, mention: Mention, landing: int, *, chosen: bool) -> Iterator[pl.DataFrame]:
    """(subject, attributes) told by records with a full number; ``chosen``: of those in ``spine_ref`` alone."""
    ref = number_of(feed, mention)
    if ref == "null::uuid":
        return
    join = f" join spine_ref r on r.kind = '{mention.kind}' and r.ref = {ref}" if chosen else ""
    sql = (
        f'select distinct {ref}::text as subject, {_told(feed, mention)} from pool."{feed.code}" t{join}'
        f' where {ref} is not null and t."{mention.name}" is not null and {visible()}'
    )
    schema = {"subject": pl.String, **dict.fromkeys(_TOLD, pl.String)}
    for frame in _chunks(sql, {"landing": landing}, schema):
        facts = _facts(frame["subject"]) if mention.kind == "person" else None
        plain = spelled(mention.kind, frame)
        if facts is not None:
            plain = plain.drop("birth", "sex", "masked", "issued").join(facts, on="subject", how="left")
        yield plain.select("subject", *ATTRIBUTES)
        former = frame.filter(pl.col("former").is_not_null())
        if facts is not None and former.height:
            known = spelled("person", former.with_columns(name="former"))
            yield (
                known.drop("birth", "sex", "masked", "issued")
                .join(
                    facts,
                    on="subject",
                    how="left",
                )
                .select("subject", *ATTRIBUTES)
            )


def unnumbered(feed: FeedSpec, mention: Mention, landing: int, *, chosen: bool) -> Iterator[pl.DataFrame]:
    """(natural_hash as hex, county, record_landing, attributes) of mentions without a full number.

    ``chosen``: of the records in ``spine_record`` alone.
    """
    held = without_number(feed, mention)
    if held == "false":
        return
    join = (
        f" join spine_record r on r.feed = '{feed.code}' and r.natural_hash = t.natural_hash"
        if chosen
        else ""
    )
    sql = (
        f"select encode(t.natural_hash, 'hex') as natural_hash, t.county, t.from_landing as record_landing,"
        f' {_told(feed, mention)} from pool."{feed.code}" t{join} where {held} and {visible()}'
    )
    schema = {
        "natural_hash": pl.String, "county": pl.String, "record_landing": pl.Int64, **dict.fromkeys(_TOLD, pl.String),
    }  # fmt: skip
    for frame in _chunks(sql, {"landing": landing}, schema):
        yield spelled(mention.kind, frame).select("natural_hash", "county", "record_landing", *ATTRIBUTES)


def _chunks(sql: str, params: dict[str, Any], schema: dict[str, Any]) -> Iterator[pl.DataFrame]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, params)
        while rows := cursor.fetchmany(CHUNK):
            yield pl.DataFrame(rows, schema=schema, orient="row")


def spelled(kind: Kind, frame: pl.DataFrame) -> pl.DataFrame:
    """The told columns in one spelling, as ``ATTRIBUTES``; other columns stay."""
    rest = frame.drop(*_TOLD)
    place = addresses(frame["address"])
    area = today(frame["area"])
    town = area.zip_with(area.is_not_null(), place["county"])
    town = town.set((town == "532300").fill_null(False), None)
    if kind == "person":
        names = person_names(frame["name"])
        nobody = names["name"].str.contains(_NOBODY).fill_null(True)
        return rest.with_columns(
            name=names["name"].fill_null(frame["name"]),
            sound=names["sound"].set(nobody, None),
            birth=frame["birth"],
            sex=frame["sex"].replace_strict(_SEX, default=None, return_dtype=pl.String),
            masked=_tokens(frame["masked"]),
            issued=frame["masked"].str.extract(_ISSUED, 1),
            legacy=pl.lit(None, pl.String),
            phone=frame["phone"],
            town=town,
            address=place["text"],
        )
    names = organisation_names(frame["name"])
    region = names["region"].set((names["region"] == "532300").fill_null(False), None)
    nobody = names["core"].str.contains(_NOBODY).fill_null(True)
    return rest.with_columns(
        name=names["core"] + names["kind"].fill_null(""),
        sound=names["core"].set(nobody, None),
        birth=pl.lit(None, pl.String),
        sex=pl.lit(None, pl.String),
        masked=pl.lit(None, pl.String),
        issued=pl.lit(None, pl.String),
        legacy=frame["legacy"],
        phone=frame["phone"],
        town=region.zip_with(region.is_not_null(), town),
        address=place["text"],
    ).with_columns(pl.col("name").fill_null(frame["name"]))


def _tokens(starred: pl.Series) -> pl.Series:
    """The vault's tokens of starred numbers (5323**********1234), as hex; null for other shapes."""
    seen = starred.str.extract(_STARRED, 1).str.slice(0, 4) + starred.str.extract(_STARRED, 2)
    distinct = seen.drop_nulls().unique()
    if distinct.is_empty():
        return pl.Series("masked", [None] * len(starred), dtype=pl.String)
    tokens = [token.hex() for token in keys().tokens("mask", distinct.to_list())]
    return seen.replace_strict(distinct, tokens, default=None, return_dtype=pl.String)


def _facts(refs: pl.Series) -> pl.DataFrame:
    """Birth, sex, mask token and first six digits of citizen numbers, without the numbers (a function of the owner hands them out)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select ref::text, birth_date::text, nullif(sex, ''), encode(mask_token, 'hex'), nullif(division, '')"
            " from supervision_identifier_facts(%s::uuid[])",
            [refs.unique().to_list()],
        )
        schema = dict.fromkeys(("subject", "birth", "sex", "masked", "issued"), pl.String)
        return pl.DataFrame(cursor.fetchall(), schema=schema, orient="row")
