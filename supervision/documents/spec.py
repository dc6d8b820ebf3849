"""A kind of document as data: when it fits, on what law it rests, what its draft says. Strict; errors name file and cure."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chuxiong.kit.problems import Problem
from supervision.rulebook.spec import Basis
from supervision.tracks.spec import tracks

FOLDER = Path(__file__).parent / "kinds"
PLACEHOLDER = re.compile(r"\{\{\s*([^{}\s]+)\s*\}\}")
#: what stands where a fact is missing: 【待填：受文单位】
BLANK = re.compile(r"【待填：([^】]+)】")
#: facts that the clue gives (``facts.py``); what it does not hold stays a blank
FACTS: dict[str, str] = {
    "院名": "制发院全称",
    "受文单位": "文书发往的机关",
    "线索号": "本院线索号",
    "事项": "线索标题",
    "主体": "涉及的单位或人",
    "发生地": "县市和乡镇",
    "发现日期": "线索产生之日",
    "行为日期": "行为（最后一笔）之日，引用法律以它为准",
    "级别": "紧急、重点、一般",
    "来源": "规则名称或人工录入",
    "规则": "规则编号、版本",
    "数据来源": "证据所在的数据源",
    "查明事实": "规则比出的事实，逐项",
    "证据清单": "逐条列明来源、批次、行号和事实",
    "法律依据": "行为时的法律",
    "核查结论": "核查人的结论和说明",
    "核查要点": "规则的核查要点",
    "责任单位": "权责清单上的责任单位",
    "承办部门": "承办的院和部门",
    "承办人": "线索的承办人",
    "办理依据": "开始办理时写明的依据",
    "回复期限": "轨道上文书送达后的期限",
    "期限": "交办的核查期限或反馈的答复期限",
    "交办说明": "交办时写的话",
    "反馈标题": "反馈函的标题",
    "反馈内容": "反馈函的正文",
    "制作日期": "本稿制作之日",
}
#: entered from the national business system once the document has been approved there
OFFICIAL: dict[str, str] = {
    "文书编号": "official_number",
    "案件编号": "case_number",
    "审批人": "approver",
    "签发日期": "dated_on",
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Blank(_Strict):
    """Something that no data holds: the drafter writes it, or it stays a marked blank."""

    name: str = Field(pattern=r"^[^{}\s】]+$")
    zh: str
    en: str


class Authority(_Strict):
    """Who decides on it. ``held``: the text of the source lies before us; otherwise the page says 待核."""

    zh: str
    en: str
    source: str
    held: bool = True


class Kind(_Strict):
    """One kind of document. ``body`` is its wording: a line a paragraph, marked at its head.

    ``# `` title, ``@ `` number (centred), ``> `` flush left, ``## `` heading, ``- `` signature (right),
    ``~ `` small print, ``| `` a row of the form (names and values in turn); no mark: a paragraph with its indent.
    ``{{名称}}`` is a fact, a blank or an official field.
    """

    code: str = Field(pattern=r"^[a-z][a-z_]*$")
    version: int = Field(ge=1)
    zh: str
    en: str
    #: whose number it bears: the national system's, the house's own order or letter, or none
    number: Literal["official", "order", "letter", "none"]
    #: states of a clue in which it may be drafted
    states: tuple[str, ...] = Field(min_length=1)
    #: fits a track while a step with this document lies ahead or has been taken; otherwise the states decide alone
    on_track: bool = True
    permission: str
    #: drafted by the clue's handler (or who may hand clues over) alone
    by_handler: bool = True
    #: stays within the house; otherwise a supplier's fields stand in it only where the agreement lets them go on
    inward: bool = False
    #: words one of which the addressee's name must hold; empty: any organ
    addressees: tuple[str, ...] = ()
    authority: Authority
    basis: tuple[Basis, ...] = Field(min_length=1)
    blanks: tuple[Blank, ...] = ()
    body: str

    @model_validator(mode="after")
    def _whole(self) -> Kind:
        own = {b.name for b in self.blanks}
        if clash := own & (FACTS.keys() | OFFICIAL.keys()):
            raise ValueError(f"blanks 中的 {'、'.join(sorted(clash))} 是已有的事实，请改名")
        used = set(PLACEHOLDER.findall(self.body))
        if unknown := used - own - FACTS.keys() - OFFICIAL.keys():
            raise ValueError(f"正文中的 {'、'.join(sorted(unknown))} 既不是事实，也没有写进 blanks")
        if idle := own - used:
            raise ValueError(f"blanks 中的 {'、'.join(sorted(idle))} 正文没有用到")
        if self.number == "official" and not {"文书编号", "签发日期"} <= used:
            raise ValueError("number: official 的文书，正文须有 {{文书编号}} 和 {{签发日期}}")
        return self

    @property
    def template(self) -> Path:
        return FOLDER / f"{self.code}.docx"

    @property
    def placeholders(self) -> list[str]:
        return list(dict.fromkeys(PLACEHOLDER.findall(self.body)))

    def basis_on(self, day: date) -> list[Basis]:
        """The legal bases in force on ``day``."""
        return [b for b in self.basis if b.valid_from <= day and (b.valid_to is None or day <= b.valid_to)]


class KindError(Exception):
    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def load_kinds(folder: Path = FOLDER) -> dict[str, Kind]:
    """All kinds by code, in the order of the files' names; raises ``KindError`` with every problem."""
    found: dict[str, Kind] = {}
    problems: list[Problem] = []
    named = {step.document for track in tracks().values() for step in track.steps}
    for path in sorted(folder.glob("*.yaml")):
        try:
            kind = Kind.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except ValidationError as fault:
            problems += [
                Problem(
                    f"{path.name} {'.'.join(map(str, e['loc']))}",
                    e["msg"],
                    "按 supervision/documents/README.md 改写",
                )
                for e in fault.errors()
            ]
            continue
        except yaml.YAMLError as fault:
            problems.append(Problem(path.name, f"不是有效的 YAML：{fault}", "核对缩进和标点"))
            continue
        if kind.code != path.stem:
            problems.append(Problem(path.name, f"code 是 {kind.code}", "文件名与 code 一致"))
        if kind.on_track and kind.code not in named:
            problems.append(
                Problem(
                    path.name,
                    "没有轨道的步骤用到它",
                    "在 supervision/tracks 的步骤写 document，或写 on_track: false",
                )
            )
        if not (folder / f"{path.stem}.docx").is_file():
            problems.append(
                Problem(path.name, "旁边没有同名的 .docx", "运行 python -m supervision.documents.forms")
            )
        found[kind.code] = kind
    if problems:
        raise KindError(problems)
    return found


@lru_cache(maxsize=1)
def kinds() -> dict[str, Kind]:
    return load_kinds()
