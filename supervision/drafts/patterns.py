"""Five patterns that most models follow: a few questions in plain words become a rule with its stored tests. Pure.

A pattern is data (``patterns/*.yaml``). In its ``spec`` a mark ``<a.feed>`` stands for what an answer says, ``<days>``
for an answer itself, ``<on days+1>`` for a day counted from a fixed one. What has no answer (a feed without amounts) falls
away with its key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from chuxiong.kit.problems import Problem
from ingestion.catalog.load import Catalog
from ingestion.catalog.spec import Column, FeedSpec
from supervision.rulebook.form import Document
from supervision.rulebook.spec import Basis, RuleSpec, Words

_FOLDER = Path(__file__).with_name("patterns")
_MARK = re.compile(r"<([^<>]+)>")
_FIRST_DAY = date(2010, 1, 1)
_DATES = ("date", "datetime", "month")
_NUMBERS = ("money", "int", "number")
_TITLE_MOST = 60
_PLACES = ("longitude", "latitude")


class Question(BaseModel):
    """``with``: the question whose answer it must fit (the same kind of identifier); ``other``: in another feed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    key: str
    kind: Literal["subject", "number", "whole", "title", "domain", "basis"]
    zh: str
    en: str
    help_zh: str = ""
    help_en: str = ""
    fits: str = Field(default="", alias="with")
    other: bool = False
    least: int = 0
    most: int = 0
    default: str = ""
    #: only feeds with a day count, not those by month
    full_days: bool = False


