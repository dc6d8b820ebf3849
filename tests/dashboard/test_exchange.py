"""Discs by two people: digests against the sheet, the second by a sign-in of their own, nothing kept of what differs."""

from __future__ import annotations

import hashlib
import json
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import Error, connections, transaction
from django.test import Client, override_settings
from django.utils import timezone

from chuxiong.accounts.scope import person_scope
from chuxiong.audit import signing
from ingestion.exchange import receipts, sheet
from ingestion.exchange.deliveries import store_path
from ingestion.models import Batch, Delivery, DeliveryFile
from tests.ingestion.exchange.test_whole_lists import LIST, staff
from tests.ingestion.exchange.ways import agency_of, payments, work
from tests.prefecture import NOW, agreements, person

HR, PAY = "hr_bureau", "hr_pension_payment"


@pytest.fixture
def two(database):  # type: ignore[no-untyped-def]
    agreements()
    found = []
    for name in ("first", "second"):
        made = person(name, roles=("custodian",))
        client = Client()
        client.force_login(made)
        found.append(client)
    return found


def laid_down() -> list[str]:
    return [p.name for p in store_path("x").parent.glob("*.enc")] if store_path("x").parent.is_dir() else []


def post(client: Client, files: dict[str, bytes], **more):  # type: ignore[no-untyped-def]
    data = {
        "agency": HR,
        "feed": PAY,
        "handed_over_by": "钱样本",
        "received_by": "孙样本",
        "number": "交接-7",
    } | more
    return client.post(
        "/exchange/discs/new", data | {"files": [SimpleUploadedFile(n, d) for n, d in files.items()]}
    )


def lines(files: dict[str, bytes], digits: int = 64) -> str:
    return "\n".join(f"{n} {hashlib.sha256(d).hexdigest()[:digits]}" for n, d in files.items())


def test_a_whole_list_on_a_disc_is_one_although_its_paper_does_not_say(two):
    first, second = two
    files = {"在编教师.csv": staff(1, 2)}
    answer = post(first, files, lines=lines(files, 16), agency=agency_of(LIST), feed=LIST)
    assert answer.status_code == 302, answer.content.decode()[:2000]
    assert second.post(f"/exchange/{Delivery.objects.using('intake').get().code}/confirm").status_code == 302
    work(agency_of(LIST))
    assert Batch.objects.using("intake").get().snapshot


def test_one_registers_another_confirms_and_it_lands(two):
    first, second = two
    files = {"养老金 9月.csv": payments(1, 2), "乙.csv": payments(3)}
    answer = post(first, files, lines=lines(files, 16))
    assert answer.status_code == 302, answer.content.decode()[:2000]
    disc = Delivery.objects.using("intake").get()
    page = f"/exchange/{disc.code}"
    assert disc.state == "confirming" and len(laid_down()) == 2
    work(HR)
    assert Batch.objects.using("intake").count() == 0, "nothing goes in before the second person"
    refused = first.post(page + "/confirm")
    assert refused.status_code == 409 and "登记人不能复核" in refused.content.decode()
    assert "由您登记" in first.get(page).content.decode()
    assert second.post(page + "/confirm").status_code == 302
    assert second.post(page + "/confirm").status_code == 409, "once"
    work(HR)
    assert [b.loaded for b in Batch.objects.using("intake").order_by("pk")] == [2, 1] and laid_down() == []
    shown = second.get(page).content.decode()
    assert "已入库" in shown and "钱样本" in shown and "firstdemo" not in shown
    raw = second.get(page + "/receipt").content
    from pathlib import Path

    from django.conf import settings

    assert (
        receipts.verified(raw, signing.trusted(Path(settings.EXCHANGE_SIGNING_KEY)))["totals"]["loaded"] == 3
    )
    listed = first.get("/exchange/?way=disc").content.decode()
    assert disc.number in listed
    english = Client(headers={})
    english.cookies = first.cookies
    english.cookies["django_language"] = "en"
    assert (
        "To be confirmed" in english.get("/exchange/").content.decode()
        or "Landed" in english.get("/exchange/").content.decode()
    )


