"""What a feed file may say. Strict: an unknown key is an error, a code must be a quoted string."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ingestion.catalog.mentions import Mention, wrong
from ingestion.catalog.seals import KINDS
from ingestion.texts.extractors import EXTRACTORS

ColumnType = Literal[
    "text", "code", "person_name", "org_name", "address", "case_no", "enum", "division",
    "date", "month", "datetime", "money", "int", "number", "bool",
    "citizen_id", "phone", "bank_account", "credit_code", "plate", "findings",
]  # fmt: skip
SubjectKind = Literal["person", "organisation", "case", "outfall", "project", "place"]
#: what a value must look like beyond its type: the type decides how it is stored and compared, the form what is checked
Form = Literal[
    "identity", "identities", "taxpayer", "parcel_unit", "discharge_permit", "document_no", "mn", "gb28181",
    "factor", "measured", "longitude", "latitude",
]  # fmt: skip
#: the column type a form is a form of
FORM_TYPES: dict[str, str] = {
    "identity": "text",  # one citizen number or credit code
    "identities": "text",  # several of them, in the order of the names beside them
    "taxpayer": "text",  # as identity, or a citizen number with two digits of order
    "parcel_unit": "code",
    "discharge_permit": "code",
    "document_no": "code",  # brackets around the year in one form
    "mn": "code",
    "gb28181": "code",
    "factor": "code",
    "measured": "number",  # may lie below the detection limit: 0.025L
    "longitude": "number",
    "latitude": "number",
}
#: columns that every pool table has already
_RESERVED = frozenset(
    [
        "record_id",
        "natural_hash",
        "row_hash",
        "batch_id",
        "row_no",
        "from_landing",
        "to_landing",
        "county",
        "seal",
    ]
)

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
    "findings": "jsonb",
}

#: the derived output that names the sender's columns which contradict the text, divided by commas
DISAGREES = "disagrees"


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
    """One column: delivered under ``headers`` (the first is the agency's own), or derived as ``output``.

    ``output`` names what the feed's extractor reads out of its text.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    headers: tuple[str, ...] = ()
    output: str | None = None
    type: ColumnType
    required: bool = False
    subject: SubjectKind | None = None
    sensitivity: Literal["L1", "L2", "L3", "L4"]
    codes: dict[str, str] = Field(default_factory=dict)
    #: other labels that agencies write for a code
    variants: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    #: 万元 in the header of a money column
    ten_thousands: bool = False
    form: Form | None = None
    #: of an identity number: the column with its holder's name
    name_in: str | None = None
    #: of a number: what lies outside cannot be true
    at_least: float | None = None
    at_most: float | None = None
    zh: str
    en: str

    @property
    def pool_type(self) -> str:
        return POOL_TYPES.get(self.type, "text")

    @property
    def companion(self) -> tuple[str, str] | None:
        """(name, Postgres type) of the pool column that keeps what the value itself cannot hold: the starred spelling of
        a number, the detection limit that a figure lies below; null where the value says everything."""
        if self.type == "citizen_id" and not self.required:
            return f"{self.name}_masked", "text"
        if self.form == "measured":
            return f"{self.name}_below", "double precision"
        return None

    @model_validator(mode="after")
    def _codes_fit(self) -> Column:
        if bool(self.headers) == bool(self.output):
            raise ValueError(
                f"headers: 列 {self.name} 必须写 headers（报送的列）或 output（提取的列），且只写一个"
            )
        if self.output and self.required:
            raise ValueError(f"required: 列 {self.name} 是从文本提取的，可能没有值；删除这个键")
        if self.type == "findings" and not self.output:
            raise ValueError(f"type: 列 {self.name} 不是提取的列，不能用 findings；改类型")
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
        if self.form and self.type != FORM_TYPES[self.form]:
            raise ValueError(
                f"form: {self.form} 要求类型 {FORM_TYPES[self.form]}，列 {self.name} 是 {self.type}；改类型或删除 form"
            )
        if self.name_in and self.type != "citizen_id":
            raise ValueError(f"name_in: 列 {self.name} 不是 citizen_id；删除这个键")
        if (self.at_least, self.at_most) != (None, None) and self.type not in ("number", "int"):
            raise ValueError(
                f"at_least/at_most: 列 {self.name} 的类型是 {self.type}；只有 number 和 int 有上下界"
            )
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least: 列 {self.name} 的下界大于上界；两者对调")
        return self


class Minimum(_Strict):
    """Below these a batch is held for a person to look at."""

    rows: int = 0
    #: of the records in force, the share that a full list must still hold
    kept: float = 0.0
    filled: dict[str, float] = Field(default_factory=dict)


class Maximum(_Strict):
    """Above these a batch is taken in with a warning."""

    rows: int | None = None
    quarantined: float | None = None
    #: share of filled cells that hold one and the same value: a stuck sensor, a column filled down by mistake
    same: dict[str, float] = Field(default_factory=dict)


class Expectations(_Strict):
    minimum: Minimum = Minimum()
    maximum: Maximum = Maximum()


class Extract(_Strict):
    """Which extractor reads which text column; ``compare``: sender's column → output that must not contradict it."""

    extractor: str
    text: str
    compare: dict[str, str] = Field(default_factory=dict)


class Seal(_Strict):
    """Which rows stand under a kind of seal (``seals.yaml``): those where ``column`` is true, or every row."""

    kind: str
    column: str | None = None


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
    #: whose records a full list speaks of: all of the feed's, or those of the counties in the file
    snapshot_scope: Literal["feed", "county"] = "feed"
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
    #: pairs of columns of which the first is not later than the second
    in_order: tuple[tuple[str, str], ...] = ()
    #: where the derived columns come from
    extract: Extract | None = None
    #: which rows are sealed (封存); of several that hold the first counts
    seals: tuple[Seal, ...] = ()
    #: which columns together name a person or an organisation
    mentions: tuple[Mention, ...] = ()
    ignored_headers: tuple[str, ...] = ()
    expectations: Expectations = Expectations()
    note: str = ""

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)

    @property
    def delivered(self) -> tuple[Column, ...]:
        """The columns that the sender's file holds."""
        return tuple(c for c in self.columns if c.headers)

    @model_validator(mode="after")
    def _mentioned(self) -> FeedSpec:
        said = wrong(self.mentions, {c.name: c for c in self.columns})
        if said:
            raise ValueError(said)
        return self

    @model_validator(mode="after")
    def _sealed(self) -> FeedSpec:
        kinds = {c.name: c.type for c in self.delivered}
        for at, seal in enumerate(self.seals):
            if seal.kind not in KINDS:
                raise ValueError(f"seals: 没有封存种类“{seal.kind}”；可用：{'、'.join(KINDS)}")
            if seal.column is not None and kinds.get(seal.column) != "bool":
                raise ValueError(
                    f"seals: “{seal.column}”不是报送的 bool 列；改列名，或删除 column（整源封存）"
                )
            if seal.column is None and at < len(self.seals) - 1:
                raise ValueError("seals: 没有 column 的一条封存全部行，须放在最后")
        if self.seals and self.partition:
            raise ValueError("seals: 按月分区的数据源不能封存行；删除 partition 或 seals")
        return self

    @model_validator(mode="after")
    def _derived(self) -> FeedSpec:
        derived = [c for c in self.columns if c.output]
        if self.extract is None:
            if derived:
                raise ValueError(f"output: 列 {derived[0].name} 需要 extract；写明 extractor 和 text")
            return self
        if self.extract.extractor not in EXTRACTORS:
            raise ValueError(
                f"extract: 没有提取器“{self.extract.extractor}”；可用：{'、'.join(sorted(EXTRACTORS))}"
            )
        outputs = {**EXTRACTORS[self.extract.extractor].outputs, DISAGREES: "text"}
        for column in derived:
            kind = outputs.get(column.output or "")
            if kind is None:
                raise ValueError(
                    f"output: 列 {column.name} 的“{column.output}”不存在；可用：{'、'.join(outputs)}"
                )
            if kind != column.type:
                raise ValueError(f"type: 列 {column.name} 应为 {kind}（{column.output} 的类型）；改正类型")
        types = {c.name: c.type for c in self.delivered}
        if types.get(self.extract.text) != "text":
            raise ValueError(f"extract: “{self.extract.text}”不是报送的 text 列；改成文书全文所在的列")
        for name, output in self.extract.compare.items():
            if name not in types or types[name] != outputs.get(output):
                raise ValueError(f"extract: compare 中 {name} 与 {output} 不是同一类型的列和输出；改正或删除")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> FeedSpec:
        names = [c.name for c in self.columns]
        given = {c.name for c in self.columns if c.headers}
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
            ("expectations.maximum.same", tuple(self.expectations.maximum.same)),
            ("in_order", tuple(name for pair in self.in_order for name in pair)),
            ("name_in", tuple(c.name_in for c in self.columns if c.name_in)),
        ):
            unknown = [n for n in wanted if n not in given]
            if unknown:
                raise ValueError(f"{key}: 没有列 {', '.join(unknown)}；可用的列见 columns")
        reserved = sorted(_RESERVED & set(names))
        if reserved:
            raise ValueError(f"columns: {', '.join(reserved)} 是数据池的系统列；换一个列名")
        for first, second in self.in_order:
            kinds = {self.column(first).type, self.column(second).type}
            if not kinds <= {"date", "month", "datetime"}:
                raise ValueError(f"in_order: {first}、{second} 须为日期或时间；改列名或删除这一对")
        shares = (
            ("expectations.minimum.filled", self.expectations.minimum.filled.values()),
            ("expectations.maximum.same", self.expectations.maximum.same.values()),
            ("expectations.minimum.kept", [self.expectations.minimum.kept]),
            ("expectations.maximum.quarantined", [self.expectations.maximum.quarantined or 0.0]),
        )
        for key, values in shares:
            if any(not 0 <= value <= 1 for value in values):
                raise ValueError(f"{key}: 份额须在 0 与 1 之间；例如 0.05 表示 5%")
        if self.load_mode == "snapshot" and not self.natural_key:
            raise ValueError("natural_key: 全量快照须有自然键；写出能认出同一条记录的列")
        if self.load_mode == "snapshot" and self.status == "live" and not self.expectations.minimum.kept:
            raise ValueError(
                "expectations.minimum.kept: 全量快照须写明至少保留的份额；例如 0.8 表示少于八成即暂扣"
            )
        if self.snapshot_scope == "county" and not self.county_column:
            raise ValueError("snapshot_scope: county 需要 county_column；补上或删除这个键")
        if self.status == "reserve" and self.expectations != Expectations():
            raise ValueError("expectations: 储备数据源还没有交付，不写期望值；启用时再补")
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