class Pattern(BaseModel):
    """One pattern: its questions and the rule that the answers make."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    zh: str
    en: str
    about: Words
    example: Words
    questions: tuple[Question, ...] = Field(min_length=1, max_length=6)
    sentence: Words
    english: Words
    spec: dict[str, Any]
    #: where both quantities stand in one feed
    one_feed: dict[str, Any] | None = None


@cache
def patterns() -> dict[str, Pattern]:
    """All patterns by id, in their order."""
    found = [
        Pattern.model_validate(yaml.safe_load(p.read_text("utf-8"))) for p in sorted(_FOLDER.glob("*.yaml"))
    ]
    return {pattern.id: pattern for pattern in found}


@dataclass(frozen=True)
class Option:
    """One answer that may be chosen; ``group_*`` names what it stands under."""

    value: str
    zh: str
    en: str
    group_zh: str = ""
    group_en: str = ""


def options(question: Question, catalog: Catalog, rules: Iterable[RuleSpec]) -> list[Option]:
    """What may be answered, for the kinds that are chosen from a list."""
    if question.kind in ("subject", "number"):
        return [
            Option(
                f"{feed.code}.{column.name}", f"{feed.title.zh} · {column.zh}", f"{feed.title.en} · {column.en}",
                feed.agency.zh, feed.agency.en,
            )
            for feed in catalog.values()
            if feed.status == "live"
            for column in _columns(question, feed)
        ]  # fmt: skip
    if question.kind == "basis":
        return [
            Option(basis_key(b), f"{b.law} {b.article}", f"{b.law} {b.article}")
            for b in cited(rules).values()
        ]
    return []


def _columns(question: Question, feed: FeedSpec) -> list[Column]:
    if question.kind == "subject":
        return [c for c in feed.columns if _subject(c) and _date(feed, question)]
    subject = next((c for c in feed.columns if _subject(c)), None)
    amounts = [c for c in feed.columns if c.type in _NUMBERS and c.headers and c.form not in _PLACES]
    return amounts if subject else []


def _subject(column: Column) -> bool:
    return column.subject is not None and column.type != "text"


def _date(feed: FeedSpec, question: Question | None = None) -> Column | None:
    """The day of a record: when the thing happened, else the first day that it tells."""
    kinds = _DATES[:2] if question and question.full_days else _DATES
    named = [c for c in feed.columns if c.name == feed.valid_time and c.type in kinds]
    return next(iter([*named, *(c for c in feed.columns if c.type in kinds and c.headers)]), None)


def basis_key(basis: Basis) -> str:
    return f"{basis.law}|{basis.article}|{basis.valid_from}"


def cited(rules: Iterable[RuleSpec]) -> dict[str, Basis]:
    """The legal bases that rules cite, by key, in the order of law and article."""
    found = {basis_key(b): b for rule in rules for b in rule.basis}
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class Made:
    """``document`` is None while ``wrong`` (question → problem) holds anything."""

    document: Document | None
    wrong: dict[str, Problem]


def answered(
    pattern: Pattern, answers: Mapping[str, str], catalog: Catalog, rules: Iterable[RuleSpec], *, rule_id: str, code: str, today: date
) -> Made:  # fmt: skip
    """The rule that the answers make. ``rules`` are those there are: for legal bases and departments."""
    book = list(rules)
    wrong: dict[str, Problem] = {}
    words: dict[str, Any] = {"today": today}
    for question in pattern.questions:
        text = answers.get(question.key, "").strip()
        problem = _take(question, text, words, catalog, book)
        if problem is not None:
            wrong[question.key] = problem
    if wrong:
        return Made(None, wrong)
    words["english"] = _said(pattern.english.en, words)
    template = pattern.spec
    if pattern.one_feed and words["a.feed"] == words["b.feed"]:
        template = pattern.one_feed
    filled = _fill(template, words)
    document: Document = {
        "id": rule_id, "code": code, "version": 1, "status": "draft", "domain": words["domain"],
        "title": {"zh": words["title"], "en": words["english"]},
        "summary": filled.pop("summary"), "purpose": "legal_supervision",
        "basis": [cited(book)[words["basis"]].model_dump(exclude_defaults=True)],
        **filled,
        "bands": [{"level": "ordinary", "zh": "一般", "en": "ordinary"}],
        "department": _department(words["domain"], book),
    }  # fmt: skip
    return Made(_in_order(document), {})


def _in_order(document: Document) -> Document:
    return {key: document[key] for key in RuleSpec.model_fields if document.get(key) not in (None, [], {})}


def sentence(pattern: Pattern, answers: Mapping[str, str], catalog: Catalog) -> tuple[str, str]:
    """What the model will look for, in both languages, as far as the questions are answered."""
    told: list[dict[str, str]] = [{}, {}]
    for question in pattern.questions:
        text = answers.get(question.key, "").strip()
        place = _chosen(text, catalog)
        for said, language in zip(told, ("zh", "en"), strict=True):
            said[question.key] = text or "……"
            said[f"{question.key}_date"] = "……"
            if question.kind in ("subject", "number"):
                said[question.key] = "……"
                if place is not None:
                    feed, column = place
                    day = _date(feed, question)
                    named = getattr(feed.title, language)
                    if question.kind == "number":
                        named += f"{'的' if language == 'zh' else ': '}{getattr(column, language)}"
                    said[question.key] = f"“{named}”"
                    said[f"{question.key}_date"] = f"“{getattr(day, language)}”" if day else "……"
    return pattern.sentence.zh.format(**told[0]), pattern.sentence.en.format(**told[1])


def _chosen(text: str, catalog: Catalog) -> tuple[FeedSpec, Column] | None:
    code, _, name = text.partition(".")
    if code not in catalog:
        return None
    column = next((c for c in catalog[code].columns if c.name == name), None)
    return (catalog[code], column) if column is not None else None


def _take(
    question: Question, text: str, words: dict[str, Any], catalog: Catalog, rules: list[RuleSpec]
) -> Problem | None:
    key = question.key
    if not text:
        return Problem(key, "还没有回答", "请填写或选择", "has no answer yet", "Fill it in or choose")
    match question.kind:
        case "title":
            if len(text) > _TITLE_MOST or any(mark in text for mark in "<>{}"):
                return Problem(
                    key, f"名称超过 {_TITLE_MOST} 字，或含有 < > {{ }}", "改短，不用这些符号",
                    f"The name is longer than {_TITLE_MOST} characters or holds < > {{ }}", "Shorten it and leave them out",
                )  # fmt: skip
            words[key] = text
        case "whole":
            if not (text.isascii() and text.isdecimal() and question.least <= int(text[:9]) <= question.most):
                return Problem(
                    key, f"“{text[:20]}”不是 {question.least} 到 {question.most} 的整数", "写这个范围内的整数",
                    f"“{text[:20]}” is no whole number from {question.least} to {question.most}", "Write one of this range",
                )  # fmt: skip
            words[key] = int(text)
        case "domain":
            if text not in _domains(rules):
                return Problem(
                    key, "没有这个监督领域", "从列表中选择", "is none of the list", "Choose from the list"
                )
            words[key] = text
        case "basis":
            if text not in cited(rules):
                return Problem(
                    key, "没有这一条", "从列表中选择", "is none of the list", "Choose from the list"
                )
            words[key] = text
        case _:
            place = _chosen(text, catalog)
            if place is None or place[1] not in _columns(question, place[0]):
                return Problem(
                    key,
                    "数据目录里没有这一项",
                    "从列表中选择",
                    "is not in the catalogue",
                    "Choose from the list",
                )
            return _take_place(question, place, words, catalog)
    return None


def _take_place(
    question: Question, place: tuple[FeedSpec, Column], words: dict[str, Any], catalog: Catalog
) -> Problem | None:
    key, (feed, column) = question.key, place
    number = column if question.kind == "number" else None
    subject = column if number is None else next(c for c in feed.columns if _subject(c))
    first = words.get(f"{question.fits}.subject")
    if question.fits and first is not None:
        same = words[f"{question.fits}.feed"] == feed.code
        if same and question.other:
            return Problem(
                key, "与上一份数据相同", "选另一份数据；同一份数据里的比较用专家表单",
                "is the same feed as before", "Choose another; comparisons within one feed are made in the form",
            )  # fmt: skip
        if number is not None and not same:
            subject = next((c for c in feed.columns if _subject(c) and _alike(c, first)), subject)
        if not same and not _alike(subject, first):
            return Problem(
                key, f"“{subject.zh}”与“{first.zh}”不是同类的身份标识", "选有同类身份标识的数据",
                f"“{subject.en}” and “{first.en}” are not identifiers of one kind", "Choose a feed with the same kind",
            )  # fmt: skip
        other = words.get(f"{question.fits}.number_type")
        if number is not None and {other, number.type} not in (
            {"money"},
            {"int"},
            {"number"},
            {"int", "number"},
        ):
            return Problem(
                key, "金额不能与数量比较", "两项都选金额，或都选数量",
                "An amount cannot be compared with a quantity", "Choose two amounts or two quantities",
            )  # fmt: skip
    day, money = (
        _date(feed, question),
        next((c for c in feed.columns if c.type == "money" and c.headers), None),
    )
    words |= {
        f"{key}.subject": subject, f"{key}.feed": feed.code, f"{key}.feed_zh": feed.title.zh,
        f"{key}.feed_en": feed.title.en, f"{key}.column": subject.name, f"{key}.kind": subject.subject,
        f"{key}.link": "identity" if subject.subject in ("person", "organisation") else "key",
        f"{key}.label": _label(feed, subject),
        f"{key}.date": day.name if day else None, f"{key}.date_zh": day.zh if day else "", f"{key}.date_en": day.en if day else "",
        f"{key}.money": money.name if money else None, f"{key}.money_zh": money.zh if money else "",
        f"{key}.money_en": money.en if money else "",
    }  # fmt: skip
    if number is not None:
        words |= {
            f"{key}.number": number.name, f"{key}.number_zh": number.zh, f"{key}.number_en": number.en,
            f"{key}.number_type": number.type,
        }  # fmt: skip
    return None


def _alike(one: Column, two: Column) -> bool:
    return one.subject == two.subject and one.type == two.type


def _label(feed: FeedSpec, subject: Column) -> str:
    """What the clue is called by: the holder's name, else any name, else the key of the record."""
    names = [
        c.name
        for c in feed.columns
        if c.type == ("org_name" if subject.subject == "organisation" else "person_name")
    ]
    if subject.name_in:
        return subject.name_in
    if names and subject.subject in ("person", "organisation"):
        return names[0]
    if subject.type not in ("citizen_id", "credit_code"):
        return subject.name
    plain = [
        c.name
        for c in feed.columns
        if c.type in ("text", "code", "case_no", "enum", "org_name") and c.headers
    ]
    return plain[0] if plain else "county"


