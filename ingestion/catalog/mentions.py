"""Which columns of a feed name a person or an organisation together: what the identity spine reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from ingestion.catalog.spec import Column

#: the division that every pool row carries, whichever column it came from
COUNTY = "county"
_NUMBER_TYPES = {"person": "citizen_id", "organisation": "credit_code"}
#: key → column types it may name
_TYPES: dict[str, tuple[str, ...]] = {
    "name": ("person_name", "org_name", "text"),
    "former": ("person_name", "org_name", "text"),
    "masked": ("text", "code"),
    "legacy": ("code", "text"),
    "birth": ("date",),
    "sex": ("enum",),
    "phone": ("phone",),
    "address": ("address",),
    "area": ("division",),
}
_ONE_NUMBER = ("identity", "taxpayer")


class Mention(BaseModel):
    """One mention. ``role`` is unique in the feed; every other key but ``kind`` names a column.

    ``number``: the full identifier's ref, or a text that holds one (form identity or taxpayer). ``masked``: a starred
    number; a citizen number that may be starred needs none, its pool column is known. ``legacy``: the registration
    number that came before the credit code. ``area`` may be ``county``, the division of the pool row.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    role: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: Literal["person", "organisation"]
    name: str
    number: str | None = None
    masked: str | None = None
    legacy: str | None = None
    former: str | None = None
    birth: str | None = None
    sex: str | None = None
    phone: str | None = None
    address: str | None = None
    area: str | None = None

    def fields(self) -> frozenset[str]:
        """The catalogue columns that the mention reads."""
        named = (getattr(self, key) for key in (*_TYPES, "number"))
        return frozenset(column for column in named if column and column != COUNTY)


def wrong(mentions: tuple[Mention, ...], columns: Mapping[str, Column]) -> str:
    """What is wrong with the mentions of a feed and how to mend it; "" when nothing is."""
    roles = [m.role for m in mentions]
    for role in roles:
        if roles.count(role) > 1:
            return f"mentions: 角色 {role} 写了两次；每个角色只写一次"
    for mention in mentions:
        for key, types in (*_TYPES.items(), ("number", ())):
            name = getattr(mention, key)
            if name is None or (key == "area" and name == COUNTY):
                continue
            place = f"mentions: 角色 {mention.role} 的 {key}"
            column = columns.get(name)
            if column is None:
                return f"{place} 没有列“{name}”；可用的列见 columns"
            if key == "number":
                wanted = _NUMBER_TYPES[mention.kind]
                if column.type != wanted and column.form not in _ONE_NUMBER:
                    return f"{place} 须为 {wanted} 列，或 form 为 identity、taxpayer 的列，“{name}”不是；改列名或删除"
            elif column.type not in types:
                return f"{place} 须为 {'、'.join(types)} 列，“{name}”是 {column.type}；改列名或删除"
        if mention.kind == "organisation" and (mention.birth or mention.sex or mention.masked):
            return f"mentions: 角色 {mention.role} 是组织，没有出生日期、性别和遮掩的号码；删除这些键"
        if mention.kind == "person" and mention.legacy:
            return f"mentions: 角色 {mention.role} 是个人，没有旧注册号；删除 legacy"
    return ""
