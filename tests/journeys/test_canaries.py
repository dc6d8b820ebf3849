"""Planted identifiers are found nowhere in the clear after the whole path."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from asgiref.testing import ApplicationCommunicator
from django.db import connections

from chuxiong.kit.credit_code import check_character
from chuxiong.work.jobs import work_off
from dashboard.consumers import WallConsumer
from supervision.matching.run import run_rule
from tests.conftest import acting_as
from tests.prefecture import NOW, TODAY, agreements, bring, citizen, cremation, death, payment, sheet

PERSON, SECOND, BROKEN = citizen(901), citizen(902), citizen(903)[:-1] + "Z"
PHONE, ACCOUNT = "13912345678", "6228480099887766554"
FIRM = "9153230100000001X"[:17] + check_character("9153230100000001X"[:17])


def _canaries() -> list[bytes]:
    forms = []
    for value in (PERSON, SECOND, BROKEN, PHONE, ACCOUNT, FIRM):
        forms += [value.encode(), value.encode("utf-16-le"), value.lower().encode()]
    return forms


def _journey() -> None:
    agreements()
    text = f"楚雄市示例镇，家属电话{PHONE}，证件{PERSON}，单位{FIRM}"
    bring(
        "ps_population_death",
        sheet("ps_population_death", [death(PERSON, "2026-01-05") | {"household_address": text}]),
    )
    # A quarantined row keeps its original, sealed.
    broken = bring(
        "ps_population_death",
        sheet("ps_population_death", [death(BROKEN, "2026-01-05"), death(SECOND, "2026-02-30")]),
        name="b.csv",
    )
    assert broken.quarantined == 2
    bring("ca_funeral", sheet("ca_funeral", [cremation(PERSON, "2026-01-05", 1) | {"agent_phone": PHONE}]))
    row = payment(PERSON, "2026-05", "20000") | {
        "bank_account": ACCOUNT,
        "insured_no": PERSON,
        "bank_name": f"网点 {SECOND}",
    }
    bring("hr_pension_payment", sheet("hr_pension_payment", [row]))
    with acting_as("worker"):
        assert run_rule("pension_after_death", at=NOW, as_of=TODAY).raised == 1
        work_off()


async def _socket() -> bytes:
    communicator = ApplicationCommunicator(WallConsumer.as_asgi(), {"type": "websocket", "path": "/ws/wall/"})
    await communicator.send_input({"type": "websocket.connect"})
    assert (await communicator.receive_output(5))["type"] == "websocket.accept"
    message = await communicator.receive_output(5)
    await communicator.send_input({"type": "websocket.disconnect", "code": 1000})
    await communicator.wait(5)
    assert json.loads(message["text"])["funnel"]["found"] == 1
    return message["text"].encode()


def test_planted_identifiers_are_nowhere_in_the_clear(database, services, caplog):
    _journey()
    places: dict[str, bytes] = {"socket": asyncio.run(_socket()), "log": caplog.text.encode()}
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "select schemaname, tablename from pg_tables where schemaname in ('public', 'pool', 'staging')"
        )
        for schema, table in cursor.fetchall():
            cursor.execute(f'select t::text from {schema}."{table}" t')
            places[f"{schema}.{table}"] = "\n".join(r[0] for r in cursor.fetchall()).encode()
    for folder in (Path(services.var), Path("/dev/shm")):  # noqa: S108
        for path in folder.rglob("*"):
            if path.is_file() and (folder == Path(services.var) or path.name.startswith("cx-")):
                places[str(path)] = path.read_bytes()
    assert len([p for p in places if p.startswith(str(services.var))]) > 50
    found = [
        (place, canary) for place, content in places.items() for canary in _canaries() if canary in content
    ]
    assert found == []
    # The search itself works: a name, which may be in the clear, is found.
    assert any("赵样本".encode() in content for content in places.values())
