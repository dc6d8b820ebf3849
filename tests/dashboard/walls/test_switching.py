"""Screens by their own tokens on the web role: pairing, one moment for all, who is missing, visits."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client
from django.utils import timezone

from chuxiong.accounts.models import Person
from dashboard.models import Interrupt, Pairing, Screen, ScreenHealth, ScreenState, Switch, WallGroup
from dashboard.walls import device, interrupts, playlists, registry, selectors, switching
from dashboard.walls.refused import WallRefused
from dashboard.walls.settings import switching as limits

SIZE = {"width_px": "1920", "height_px": "1080", "pitch_mm": "2.5", "distance_m": "5"}


def somebody(name: str, office: str = "532300", roles: tuple[str, ...] = ("dispatcher",)) -> Person:
    Person.objects.using("owner").create(
        username=name, name="示例", password="!nobody", office_id=office, roles=list(roles)
    )
    return Person.objects.get(username=name)


@pytest.fixture
def zhou(database) -> Person:
    return somebody("zhou")


def registered(by: Person, *codes: str) -> list[Screen]:
    now = timezone.now()
    registry.save_group(by=by, code="hall", zh="示例厅", en="Hall", at=now)
    for code in codes:
        registry.save_screen(by=by, code=code, group="hall", fields=SIZE, at=now)
        offered, secret = registry.offer(at=now)
        assert registry.collect(secret, at=now) is None, "nobody has typed the code yet"
        registry.pair(by=by, screen=code, code=offered.lower(), at=now)
        token, named = registry.collect(secret, at=now) or ("", "")
        assert named == code
        TOKENS[code] = token
    return [found for code in codes if (found := registry.screen_of(TOKENS[code]))]


TOKENS: dict[str, str] = {}


def scene_at(screen: Screen, at) -> str:
    return device.pieces(screen, at=at)[0][0].scene


def alive(*screens: Screen) -> None:
    for screen in screens:
        device.heard(screen, {"scene": "overview"}, at=timezone.now())


# ---- pairing -----------------------------------------------------------------------------------------


def test_a_token_opens_its_own_screen_and_nothing_else(zhou):
    a, b = registered(zhou, "A1", "A2")
    assert Pairing.objects.count() == 0, "an offer is used up"
    with registry.device_scope(a.token_digest):
        assert [s.code for s in Screen.objects.all()] == ["A1"]
        assert [s.screen_id for s in ScreenState.objects.all()] == [a.pk]
        assert WallGroup.objects.count() == 0
        assert ScreenHealth.objects.filter(screen_id=b.pk).count() == 0
        assert Screen.objects.filter(pk=a.pk).update(distance_m=1) == 0, "a player changes no register"
    assert Screen.objects.count() == 0, "without a scope there are no screens"
    assert registry.screen_of("nobody") is None and registry.screen_of("") is None
    registry.unpair(by=zhou, code="A1", at=timezone.now())
    assert registry.screen_of(TOKENS["A1"]) is None and registry.again(a) is None


def test_a_wrong_or_old_code_binds_nothing_and_says_what_to_do(zhou):
    registered(zhou, "A1")
    now = timezone.now()
    code, secret = registry.offer(at=now)
    with pytest.raises(WallRefused, match="没有屏幕正在显示这个配对码"):
        registry.pair(by=zhou, screen="A1", code="ZZZZZZ", at=now)
    late = now + timedelta(minutes=limits().pairing_minutes.value, seconds=1)
    with pytest.raises(WallRefused, match="已过期"):
        registry.pair(by=zhou, screen="A1", code=code, at=late)
    with pytest.raises(WallRefused) as gone:
        registry.collect(secret, at=late)
    assert gone.value.status == 410
    county = somebody("he", "532302")
    with pytest.raises(WallRefused, match="不在您的范围内"):
        registry.pair(by=county, screen="A1", code=code, at=now)


def test_the_pages_of_a_player(zhou):
    registered(zhou, "A1")
    player = Client()
    page = player.get("/wall/screen")
    assert page.status_code == 401 and "配对" in page.content.decode()
    assert player.post("/wall/pairing").status_code == 202
    assert player.post("/wall/state").status_code == 401
    player.cookies[settings.SCREEN_COOKIE] = TOKENS["A1"]
    assert player.get("/wall/screen").status_code == 200
    told = player.post(
        "/wall/state", json.dumps({"scene": "overview"}), content_type="application/json"
    ).json()
    assert told["timeline"][0]["scene"] == "overview" and told["visit"] == 0
    assert set(player.get("/wall/data/overview").json()["blocks"]) >= {"funnel", "counties", "feeds"}
    assert player.get("/wall/data/nothing").status_code == 404
    assert player.get("/wall/camera/1/live.m3u8").status_code == 403, "this scene has no cameras"


# ---- one moment for all ------------------------------------------------------------------------------


def test_the_moment_is_set_when_the_last_live_screen_is_ready(zhou):
    a, b, dead = registered(zhou, "A1", "A2", "A3")
    alive(a, b)
    now = timezone.now()
    made = switching.show(by=zhou, screens=["A1", "A2", "A3"], scene="river", at=now)
    assert set(made.expected) == {a.pk, b.pk}, "nobody waits for the dead"
    assert not device.ready(a, made.pk, at=now)
    assert scene_at(a, now) == "overview"
    assert device.ready(b, made.pk, at=now)
    with registry.device_scope(a.token_digest):
        moment = Switch.objects.get(pk=made.pk).apply_at
    assert now < moment < made.latest
    for screen in (a, b, dead):
        assert scene_at(screen, moment - timedelta(milliseconds=2)) == "overview"
        assert scene_at(screen, moment + timedelta(milliseconds=2)) == "river"
    assert not device.ready(dead, made.pk, at=now), "late: the moment stands"
    with registry.device_scope(a.token_digest):
        assert Switch.objects.get(pk=made.pk).apply_at == moment


def test_whoever_is_never_ready_holds_nobody_up(zhou):
    a, b = registered(zhou, "A1", "A2")
    alive(a, b)
    now = timezone.now()
    made = switching.show(by=zhou, screens=["A1", "A2"], scene="flow", at=now)
    device.ready(a, made.pk, at=now)
    assert scene_at(a, made.latest - timedelta(milliseconds=2)) == "overview"
    assert scene_at(a, made.latest + timedelta(milliseconds=2)) == "flow" == scene_at(b, made.latest)


def test_a_player_whose_socket_went_is_not_waited_for(zhou):
    (a,) = registered(zhou, "A1")
    alive(a)
    device.dropped_out(a, at=timezone.now())
    assert switching.show(by=zhou, screens=["A1"], scene="flow", at=timezone.now()).expected == []


def test_hold_blank_and_resume_give_back_what_was_on(zhou):
    (a,) = registered(zhou, "A1")
    at = timezone.now()
    items = [{"scene": "overview", "seconds": 10}, {"scene": "river", "seconds": 10}]
    playlists.save_playlist(by=zhou, code="day", zh="白天", en="Day", items=items, at=at)
    switching.play(by=zhou, screens=["A1"], playlist="day", at=at)
    later = at + timedelta(seconds=30)
    turns = [scene_at(a, later + timedelta(seconds=n)) for n in (0, 10, 20)]
    assert turns[0] != turns[1] and turns[0] == turns[2]
    on = scene_at(a, later)
    switching.hold(by=zhou, screens=["A1"], at=later)
    held = [scene_at(a, later + timedelta(seconds=n)) for n in (5, 15, 25)]
    assert held == [on] * 3
    switching.blank(by=zhou, screens=["A1"], at=later + timedelta(seconds=30))
    assert scene_at(a, later + timedelta(seconds=35)) == "blank"
    switching.resume(by=zhou, screens=["A1"], at=later + timedelta(seconds=40))
    assert scene_at(a, later + timedelta(seconds=45)) == on, "the hold under the blank"
    switching.resume(by=zhou, screens=["A1"], at=later + timedelta(seconds=50))
    assert device.pieces(a, at=later + timedelta(seconds=60))[0][0].why == "playlist"


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"screens": [], "scene": "river"}, 400),
        ({"screens": ["Z9"], "scene": "river"}, 404),
        ({"screens": ["A1"], "scene": "nothing"}, 404),
        ({"screens": ["A1"], "scene": "river", "params": {"name": "示例"}}, 400),
        ({"screens": "A1", "scene": "river"}, 400),
    ],
)
def test_what_cannot_be_shown_is_refused_in_words_and_changes_nothing(zhou, wanted, status):
    registered(zhou, "A1")
    client = Client()
    client.force_login(zhou)
    answer = client.post("/wall/console/act/show", json.dumps(wanted), content_type="application/json")
    assert answer.status_code == status and answer.json()["why"]
    with connections["owner"].cursor() as cursor:
        cursor.execute("select count(*) from dashboard_switch")
        assert cursor.fetchone()[0] == 0


def test_the_same_by_rest_and_traced(zhou):
    registered(zhou, "A1", "A2")
    client = Client()
    client.force_login(zhou)
    answer = client.post("/wall/console/act/show", json.dumps({"group": "hall", "scene": "water"}), content_type="application/json")  # fmt: skip
    assert answer.status_code == 200
    state = client.get("/wall/console/state").json()
    assert {s["code"] for s in state["screens"]} == {"A1", "A2"} and state["switch"]["id"] == answer.json()[
        "switch"
    ]
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "select actor, detail::jsonb ->> 'scene' from audit_auditevent where action = 'wall.switch'"
        )
        assert cursor.fetchall() == [("zhou", "water")]


def test_odd_words_of_a_player_are_dropped(zhou):
    (a,) = registered(zhou, "A1")
    said = {"drift_ms": "NaN", "scene": "x" * 99, "visit": -1, "problems": ["y" * 200] * 50, "heap_mb": 1e99, "data_at": 5}  # fmt: skip
    device.heard(a, said, at=timezone.now())
    with registry.device_scope(a.token_digest):
        health = ScreenHealth.objects.get()
    assert (health.drift_ms, health.scene, health.visit, health.heap_mb, health.data_at) == (
        None,
        "",
        0,
        None,
        None,
    )
    assert len(health.problems) == 10 and all(len(p) <= 40 for p in health.problems)


# ---- interrupts and visits ---------------------------------------------------------------------------


def test_an_interrupt_comes_and_goes(zhou):
    (a,) = registered(zhou, "A1")
    now = timezone.now()
    made = interrupts.interrupt(by=zhou, scene="exceedance", seconds=30, zh="示例", at=now)
    assert scene_at(a, made.begins + timedelta(seconds=1)) == "exceedance"
    assert scene_at(a, made.ends + timedelta(milliseconds=2)) == "overview"
    assert interrupts.end_interrupts(by=zhou, at=made.begins + timedelta(seconds=2)) == 1
    assert scene_at(a, made.begins + timedelta(seconds=3)) == "overview"


def test_visitor_mode_is_safe_only_when_every_screen_has_said_so(zhou):
    a, b = registered(zhou, "A1", "A2")
    alive(a, b)
    now = timezone.now()
    interrupts.interrupt(by=zhou, scene="exceedance", seconds=300, zh="示例", at=now)
    visit = interrupts.begin_visit(by=zhou, at=now)
    assert scene_at(a, now + timedelta(seconds=5)) == "overview", "what was running is ended"
    with pytest.raises(WallRefused, match="参观模式下不插播"):
        interrupts.interrupt(by=zhou, scene="exceedance", seconds=30, zh="示例", at=now)
    device.heard(a, {"visit": visit.pk}, at=timezone.now())
    found = selectors.console(zhou, at=timezone.now()).visit
    assert not found.safe and found.missing == ("A2",)
    device.heard(b, {"visit": visit.pk}, at=timezone.now())
    assert selectors.console(zhou, at=timezone.now()).visit.safe
    # A screen that comes back without its mask makes it unsafe again.
    device.heard(b, {"visit": 0}, at=timezone.now())
    assert not selectors.console(zhou, at=timezone.now()).visit.safe
    registry.set_service(by=zhou, code="A2", on=False, at=timezone.now())
    assert selectors.console(zhou, at=timezone.now()).visit.safe, (
        "switched off by hand: shows nothing to anybody"
    )
    interrupts.end_visit(by=zhou, at=timezone.now())
    assert selectors.console(zhou, at=timezone.now()).visit is None


def test_what_is_urgent_calls_once_and_not_during_a_visit(zhou):
    (a,) = registered(zhou, "A1")
    now = timezone.now()
    urgent(7)
    assert interrupts.consider(a, at=now) == 1 and interrupts.consider(a, at=now) == 0
    assert scene_at(a, now + timedelta(seconds=3)) == "flow"
    interrupts.begin_visit(by=zhou, at=now + timedelta(seconds=4))
    urgent(8)
    assert interrupts.consider(a, at=now + timedelta(seconds=5)) == 1
    assert scene_at(a, now + timedelta(seconds=8)) == "overview"
    assert selectors.console(zhou, at=now + timedelta(seconds=8)).visit.kept_back == 1
    with registry.device_scope(a.token_digest):
        assert Interrupt.objects.filter(begins=None).count() == 1


def urgent(number: int) -> None:
    from supervision.models import Clue
    from tests.conftest import acting_as

    with acting_as("owner"):
        Clue.objects.create(
            number=f"示例{number}", origin="manual", subject_kind="place", subject_ref="x", level="urgent", title="示例",
            label="示例", township="示例镇", material={}, office="532301", raised_at=timezone.now(), state="raised",
            responsible="example", responsible_zh="示例",
        )  # fmt: skip


def test_visitors_are_sent_no_row_of_any_clue_or_alarm_and_only_approved_cameras(zhou):
    from ingestion.cameras.registering import register
    from tests.ingestion.test_cameras import GOOD

    registered(zhou, "A1")
    register(GOOD, name="cameras.yaml")
    urgent(9)
    player = Client()
    player.cookies[settings.SCREEN_COOKIE] = TOKENS["A1"]
    before = player.get("/wall/data/flow").json()
    assert not before["visitors"] and before["blocks"]["latest"]["rows"][0]["township"] == "示例镇"
    interrupts.begin_visit(by=zhou, at=timezone.now())
    for scene in ("overview", "flow", "river", "exceedance", "scene_live", "models", "sources", "water"):
        found = player.get(f"/wall/data/{scene}").json()
        assert found["visitors"] and not found["failed"], scene
        assert "示例镇" not in json.dumps(found, ensure_ascii=False)
        assert found["blocks"].get("latest", {"rows": []})["rows"] == []
        assert found["blocks"].get("alarms", {"latest": []})["latest"] == []
        for camera in found["blocks"].get("cameras", {"cameras": []})["cameras"]:
            assert camera["approved"] or not camera["playing"]
