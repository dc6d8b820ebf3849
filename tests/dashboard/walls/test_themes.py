"""Scenes of money and of pictures: sums add up and name nobody; a picture reaches a wall by two people only."""

from __future__ import annotations

import io
import json
from datetime import date, timedelta

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client
from django.utils import timezone
from PIL import Image

from dashboard.indicators import money, pairs
from dashboard.indicators.themes import themes
from dashboard.models import DisplayPair
from dashboard.walls import interrupts, pictures
from dashboard.walls.refused import WallRefused
from supervision.models import Clue
from supervision.selectors import live_rules
from supervision.tracks.results import kinds
from tests.conftest import acting_as
from tests.dashboard.walls.test_switching import TOKENS, registered, somebody
from tests.prefecture import agreements, case_card, citizen, decided, land_rows, wage_clue

DAY = timezone.localdate() - timedelta(days=40)


def settled(number: str, **more) -> Clue:
    state = more.get("state", "settled")
    words = {
        "number": number, "origin": "manual", "subject_kind": "place", "subject_ref": number, "level": "ordinary",
        "title": "示例", "label": "示例", "township": "示例镇", "material": {}, "office": "532301", "state": state,
        "raised_at": timezone.now(), "responsible": "example", "responsible_zh": "示例",
    }  # fmt: skip
    with acting_as("owner"):
        return Clue.objects.create(**(words | decided(state, "corrected") | more))


def picture(colour: str = "red", *, kind: str = "JPEG", size: tuple[int, int] = (400, 300)) -> bytes:
    held, made = io.BytesIO(), Image.new("RGB", size, colour)
    if kind == "JPEG":
        exif = Image.Exif()
        exif[0x010F], exif[0x0112] = "示例相机SECRET", 6
        made.save(held, kind, exif=exif, comment=b"SECRET")
    else:
        made.save(held, kind)
    return held.getvalue()


# ---- money -------------------------------------------------------------------------------------------


def test_every_theme_names_models_and_results_that_exist():
    for theme in themes().values():
        assert set(theme.rules) <= set(live_rules()) and set(theme.results) <= set(kinds())


def test_a_case_counts_once_and_sealed_ones_not_at_all(database):
    agreements()
    day = {"accept_date": DAY.isoformat()}
    cards = [
        case_card(1, "30000", "10000", "未处置") | day | {"seized_cny": "8000", "incident_place": "楚雄市"},
        case_card(1, "30000", "10000", "未处置") | day | {"party_no": "002", "seized_cny": "8000"},
        case_card(2, "5000", "5000", "已发还") | day | {"seized_cny": "5000"},
        # One of its parties is a minor: the whole case stays out.
        case_card(3, "70000", "0", "未处置") | day,
        case_card(3, "70000", "0", "未处置") | day | {"party_no": "002", "is_minor": "是"},
        case_card(4, "0", "0", "") | day,
        case_card(5, "900", "0", "")
        | {"accept_date": (timezone.localdate() - timedelta(days=800)).isoformat()},
    ]
    land_rows("pr_case", cards)
    found = money.losses(using="wall")
    assert found["total"] == {"cases": 2, "lost": 3500000, "recovered": 1500000}
    assert {row["name"]: (row["cases"], row["value"]) for row in found["seized"]} == {
        "未处置": (1, 800000), "已发还": (1, 500000),
    }  # fmt: skip
    for key in ("cases", "lost", "recovered"):
        assert sum(row[key] for row in found["months"]) == found["total"][key]
        assert sum(row[key] for row in found["counties"]) == found["total"][key]
    codes = [row["code"] for row in found["counties"] if row["code"]]
    assert codes == sorted(codes) and len(codes) == 10, "every county, in code order, also with nothing"
    assert len(found["months"]) == 12 and found["months"][-1]["month"] == f"{timezone.localdate():%Y-%m}"