def _domains(rules: Iterable[RuleSpec]) -> set[str]:
    return {rule.domain for rule in rules}


def _department(domain: str, rules: Iterable[RuleSpec]) -> str:
    """Where the models of the domain go to, most of them."""
    found = [rule.department for rule in rules if rule.domain == domain]
    return max(sorted(set(found)), key=found.count)


# -- filling ------------------------------------------------------------------------------------------------

_GONE = object()


def _fill(value: Any, words: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        filled = {_key(k, words): _fill(v, words) for k, v in value.items() if k != "<repeat>"}
        # A figure over a column that the feed lacks falls away as a whole; what holds it stays.
        if any(v is _GONE and not isinstance(value.get(k), Mapping) for k, v in filled.items()):
            return _GONE
        return {k: v for k, v in filled.items() if v is not _GONE}
    if isinstance(value, list):
        members: list[Any] = []
        for member in value:
            times = (
                _number(member["<repeat>"], words)
                if isinstance(member, Mapping) and "<repeat>" in member
                else 1
            )
            members += [_fill(member, words)] * times
        return [m for m in members if m is not _GONE]
    if isinstance(value, str):
        return _text(value, words)
    return value


def _key(key: Any, words: Mapping[str, Any]) -> Any:
    return _text(key, words) if isinstance(key, str) else key


def _text(text: str, words: Mapping[str, Any]) -> Any:
    whole = _MARK.fullmatch(text)
    if whole:
        found = _word(whole[1], words)
        return _GONE if found is None else found
    if any(_word(mark, words) is None for mark in _MARK.findall(text)):
        return _GONE
    return _said(text, words)


def _said(text: str, words: Mapping[str, Any]) -> str:
    return _MARK.sub(lambda m: str(_word(m[1], words)), text)


def _word(mark: str, words: Mapping[str, Any]) -> Any:
    if mark.startswith("on "):
        return _FIRST_DAY + timedelta(days=_number(mark[3:], words))
    return _number(mark, words) if mark.startswith("less ") else words[mark]


def _number(text: str, words: Mapping[str, Any]) -> int:
    """``days+1``, ``days-1``, ``400``, ``less times``."""
    if text.startswith("less "):
        return int(words[text[5:]]) - 1
    match = re.fullmatch(r"([a-z]*)([+-]?\d+)?", text)
    assert match is not None  # noqa: S101  patterns are shipped and tested
    return (int(words[match[1]]) if match[1] else 0) + int(match[2] or 0)
