"""A slow, obvious reading of a rule over plain rows: what the compiled SQL must agree with.

Rows are dicts; a missing key is an empty cell. Money in 分, dates as ``date``. Nothing is shared with the compiler.
``worlds`` knows neither's way of bounding undecided rows: it tries every way they may turn out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import compress, product
from math import asin, cos, radians, sin, sqrt
from typing import Any

from ingestion.selectors import catalog
from supervision.rulebook.spec import FIELD_KEYS, SCORE, Leaf, Link, Node, RuleSpec, Source, furthered
from supervision.rulebook.units import units
from tests.prefecture import SHANGHAI

Row = dict[str, Any]
#: the county of a row that names none
COUNTY = "532301"
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
    """Subject → the combinations that are true or undecided.

    Beside the feeds ``rows`` may hold ``supervision_mention`` (each with ``row``, the row that mentions, ``role``,
    ``subject``, ``tier``) and ``supervision_relation`` (``kind``, ``a_kind``, ``a_ref``, ``b_kind``, ``b_ref``).
    """
    tables = {alias: _table(rule, alias, source, rows) for alias, source in rule.sources.items()}
    combinations: list[dict[str, Any]] = [
        {rule.driver: row, "covers ": dict(covers), "tables ": tables} for row in tables[rule.driver]
    ]
    for link in rule.link:
        alias = link.right.split(".")[0]
        joined = []
        for c in combinations:
            found = [
                {**c, alias: row} for row in tables[alias] for _ in range(_ways(rule, link, c, row, rows))
            ]
            joined += found or ([{**c, alias: {}}] if link.optional else [])
        combinations = joined
    result: dict[str, list[Item]] = {}
    for c in combinations:
        truth = _tree(rule, rule.when, c, as_of)
        for leg in rule.without:
            truth = _and(truth, _absent(rule, leg, c, rows, covers, as_of))
        if rule.score:
            truth = _and(truth, _score(rule, c, as_of))
        subject = _get(c, rule.clue.subject)
        if truth is not False and subject is not None:
            result.setdefault(subject, []).append((truth, c))
    return result


def _ways(rule: RuleSpec, link: Link, c: dict[str, Row], row: Row, rows: Mapping[str, list[Row]]) -> int:
    """In how many ways the row is reached: once by equality, once per pair of mentions of the same subject."""
    for theirs, own in link.also.items():
        if _get(c, theirs) is None or _get(c, theirs) != row.get(own.split(".")[1]):
            return 0
    left_alias = link.left.split(".")[0]
    left, right = _get(c, link.left), row.get(link.right.split(".")[1])
    if link.by == "relation":
        if left is None or right is None:
            return 0
        return 1 if right in _related(link, left, rows.get("supervision_relation", [])) else 0
    one = _subjects(link.left_role, link.tier, c[left_alias], left, rows)
    two = _subjects(link.right_role, link.tier, row, right, rows)
    kinds = {_column(rule, link.left).type, _column(rule, link.right).type}
    if "text" in kinds and kinds & {"citizen_id", "credit_code"} and not (link.left_role or link.right_role):
        # One side holds the number as a mention.
        number = (kinds - {"text"}).pop()
        one, two = [_as_mention(v, number) for v in one], [_as_mention(v, number) for v in two]
    return sum(1 for a in one for b in two if a is not None and a == b)


def _column(rule: RuleSpec, name: str) -> Any:
    """The catalogue's column behind a field; of a combined source its first member's."""
    alias, column = name.split(".")
    source = rule.sources[alias]
    if source.feed is None:
        member = next(m for m in source.any_of or () if column in m.columns)
        return catalog()[member.feed].column(member.columns[column])
    return catalog()[source.feed].column(column)


def _as_mention(value: Any, kind: str) -> Any:
    return value if value is None or value.startswith("〔") else f"〔{kind}:{value}〕"


def _subjects(role: str | None, tier: str, row: Row, own: Any, rows: Mapping[str, list[Row]]) -> list[Any]:
    """The number itself; without one whom the row's mentions resolve to, surely enough."""
    if role is None:
        return [own]
    found = [
        m["subject"]
        for m in rows.get("supervision_mention", [])
        if m["row"] is row and m["role"] == role and m["tier"] in ("J", *"ABCD"[: "ABCD".index(tier) + 1])
    ]
    # One row of the query per mention that resolves, also where the number itself stands.
    return [own] * max(1, len(found)) if own is not None else found


