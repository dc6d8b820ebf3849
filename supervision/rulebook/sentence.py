"""What people read: the rule as one generated sentence, each condition with its values. From the tree that runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from chuxiong.kit.factor import named
from supervision.rulebook.spec import Leaf, Node, RuleSpec, leaves

Language = Literal["zh", "en"]

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_MONEY_SUFFIXES = ("_cny", "total", "recovered", "amount", "loss", "got")


def rule_sentence(rule: RuleSpec, material: Mapping[str, Any] | None, language: Language) -> str:
    """The conditions as one sentence; with a clue's material also what was found."""
    conditions = _tree(rule.when, language, joined="all" if rule.without or rule.score else "")
    for leg in rule.without:
        conditions += ("，且" if language == "zh" else ", and ") + getattr(leg, language)
    if rule.score:
        mark = rule.params[rule.score.at_least].value
        parts = [
            f"{getattr(i.when, language)} {rule.params[i.points].value}{' 分' if language == 'zh' else ''}"
            for i in rule.score.items
        ]
        if language == "zh":
            conditions += f"，且{rule.score.zh}不少于 {mark} 分（{'、'.join(parts)}）"
        else:
            conditions += f", and {rule.score.en} of at least {mark} points ({', '.join(parts)})"
    if rule.having:
        occurrence = (
            getattr(rule.cluster, language)
            if rule.cluster
            else ("同一主体" if language == "zh" else "one subject")
        )
        whole = _tree(rule.having, language)
        conditions += f"；{occurrence}：{whole}" if language == "zh" else f"; {occurrence}: {whole}"
    sources = [getattr(s, language) for s in rule.sources.values()]
    if language == "zh":
        text = f"比对{'、'.join(sources)}：{conditions}。"
        found = found_words(rule, material, language)
        return text + (f"本案：{'，'.join(found)}。" if found else "")
    text = f"Comparing {', '.join(sources)}: {conditions}."
    found = found_words(rule, material, language)
    return text + (f" Here: {', '.join(found)}." if found else "")


def found_words(rule: RuleSpec, material: Mapping[str, Any] | None, language: Language) -> list[str]:
    """What was found in one case: each measure that has words, with its value."""
    return [
        f"{getattr(m, language)} {_value(n, material[n], language)}"
        for n, m in rule.measures.items()
        if material and n in material and getattr(m, language)
    ]


def _tree(node: Node, language: Language, joined: str = "") -> str:
    """``joined``: how the parts around it are joined (all, any, or nothing stands around); others stand in brackets."""
    if isinstance(node, Leaf):
        return str(getattr(node, language))
    if node.negated is not None:
        inner = _tree(node.negated, language)
        return f"并非（{inner}）" if language == "zh" else f"not ({inner})"
    children, how = (node.all, "all") if node.all else (node.any or (), "any")
    if len(children) == 1:
        return _tree(children[0], language, joined)
    joiner = {"zh": {"all": "，且", "any": "，或"}, "en": {"all": ", and ", "any": ", or "}}[language][how]
    words = joiner.join(_tree(child, language, how) for child in children)
    if joined in ("", how):
        return words
    return f"（{words}）" if language == "zh" else f"({words})"


