"""A slow, obvious reading of a rule over plain rows: what the compiled SQL must agree with.

Rows are dicts; a missing key is an empty cell. Money in 分, dates as ``date``. Nothing is shared with the compiler.
``worlds`` knows neither's way of bounding undecided rows: it tries every way they may turn out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import compress, product
from math import asin, cos, radians, sin, sqrt
from typing import Any

from ingestion.selectors import catalog
from supervision.rulebook.spec import Leaf, Node, RuleSpec, Source

Row = dict[str, Any]
#: a kept combination: true or undecided, and the row of each source
Item = tuple[bool | None, dict[str, Row]]


def run(
    rule: RuleSpec, rows: Mapping[str, list[Row]], *, as_of: date, covers: Mapping[str, date | None]
) -> dict[tuple[str, str], Row]:
    """(subject, bucket) → {"verdict", "level", "measures", "rows"}; what is a miss does not appear."""
    results: dict[tuple[str, str], Row] = {}
    for subject, found in kept(rule, rows, as_of=as_of, covers=covers).items():
        for bucket, result in buckets(rule, found, as_of).items():
            results[subject, bucket] = result
    return {key: result for key, result in results.items() if result["verdict"] != "miss"}


def buckets(rule: RuleSpec, found: list[Item], as_of: date) -> dict[str, Row]:
    """Bucket → result of one subject's kept rows."""
    if rule.cluster is None:
        return {"": _result(rule, found, as_of, possible=_possible(rule, found, as_of))}
    return {
        bucket: _result(rule, held, as_of, possible=possible)
        for bucket, (held, possible) in _buckets(rule, found, as_of).items()
    }


def kept(
    rule: RuleSpec, rows: Mapping[str, list[Row]], *, as_of: date, covers: Mapping[str, date | None]
) -> dict[str, list[Item]]:
    """Subject → the combinations that are true or undecided."""
    tables = {alias: _table(rule, alias, source, rows) for alias, source in rule.sources.items()}
    combinations: list[dict[str, Row]] = [{rule.driver: row} for row in tables[rule.driver]]
    for link in rule.link:
        left_alias, left = link.left.split(".")
        right_alias, right = link.right.split(".")
        combinations = [
            {**c, right_alias: row}
            for c in combinations
            for row in tables[right_alias]
            if c[left_alias].get(left) is not None and c[left_alias].get(left) == row.get(right)
        ]
    result: dict[str, list[Item]] = {}
    for c in combinations:
        truth = _tree(rule, rule.when, c, as_of)
        for leg in rule.without:
            truth = _and(truth, _absent(rule, leg, c, rows, covers))
        subject = _get(c, rule.clue.subject)
        if truth is not False and subject is not None:
            result.setdefault(subject, []).append((truth, c))
    return result


def worlds(rule: RuleSpec, found: list[Item], as_of: date) -> Iterator[list[Item]]:
    """Every occurrence that is, or might be, a hit in some way the undecided rows of one subject may turn out."""
    doubtful = [item for item in found if item[0] is None]
    for chosen in product((False, True), repeat=len(doubtful)):
        come_true = {id(item) for item in compress(doubtful, chosen)}
        now = [item for item in _in_time(rule, found) if item[0] or id(item) in come_true]
        for rows in _gather(rule, now):
            if _possible(rule, [(True, c) for _, c in rows], as_of):
                yield rows


def _in_time(rule: RuleSpec, found: list[Item]) -> list[Item]:
    cluster = rule.cluster
    assert cluster is not None

    def order(item: Item) -> tuple[Any, ...]:
        at = _get(item[1], cluster.time)
        return (at is None, at or 0, [str(_get(item[1], n)) for n in cluster.named_by])

    return sorted(found, key=order)