def _related(link: Link, subject: Any, relations: list[Row]) -> set[Any]:
    """Subjects one step away, or two when allowed; persons and organisations bear different refs."""
    pairs = {(r["a_ref"], r["b_ref"]) for r in relations if r["kind"] in link.kinds}
    pairs |= {(b, a) for a, b in pairs}
    near = {b for a, b in pairs if a == subject}
    if link.hops == 1:
        return near
    return near | {c for b in near for a, c in pairs if a == b and c != subject}


def _score(rule: RuleSpec, c: dict[str, Row], as_of: date) -> bool | None:
    """Reached in every way the undecided conditions may turn out, in none, or in some."""
    assert rule.score is not None
    mark = int(rule.params[rule.score.at_least].value)  # type: ignore[arg-type]
    sums = {0}
    for item in rule.score.items:
        truth = _leaf(rule, item.when, c, as_of)
        points = int(rule.params[item.points].value)  # type: ignore[arg-type]
        may = {True: {points}, False: {0}, None: {0, points}}[truth]
        sums = {total + more for total in sums for more in may}
    answers = {total >= mark for total in sums}
    return answers.pop() if len(answers) == 1 else None


def _points(rule: RuleSpec, c: dict[str, Row], as_of: date) -> int:
    assert rule.score is not None
    true = [i for i in rule.score.items if _leaf(rule, i.when, c, as_of) is True]
    return sum(int(rule.params[i.points].value) for i in true)  # type: ignore[arg-type]


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
        held = _newest(source, rows.get(source.feed, []))
        return [r for r in held if source.where is None or _plain(rule, source.where, r)]
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


def _newest(source: Source, rows: list[Row]) -> list[Row]:
    """Of the rows of one key the last; what is empty comes before everything else."""
    if source.latest is None:
        return rows
    newest: dict[tuple[Any, ...], Row] = {}
    keyless = []
    for row in rows:
        key = tuple(row.get(c) for c in source.latest.by)
        held = newest.get(key)
        if None in key:
            keyless.append(row)
        elif held is None or _order(source, row) >= _order(source, held):
            newest[key] = row
    return [*newest.values(), *keyless]


def _order(source: Source, row: Row) -> list[tuple[Any, ...]]:
    assert source.latest
    return [(row.get(c) is not None, row[c] if row.get(c) is not None else 0) for c in source.latest.order]


def _plain(rule: RuleSpec, node: Node, row: Row) -> bool:
    return _tree(rule, node, {"": row}, date.min) is True


def _get(combination: dict[str, Row], name: str) -> Any:
    alias, _, column = name.rpartition(".")
    if column == "county" and combination[alias]:
        return combination[alias].get(column, COUNTY)
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
    return _day(day).replace(day=1)


def _plus_months(day: date, months: int) -> date:
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def _months_later(day: date, months: int) -> date:
    """The same day of the month, or the last one of a shorter month."""
    first = _plus_months(day, months)
    last = (_plus_months(first, 1) - timedelta(days=1)).day
    return first.replace(day=min(day.day, last))


def _leaf(rule: RuleSpec, leaf: Leaf, c: dict[str, Row], as_of: date) -> bool | None:
    if leaf.op == "no_row":
        return _no_row(rule, leaf, c)
    if leaf.op == "shared_by":
        return _shared_by(rule, leaf, c)
    return _judge(rule, leaf, _get(c, leaf.field), c, as_of)


def _shared_by(rule: RuleSpec, leaf: Leaf, c: dict[str, Any]) -> bool | None:
    """Go through the whole source and look who else has the value."""
    value, alias = _get(c, leaf.field), leaf.field.split(".")[0]
    day = _get(c, leaf.at) if leaf.at else None
    if value is None or (leaf.at and day is None):
        return None
    others = set()
    for row in c["tables "][alias]:
        then = row.get(leaf.at.split(".")[1]) if leaf.at else None
        if row.get(leaf.field.split(".")[1]) != value or (leaf.at and then is None):
            continue
        if leaf.at and abs((_day(then) - _day(day)).days) > int(rule.params[leaf.days or ""].value):  # type: ignore[arg-type]
            continue
        others.add(row.get((leaf.other or "").split(".")[1]))
    return len(others - {None}) >= int(rule.params[leaf.low or ""].value)  # type: ignore[arg-type]


