"""Pages of agreements, catalogue, tickets and the provider: what is typed arrives, what is not one's own is not there."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chuxiong.accounts import people
from chuxiong.accounts.models import Person
from chuxiong.accounts.refused import Refused
from ingestion.models import Agreement, AgreementEvent, Batch, DataTicket
from ingestion.selectors import catalog
from supervision import selectors
from tests.prefecture import agreements, person

NOW = timezone.now()
TODAY = timezone.localdate()
FEED = "hr_pension_payment"


def _client(someone: Person) -> Client:
    client = Client()
    client.force_login(someone)
    return client


def _clerk(agency: str, username: str = "clerk") -> Person:
    made = Person.objects.db_manager("owner").create_person(
        username=username,
        password="x",
        name="报送演示",
        office_id="532300",
        roles=["provider"],
        agency=agency,
    )
    return Person.objects.get(pk=made.pk)


def _ticket(agency: str = "hr_bureau", feed: str = FEED, **more: object) -> DataTicket:
    usual = {
        "feed": feed, "agency": agency, "agency_zh": "示例局", "kind": "other", "subject": f"{agency}的事由", "text": "请核对",
        "state": "sent", "opened_by": "系统", "opened_at": NOW, "sent_by": "x", "sent_at": NOW, "due_on": TODAY, "updated_at": NOW,
    }  # fmt: skip
    return DataTicket.objects.using("owner").create(**(usual | more))


@pytest.fixture
def desk(database) -> Client:
    return _client(person("custodian", roles=("custodian",)))


TERMS = {
    "agency": "hr_bureau", "number": "楚检数协〔2026〕9号", "title": "数据共享协议", "signed_on": str(TODAY),
    "valid_from": str(TODAY), "valid_to": str(TODAY + timedelta(days=20)), "custodian": "甲", "agency_custodian": "乙",
    "purposes": "legal_supervision，统计", "county": ["532301"], "all": [FEED],
    "column": ["hr_wage_arrears.clue_no", "hr_wage_arrears.reporter_citizen_id"],
}  # fmt: skip


def test_an_agreement_is_entered_warned_of_renewed_and_ended(desk):
    assert "没有协议，任何文件都不会被接收" in desk.get("/sources/agreements").content.decode()
    assert "养老保险待遇发放信息" in desk.get("/sources/agreements/new?agency=hr_bureau").content.decode()
    wrong = desk.post("/sources/agreements/new", TERMS | {"signed_on": "昨天"})
    assert wrong.status_code == 409 and "日期无法识别" in wrong.content.decode()
    assert TERMS["number"] in wrong.content.decode(), "what was typed stays"
    late = desk.post("/sources/agreements/new", TERMS | {"valid_to": "2020-01-01"})
    assert late.status_code == 409 and "不能早于" in late.content.decode()
    scan = b"%PDF-1.7 signed"
    done = desk.post("/sources/agreements/new", TERMS | {"document": SimpleUploadedFile("扫描.pdf", scan)})
    assert done.status_code == 302
    made = Agreement.objects.get()
    assert done["Location"] == f"/sources/agreements/{made.pk}"
    assert made.fields == {FEED: ["*"], "hr_wage_arrears": ["clue_no", "reporter_citizen_id"]}
    assert (made.data_class, made.counties, made.purposes) == (
        "L4",
        ["532301"],
        ["legal_supervision", "统计"],
    )
    assert (made.document_name, made.document_digest) == ("扫描.pdf", hashlib.sha256(scan).hexdigest())
    assert desk.post("/sources/agreements/new", TERMS).status_code == 409, "a number is registered once"

    page = desk.get("/sources/agreements").content.decode()
    assert "剩 20 天，尚无续签" in page and "个数据源没有有效协议" in page
    assert "即将到期且尚无续签" in desk.get("/sources/").content.decode()
    same = desk.post(f"/sources/agreements/{made.pk}/verify", {"document": SimpleUploadedFile("a", scan)})
    other = desk.post(
        f"/sources/agreements/{made.pk}/verify", {"document": SimpleUploadedFile("a", scan + b" ")}
    )
    assert "摘要一致" in same.content.decode() and "摘要不一致" in other.content.decode()

    begins = TODAY + timedelta(days=21)
    again = TERMS | {
        "number": "续", "valid_from": str(begins), "valid_to": str(begins + timedelta(days=9)),
        "column": [], "all": [FEED, "hr_wage_arrears"],
    }  # fmt: skip
    assert desk.post(f"/sources/agreements/new?renews={made.pk}", again).status_code == 302
    assert Agreement.objects.get(number="续").renews_id == made.pk
    assert "已续签" in desk.get("/sources/agreements").content.decode()
    ended = desk.post(f"/sources/agreements/{made.pk}/end", {"on": str(TODAY), "reason": "单位撤并"})
    assert ended.status_code == 302
    kinds = list(AgreementEvent.objects.filter(agreement=made).values_list("kind", flat=True))
    assert kinds == ["register", "renewed", "end"]


def test_the_rules_that_stop_stand_with_the_agreement(desk):
    agreements(valid_to=TODAY + timedelta(days=10))
    Agreement.objects.using("owner").update(valid_from=TODAY - timedelta(days=10))
    page = desk.get("/sources/agreements").content.decode()
    codes = {rule.code for rule in selectors.rules_by_feed()[FEED]}
    assert codes and all(f"{code} " in page for code in codes)
    one = desk.get(f"/sources/agreements/{Agreement.objects.get(number=f'T-{FEED}').pk}").content.decode()
    assert all(code in one for code in codes) and "因没有协议依据而停用" in one


def test_the_catalogue_finds_fields_by_any_of_their_names_and_exports_what_it_shows(desk):
    agreements(valid_to=TODAY + timedelta(days=100))
    page = desk.get("/sources/catalogue?text=社会保障号码").content.decode()
    assert f'href="/sources/catalogue/{FEED}#citizen_id"' in page and "ee_surface_water" not in page
    assert "没有符合条件的数据源或字段" in desk.get("/sources/catalogue?text=并无此物").content.decode()
    one = desk.get(f"/sources/catalogue/{FEED}").content.decode()
    using = selectors.rules_by_field()[FEED, "citizen_id"]
    assert using and all(rule.code in one for rule in using)
    assert all(f'id="{c.name}"' in one for c in catalog()[FEED].columns)
    assert desk.get("/sources/catalogue/nothing").status_code == 404
    answer = desk.get("/sources/catalogue.xlsx?agency=hr_bureau")
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).active
    rows = list(sheet.iter_rows(values_only=True))
    own = [f for f in catalog().values() if f.agency.code == "hr_bureau"]
    assert len(rows) == 1 + sum(len(f.columns) for f in own) and {r[1] for r in rows[1:]} == {
        f.code for f in own
    }
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)


def test_a_clerk_sees_the_own_providers_deliveries_and_tickets_and_nothing_else(database):
    mine, theirs, draft = (
        _ticket(),
        _ticket("ps_bureau", "ps_hotel_stay"),
        _ticket(state="open", sent_at=None, subject="草稿"),
    )
    for feed in (FEED, "ps_hotel_stay"):
        Batch.objects.using("owner").create(
            feed=feed, file_name=f"{feed}.csv", digest=feed, size=1, received_at=NOW, received_by="t", state="refused",
            problem={"place": "x", "what": "缺少必填列", "cure": "补上"},
        )  # fmt: skip
    clerk = _client(_clerk("hr_bureau"))
    home = clerk.get("/provider/").content.decode()
    assert "养老保险待遇发放信息" in home and mine.subject in home
    assert theirs.subject not in home and "旅馆住宿登记" not in home and draft.subject not in home
    assert "缺少必填列" in clerk.get(f"/provider/feeds/{FEED}").content.decode()
    assert clerk.get("/provider/feeds/ps_hotel_stay").status_code == 404
    for ticket in (theirs, draft):
        assert clerk.get(f"/provider/tickets/{ticket.pk}").status_code == 404
        assert clerk.post(f"/provider/tickets/{ticket.pk}/answer", {"answer": "resent"}).status_code == 404
    refused = clerk.post(f"/provider/tickets/{mine.pk}/answer", {"answer": "explained", "answer_text": ""})
    assert refused.status_code == 409 and "请写明说明" in refused.content.decode()
    assert clerk.post(f"/provider/tickets/{mine.pk}/answer", {"answer": "resent"}).status_code == 302
    assert DataTicket.objects.using("owner").get(pk=mine.pk).answered_by == "clerk"
    assert clerk.get("/", follow=True).redirect_chain[-1][0] == "/provider/"
    for path in ("/sources/", "/feeds", "/sources/tickets", "/alarms"):
        assert clerk.get(path).status_code == 403, path


def test_a_clerks_account_holds_the_providers_role_alone(database):
    security, clerk, ours = (
        person("sec", roles=("security_admin",)),
        _clerk("hr_bureau"),
        person("ours", roles=()),
    )
    grant = {"by": security, "reason": "审批 1 号", "at": NOW}
    with pytest.raises(Refused, match="外单位人员只能"):
        people.grant_roles(pk=clerk.pk, roles=["prosecutor"], **grant)
    with pytest.raises(Refused, match="须是外单位人员"):
        people.grant_roles(pk=ours.pk, roles=["provider"], **grant)
    assert people.grant_roles(pk=clerk.pk, roles=["provider"], **grant).office_codes == []
    for changed in ({"roles": ["provider", "prosecutor"]}, {"agency": ""}):
        with pytest.raises(IntegrityError), transaction.atomic(using="owner"):
            Person.objects.using("owner").filter(pk=clerk.pk).update(**changed)


def test_pages_ask_the_database_as_often_for_much_as_for_little(desk):
    agreements(valid_to=TODAY + timedelta(days=100))
    clerk = _client(_clerk("hr_bureau"))
    pk = Agreement.objects.get(number=f"T-{FEED}").pk
    paths = [
        "/sources/",
        "/sources/agreements",
        f"/sources/agreements/{pk}",
        "/sources/catalogue",
        f"/sources/feeds/{FEED}",
    ]

    def asked() -> list[int]:
        counts = []
        for client, path in [
            *((desk, p) for p in paths),
            (clerk, "/provider/"),
            (clerk, f"/provider/feeds/{FEED}"),
        ]:
            with CaptureQueriesContext(connection) as seen:
                assert client.get(path).status_code == 200
            counts.append(len(seen))
        return counts

    Batch.objects.using("owner").create(
        feed=FEED, file_name="0", digest="0", size=1, received_at=NOW, received_by="t", state="landed",
        received=2, loaded=1, quarantined=1, agreement_id=pk,
    )  # fmt: skip
    _ticket()
    asked()
    little = asked()
    for n in range(1, 20):
        for feed in (FEED, "hr_wage_arrears"):
            Batch.objects.using("owner").create(
                feed=feed, file_name=f"{n}", digest=f"{n}", size=1, received_at=NOW, received_by="t", state="landed",
                received=2, loaded=1, quarantined=1, agreement_id=pk,
            )  # fmt: skip
        _ticket()
        Agreement.objects.using("owner").create(
            number=f"N-{n}", agency="hr_bureau", agency_zh="示例", title="t", signed_on=TODAY, valid_from=TODAY, valid_to=TODAY,
            purposes=["legal_supervision"], fields={FEED: ["*"]}, data_class="L4", custodian="甲",
        )  # fmt: skip
    assert asked() == little
