"""Rules drawn from the whole catalogue over random worlds: compiled SQL = interpreter; every operator has its words."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from ingestion.selectors import catalog
from supervision.rulebook.check import problems_of
from supervision.rulebook.operators import OPERATORS
from supervision.rulebook.spec import RuleSpec
from supervision.rulebook.units import units
from tests.prefecture import SHANGHAI
from tests.supervision.rulebook import interpreter
from tests.supervision.rulebook.pool import fill, ref, run_compiled

PARAMS: dict[str, Any] = {
    "few": 2, "some": 5, "many": 40, "month": 1, "years": 14, "tenth": 10, "half": 50, "triple": 3, "near": 400,
    "low": 100, "high": 900, "since": date(2026, 3, 2), "until": date(2026, 4, 20), "words": ["一号", "街"],
    "codes": ["532300", "532301"], "provinces": ["530000"], "heads": ["5323", "53230"], "mark": 7,
    "mostly": 80,
}  # fmt: skip
ACC, TWIN, DEAD = "acc", "twin", "dead"


def _leaf(op: str, field: str, **keys: Any) -> dict[str, Any]:
    return {"zh": op, "en": op, "op": op, "field": field, **keys}


#: per operator the leaves that it is tried with
LEAVES: dict[str, list[dict[str, Any]]] = {
    "=": [_leaf("=", "acc.person_name", value="甲"), _leaf("=", "acc.determination_date", param="since")],
    "!=": [_leaf("!=", "acc.division_code", other="twin.division_code")],
    ">": [_leaf(">", "acc.compensation_cny", param="high"), _leaf(">", "acc.determination_date", param="since")],
    ">=": [_leaf(">=", "acc.compensation_cny", other="acc.property_loss_cny", missing_as=300)],
    "<": [_leaf("<", "acc.bac_mg_100ml", param="high")],
    "<=": [_leaf("<=", "acc.accident_time", other="dead.death_date")],
    "between": [
        _leaf("between", "acc.compensation_cny", low="low", high="high"),
        _leaf("between", "acc.determination_date", low="since", high="until"),
    ],
    "in_list": [_leaf("in_list", "acc.person_name", value=["甲", "乙"])],
    "not_in_list": [_leaf("not_in_list", "acc.person_name", value=["甲", "乙"])],
    "starts_with": [_leaf("starts_with", "acc.division_code", param="heads")],
    "contains_any": [_leaf("contains_any", "acc.accident_place", param="words")],
    "contains_all": [_leaf("contains_all", "acc.accident_place", param="words")],
    "contains_none": [_leaf("contains_none", "acc.accident_place", param="words")],
    "is_present": [_leaf("is_present", "acc.accident_place")],
    "is_known": [_leaf("is_known", "twin.accident_place")],
    "is_empty": [_leaf("is_empty", "acc.accident_place")],
    "same_county": [_leaf("same_county", "acc.division_code", other="dead.household_division")],
    "in_division": [
        _leaf("in_division", "acc.division_code", param="codes"),
        _leaf("in_division", "acc.division_code", param="provinces"),
    ],
    "after_month_of": [_leaf("after_month_of", "acc.accident_time", other="dead.death_date", months="month")],
    "before_month_of": [_leaf("before_month_of", "acc.accident_time", other="dead.death_date", months="month")],
    "in_same_month": [_leaf("in_same_month", "acc.accident_time", other="dead.death_date")],
    "after_date": [_leaf("after_date", "acc.accident_time", other="dead.death_date", days="few")],
    "before_date": [_leaf("before_date", "acc.accident_time", other="dead.death_date", days="few")],
    "within_days_of": [_leaf("within_days_of", "acc.accident_time", other="dead.death_date", days="some")],
    "gap_days_at_least": [_leaf("gap_days_at_least", "acc.accident_time", other="dead.death_date", days="some")],
    "gap_days_at_most": [_leaf("gap_days_at_most", "acc.accident_time", other="dead.death_date", days="some")],
    "days_ago_at_least": [_leaf("days_ago_at_least", "acc.accident_time", days="many")],
    "age_at_least": [_leaf("age_at_least", "dead.birth_date", other="acc.accident_time", years="years")],
    "age_below": [_leaf("age_below", "dead.birth_date", other="acc.accident_time", years="years")],
    "overlaps": [
        _leaf("overlaps", "acc.accident_time", end="acc.determination_date", other="dead.death_date",
              other_end="dead.cancel_date", days="some"),
        _leaf("overlaps", "acc.accident_time", end="acc.determination_date", other="dead.death_date"),
    ],
    "covers_day": [_leaf("covers_day", "dead.death_date", end="dead.cancel_date", other="acc.accident_time")],
    "month_within": [
        _leaf("month_within", "acc.accident_time", other="dead.death_date", other_end="dead.cancel_date")
    ],
    "share_below": [
        _leaf("share_below", "acc.compensation_cny", other="acc.property_loss_cny", percent="half", times="triple")
    ],
    "share_at_least": [
        _leaf("share_at_least", "acc.compensation_cny", other="acc.property_loss_cny", percent="half"),
        _leaf("share_at_least", "acc.bac_mg_100ml", unit="kg", other="twin.bac_mg_100ml", other_unit="g",
              percent="tenth", times="many"),
    ],
    "deviation_above": [
        _leaf("deviation_above", "acc.compensation_cny", other="acc.property_loss_cny", percent="half"),
        _leaf("deviation_above", "acc.bac_mg_100ml", unit="t", other="twin.bac_mg_100ml", other_unit="kg",
              percent="half"),
    ],
    "distance_within": [
        _leaf("distance_within", "acc.lon", lat="acc.lat", other="twin.lon", other_lat="twin.lat", metres="near")
    ],
    "same_name": [_leaf("same_name", "acc.person_name", other="dead.person_name")],
    "same_address": [_leaf("same_address", "acc.accident_place", other="dead.household_address")],
    "similar_name": [_leaf("similar_name", "acc.person_name", other="dead.person_name", percent="half")],
    "similar_address": [
        _leaf("similar_address", "acc.accident_place", other="dead.household_address", percent="mostly")
    ],
    "mentions": [_leaf("mentions", "claim.applicant_id", other="acc.citizen_id")],
    "shared_by": [
        _leaf("shared_by", "acc.accident_place", other="acc.citizen_id", low="few"),
        _leaf("shared_by", "acc.division_code", other="acc.person_name", low="few", at="acc.determination_date",
              days="few"),
    ],
    "months_ago_at_least": [_leaf("months_ago_at_least", "acc.determination_date", months="month")],
    "no_row": [_leaf("no_row", "dead.citizen_id", other="acc.determination_date", days="some")],
}  # fmt: skip

#: conditions on the whole with the measure that they are on
WHOLES: list[tuple[dict[str, Any], str, str, Any]] = [
    ({"count": "rows"}, ">=", "param", "few"),
    ({"count": "rows"}, "<", "param", "few"),
    ({"distinct": "acc.division_code"}, ">=", "param", "few"),
    ({"sum": "acc.compensation_cny"}, ">=", "param", "high"),
    ({"max": "acc.compensation_cny"}, ">", "param", "high"),
    ({"min": "acc.compensation_cny"}, ">", "param", "low"),
    ({"longest_run": "acc.determination_date"}, ">=", "param", "few"),
    ({"most_within": "acc.accident_time", "days": "some"}, ">=", "param", "few"),
    ({"share": {"id": "shared", **_leaf("=", "acc.person_name", value="甲")}}, ">=", "param", "half"),
]

LINKS: dict[str, list[dict[str, Any]]] = {
    "number": [{"left": "acc.citizen_id", "right": "twin.citizen_id", "by": "identity"}],
    "two columns": [
        {"left": "acc.citizen_id", "right": "twin.citizen_id", "by": "key",
         "also": {"acc.division_code": "twin.division_code"}},
    ],
    "place": [{"left": "acc.division_code", "right": "twin.division_code", "by": "place"}],
    "optional": [{"left": "acc.citizen_id", "right": "twin.citizen_id", "by": "identity", "optional": True}],
}  # fmt: skip


#: the number of one side stands in a text of the other
MENTION = {"left": "acc.citizen_id", "right": "claim.respondent_id", "by": "identity", "optional": True}


def make_rule(draw: random.Random, leaves: list[dict[str, Any]], **more: Any) -> RuleSpec:
    named = [{"id": f"c{n}", **leaf} for n, leaf in enumerate(leaves)]
    nodes = [{"not": leaf} if draw.random() < 0.3 else leaf for leaf in named]
    links = draw.choice(list(LINKS.values()))
    optional = draw.random() < 0.5 or any(leaf["op"] == "no_row" for leaf in leaves)
    named_in = any(leaf["field"].startswith("claim.") for leaf in leaves)
    document = {
        "id": "drawn", "code": "T-1", "version": 1, "status": "draft", "domain": "civil", "purpose": "legal_supervision",
        "title": {"zh": "试", "en": "t"}, "summary": {"zh": "试", "en": "t"}, "department": "civil_admin",
        "basis": [{"law": "法", "article": "条", "valid_from": date(2020, 1, 1)}],
        "false_positives": [], "checking_points": [],
        "sources": {
            "acc": {"feed": "ps_traffic_accident", "zh": "一", "en": "one"},
            "twin": {"feed": "ps_traffic_accident", "zh": "二", "en": "two"},
            "dead": {"feed": "ps_population_death", "zh": "三", "en": "three"},
            **({"claim": {"feed": "ct_enforcement", "zh": "四", "en": "four"}} if named_in else {}),
        },
        "driver": "acc",
        "link": [*links, {"left": "acc.citizen_id", "right": "dead.citizen_id", "by": "identity", "optional": optional},
                 *([MENTION] if named_in else [])],
        "when": {draw.choice(["all", "any"]): nodes},
        "measures": {"rows": {"count": "rows"}},
        "bands": [{"level": "important", "at_least": {"rows": "few"}, "zh": "多", "en": "many"},
                  {"level": "ordinary", "zh": "少", "en": "few"}],
        "params": {k: {"value": v, "zh": k, "en": k, "source": "试", "since": date(2026, 1, 1)} for k, v in PARAMS.items()},
        "clue": {"subject": "acc.citizen_id", "kind": "person", "label": "acc.person_name",
                 "title": {"zh": "试", "en": "t"}, "evidence": ["acc", "twin", "dead"]},
        "tests": [{"name": str(n), "as_of": date(2026, 1, 1), "given": {}, "expect": "miss"} for n in range(3)],
    }  # fmt: skip
    document.update(more)
    rule = RuleSpec.model_validate(document)
    assert problems_of(rule, catalog(), "drawn") == []
    return rule


def _maybe(draw: random.Random, value: Any) -> Any:
    return value if draw.random() < 0.85 else None


def _some_day(draw: random.Random) -> date:
    return draw.choice([date(2026, 2, 27), date(2026, 3, 31)]) + timedelta(days=draw.randint(0, 6))


def _moment(draw: random.Random) -> datetime:
    day = _some_day(draw)
    return datetime(day.year, day.month, day.day, draw.choice([0, 7, 23]), 30, tzinfo=SHANGHAI)


def make_world(draw: random.Random) -> dict[str, list[dict[str, Any]]]:
    """A dozen accidents of four people, what is known of the dead, and arbitrations; cells are often empty."""
    people = ["P1", "P2", "P3", "P4"]
    names = ["甲", "乙", "阿卜杜拉·示例", "阿卜杜拉•示例", "Ａ甲", "a甲"]
    places = ["示例街一号", "示例街 一号", "示例街１号", "示例街1号", "示例街（二）", "示例路一号"]
    codes = ["532301", "532302", "532331", "530100", "510000"]
    accidents = [
        {"person_name": _maybe(draw, draw.choice(names)), "citizen_id": _maybe(draw, draw.choice(people)),
         "division_code": _maybe(draw, draw.choice(codes)), "accident_place": _maybe(draw, draw.choice(places)),
         "lon": _maybe(draw, 101.5 + draw.randint(0, 3) * 0.003), "lat": _maybe(draw, 25.0 + draw.randint(0, 2) * 0.002),
         "bac_mg_100ml": _maybe(draw, draw.choice([0.0, 12.5, 80.0, 1200.0])),
         "property_loss_cny": _maybe(draw, draw.choice([0, 100, 500, 900])),
         "compensation_cny": _maybe(draw, draw.choice([0, 100, 250, 500, 900, 901])),
         "accident_time": _maybe(draw, _moment(draw)), "determination_date": _maybe(draw, _some_day(draw))}
        for _ in range(draw.randint(4, 12))
    ]  # fmt: skip
    dead = [
        {"person_name": _maybe(draw, draw.choice(names)), "citizen_id": person,
         "household_division": _maybe(draw, draw.choice(codes)), "household_address": _maybe(draw, draw.choice(places)),
         "birth_date": _maybe(draw, draw.choice([date(2012, 2, 28), date(2012, 2, 29), date(2012, 3, 1), date(2012, 4, 1)])),
         "death_date": _maybe(draw, _some_day(draw)), "cancel_date": _maybe(draw, _some_day(draw))}
        for person in draw.sample(people, draw.randint(0, 3))
    ]  # fmt: skip
    arbitrations = [
        {"applicant_id": draw.choice(people), "apply_date": _maybe(draw, _some_day(draw)),
         "close_date": _maybe(draw, _some_day(draw)), "dispute_type": _maybe(draw, draw.choice(["报酬", "工伤"])),
         "applicant_name": _maybe(draw, draw.choice(names)), "respondent_name": _maybe(draw, "、".join(draw.sample(names, 2)))}
        for _ in range(draw.randint(0, 4))
    ]  # fmt: skip
    enforcements = [
        {"respondent_id": _maybe(draw, f"〔citizen_id:{draw.choice(people)}〕"), "filing_date": _some_day(draw),
         "applicant_id": _maybe(draw, "、".join(f"〔citizen_id:{p}〕" for p in draw.sample(people, draw.randint(1, 2))))}
        for _ in range(draw.randint(0, 4))
    ]  # fmt: skip
    checks = [
        {"citizen_id": draw.choice(people), "death_date": _maybe(draw, _moment(draw))}
        for _ in range(draw.randint(0, 2))
    ]
    return {
        "ps_traffic_accident": accidents,
        "ps_population_death": dead,
        "hr_labour_arbitration": arbitrations,
        "hh_death_certificate": checks,
        "ct_enforcement": enforcements,
    }


def agree(rule: RuleSpec, draw: random.Random, seen: Counter[str]) -> None:
    rows, as_of = make_world(draw), date(2026, 4, draw.randint(1, 28))
    days = [None, date(2026, 3, 4), date(2026, 6, 1)]
    covers = {
        f: draw.choice(days) for f in ("ps_population_death", "hr_labour_arbitration", "hh_death_certificate")
    }
    read = interpreter.run(rule, rows, as_of=as_of, covers=covers)
    fill(rows)
    compiled = run_compiled(rule, as_of=as_of, covers=covers)
    by_ref = {(str(ref(subject)), bucket): result for (subject, bucket), result in read.items()}
    assert {key: (r["verdict"], r["level"]) for key, r in compiled.items()} == {
        key: (r["verdict"], r["level"]) for key, r in by_ref.items()
    }, rule.model_dump_json(include={"when", "link", "without", "score", "measures", "having"})
    for key, row in compiled.items():
        for name, value in by_ref[key]["measures"].items():
            shown = round(value, 2) if isinstance(value, float) else value
            assert shown == row["material"][name] if isinstance(shown, (int, float)) else True, name
        seen[row["verdict"]] += 1


def _seeded(request: Any) -> random.Random:
    seed = random.SystemRandom().randrange(10**9)
    print("drawn seed", request.node.name, seed)
    return random.Random(seed)


@pytest.mark.parametrize("op", sorted(OPERATORS))
def test_every_operator_agrees_with_the_interpreter(database, request, op):
    draw, seen = _seeded(request), Counter()
    for leaf in LEAVES[op]:
        others = draw.choice(LEAVES[draw.choice(sorted(LEAVES))])
        agree(make_rule(draw, [leaf]), draw, seen)
        agree(make_rule(draw, [leaf, others]), draw, seen)


@pytest.mark.parametrize("links", sorted(LINKS))
def test_links_agree(database, request, links):
    draw = _seeded(request)
    rule = make_rule(draw, [LEAVES["same_county"][0], LEAVES["<"][0]])
    for _ in range(4):
        agree(rule.model_copy(update={"link": make_rule(draw, [LEAVES["<"][0]], link=[
            *LINKS[links], {"left": "acc.citizen_id", "right": "dead.citizen_id", "by": "identity", "optional": True}
        ]).link}), draw, Counter())  # fmt: skip


@pytest.mark.parametrize("number", range(len(WHOLES)))
def test_conditions_on_the_whole_agree(database, request, number):
    draw = _seeded(request)
    measure, op, key, value = WHOLES[number]
    having = {"all": [{"id": "whole", "zh": "整体", "en": "whole", "field": "figure", "op": op, key: value}]}
    if draw.random() < 0.3:
        having = {"not": having}
    for _ in range(4):
        agree(
            make_rule(
                draw,
                [LEAVES["<"][0], LEAVES["contains_none"][0]],
                measures={"rows": {"count": "rows"}, "figure": measure},
                having=having,
            ),
            draw,
            Counter(),
        )


WITHOUT: dict[str, dict[str, Any]] = {
    "days": {"since": "acc.determination_date", "days": "some"},
    "whole interval": {"since": "dead.death_date", "until": "dead.cancel_date"},
    "fewer than": {"since": "acc.determination_date", "days": "many", "fewer_than": "few"},
    "several feeds": {
        "since": "acc.determination_date", "days": "some",
        "nor": [{"feed": "hh_death_certificate", "match": {"acc.citizen_id": "citizen_id"}, "date": "death_date"}],
    },
    "some of them alone": {
        "since": "acc.determination_date", "days": "some",
        "where": {"all": [{"id": "kind", **_leaf("=", "dispute_type", value="报酬")}]},
    },
    "reaching back": {"since": "acc.determination_date", "days": "few", "back": "some"},
    "an interval": {"since": "acc.determination_date", "days": "few", "end": "close_date"},
    "what stands today": {"since": "acc.determination_date", "days": "few", "now": True, "date": None, "end": "close_date"},
    "since so long and still": {
        "since": "acc.determination_date", "days": "few", "now": True, "back": "few", "end": "close_date",
    },
    "named in a text, in the county": {
        "since": "acc.determination_date", "days": "many", "match": {"acc.county": "county"},
        "named_in": {"acc.person_name": "respondent_name"},
    },
    "written alike": {
        "since": "acc.determination_date", "days": "many", "alike": {"acc.person_name": "applicant_name"},
        "percent": "half",
    },
}  # fmt: skip


@pytest.mark.parametrize("window", sorted(WITHOUT))
def test_absence_agrees(database, request, window):
    draw = _seeded(request)
    leg = {"id": "gone", "zh": "没有", "en": "none", "feed": "hr_labour_arbitration",
           "match": {"acc.citizen_id": "applicant_id"}, "date": "apply_date", **WITHOUT[window]}  # fmt: skip
    for _ in range(5):
        agree(make_rule(draw, [LEAVES["is_present"][0]], without=[leg]), draw, Counter())


def test_the_latest_row_agrees(database, request):
    draw = _seeded(request)
    for by in (["person_name"], ["citizen_id", "division_code"]):
        rule = make_rule(draw, [LEAVES["shared_by"][0], LEAVES["contains_none"][0]])
        document = rule.model_dump(by_alias=True, exclude_none=True)
        document["sources"]["acc"] |= {
            "latest": {"by": by, "order": ["determination_date", "compensation_cny"]},
            "where": {"all": [{"id": "own", **_leaf("<", "compensation_cny", param="high")}]},
        }
        for _ in range(3):
            agree(RuleSpec.model_validate(document), draw, Counter())


def test_a_score_agrees(database, request):
    draw = _seeded(request)
    for _ in range(5):
        chosen = draw.sample(sorted(set(LEAVES) - {"mentions"}), 3)
        items = [
            {"when": {"id": f"s{n}", **LEAVES[op][0]}, "points": points}
            for n, (op, points) in enumerate(zip(chosen, ["few", "some", "triple"], strict=True))
        ]
        rule = make_rule(
            draw,
            [LEAVES["is_known"][0], LEAVES["no_row"][0]],
            score={"id": "weighed", "zh": "评分", "en": "score", "items": items, "at_least": "mark"},
            measures={"rows": {"count": "rows"}, "points": {"max": "score.points"}},
        )
        agree(rule, draw, Counter())


def test_every_operator_has_words_and_inputs():
    assert set(LEAVES) == set(OPERATORS)
    for operator in OPERATORS.values():
        assert operator.zh and operator.en and operator.empty_zh and operator.empty_en
        assert {i["key"] for i in operator.inputs} == operator.needs | operator.takes
    assert {unit.dimension for unit in units().values()} >= {"mass", "volume", "area", "length"}


BAD: list[tuple[str, Callable[[], dict[str, Any]], str]] = [
    ("a date in quotes", lambda: _leaf(">", "acc.determination_date", value="2026-01-01"), "类型不同"),
    ("a word against money", lambda: _leaf(">", "acc.compensation_cny", value="多"), "类型不同"),
    ("one word for a list", lambda: _leaf("contains_none", "acc.accident_place", value="街"), "须是列表"),
    ("an empty word", lambda: _leaf("starts_with", "acc.accident_place", value=[""]), "空词"),
    ("one unit", lambda: _leaf("share_below", "acc.bac_mg_100ml", other="twin.bac_mg_100ml", percent="half", unit="kg"), "一侧"),
    ("mass and area", lambda: _leaf("share_below", "acc.bac_mg_100ml", other="twin.bac_mg_100ml", percent="half", unit="kg", other_unit="mu"), "量纲"),
    ("an unknown unit", lambda: _leaf("share_below", "acc.bac_mg_100ml", other="twin.bac_mg_100ml", percent="half", unit="stone", other_unit="kg"), "没有计量单位"),
    ("a unit that is not used", lambda: _leaf("<", "acc.bac_mg_100ml", param="high", unit="kg", other_unit="kg"), "不用"),
    ("no bounds", lambda: _leaf("between", "acc.compensation_cny"), "缺少"),
    ("no such row of a firm link", lambda: _leaf("no_row", "acc.citizen_id", other="acc.determination_date", days="few"), "可选连接"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "leaf", "word"), BAD, ids=[name for name, _, _ in BAD])
def test_a_bad_condition_is_refused_with_its_cure(name, leaf, word):
    rule = make_rule(random.Random(1), [LEAVES["is_present"][0]])
    when = rule.model_copy(update={"when": RuleSpec.model_validate(
        {**rule.model_dump(by_alias=True, exclude_none=True), "when": {"all": [{"id": "bad", **leaf()}]}}).when})  # fmt: skip
    found = [p for p in problems_of(when, catalog(), "drawn") if word in p.what]
    assert found and found[0].cure and "bad" in found[0].place
