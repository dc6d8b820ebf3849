"""What intake asks of this room: which header of a file feeds which column. Intake's connection."""

from __future__ import annotations

from chuxiong.kit.problems import Problem
from ingestion.catalog.spec import FeedSpec
from ingestion.imports import columns
from ingestion.intake.normalising import Mapping, map_headers
from ingestion.intake.reading import Refused, Table
from ingestion.models import Batch, HeaderAlias

ALIAS = "intake"


def aliases_of(feed: str, *, using: str = "default") -> list[columns.Registered]:
    """The header aliases in force of one feed."""
    rows = HeaderAlias.objects.using(using).filter(feed=feed, withdrawn_at__isnull=True)
    return [columns.Registered(a.pk, a.key, a.column, a.uses, a.made_by_name) for a in rows]


def reading_feed(feed: FeedSpec) -> FeedSpec:
    """The feed with the header aliases that people have settled: for finding the header row and its columns."""
    return columns.with_aliases(feed, aliases_of(feed.code, using=ALIAS))


def mapping_for(batch: Batch, table: Table, feed: FeedSpec, known: FeedSpec) -> Mapping:
    """Which header feeds which column: as somebody chose for this file, else by the feed with its aliases (``known``).

    Raises ``Refused`` when the file is not read as it was when somebody chose: an alias was settled or withdrawn since.
    """
    choices = batch.layout.get("choices")
    if choices is None:
        return map_headers(table.headers, known)
    if batch.layout.get("fingerprint") != columns.fingerprint(table.headers, table.header_row):
        raise Refused(
            Problem(
                place=batch.file_name,
                what="检查之后，该数据源的表头别名有变动，文件的表头行与检查时不同",
                cure="请重新上传，按新的对应检查后再导入；数据池未变。",
            )
        )
    return columns.mapping_of(table.headers, choices, feed)