def condition_lines(rule: RuleSpec, conditions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Per condition: label in both languages, this case's value, the standard, truth and why undecided."""
    stored = {c["id"]: c for c in conditions}
    lines = []
    scored = [item.when for item in rule.score.items] if rule.score else []
    for leaf in (*leaves(rule.when), *scored):
        found = stored.get(leaf.id, {})
        values = found.get("values", {})
        truth = found.get("truth")
        lines.append(
            {
                "id": leaf.id,
                "label_zh": leaf.zh,
                "label_en": leaf.en,
                "value": _found(leaf, values, truth),
                "threshold": _threshold(rule, leaf, values),
                "truth": truth,
                "reason": "" if truth is not None else "数据为空，无法判断 / empty, cannot be decided",
            }
        )
    if rule.score:
        found = stored.get(rule.score.id, {})
        truth = found.get("truth")
        points = found.get("values", {}).get("field")
        lines.append(
            {
                "id": rule.score.id,
                "label_zh": rule.score.zh,
                "label_en": rule.score.en,
                "value": "—" if points is None else str(points),
                "threshold": str(rule.params[rule.score.at_least].value),
                "truth": truth,
                "reason": "" if truth is not None else "部分条件未定 / some conditions are undecided",
            }
        )
    for leaf in leaves(rule.having) if rule.having else ():
        found = stored.get(leaf.id, {})
        truth = found.get("truth")
        of = rule.measures[leaf.field]
        name = of.field if of.kind in ("sum", "min", "max", "first") else ""
        lines.append(
            {
                "id": leaf.id,
                "label_zh": leaf.zh,
                "label_en": leaf.en,
                "value": _value(name, found.get("values", {}).get("field"), "zh"),
                "threshold": _threshold(rule, leaf, {}),
                "truth": truth,
                "reason": ""
                if truth is not None
                else "部分记录未定，尚不能判断 / some records are undecided",
            }
        )
    for leg in rule.without:
        found = stored.get(leg.id, {})
        covered = found.get("values", {}).get("covered_until")
        truth = found.get("truth")
        lines.append(
            {
                "id": leg.id,
                "label_zh": leg.zh,
                "label_en": leg.en,
                "value": "无" if truth else ("有" if truth is False else "—"),
                "threshold": f"覆盖至 {covered or '—'}",
                "truth": truth,
                "reason": "" if truth is not None else "数据尚未报送到期间末 / not yet delivered",
            }
        )
    return lines


def _found(leaf: Leaf, values: Mapping[str, Any], truth: bool | None) -> str:
    """What a condition found; of numbers and of what shares them only that, never the reference itself."""
    if leaf.op == "shared_by":
        return "—" if values.get("count") is None else f"{values['count']} 个"
    if leaf.op == "mentions":
        return {True: "载有", False: "没有", None: "—"}[truth]
    return _value(leaf.field, values.get("field"), "zh")


def _threshold(rule: RuleSpec, leaf: Leaf, values: Mapping[str, Any]) -> str:
    if leaf.op == "mentions":
        return ""
    if leaf.op == "shared_by":
        shown = f"{rule.params[leaf.low or ''].value} 个"
        return shown + (f"，前后 {rule.params[leaf.days].value} 天" if leaf.days else "")
    if leaf.param:
        value = rule.params[leaf.param].value
        shown = "、".join(value) if isinstance(value, list) else _value(leaf.field, value, "zh")
    elif leaf.other:
        shown = _value(leaf.other, values.get("other"), "zh")
    elif isinstance(leaf.value, list):
        shown = "、".join(leaf.value)
    else:
        shown = _value(leaf.field, leaf.value, "zh") if leaf.value is not None else ""
    for key, unit in (("months", " 个月"), ("days", " 天")):
        name = getattr(leaf, key)
        if name:
            shown += f"{' + ' if shown else '距今 '}{rule.params[name].value}{unit}"
    if leaf.low and leaf.high:
        low, high = (_value(leaf.field, rule.params[n].value, "zh") for n in (leaf.low, leaf.high))
        shown += f"{low} – {high}"
    for key, unit in (("years", " 周岁"), ("metres", " 米")):
        name = getattr(leaf, key)
        if name:
            shown += f"{'，' if shown else ''}{rule.params[name].value}{unit}"
    if leaf.times:
        shown += f" × {rule.params[leaf.times].value}"
    if leaf.percent:
        shown += f" × {rule.params[leaf.percent].value} %"
    return shown


def _value(name: str, value: Any, language: Language) -> str:
    if value is None:
        return "—"
    if isinstance(value, int) and not isinstance(value, bool) and name.endswith(_MONEY_SUFFIXES):
        return f"{value / 100:,.2f} {'元' if language == 'zh' else 'yuan'}"
    if isinstance(value, str) and name.endswith("month") and len(value) == 10:
        return value[:7]
    if isinstance(value, str) and _MOMENT.match(value):
        # A day mean bears midnight: its day is what it says.
        return value[:10] if value[11:16] == "00:00" else f"{value[:10]} {value[11:16]}"
    if isinstance(value, float):
        return f"{value:g}"
    return factor_words(name, value, language) or str(value)


def factor_words(name: str, value: Any, language: Language) -> str:
    """A monitored factor by its name; empty for what is none."""
    if not name.endswith("factor") or not isinstance(value, str):
        return ""
    factor = named(value)
    return factor.zh if language == "zh" else factor.en
