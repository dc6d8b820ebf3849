"""The demo prefecture's people, agreements, duty post and agency clients. Log-ins are generated and returned once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connections, transaction
from django.utils import timezone

from chuxiong.accounts.models import ConfidentialityAgreement, Department, DutyPost, Office, Person
from chuxiong.accounts.people import new_pairing_code
from dashboard.models import Playlist, Screen, ScreenState, WallGroup
from dashboard.walls.programme import RESTING
from dashboard.walls.spec import scenes
from ingestion.agreements import PURPOSE
from ingestion.models import Agreement
from ingestion.selectors import catalog
from supervision.clients import new_client
from supervision.duties import responsible
from supervision.models import AgencyClient
from supervision.rulebook.compiler import compile_rule
from supervision.selectors import rulebook

#: username, shown name, office, department, roles. The names say themselves that nobody is meant.
PEOPLE = (
    ("zhou", "周演示", "532300", "digital", ["prosecutor", "dispatcher"]),
    ("wu", "吴演示", "532300", "case_management", ["prosecutor", "head"]),
    ("xu", "徐演示", "532300", "digital", ["analyst"]),
    ("lin", "林演示", "532301", "public_interest", ["prosecutor"]),
    ("he", "何演示", "532302", "civil_admin", ["prosecutor"]),
    ("fang", "方演示", "532300", "case_management", ["custodian"]),
    ("chen", "陈演示", "532300", "digital", ["custodian"]),
    ("shebao", "社保演示", "532300", "case_management", ["provider"]),
    ("lianluo", "联络演示", "532300", "case_management", ["liaison"]),
    # The three separated administrators: none of them sees business data.
    ("sysadmin", "系统演示", "532300", "digital", ["system_admin"]),
    ("secadmin", "安全演示", "532300", "digital", ["security_admin"]),
    ("auditadmin", "审计演示", "532300", "digital", ["audit_admin"]),
)


#: who works for a data provider, and which: they see that provider's deliveries and nothing else
PROVIDERS = {"shebao": "hr_bureau", "lianluo": "hr_bureau"}


@dataclass(frozen=True)
class Login:
    """One generated log-in; the secret is not kept anywhere in the clear."""

    kind: str
    name: str
    secret: str
    about: str


def seed(*, today: date) -> list[Login]:
    """Create what is missing; returns the log-ins made by this call (none the second time)."""
    with transaction.atomic():
        _agreements(today)
        made = _people()
        _confidentiality(today)
        _walls()
        return made + _duty_post() + _clients()


def _people() -> list[Login]:
    made = []
    for username, name, office, department, roles in PEOPLE:
        if Person.objects.filter(username=username).exists():
            continue
        password = "-".join(secrets.token_hex(2) for _ in range(4))
        Person.objects.create_person(
            username=username,
            password=password,
            name=name,
            office=Office.objects.get(pk=office),
            department=Department.objects.get(office_id=office, code=department),
            roles=roles,
            agency=PROVIDERS.get(username, ""),
            # Demo people may look around with a password alone; everybody else enrols at the first sign-in.
            second_factor_required=False,
        )
        made.append(Login("登录", username, password, f"{name} · {Office.objects.get(pk=office).short_zh}"))
    return made


def _confidentiality(today: date) -> None:
    for index, (username, *_) in enumerate(PEOPLE, start=1):
        ConfidentialityAgreement.objects.get_or_create(
            number=f"演示保密-{index:03d}",
            defaults={
                "person": Person.objects.get(username=username),
                "signed_on": today - timedelta(days=200),
                "valid_to": today + timedelta(days=530),
                "registered_at": timezone.now(),
            },
        )


def _duty_post() -> list[Login]:
    name = "州院指挥值班席（演示）"
    if DutyPost.objects.filter(name_zh=name).exists():
        return []
    code, digest = new_pairing_code()
    DutyPost.objects.create(
        name_zh=name,
        name_en="Prefecture duty post (demo)",
        office=Office.objects.get(pk="532300"),
        pairing_digest=digest,
        pairing_until=timezone.now() + timedelta(days=7),
    )
    return [Login("值班席", "duty-post", code, "在值班终端打开 /post/pair 输入")]


#: the demo's provider whose agreement is about to run out
_RUNNING_OUT = "um_bureau"


def _agreements(today: date) -> None:
    by_agency: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for feed in catalog().values():
        by_agency.setdefault(feed.agency.code, []).append(feed.code)
        names[feed.agency.code] = feed.agency.zh
    for index, (agency, feeds) in enumerate(sorted(by_agency.items()), start=1):
        Agreement.objects.update_or_create(
            number=f"演示协议-{index:03d}",
            defaults={
                "agency": agency,
                "agency_zh": names[agency],
                "title": f"与{names[agency]}的数据共享协议（演示）",
                "signed_on": today - timedelta(days=200),
                "valid_from": today - timedelta(days=200),
                # One of them runs out soon, so that its warning shows.
                "valid_to": today + timedelta(days=18 if agency == _RUNNING_OUT else 530),
                "purposes": [PURPOSE],
                "fields": {feed: ["*"] for feed in feeds},
                "data_class": "L4",
                "custodian": "方演示",
                "agency_custodian": "联络演示",
                "may_be_fed_back": True,
            },
        )


#: group → its names, and its screens: code, pixels, pitch in mm, farthest reader in m
_HALLS = {
    "hall": ("指挥大厅（演示）", "Command hall (demo)", (
        ("A1", 7680, 2160, 1.25, 5), ("A2", 1920, 1080, 2.5, 5), ("A3", 1920, 1080, 2.5, 5), ("A4", 1920, 1080, 2.5, 5),
    )),
    "show": ("展示厅（演示）", "Exhibition hall (demo)", (("B1", 3840, 1080, 2.5, 5), ("B2", 1920, 1080, 2.5, 6))),
}  # fmt: skip
_PLAYLIST = ("overview", "river", "exceedance", "water", "flow", "sources", "models")


def _walls() -> None:
    """Screens that no player is paired with yet: a browser at /wall/screen shows the code to type in at the console."""
    prefecture = Office.objects.get(pk="532300")
    for code, (zh, en, members) in _HALLS.items():
        group, made = WallGroup.objects.get_or_create(
            code=code, defaults={"name_zh": zh, "name_en": en, "office": prefecture}
        )
        for name, width, height, pitch, distance in members if made else ():
            screen = Screen.objects.create(
                group=group, office=prefecture.code, code=name, name_zh=name, name_en=name, width_px=width,
                height_px=height, pitch_mm=pitch, distance_m=distance,
            )  # fmt: skip
            ScreenState.objects.create(screen=screen, before=dict(RESTING), after=dict(RESTING))
    Playlist.objects.get_or_create(
        code="workday",
        defaults={
            "name_zh": "工作日",
            "name_en": "Workdays",
            "office": prefecture,
            "items": [{"scene": code, "seconds": scenes()[code].seconds, "params": {}} for code in _PLAYLIST],
        },
    )


def _clients() -> list[Login]:
    made = []
    # Those whose records the models read: they are written to.
    read = {code for rule in rulebook().values() for code in compile_rule(rule, catalog()).fields_read}
    agencies = {catalog()[code].agency.code: catalog()[code].agency.zh for code in sorted(read)}
    # The responsible agency of the river story, by the duty list.
    city = Office.objects.get(pk="532301")
    answerable = responsible(
        "河岸垃圾", city.pk, on=timezone.localdate(), zh=city.short_zh, en=city.short_en, prefecture="532300"
    )
    if answerable:
        agencies[answerable.agency] = answerable.agency_zh
    for agency, zh in agencies.items():
        key = f"demo-{agency}"
        if AgencyClient.objects.filter(key=key).exists():
            continue
        _, secret = new_client(agency=agency, agency_zh=zh, key=key)
        made.append(Login("单位接口", key, secret, zh))
    return made


def seeded(*, using: str = "owner") -> bool:
    with connections[using].cursor() as cursor:
        cursor.execute("select exists (select 1 from accounts_person where username = %s)", [PEOPLE[0][0]])
        return bool(cursor.fetchone()[0])