def _reaches(rule: RuleSpec, anchor: dict[str, Row], row: dict[str, Row]) -> bool:
    """Whether a row behind the anchor lies within its reach."""
    cluster = rule.cluster
    assert cluster is not None
    hours = timedelta(hours=int(rule.params[cluster.hours].value))  # type: ignore[arg-type]
    then, now = _get(anchor, cluster.time), _get(row, cluster.time)
    if any(_get(anchor, n) != _get(row, n) for n in cluster.same):
        return False
    if then is None or now is None or now > then + hours:
        return False
    if cluster.place is None:
        return True
    ends = [_get(c, name) for c in (anchor, row) for name in (cluster.place.lon, cluster.place.lat)]
    return None not in ends and _metres(*ends) <= rule.params[cluster.place.metres].value  # type: ignore[operator]


def _gather(rule: RuleSpec, items: list[Item]) -> list[list[Item]]:
    """Items in the order of time, gathered around anchors; the anchor stands first."""
    occurrences: list[list[Item]] = []
    for item in items:
        home = next((rows for rows in occurrences if _reaches(rule, rows[0][1], item[1])), None)
        if home is None:
            occurrences.append([item])
        else:
            home.append(item)
    return occurrences


def _buckets(rule: RuleSpec, found: list[Item], as_of: date) -> dict[str, tuple[list[Item], bool]]:
    """Name → rows, and whether they are or might become a hit."""
    items = _in_time(rule, found)
    certain = _gather(rule, [item for item in items if item[0]])
    place = {id(item): i for i, item in enumerate(items)}
    anchors = [place[id(rows[0])] for rows in certain]

    def reached(i: int) -> list[int]:
        return [j for j in range(i + 1, len(items)) if _reaches(rule, items[i][1], items[j][1])]

    displaced: set[int] = set()
    moving = {i for i, item in enumerate(items) if item[0] is None}
    while moving:
        freed = {j for i in moving for j in reached(i) if j in anchors} - displaced
        displaced |= freed
        moving = {j for i in freed for j in reached(i) if items[j][0]}
    fixed: dict[int, int] = {}
    for i in anchors:
        for j in [i, *reached(i)] if i not in displaced else []:
            fixed.setdefault(j, i)
    windows = [
        [i, *(j for j in reached(i) if fixed.get(j, i) >= i)]
        for i in range(len(items))
        if fixed.get(i, i) == i
    ]
    open_windows = [w for w in windows if _possible(rule, [items[i] for i in w], as_of)]
    apart = {i for w in open_windows if not any(items[i][0] for i in w) for i in w}
    touched = {i for w in open_windows for i in w}
    result: dict[str, tuple[list[Item], bool]] = {}
    for rows in [*certain, *_gather(rule, [items[i] for i in sorted(apart)])]:
        held, possible = result.get(_name(rule, rows[0][1]), ([], False))
        possible = possible or any(place[id(item)] in touched for item in rows)
        result[_name(rule, rows[0][1])] = ([*held, *rows], possible)
    return result


def _possible(rule: RuleSpec, found: list[Item], as_of: date) -> bool:
    """Not ruled out, were all these rows true; without time or place a row may belong to any occurrence."""
    if rule.having is None or (rule.cluster and any(_lost(rule, c) for _, c in found)):
        return True
    return _whole(rule, rule.having, found, as_of) is not False


def _name(rule: RuleSpec, anchor: dict[str, Row]) -> str:
    assert rule.cluster is not None
    values = [_get(anchor, n) for n in (*rule.cluster.same, *rule.cluster.named_by)]
    return " ".join("" if v is None else str(_day(v)) if isinstance(v, date) else str(v) for v in values)