def _alike(one: str, two: str, percent: float) -> bool:
    """Dice's coefficient over pairs of neighbouring characters, counted from both sides."""
    a, b = _spelled(one)[:65], _spelled(two)[:65]
    pairs_a, pairs_b = [a[i : i + 2] for i in range(len(a) - 1)], [b[i : i + 2] for i in range(len(b) - 1)]
    common = sum(p in b for p in pairs_a) + sum(p in a for p in pairs_b)
    return a == b or (len(pairs_a) + len(pairs_b) > 0 and common * 100 >= percent * (len(a) + len(b) - 2))


def _no_row(rule: RuleSpec, leaf: Leaf, c: dict[str, Any]) -> bool | None:
    """``kept`` lays the coverage beside the rows, under an alias that no source has."""
    if _get(c, leaf.field) is not None:
        return False
    source, since = rule.sources[leaf.field.split(".")[0]], _get(c, leaf.other or "")
    if since is None:
        return None
    until = _day(since) + timedelta(days=int(rule.params[leaf.days or ""].value))  # type: ignore[arg-type]
    feeds = [source.feed] if source.feed else [m.feed for m in source.any_of or ()]
    reached = [c["covers "].get(feed) for feed in feeds]
    return True if all(day is not None and day >= until for day in reached) else None


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
    more = {key: _get(c, name) if (name := getattr(leaf, key)) else None for key in FIELD_KEYS}
    if leaf.op in _INTERVALS:
        return _INTERVALS[leaf.op](value, against, more["end"], more["other_end"], days or 1)
    if leaf.op in ("share_at_least", "deviation_above") and against is not None and against <= 0:
        return False
    if value is None or (leaf.other is not None and against is None):
        return None
    percent = int(rule.params[leaf.percent].value) if leaf.percent else 0  # type: ignore[arg-type]
    bound = {k: rule.params[n].value for k in ("low", "high", "years", "metres") if (n := getattr(leaf, k))}
    if leaf.op == "distance_within":
        ends = [value, more["lat"], against, more["other_lat"]]
        return None if None in ends else bool(_metres(*ends) <= bound["metres"])  # type: ignore[operator]
    value, against = _scaled(rule, leaf, value, against)
    if isinstance(value, datetime) != isinstance(against, datetime):
        # A day stands for its midnight.
        value, against = _moment(value), _moment(against)
    answers: dict[str, Any] = {
        "share_below": lambda: value * 100 < against * percent,
        "share_at_least": lambda: against > 0 and value * 100 >= against * percent,
        "deviation_above": lambda: against > 0 and abs(value - against) * 100 > against * percent,
        "=": lambda: value == against,
        "!=": lambda: value != against,
        ">": lambda: value > against,
        ">=": lambda: value >= against,
        "<": lambda: value < against,
        "<=": lambda: value <= against,
        "between": lambda: bound["low"] <= value <= bound["high"],
        "in_list": lambda: value in against,
        "not_in_list": lambda: value not in against,
        "contains_any": lambda: any(word in value for word in against),
        "contains_all": lambda: all(word in value for word in against),
        "contains_none": lambda: not any(word in value for word in against),
        "starts_with": lambda: any(value.startswith(word) for word in against),
        "in_division": lambda: any(value.startswith(_lies_under(code)) for code in against),
        "same_county": lambda: value[:6] == against[:6],
        "same_name": lambda: _spelled(value) == _spelled(against),
        "same_address": lambda: _spelled(value) == _spelled(against),
        "similar_name": lambda: _alike(value, against, percent),
        "similar_address": lambda: _alike(value, against, percent),
        "mentions": lambda: f":{against}〕" in value,
        "months_ago_at_least": lambda: _months_later(_day(value), months) <= as_of,
        "after_month_of": lambda: _month(value) > _plus_months(_month(against), months),
        "before_month_of": lambda: _plus_months(_month(value), months) < _month(against),
        "in_same_month": lambda: (value.year, value.month) == (against.year, against.month),
        "after_date": lambda: _day(value) > _day(against) + timedelta(days=days),
        "before_date": lambda: _day(value) + timedelta(days=days) < _day(against),
        "within_days_of": lambda: abs((_day(value) - _day(against)).days) <= days,
        "gap_days_at_least": lambda: (_day(value) - _day(against)).days >= days,
        "gap_days_at_most": lambda: 0 <= (_day(value) - _day(against)).days <= days,
        "age_at_least": lambda: _age(_day(value), _day(against)) >= bound["years"],
        "age_below": lambda: _age(_day(value), _day(against)) < bound["years"],
        "days_ago_at_least": lambda: _day(value) + timedelta(days=days) <= as_of,
    }
    return bool(answers[leaf.op]())