@pytest.mark.parametrize(
    ("said", "change"),
    [
        ("光盘上没有", lambda files: lines(files) + "\n丙.csv " + "0" * 64),
        ("交接单上没有", lambda files: lines(dict(list(files.items())[:1]))),
        ("摘要不同", lambda files: lines({n: d + b"!" for n, d in files.items()})),
        ("没有录入交接单", lambda files: ""),
        ("第 1 行", lambda files: "甲.csv 12345"),
        ("出现两次", lambda files: lines(files) + "\n" + lines(files)),
    ],
)
def test_what_differs_from_the_sheet_is_named_and_nothing_is_kept(two, said, change):
    files = {"甲.csv": payments(1), "乙.csv": payments(2)}
    answer = post(two[0], files, lines=change(files))
    assert answer.status_code == 409 and said in answer.content.decode()
    assert Delivery.objects.using("intake").count() == 0 and laid_down() == []


def test_the_sheet_of_the_packing_page_names_feeds_and_days(two):
    data = payments(1)
    paper = {
        "format": "chuxiong-sheet/1", "agency": HR, "created_at": "2026-11-20T10:00:00+08:00",
        "files": [{"feed": PAY, "name": "甲.csv", "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "covers_until": "2026-10-31"}],
        "hand_over": {"by": "李样本"},
    }  # fmt: skip
    upload = SimpleUploadedFile("交接单.json", json.dumps(paper).encode())
    answer = post(two[0], {"甲.csv": data}, feed="hr_wage_arrears", sheet=upload)
    assert answer.status_code == 302
    file = DeliveryFile.objects.using("intake").get()
    assert (file.feed, str(file.covers_until)) == (PAY, "2026-10-31")
    paper["agency"] = "ca_bureau"
    answer = post(two[0], {"甲.csv": data}, sheet=SimpleUploadedFile("s.json", json.dumps(paper).encode()))
    assert answer.status_code == 409 and "另一个单位" in answer.content.decode()
    answer = post(two[0], {"甲.csv": data}, agency="ca_bureau", lines=lines({"甲.csv": data}))
    assert answer.status_code == 409 and "不由该单位报送" in answer.content.decode()


def test_files_of_the_mounted_drive_and_no_other_path(two, tmp_path):
    (tmp_path / "数据").mkdir()
    (tmp_path / "数据" / "甲.csv").write_bytes(payments(1))
    (tmp_path / "link.csv").symlink_to("/etc/passwd")
    with override_settings(DISC_DIR=str(tmp_path)):
        page = two[0].get("/exchange/discs/new").content.decode()
        assert "数据/甲.csv" in page and "link.csv" not in page
        for path in ("../secret", "/etc/passwd", "link.csv"):
            assert (
                "没有这个文件" in post(two[0], {}, chosen=path, lines="x 0123456789abcdef").content.decode()
            )
        answer = post(two[0], {}, chosen="数据/甲.csv", lines=lines({"甲.csv": payments(1)}))
    assert answer.status_code == 302 and DeliveryFile.objects.using("intake").get().name == "甲.csv"


def test_a_disc_sent_back_leaves_its_reason_and_no_copy(two):
    files = {"甲.csv": payments(1)}
    post(two[0], files, lines=lines(files))
    page = f"/exchange/{Delivery.objects.using('intake').get().code}"
    assert two[1].post(page + "/refuse", {"reason": " "}).status_code == 409
    assert two[1].post(page + "/refuse", {"reason": "纸面没有签字"}).status_code == 302
    (file,) = DeliveryFile.objects.using("intake").all()
    assert (file.store, bytes(file.sealed_key)) == ("", b"")
    assert laid_down() == [] and Delivery.objects.using("intake").get().problem["what"] == "纸面没有签字"
    assert two[1].post(page + "/confirm").status_code == 409
    work(HR)
    assert Batch.objects.using("intake").count() == 0


def test_the_database_holds_the_two_people_to_it(two):
    """Whatever the application says, the web role cannot do it alone."""
    from chuxiong.accounts.models import Person

    one = Person.objects.get(username="first")
    usual = {
        "way": "disc",
        "agency": HR,
        "state": "confirming",
        "registered_by": "first",
        "received_at": timezone.now(),
    }
    for wrong in (
        {"registered_by": "second"},
        {"way": "bundle", "sequence": 1},
        {"state": "taking", "confirmed_by": "second"},
    ):
        with pytest.raises(Error), person_scope(one, purpose="exchange"):
            Delivery.objects.create(code=uuid.uuid4(), **(usual | wrong))
    with pytest.raises(Error), transaction.atomic():
        Delivery.objects.create(code=uuid.uuid4(), **usual)
    with person_scope(one, purpose="exchange"):
        disc = Delivery.objects.create(code=uuid.uuid4(), **usual)
    for person_, values in (("first", "state = 'taking', confirmed_by = 'first'"), ("first", "state = 'taking', confirmed_by = 'second'"),
                            ("second", "state = 'done'")):  # fmt: skip
        with (
            pytest.raises(Error),
            person_scope(Person.objects.get(username=person_), purpose="exchange"),
            connections["default"].cursor() as cursor,
        ):
            cursor.execute(f"update ingestion_delivery set {values} where id = %s", [disc.pk])
    with pytest.raises(Error), person_scope(Person.objects.get(username="second"), purpose="exchange"):
        DeliveryFile.objects.create(delivery=disc, place=1, feed=PAY, name="x", size=1, digest="0" * 64)


def test_nobody_reads_deliveries_outside_their_reach_and_no_page_reads_a_key(two):
    from chuxiong.accounts.scope import agency_scope, scope
    from ingestion.models import Quarantine

    files = {"甲.csv": payments(1)}
    post(two[0], files, lines=lines(files))
    code = Delivery.objects.using("intake").get().code
    assert two[1].post(f"/exchange/{code}/confirm").status_code == 302
    work(HR)
    batch = Batch.objects.using("intake").get()
    Quarantine.objects.using("owner").create(batch_id=batch.pk, row_no=9, reasons=[], sealed=b"x")
    seen = (Delivery, DeliveryFile, Batch, Quarantine)

    def there() -> list[int]:
        return [model.objects.using("web").values("pk").count() for model in seen]

    assert there() == [0, 0, 0, 0]
    with scope(offices=(), feeds=["ca_funeral"], purpose="deliveries", using="web"):
        assert there() == [0, 0, 0, 0]
    with scope(offices=(), feeds=[PAY], purpose="deliveries", using="web"):
        assert there() == [0, 0, 1, 1]
    with agency_scope("ca_bureau", using="web"):
        assert there() == [0, 0, 0, 0]
    with agency_scope(HR, using="web"):
        assert there() == [1, 1, 0, 0]
    with scope(offices=(), purpose="exchange", person="first", using="web"):
        assert there() == [1, 1, 0, 0]
        with pytest.raises(Error, match="permission denied"), transaction.atomic(using="web"):
            list(DeliveryFile.objects.using("web").values_list("sealed_key"))


def test_the_packing_page_is_one_file_that_asks_nobody(two):
    answer = two[0].get("/exchange/packing?agency=hr_bureau")
    page = answer.content.decode()
    assert answer["Content-Disposition"] == 'attachment; filename="packing-hr_bureau.html"'
    assert PAY in page and "ca_funeral" not in page
    for word in ("http://", "https://", "src=", "<link", "fetch(", "XMLHttpRequest", "import "):
        assert word not in page, word


def test_typed_lines_and_comparison():
    found = sheet.typed("甲 乙.csv  3F0A 77c1 9be2 4d50\n\n丙.csv\t" + "a" * 64)
    assert [(line.name, line.digest) for line in found] == [
        ("甲 乙.csv", "3f0a77c19be24d50"),
        ("丙.csv", "a" * 64),
    ]
    assert NOW
