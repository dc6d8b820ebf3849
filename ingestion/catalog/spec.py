"""What a feed file may say. Strict: an unknown key is an error, a code must be a quoted string."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

ColumnType = Literal[
    "text", "code", "person_name", "org_name", "address", "case_no", "enum", "division",
    "date", "month", "datetime", "money", "int", "number", "bool",
    "citizen_id", "phone", "bank_account", "credit_code", "plate",
]  # fmt: skip
SubjectKind = Literal["person", "organisation", "case", "outfall", "project", "place"]

POOL_TYPES: dict[str, str] = {
    "date": "date",
    "month": "date",
    "datetime": "timestamp with time zone",
    "money": "bigint",
    "int": "bigint",
    "number": "double precision",
    "bool": "boolean",
    "citizen_id": "uuid",
    "phone": "uuid",
    "bank_account": "uuid",
    "credit_code": "uuid",
    "plate": "uuid",
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Words(_Strict):
    zh: str
    en: str


class Agency(_Strict):
    code: str
    zh: str
    en: str


class Column(_Strict):
    """One column. ``headers``: accepted headers, the first is the agency's own."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    headers: tuple[str, ...] = Field(min_length=1)
    type: ColumnType
    required: bool = False
    subject: SubjectKind | None = None
    sensitivity: Literal["L1", "L2", "L3", "L4"]
    codes: dict[str, str] = Field(default_factory=dict)
    #: other labels that agencies write for a code
    variants: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    #: 万元 in the header of a money column
    ten_thousands: bool = False
    zh: str
    en: str

    @property
    def pool_type(self) -> str:
        return POOL_TYPES.get(self.type, "text")

    @model_validator(mode="after")
    def _codes_fit(self) -> Column:
        if self.codes and self.type != "enum":
            raise ValueError(f"codes: 列 {self.name} 的类型是 {self.type}；只有 enum 列可以有代码表")
        unknown = sorted(set(self.variants) - set(self.codes))
        if unknown:
            raise ValueError(f"variants: 代码 {', '.join(unknown)} 不在 codes 中；先在 codes 里写明")
        ref_type = {"person": "citizen_id", "organisation": "credit_code"}.get(self.subject or "")
        # A text may mention several subjects (one cell, several persons).
        if ref_type and self.type not in (ref_type, "text"):
            raise ValueError(
                f"subject: {self.subject} 要求类型 {ref_type}，列 {self.name} 是 {self.type}；改类型或删除 subject"
            )
        if self.ten_thousands and self.type != "money":
            raise ValueError(f"ten_thousands: 列 {self.name} 不是 money；删除这个键")
        return self


class Minimum(_Strict):
    """Below these a batch is held for a person to look at."""

    rows: int = 0
    filled: dict[str, float] = Field(default_factory=dict)


class Maximum(_Strict):
    """Above these a batch is taken in with a warning."""

    rows: int | None = None
    quarantined: float | None = None


class Expectations(_Strict):
    minimum: Minimum = Minimum()
    maximum: Maximum = Maximum()


class FeedSpec(_Strict):
    """One feed: what arrives, how often, and what its columns mean."""

    code: str = Field(pattern=r"^[a-z]+_[a-z0-9_]+$")
    title: Words
    agency: Agency
    network: str
    transport: str
    status: Literal["live", "reserve"]
    cadence: str
    max_lag_days: int = Field(gt=0)
    load_mode: Literal["append", "upsert", "snapshot"]
    natural_key: tuple[str, ...]
    #: the column whose division decides the county (a division or an address)
    county_column: str | None = None
    #: the column whose latest value says until when data are complete, if the hand-over sheet does not
    covers: str | None = None
    #: the column that says when the thing itself happened
    valid_time: str | None = None
    #: the pool table is split by the month of ``valid_time`` (part of the natural key then)
    partition: Literal["month"] | None = None
    #: columns about the delivery, not about the thing: a change in them alone makes no new version
    incidental: tuple[str, ...] = ()
    #: indexes over several columns that readers of a large feed need
    indexes: tuple[tuple[str, ...], ...] = ()
    columns: tuple[Column, ...]
    ignored_headers: tuple[str, ...] = ()
    expectations: Expectations = Expectations()
    note: str = ""

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)

    @model_validator(mode="after")
    def _consistent(self) -> FeedSpec:
        names = [c.name for c in self.columns]
        doubles = {n for n in names if names.count(n) > 1}
        if doubles:
            raise ValueError(f"columns: {sorted(doubles)} 出现两次；每列只写一次")
        for key, wanted in (
            ("natural_key", self.natural_key),
            ("county_column", (self.county_column,) if self.county_column else ()),
            ("covers", (self.covers,) if self.covers else ()),
            ("valid_time", (self.valid_time,) if self.valid_time else ()),
            ("incidental", self.incidental),
            ("indexes", tuple(name for index in self.indexes for name in index)),
            ("expectations.minimum.filled", tuple(self.expectations.minimum.filled)),
        ):
            unknown = [n for n in wanted if n not in names]
            if unknown:
                raise ValueError(f"{key}: 没有列 {', '.join(unknown)}；可用的列见 columns")
        if self.partition and (not self.valid_time or self.valid_time not in self.natural_key):
            raise ValueError("partition: 需要 valid_time，且它须是 natural_key 的一列；补上或删除 partition")
        in_key = sorted(set(self.incidental) & set(self.natural_key))
        if in_key:
            raise ValueError(f"incidental: {', '.join(in_key)} 属于 natural_key；从一处删除")
        owner: dict[str, str] = {}
        for column in self.columns:
            for header in column.headers:
                if owner.setdefault(header, column.name) != column.name:
                    raise ValueError(
                        f"headers: 表头“{header}”同时属于 {owner[header]} 和 {column.name}；只能留一处"
                    )
        return self