def test_wages_owed_and_paid_add_up(database):
    agreements()
    person = citizen(1)
    rows = [
        wage_clue(person, 1, DAY.isoformat(), "9000", "立案") | {"worker_count": "3", "industry": "建筑业"},
        wage_clue(person, 2, DAY.isoformat(), "4000", "办结")
        | {"worker_count": "1", "paid_amount_cny": "9999", "close_date": timezone.localdate().isoformat()},
    ]
    land_rows("hr_wage_arrears", rows)
    site = {
        "project_name": "示例项目", "division_code": "532301", "owner_name": "示例单位", "general_contractor_name": "示例公司",
        "project_status": "在建", "account_status": "未开户", "deposit_form": "银行保函", "payment_guarantee": "未提供",
        "realname_headcount": "0", "stat_month": "2026-09",
    }  # fmt: skip
    sites = [
        site | {"project_code": "X1"}, site | {"project_code": "X2", "account_status": "正常", "realname_headcount": "9"},
        site | {"project_code": "X3", "project_status": "完工"}, site | {"project_code": "X1", "stat_month": "2026-08"},
    ]  # fmt: skip
    land_rows("hr_wage_guarantee", sites)
    found = money.wages(using="wall")
    # More paid than owed is not more than all of it.
    assert found["total"] == {"claims": 2, "open": 1, "workers": 4, "owed": 1300000, "paid": 400000}
    assert (
        sum(row["owed"] for row in found["industries"])
        == sum(row["owed"] for row in found["counties"])
        == 1300000
    )
    assert found["sites"] == {
        "month": "2026-09", "sites": 2, "no_account": 1, "no_deposit": 0, "no_guarantee": 2, "nobody": 1,
    }  # fmt: skip


def test_without_an_agreement_no_figure_of_the_feed_is_shown(database):
    agreements(valid_to=timezone.localdate() - timedelta(days=1))
    land_rows("pr_case", [case_card(1, "30000", "10000", "未处置") | {"accept_date": DAY.isoformat()}])
    found, owed = money.losses(using="wall"), money.wages(using="wall")
    assert found["stopped"] == ["pr_case"] and found["total"] is None and found["months"] == []
    assert owed["stopped"] == ["hr_wage_arrears", "hr_wage_guarantee"] and owed["sites"] is None


def test_results_of_settled_clues_are_sums(database):
    facts = [
        {"code": "recovered", "amount": 100, "proof": "收据"},
        {"code": "people", "amount": 3, "proof": "名单"},
    ]
    settled("示例1", results={"facts": facts})
    settled("示例2", results={"facts": facts[:1]}, closed_to="minors")
    settled("示例3", results={"facts": facts}, sealed=True)
    settled("示例4", results={"facts": facts}, exercise=True)
    settled("示例5", results={"facts": facts}, state="acted")
    found = {row["code"]: (row["amount"], row["clues"]) for row in money.results(using="wall")["rows"]}
    assert found["recovered"] == (200, 2) and found["people"] == (3, 1) and found["land"] == (0, 0)


# ---- pictures ----------------------------------------------------------------------------------------


def _hand_in(by, number: str = "示例1", before_on: date = DAY, after_on: date | None = None) -> DisplayPair:
    return pictures.hand_in(
        by=by, clue=number, before=picture("red"), after=picture("green", kind="PNG"), before_on=before_on,
        after_on=after_on or timezone.localdate(), at=timezone.now(),
    )  # fmt: skip


def test_a_picture_reaches_a_wall_by_two_people_and_leaves_it_by_one(database):
    zhou, wu = somebody("zhou"), somebody("wu", roles=("prosecutor", "dispatcher"))
    registered(zhou, "A1")
    settled("示例1")
    made = _hand_in(wu)
    player = Client()
    player.cookies[settings.SCREEN_COOKIE] = TOKENS["A1"]
    address = f"/wall/picture/{made.pk}/before"
    assert pairs.pairs(False) == [] and player.get(address).status_code == 404
    with pytest.raises(WallRefused, match="请由另一人核准"):
        pictures.clear(by=wu, pair=made.pk, seen=True, visitors=False, at=timezone.now())
    with pytest.raises(WallRefused, match="请先确认"):
        pictures.clear(by=zhou, pair=made.pk, seen=False, visitors=False, at=timezone.now())
    pictures.clear(by=zhou, pair=made.pk, seen=True, visitors=False, at=timezone.now())
    (row,) = pairs.pairs(False)
    assert (row["id"], row["township"], row["before"]) == (made.pk, "示例镇", DAY.isoformat())
    assert set(row) == {"id", "rule", "rule_en", "township", "county", "county_en", "before", "after"}
    answer = player.get(address)
    assert answer.status_code == 200 and answer["Content-Type"] == "image/jpeg"
    assert Client().get(address).status_code == 401, "nobody without a screen or a right"

    interrupts.begin_visit(by=zhou, at=timezone.now())
    assert pairs.pairs(True) == [] and player.get(address).status_code == 404, "not cleared for visitors"
    assert player.get("/wall/data/pairs").json()["blocks"]["pairs"] == {"rows": [], "masked": True}
    interrupts.end_visit(by=zhou, at=timezone.now())
    pictures.withdraw(by=wu, pair=made.pk, at=timezone.now())
    assert pairs.pairs(False) == [] and player.get(address).status_code == 404
    with connections["owner"].cursor() as cursor:
        cursor.execute("select action from audit_auditevent where object_kind = 'display_pair' order by id")
        assert [a for (a,) in cursor.fetchall()] == [
            "wall.pair_hand_in",
            "wall.pair_clear",
            "wall.pair_withdraw",
        ]