def _moment(value: Any) -> Any:
    if isinstance(value, datetime) or not isinstance(value, date):
        return value
    return datetime(value.year, value.month, value.day, tzinfo=SHANGHAI)


def _overlaps(start: Any, other: Any, end: Any, other_end: Any, least: int) -> bool | None:
    """Days in both, counted; what is open is followed a good way beyond all dates of these worlds."""
    if start is None or other is None:
        return _cannot(start, end, other, other_end, least)
    last = min(_day(e) if e else date(2200, 1, 1) for e in (end, other_end))
    return (last - max(_day(start), _day(other))).days + 1 >= least


def _cannot(start: Any, end: Any, other: Any, other_end: Any, least: int) -> bool | None:
    """Already the interval whose start is known, or both ends, leave too few days."""
    ends = [_day(e) for e in (end, other_end) if e]
    starts = [_day(s) for s in (start, other) if s]
    return False if any((e - s).days + 1 < least for e in ends for s in starts) else None


def _covers_day(start: Any, day: Any, end: Any, _: Any, __: int) -> bool | None:
    begun = None if start is None or day is None else _day(start) <= _day(day)
    lasting = None if day is None else end is None or _day(day) <= _day(end)
    return _and(begun, lasting)


def _month_within(month: Any, start: Any, _: Any, end: Any, __: int) -> bool | None:
    if month is None:
        return None
    first = _month(_day(month))
    days = [first + timedelta(days=n) for n in range(31) if (first + timedelta(days=n)).month == first.month]
    return _and(
        None if start is None else all(d >= _day(start) for d in days),
        end is None or all(d <= _day(end) for d in days),
    )


_INTERVALS = {"overlaps": _overlaps, "covers_day": _covers_day, "month_within": _month_within}


def _age(born: date, day: date) -> int:
    """Full years, reached on the day after the birthday (法释〔2006〕1号第二条); 29 February falls on the 28th."""
    years = day.year - born.year
    short = (born.month, born.day) == (2, 29) and not (day.year % 4 == 0 and day.year % 100)
    birthday = (2, 28) if short else (born.month, born.day)
    return years if (day.month, day.day) > birthday else years - 1


def _lies_under(code: str) -> str:
    return code[:2] if code.endswith("0000") else code[:4] if code.endswith("00") else code


def _spelled(text: str) -> str:
    """Letters and figures alone, full width as plain, capitals."""
    plain = unicodedata.normalize("NFKC", text).upper()
    return "".join(ch for ch in plain if ch.isalnum())


def _scaled(rule: RuleSpec, leaf: Leaf, value: Any, against: Any) -> tuple[Any, Any]:
    if leaf.unit:
        value = value * units()[leaf.unit].base
    if leaf.times:
        against = against * rule.params[leaf.times].value
    if leaf.other_unit:
        against = against * units()[leaf.other_unit].base
    return value, against


def _absent(
    rule: RuleSpec,
    leg: Any,
    c: dict[str, Row],
    rows: Mapping[str, list[Row]],
    covers: Mapping[str, date | None],
    as_of: date,
) -> bool | None:
    since = _get(c, leg.since)
    if since is None and not leg.now:
        return None
    back = timedelta(days=int(rule.params[leg.back].value)) if leg.back else timedelta()  # type: ignore[arg-type]
    begins = _day(since) - back if since else None
    if leg.until is None:
        days = timedelta(days=int(rule.params[leg.days].value))  # type: ignore[arg-type]
        until = _day(since) + days if since else None
    else:
        until = _day(end) if (end := _get(c, leg.until)) else None
    found = sum(
        _speaks_against(rule, leg, absence, c, row, begins, until, as_of)
        for absence in leg.feeds
        for row in rows.get(absence.feed, [])
    )
    if found >= (int(rule.params[leg.fewer_than].value) if leg.fewer_than else 1):  # type: ignore[arg-type]
        return False
    asked = [_get(c, name) for absence in leg.feeds for name in absence.asked]
    reached = [covers.get(absence.feed) for absence in leg.feeds]
    sure = until is not None and all(day is not None and day >= until for day in reached)
    return True if sure and None not in asked else None