def _metres(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    across, along = radians(lon2 - lon1), radians(lat2 - lat1)
    chord = sin(along / 2) ** 2 + cos(radians(lat1)) * cos(radians(lat2)) * sin(across / 2) ** 2
    return 2 * 6371000 * asin(min(1, sqrt(chord)))


def _day(moment: date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _as_days(source: Source) -> set[str]:
    """Common columns that some feeds of the source give as a day and others as a moment."""
    kinds: dict[str, set[str]] = {}
    for member in source.any_of or ():
        for name, own in member.columns.items():
            kinds.setdefault(name, set()).add(catalog()[member.feed].column(own).type)
    return {name for name, held in kinds.items() if held == {"date", "datetime"}}


def _table(rule: RuleSpec, alias: str, source: Source, rows: Mapping[str, list[Row]]) -> list[Row]:
    if source.feed is not None:
        return [r for r in rows.get(source.feed, []) if source.where is None or _plain(rule, source.where, r)]
    key = next(link.right.split(".")[1] for link in rule.link if link.right.split(".")[0] == alias)
    united: dict[Any, list[tuple[str, Row]]] = {}
    for member in source.any_of or ():
        for row in rows.get(member.feed, []):
            if member.where is None or _plain(rule, member.where, row):
                common = {name: row.get(own) for name, own in member.columns.items()}
                common |= {n: _day(common[n]) for n in _as_days(source) if common.get(n) is not None}
                if common[key] is not None:
                    united.setdefault(common[key], []).append((member.feed, common))
    table = []
    for value, found in united.items():
        combined: Row = {key: value, "support": len({feed for feed, _ in found})}
        for name, how in source.combine.items():
            values = [row[name] for _, row in found if row[name] is not None]
            combined[name] = (min if how == "min" else max)(values) if values else None
        table.append(combined)
    return table


def _plain(rule: RuleSpec, node: Node, row: Row) -> bool:
    return _tree(rule, node, {"": row}, date.min) is True


def _get(combination: dict[str, Row], name: str) -> Any:
    alias, _, column = name.rpartition(".")
    return combination[alias].get(column)


def _and(a: bool | None, b: bool | None) -> bool | None:
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def _tree(rule: RuleSpec, node: Node, c: dict[str, Row], as_of: date) -> bool | None:
    if isinstance(node, Leaf):
        return _leaf(rule, node, c, as_of)
    if node.negated is not None:
        inner = _tree(rule, node.negated, c, as_of)
        return None if inner is None else not inner
    truths = [_tree(rule, child, c, as_of) for child in (node.all or node.any or ())]
    if node.all:
        return False if False in truths else (None if None in truths else True)
    return True if True in truths else (None if None in truths else False)


def _month(day: date) -> date:
    return day.replace(day=1)


def _plus_months(day: date, months: int) -> date:
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def _leaf(rule: RuleSpec, leaf: Leaf, c: dict[str, Row], as_of: date) -> bool | None:
    return _judge(rule, leaf, _get(c, leaf.field), c, as_of)


def _judge(rule: RuleSpec, leaf: Leaf, value: Any, c: dict[str, Row], as_of: date) -> bool | None:
    if value is None and leaf.missing_as is not None:
        value = leaf.missing_as
    against: Any = leaf.value
    if leaf.param is not None:
        against = rule.params[leaf.param].value
    if leaf.other is not None:
        against = _get(c, leaf.other)
    months = int(rule.params[leaf.months].value) if leaf.months else 0  # type: ignore[arg-type]
    days = int(rule.params[leaf.days].value) if leaf.days else 0  # type: ignore[arg-type]
    if leaf.op == "is_empty":
        return value is None
    if leaf.op == "is_present":
        return value is not None
    if leaf.op == "is_known":
        return True if value is not None else None
    if value is None or (against is None and leaf.op != "days_ago_at_least"):
        return None
    percent = int(rule.params[leaf.percent].value) if leaf.percent else 0  # type: ignore[arg-type]
    answers = {
        "share_below": lambda: value * 100 < against * percent,
        "=": lambda: value == against,
        "!=": lambda: value != against,
        ">": lambda: value > against,
        ">=": lambda: value >= against,
        "<": lambda: value < against,
        "<=": lambda: value <= against,
        "in_list": lambda: value in against,
        "not_in_list": lambda: value not in against,
        "contains_any": lambda: any(word in value for word in against),
        "after_month_of": lambda: _month(value) > _plus_months(_month(against), months),
        "before_month_of": lambda: _plus_months(_month(value), months) < _month(against),
        "after_date": lambda: _day(value) > _day(against) + timedelta(days=days),
        "before_date": lambda: _day(value) + timedelta(days=days) < _day(against),
        "days_ago_at_least": lambda: _day(value) + timedelta(days=days) <= as_of,
    }
    return bool(answers[leaf.op]())


def _absent(
    rule: RuleSpec,
    leg: Any,
    c: dict[str, Row],
    rows: Mapping[str, list[Row]],
    covers: Mapping[str, date | None],
) -> bool | None:
    since = _get(c, leg.since)
    if since is None:
        return None
    until = since + timedelta(days=int(rule.params[leg.days].value))  # type: ignore[arg-type]
    for row in rows.get(leg.feed, []):
        same = all(_matches(row.get(own), _get(c, theirs)) for theirs, own in leg.match.items())
        if same and row.get(leg.date) is not None and since <= row[leg.date] <= until:
            return False
    covered = covers.get(leg.feed)
    return True if covered is not None and covered >= until else None


def _matches(own: Any, theirs: Any) -> bool:
    """The same value, or a text that mentions it."""
    if own is None or theirs is None:
        return False
    return bool(own == theirs) or (isinstance(own, str) and f":{theirs}〕" in own)


def _result(rule: RuleSpec, found: list[Item], as_of: date, *, possible: bool) -> Row:
    """A hit by the true rows alone; else undecided while a hit is possible."""
    true = [c for truth, c in found if truth is True]
    sure = [item for item in found if item[0]]
    if not true or (rule.having and not _whole(rule, rule.having, sure, as_of)):
        verdict = "undecided" if possible else "miss"
        return {"verdict": verdict, "level": None, "measures": {}, "rows": found}
    measures = {name: _figure(rule, name, true) for name in rule.measures}
    measures = {name: value for name, value in measures.items() if value is not None}
    level = next(
        b.level
        for b in rule.bands
        if all(
            measures.get(m) is not None and measures[m] >= rule.params[p].value for m, p in b.at_least.items()
        )
    )
    return {"verdict": "hit", "level": level, "measures": measures, "rows": found}


def _lost(rule: RuleSpec, c: dict[str, Row]) -> bool:
    """Without time or place."""
    assert rule.cluster is not None
    names = [rule.cluster.time]
    if rule.cluster.place:
        names += [rule.cluster.place.lon, rule.cluster.place.lat]
    return any(_get(c, n) is None for n in names)


def _value(rule: RuleSpec, name: str, c: dict[str, Row]) -> Any:
    measure = rule.measures[name]
    value = _get(c, measure.field)
    if measure.per is None or value is None:
        return value
    per = _get(c, measure.per)
    return value / per if per else None


def _figure(rule: RuleSpec, name: str, rows: list[dict[str, Row]]) -> Any:
    measure = rule.measures[name]
    if measure.kind == "count":
        return len(rows)
    values = [v for v in (_value(rule, name, c) for c in rows) if v is not None]
    if not values:
        return None
    return {"sum": sum, "min": min, "max": max, "first": lambda v: v[0]}[measure.kind](values)


def _whole(rule: RuleSpec, node: Node, found: list[Item], as_of: date) -> bool | None:
    """A condition on the occurrence: try every way the undecided rows may turn out — none and all are the extremes."""
    if not isinstance(node, Leaf):
        if node.negated is not None:
            inner = _whole(rule, node.negated, found, as_of)
            return None if inner is None else not inner
        truths = [_whole(rule, child, found, as_of) for child in (node.all or node.any or ())]
        if node.all:
            return False if False in truths else (None if None in truths else True)
        return True if True in truths else (None if None in truths else False)
    sure = [c for truth, c in found if truth is True]
    doubtful = [c for truth, c in found if truth is None]
    if _judge(rule, node, _figure(rule, node.field, sure), {}, as_of) is True:
        return True
    counts = rule.measures[node.field].kind == "count"
    if node.missing_as is None and not counts and any(_value(rule, node.field, c) is None for _, c in found):
        return None
    return (
        None if _judge(rule, node, _figure(rule, node.field, sure + doubtful), {}, as_of) is True else False
    )