def test_a_clue_that_closes_takes_its_pictures_off_the_walls(database):
    zhou, wu = somebody("zhou"), somebody("wu", roles=("prosecutor",))
    clue = settled("示例1")
    made = _hand_in(wu)
    pictures.clear(by=zhou, pair=made.pk, seen=True, visitors=True, at=timezone.now())
    assert pairs.pairs(True)[0]["township"] == "", "a village can point at somebody"
    with acting_as("owner"):
        Clue.objects.filter(pk=clue.pk).update(sealed=True)
    assert pairs.pairs(False) == [] == pairs.pairs(True)


def test_nothing_hidden_stays_in_a_picture(database):
    wu = somebody("wu", roles=("prosecutor",))
    settled("示例1")
    with acting_as("owner"):
        made = DisplayPair.objects.using("owner").get(pk=_hand_in(wu).pk)
    body = bytes(made.before)
    assert b"SECRET" in picture("red"), "it was there"
    assert b"SECRET" not in body and b"Exif" not in body
    assert Image.open(io.BytesIO(body)).size == (300, 400), "turned upright"
    large = pictures.cleaned(picture("blue", kind="PNG", size=(5000, 1000)), ("照片", "picture"))
    assert Image.open(io.BytesIO(large)).size == (1920, 384)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"clue": "没有"}, "没有这条线索"),
        ({"clue": "示例2"}, "没有这条线索"),
        ({"clue": "示例3"}, "没有这条线索"),
        ({"clue": "示例4"}, "没有这条线索"),
        ({"before": b""}, "请选择整改前照片"),
        ({"before": b"GIF89a not a picture"}, "不是可用的"),
        ({"after": b"\x89PNG\r\n\x1a\n" + b"\0" * 50}, "不是可用的"),
        ({"before_on": ""}, "拍摄日期"),
        ({"after_on": "2020-01-01"}, "不早于"),
        ({"after_on": "2999-01-01"}, "不晚于"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_words(database, more, why):
    wu = somebody("wu", "532301", roles=("prosecutor",))
    settled("示例1")
    settled("示例2", state="acted")
    settled("示例3", office="532302")
    settled("示例4", closed_to="minors")
    client = Client()
    client.force_login(wu)
    said = {"clue": "示例1", "before": picture(), "after": picture(), "before_on": DAY.isoformat(), "after_on": DAY.isoformat()} | more  # fmt: skip
    said |= {side: SimpleUploadedFile("a.jpg", said[side]) for side in ("before", "after")}
    answer = client.post("/wall/pictures", said)
    assert answer.status_code in (400, 404) and why in answer.content.decode()
    with acting_as("owner"):
        assert DisplayPair.objects.using("owner").count() == 0


def test_the_page_hands_in_clears_and_takes_down(database):
    zhou, wu = somebody("zhou"), somebody("wu", "532301", roles=("prosecutor",))
    settled("示例1")
    by = {}
    for who in (zhou, wu):
        by[who.username] = Client()
        by[who.username].force_login(who)
    files = {
        "before": SimpleUploadedFile("a.jpg", picture()),
        "after": SimpleUploadedFile("b.jpg", picture()),
    }
    days = {"before_on": DAY.isoformat(), "after_on": DAY.isoformat()}
    assert by["wu"].post("/wall/pictures", {"clue": "示例1"} | files | days).status_code == 302
    page = by["zhou"].get("/wall/pictures").content.decode()
    assert "待另一人核准" in page and "示例1" in page
    with acting_as("owner"):
        pk = DisplayPair.objects.using("owner").get().pk
    assert by["wu"].get(f"/wall/picture/{pk}/after").status_code == 200
    assert by["zhou"].post(f"/wall/pictures/{pk}/clear", {"seen": "1", "visitors": "1"}).status_code == 302
    assert "已上屏，来访者可见" in by["wu"].get("/wall/pictures").content.decode()
    assert (
        json.loads(by["zhou"].get("/wall/console/data/pairs").content)["blocks"]["pairs"]["rows"][0]["id"]
        == pk
    )
    assert by["wu"].post(f"/wall/pictures/{pk}/withdraw").status_code == 302
    assert "已撤下" in by["zhou"].get("/wall/pictures").content.decode()