def _speaks_against(
    rule: RuleSpec, leg: Any, absence: Any, c: dict[str, Row], row: Row, begins: Any, until: Any, as_of: date
) -> bool:
    if not all(_matches(_get({"": row}, own), _get(c, theirs)) for theirs, own in absence.match.items()):
        return False
    if absence.where is not None and not _plain(rule, absence.where, row):
        return False
    for theirs, own in absence.alike.items():
        one, two = _get(c, theirs), row.get(own)
        if one is None or two is None or not _alike(one, two, rule.params[absence.percent].value):  # type: ignore[arg-type]
            return False
    for theirs, own in absence.named_in.items():
        if _get(c, theirs) is None or row.get(own) is None or _get(c, theirs) not in row[own]:
            return False
    end = row.get(absence.end) if absence.end else None
    day = row.get(absence.date)
    if leg.now:
        late_enough = not leg.back or (day is not None and begins is not None and _day(day) >= begins)
        return late_enough and (end is None or _day(end) >= as_of)
    if day is None:
        return False
    last = (_day(end) if end else date.max) if absence.end else _day(day)
    return bool(last >= begins and (until is None or _day(day) <= until))


def _matches(own: Any, theirs: Any) -> bool:
    """The same value, or a text that mentions it."""
    if own is None or theirs is None:
        return False
    return bool(own == theirs) or (isinstance(own, str) and f":{theirs}〕" in own)


def _result(rule: RuleSpec, found: list[Item], as_of: date, *, possible: bool) -> Row:
    """A hit by the true rows alone; else undecided while a hit is possible."""
    true = [c for truth, c in found if truth is True]
    # Of an occurrence the true rows alone; of a subject all, since more rows may take some conditions back.
    sure = [item for item in found if item[0] or rule.cluster is None]
    if not true or (rule.having and not _whole(rule, rule.having, sure, as_of)):
        verdict = "undecided" if possible else "miss"
        return {"verdict": verdict, "level": None, "measures": {}, "rows": found}
    measures = {name: _figure(rule, name, true, as_of) for name in rule.measures}
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


def _value(rule: RuleSpec, name: str, c: dict[str, Row], as_of: date = date.min) -> Any:
    measure = rule.measures[name]
    if measure.share is not None:
        return _leaf(rule, measure.share, c, as_of)
    value = _points(rule, c, as_of) if measure.field == SCORE else _get(c, measure.field)
    if measure.per is None or value is None:
        return value
    per = _get(c, measure.per)
    return value / per if per else None


def _figure(rule: RuleSpec, name: str, rows: list[dict[str, Row]], as_of: date = date.min) -> Any:
    measure = rule.measures[name]
    if measure.kind == "count":
        return len(rows)
    values = [v for v in (_value(rule, name, c, as_of) for c in rows) if v is not None]
    if measure.kind == "share":
        return sum(values) * 100.0 / len(rows) if rows else None
    if measure.kind == "distinct":
        return len(set(values))
    if measure.kind == "longest_run":
        days = {_day(v) for v in values}
        return max((_run_from(day, days) for day in days), default=0)
    if measure.kind == "most_within":
        reach = timedelta(days=int(rule.params[measure.days].value) - 1)  # type: ignore[index,arg-type]
        days_of = [_day(v) for v in values]
        return max((sum(1 for d in days_of if day <= d <= day + reach) for day in days_of), default=0)
    if not values:
        return None
    return {"sum": sum, "min": min, "max": max, "first": lambda v: v[0]}[measure.kind](values)


def _run_from(day: date, days: set[date]) -> int:
    length = 0
    while day + timedelta(days=length) in days:
        length += 1
    return length


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
    counts = rule.measures[node.field].kind == "count"
    if not furthered(rule.measures[node.field], node.op):
        open_values = not counts and any(_value(rule, node.field, c, as_of) is None for _, c in found)
        if doubtful or open_values:
            return None
        return _judge(rule, node, _figure(rule, node.field, sure, as_of), {}, as_of)
    if _judge(rule, node, _figure(rule, node.field, sure, as_of), {}, as_of) is True:
        return True
    if (
        node.missing_as is None
        and not counts
        and any(_value(rule, node.field, c, as_of) is None for _, c in found)
    ):
        return None
    return (
        None
        if _judge(rule, node, _figure(rule, node.field, sure + doubtful, as_of), {}, as_of) is True
        else False
    )
