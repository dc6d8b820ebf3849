"""Packs handed out and taken in: whose signature counts, what is kept, who may, what stands on record."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections, transaction
from django.utils import timezone

from chuxiong.accounts.refused import Refused
from chuxiong.audit.models import AuditEvent
from ingestion.exchange import signatures
from ingestion.selectors import catalog
from supervision import selectors
from supervision.models import ModelPack, PublisherKey
from supervision.packs import actions, keys
from supervision.packs.container import Faulty
from supervision.packs.document import read_foreign, text_of
from tests.conftest import acting_as
from tests.prefecture import agreements, person
from tests.supervision.packs.test_pure import IDS, PEM, packed

NOW = timezone.now()
TODAY = timezone.localdate(NOW)


def _registered(**more: object) -> PublisherKey:
    usual = {
        "publisher": "示例人民检察院", "pem": PEM, "holder": "示例", "valid_from": TODAY - timedelta(days=9),
        "valid_to": TODAY + timedelta(days=9), "by": "command", "at": NOW, "using": "owner",
    }  # fmt: skip
    return keys.register(**(usual | more))  # type: ignore[arg-type]


def _actions() -> list[str]:
    with acting_as("owner"):
        return list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))


def _take(who, content: bytes) -> ModelPack:  # type: ignore[no-untyped-def]
    return actions.take_in(who, content, selectors.rulebook(), name="a.cxmodels", at=NOW)


def test_what_we_hand_out_comes_in_again_as_ours(database):
    head, analyst = person("head", roles=("head",)), person("analyst", roles=("analyst",))
    made = actions.export(head, [*IDS, IDS[0]], selectors.rulebook(), note=" 供参考 ", at=NOW)
    assert made.name.endswith(".cxmodels") and made.pack.content is None and made.pack.note == "供参考"
    assert [m["id"] for m in made.pack.listed] == list(IDS)
    taken = _take(analyst, made.content)
    assert (taken.way, taken.digest, taken.publisher) == ("in", made.pack.digest, "楚雄彝族自治州人民检察院")
    assert [(o["id"], o["ready"], o["standing"]) for o in taken.listed] == [(i, True, "same") for i in IDS]
    assert bytes(taken.content) == made.content
    assert _take(analyst, made.content).pk == taken.pk, "the same pack again is the same pack"
    assert ModelPack.objects.filter(way="in").count() == 1
    assert _actions() == ["pack.export", "pack.import"]


def test_a_model_of_a_pack_becomes_a_draft_once(database):
    # A draft of what no agreement covers is kept with that problem; here all is covered.
    agreements()
    book, analyst = selectors.rulebook(), person("analyst", roles=("analyst",))
    _registered()
    document = yaml.safe_load(text_of(book[IDS[0]]))
    document["params"]["grace_months"]["value"] = 2
    changed = yaml.safe_dump(document, allow_unicode=True).encode()
    rule, _problems = read_foreign(changed, "x", catalog())
    taken = _take(analyst, packed(IDS[0], texts={IDS[0]: changed}, digest=rule.digest))
    draft = actions.propose(analyst, taken.pk, IDS[0], at=NOW)
    assert (draft.rule, draft.version, draft.state, draft.author) == (IDS[0], 2, "draft", "analyst")
    assert draft.digest == rule.digest and "示例人民检察院" in draft.note
    with pytest.raises(Refused, match="已建过草稿"):
        actions.propose(analyst, taken.pk, IDS[0], at=NOW)
    with pytest.raises(Refused, match="没有这个模型包"):
        actions.propose(analyst, taken.pk, "nobody", at=NOW)
    same = _take(analyst, packed(IDS[1]))
    with pytest.raises(Refused, match="相同"):
        actions.propose(analyst, same.pk, IDS[1], at=NOW)
    with pytest.raises(Refused, match="编写规则"):
        actions.propose(person("head", roles=("head",)), taken.pk, IDS[0], at=NOW)


def test_only_those_who_may_hand_out_and_take_in(database):
    head, analyst, handler = (person(r, roles=(r,)) for r in ("head", "analyst", "handler"))
    book = selectors.rulebook()
    for who in (analyst, handler):
        with pytest.raises(Refused):
            actions.export(who, IDS, book, note="", at=NOW)
    for who in (head, handler):
        with pytest.raises(Refused):
            _take(who, packed())
    for ids, said in (
        ((), "至少"),
        (("nobody",), "没有监督模型"),
        ([f"x{n}" for n in range(200)], "没有监督模型"),
    ):
        with pytest.raises(Refused, match=said):
            actions.export(head, ids, book, note="", at=NOW)
    assert not ModelPack.objects.exists() and _actions() == []


def test_only_a_registered_valid_key_counts(database):
    analyst = person("analyst", roles=("analyst",))
    for change, said in (
        (None, "没有登记"),
        ({"valid_to": TODAY - timedelta(days=1)}, "到期"),
        ({"valid_from": TODAY + timedelta(days=1)}, "才生效"),
    ):
        with acting_as("owner"):
            PublisherKey.objects.all().delete()
        if change is not None:
            _registered(**change)
        with pytest.raises(Faulty) as caught:
            _take(analyst, packed())
        assert said in caught.value.problem.what and caught.value.problem.cure_en
    with acting_as("owner"):
        PublisherKey.objects.all().delete()
    key = _registered()
    taken = _take(analyst, packed())
    assert (taken.publisher, taken.key) == ("示例人民检察院", key.fingerprint)
    keys.revoke(key.fingerprint, on=TODAY, by="command", reason="遗失", at=NOW, using="owner")
    with pytest.raises(Faulty, match="吊销"):
        _take(analyst, packed(IDS[0]))
    refused = _actions().count("pack.refuse")
    assert refused == 4 and ModelPack.objects.count() == 1


def test_a_key_under_anothers_name_signs_nothing(database):
    """The signature file names a registered key, but another one signed."""
    _registered()
    analyst = person("analyst", roles=("analyst",))
    from tests.supervision.packs import test_pure

    other = Ed25519PrivateKey.generate()
    false = test_pure.rezipped(
        packed(),
        lambda m: {
            **m,
            "manifest.sig": json.dumps(
                {
                    "alg": "Ed25519",
                    "key": signatures.fingerprint(test_pure.KEY.public_key()),
                    "signature": signatures.sign(other, b"chuxiong-models/1\0" + m["manifest.json"])[1],
                }
            ).encode(),
        },
    )
    with pytest.raises(Faulty, match="签名不符"):
        _take(analyst, false)
    assert not ModelPack.objects.exists()


def test_packs_and_keys_stand_as_they_are(database):
    head = person("head", roles=("head",))
    made = actions.export(head, IDS, selectors.rulebook(), note="", at=NOW)
    _registered()
    for sql in (
        f"update supervision_modelpack set publisher = '' where id = {made.pack.pk}",
        "delete from supervision_modelpack",
        "update supervision_publisherkey set publisher = ''",
        "insert into supervision_publisherkey select * from supervision_publisherkey",
    ):
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            connections["default"].cursor().execute(sql)
    with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
        ModelPack.objects.create(
            way="out", digest="0" * 64, publisher="x", key="x", name="x", size=1, created_at=NOW, listed=[], at=NOW,
            by="somebody_else", by_name="x",
        )  # fmt: skip


def test_the_command_registers_checks_and_tells(database, tmp_path):
    pem, pack = tmp_path / "k.pub", tmp_path / "p.cxmodels"
    pem.write_text(PEM)
    pack.write_bytes(packed(IDS[0]))
    with pytest.raises(CommandError, match="没有登记"):
        call_command("pack", "check", str(pack), stdout=io.StringIO())
    until = str(TODAY + timedelta(days=9))
    out = io.StringIO()
    call_command(
        "pack", "register-key", "示例人民检察院", str(pem), "--holder", "示例", "--to", until, stdout=out
    )
    with pytest.raises(CommandError, match="已登记"):
        call_command(
            "pack", "register-key", "别的院", str(pem), "--holder", "示例", "--to", until, stdout=out
        )
    out = io.StringIO()
    with acting_as("worker"):
        call_command("pack", "check", str(pack), "--tests", "--json", stdout=out)
    [model] = json.loads(out.getvalue())["models"]
    assert (model["id"], model["ready"], model["failed_tests"]) == (IDS[0], True, [])
    out = io.StringIO()
    call_command("pack", "keys", stdout=out)
    assert "示例人民检察院" in out.getvalue() and "有效" in out.getvalue()
    assert not ModelPack.objects.exists(), "a check keeps nothing"
