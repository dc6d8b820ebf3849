"""The only writer of rules that people make. Every act is one transaction with its audit row; ``Refused`` says why not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from django.db import transaction
from django.db.models import Max

from chuxiong.accounts.models import Person
from chuxiong.accounts.refused import Refused
from chuxiong.audit.record import record
from chuxiong.work.jobs import enqueue
from supervision import selectors
from supervision.clues.numbers import take_numbers
from supervision.drafts.checking import check
from supervision.models import Clue, RuleDraft, RuleExclusion
from supervision.rulebook.form import Document, encode
from supervision.rulebook.form_check import Checked, text_of

#: series of the numbers that rules made here bear
_SERIES = "ZJ"
_MOST_BATCH = 10_000
#: what pages may write of a draft (rights.py)
_WRITTEN = (
    "title_zh", "title_en", "domain", "code", "rule", "spec", "digest", "note", "state", "approver", "approver_name",
    "changed_at", "approved_at", "withdrawn_at", "withdrawn_by", "withdrawn_reason", "revision", "batch",
)  # fmt: skip


def fresh_name(*, year: int) -> tuple[str, str]:
    """(id, code) of a rule to be: taken in the transaction that uses it."""
    number = take_numbers(_SERIES, year, 1)
    return f"own_{year}_{number}", f"ZJ-{year % 100:02d}{number:02d}"


def make(
    person: Person, document: Document, *, at: datetime, pattern: str = "", note: str = ""
) -> tuple[RuleDraft, Checked]:
    """A new draft. A document without an id (or whose id is another's) becomes a rule of its own; of a rule that there
    is, a new version. What is wrong with it is told and kept: a draft need not be whole."""
    _may(person, "rule.write")
    with selectors.reach(person), transaction.atomic():
        document = dict(document)
        if not document.get("id"):
            document["id"], document["code"] = fresh_name(year=at.year)
        checked = check(encode(document), on=at.date())
        rule = str(document["id"])[:60]
        version = _next_version(rule)
        draft = RuleDraft(
            rule=rule, version=version, pattern=pattern, note=note[:200], office=person.office_id or ""
        )
        draft.author, draft.author_name, draft.created_at = person.username, person.name, at
        _take(draft, checked, at)
        draft.save(force_insert=True)
        _record(person, at, "rule.draft", draft)
    return draft, checked


def save(
    person: Person, number: int, data: Mapping[str, str], *, at: datetime, revision: int, note: str
) -> tuple[RuleDraft, Checked]:
    """The form's fields into a draft; refused when somebody saved another text meanwhile."""
    _may(person, "rule.write")
    with selectors.reach(person), transaction.atomic():
        draft = _locked(number)
        if draft.state != "draft":
            raise Refused(
                "只有草稿可以改写；先退回草稿，或新建一版",
                "Only a draft is written; take it back, or make a new version",
            )
        if draft.revision != revision:
            raise Refused(
                "别人已保存过这份草稿；您填写的内容还在本页，请另开一页核对后再保存",
                "Somebody saved this draft meanwhile; what you typed is still here, compare and save again",
            )
        # Name and version stand: versions of a rule belong together.
        fixed = dict(data) | {"id": draft.rule, "version": str(draft.version), "status": "draft"}
        checked = check(fixed, on=at.date())
        _take(draft, checked, at)
        draft.note, draft.revision = note[:200], draft.revision + 1
        draft.save(update_fields=_WRITTEN)
        _record(person, at, "rule.draft", draft)
    return draft, checked


def _take(draft: RuleDraft, checked: Checked, at: datetime) -> None:
    document = {**checked.document, "id": draft.rule, "version": draft.version, "status": "draft"}
    title = document.get("title")
    title = title if isinstance(title, dict) else {}
    draft.title_zh, draft.title_en = str(title.get("zh", ""))[:120], str(title.get("en", ""))[:160]
    draft.code, draft.domain = str(document.get("code", ""))[:20], str(document.get("domain", ""))[:30]
    draft.spec, draft.changed_at = text_of(document), at
    draft.digest = checked.rule.digest if checked.rule else ""


def _next_version(rule: str) -> int:
    last = RuleDraft.objects.filter(rule=rule).aggregate(last=Max("version"))["last"] or 0
    known = selectors.rulebook().get(rule)
    return max(last, known.version if known else 0) + 1


def try_out(person: Person, number: int, *, at: datetime) -> None:
    """A draft without problems goes into trial: tested and counted by the worker, without a clue."""
    _may(person, "rule.write")
    with selectors.reach(person), transaction.atomic():
        draft = _locked(number)
        if draft.state not in ("draft", "trial"):
            raise Refused(
                "已发布或撤下的版本不再试运行", "A published or withdrawn version is not tried any more"
            )
        if not draft.digest:
            raise Refused(
                "草稿还有没改正的地方；打开表单，按提示改正后再试运行",
                "The draft holds problems; open the form and mend them first",
            )
        if draft.state == "draft":
            draft.state, draft.changed_at, draft.revision = "trial", at, draft.revision + 1
            draft.save(update_fields=_WRITTEN)
        enqueue("trial", str(draft.pk), {"draft": draft.pk}, priority=4)
        _record(person, at, "rule.try", draft)


def take_back(person: Person, number: int, *, at: datetime, reason: str) -> None:
    """From trial back to draft: the author goes on writing, or the second person sends it back."""
    if person.permissions.isdisjoint({"rule.write", "rule.approve"}):
        raise _not_allowed()
    with selectors.reach(person), transaction.atomic():
        draft = _locked(number)
        if draft.state != "trial":
            raise Refused("不在试运行中，无需退回", "It is not in trial")
        if person.username != draft.author and not reason.strip():
            raise Refused("请写明退回的理由", "Say why it goes back")
        draft.state, draft.changed_at, draft.revision = "draft", at, draft.revision + 1
        draft.save(update_fields=_WRITTEN)
        _record(person, at, "rule.send_back", draft, reason)


def approve(
    person: Person, number: int, *, at: datetime, batch: int, digest: str, seen: bool = False
) -> None:
    """The second person publishes what was tried. The version that ran before is withdrawn in the same act.

    ``seen``: that hits of the version before fall away, and what people made of them, was looked at.
    """
    _may_publish(person)
    if not 0 <= batch <= _MOST_BATCH:
        raise Refused(
            f"每批条数写 0 到 {_MOST_BATCH} 的整数", f"Write a whole number from 0 to {_MOST_BATCH}"
        )
    with selectors.reach(person), transaction.atomic():
        draft = _locked(number)
        if draft.state != "trial":
            raise Refused("只有试运行中的版本可以发布", "Only a version in trial is published")
        if draft.author == person.username:
            raise Refused(
                "编写人不能审批自己的模型；请另一人审批",
                "Whoever wrote it cannot approve it; ask a second person",
            )
        if draft.digest != digest:
            raise Refused("内容在您查看之后改过；请重新查看", "It was changed after you looked; look again")
        if not draft.checked.get("ok") or draft.checked.get("digest") != draft.digest:
            raise Refused(
                "试运行还没有得出结果，或样例不成立；不能发布", "The trial has no result yet, or a test fails"
            )
        if draft.checked.get("against", {}).get("gone") and not seen:
            raise Refused(
                "这一版不再命中现行版的一部分；请看过差异和核查情况，勾选后再批准",
                "Hits of the present version fall away; look at them, tick that you have, and approve again",
            )
        _end_running(person, draft, at)
        draft.state, draft.approver, draft.approver_name = "published", person.username, person.name
        draft.approved_at = draft.changed_at = at
        draft.batch, draft.revision = batch, draft.revision + 1
        draft.save(update_fields=_WRITTEN)
        _ring(draft, at)
        _record(person, at, "rule.publish", draft, "已看过不再命中的部分" if seen else "")


def _end_running(person: Person, draft: RuleDraft, at: datetime) -> None:
    for running in RuleDraft.objects.select_for_update().filter(rule=draft.rule, state="published"):
        running.state, running.withdrawn_at, running.withdrawn_by = "withdrawn", at, person.username
        running.withdrawn_reason = f"由第 {draft.version} 版取代"
        running.changed_at, running.revision = at, running.revision + 1
        running.save(update_fields=_WRITTEN)


def withdraw(person: Person, number: int, *, at: datetime, reason: str) -> None:
    """Stop a published version, or give a draft up. Clues that are there stay; people decide on them."""
    if not reason.strip():
        raise Refused("请写明撤下的理由", "Say why it is withdrawn")
    with selectors.reach(person), transaction.atomic():
        draft = _locked(number)
        if draft.state == "withdrawn":
            raise Refused("已经撤下", "It is withdrawn already")
        if draft.state == "published" or person.username != draft.author:
            _may(person, "rule.approve")
        published = draft.state == "published"
        draft.state, draft.withdrawn_at, draft.withdrawn_by = "withdrawn", at, person.username
        draft.withdrawn_reason, draft.changed_at = reason.strip()[:200], at
        draft.revision += 1
        draft.save(update_fields=_WRITTEN)
        if published:
            _ring(draft, at)
        _record(person, at, "rule.withdraw", draft, reason)


def roll_back(person: Person, number: int, *, at: datetime, reason: str) -> None:
    """Put a version that two people published before in force again."""
    _may_publish(person)
    if not reason.strip():
        raise Refused("请写明回退的理由", "Say why it comes back")
    with selectors.reach(person), transaction.atomic():
        draft = _locked(number)
        if draft.state != "withdrawn" or not draft.approver:
            raise Refused("只能回退到发布过的版本", "Only a version that was published comes back")
        _end_running(person, draft, at)
        draft.state, draft.changed_at, draft.revision = "published", at, draft.revision + 1
        draft.save(update_fields=_WRITTEN)
        _ring(draft, at)
        _record(person, at, "rule.roll_back", draft, reason)


def release(person: Person, number: int, *, at: datetime) -> None:
    """The next batch of the first run's hits becomes clues."""
    _may_publish(person)
    with selectors.reach(person), transaction.atomic():
        draft = _locked(number)
        if draft.state != "published" or not draft.held:
            raise Refused("没有等待下发的命中", "No hit waits for its release")
        enqueue("release", f"{draft.rule}@{draft.pk}.{int(at.timestamp())}", {"rule": draft.rule}, priority=4)
        _record(person, at, "rule.release", draft)


def exclude(person: Person, clue: str, *, at: datetime, reason: str, until: date) -> RuleExclusion:
    """Leave the subject of a clue out of the clue's rule until a day: it raises no new clue about it."""
    _may(person, "rule.write")
    if not reason.strip():
        raise Refused("请写明排除的理由", "Say why")
    if until <= at.date():
        raise Refused("到期日须晚于今天", "The last day must be after today")
    with selectors.reach(person), transaction.atomic():
        found = Clue.objects.filter(number=clue.strip()).first()
        if found is None or not found.rule:
            raise Refused(
                "没有这条线索，或它不是模型产生的；请核对线索号",
                "There is no such clue, or no model raised it; check the number",
            )
        # The key of one condition: a second word for the same subject would hide when the first ends.
        if RuleExclusion.objects.filter(
            rule=found.rule, subject_kind=found.subject_kind, subject_ref=found.subject_ref, ended_at=None
        ).exists():
            raise Refused("该对象已在这个模型的排除名单上", "The subject stands on the rule's list already")
        made = RuleExclusion.objects.create(
            rule=found.rule, subject_kind=found.subject_kind, subject_ref=found.subject_ref, clue=found,
            office=person.office_id or "", reason=reason.strip()[:200], until=until, added_by=person.username,
            added_by_name=person.name, added_at=at,
        )  # fmt: skip
        record(
            at=at, actor=person.username, office=person.office_id or "", action="rule.exclude",
            object_kind="rule", object_ref=found.rule, reason=reason, detail={"clue": found.number, "until": until.isoformat()},
        )  # fmt: skip
    return made


def end_exclusion(person: Person, number: int, *, at: datetime) -> None:
    """The subject is looked at again: what the rule holds true of it becomes a clue."""
    _may(person, "rule.write")
    with selectors.reach(person), transaction.atomic():
        found = RuleExclusion.objects.select_for_update().filter(pk=number, ended_at=None).first()
        if found is None:
            raise Refused("没有这一条，或已经解除", "There is no such entry, or it has ended")
        found.ended_by, found.ended_at = person.username, at
        found.save(update_fields=["ended_by", "ended_at"])
        enqueue("release", f"{found.rule}@x{found.pk}", {"rule": found.rule}, priority=5)
        record(
            at=at, actor=person.username, office=person.office_id or "", action="rule.include",
            object_kind="rule", object_ref=found.rule, detail={"exclusion": found.pk},
        )  # fmt: skip


def _locked(number: int) -> RuleDraft:
    draft = RuleDraft.objects.select_for_update().filter(pk=number).first()
    if draft is None:
        raise Refused(
            "没有这份草稿，或不在您的管辖内", "There is no such draft, or it is not within your reach"
        )
    return draft


def _ring(draft: RuleDraft, at: datetime) -> None:
    enqueue("published", f"{draft.rule}@{int(at.timestamp() * 1000)}", {"rule": draft.rule}, priority=3)


def _may(person: Person, permission: str) -> None:
    if not person.may(permission):
        raise _not_allowed()


def publishes(person: Person) -> bool:
    """A model runs in the whole prefecture: whoever may approve there decides."""
    return person.may("rule.approve") and person.office is not None and person.office.parent_id is None


def _may_publish(person: Person) -> None:
    _may(person, "rule.approve")
    if not publishes(person):
        raise Refused(
            "模型在全州运行，由州院有审批权的人批准",
            "A model runs in the whole prefecture; its own office approves",
        )


def _not_allowed() -> Refused:
    return Refused("您的角色不能做这件事", "Your roles do not allow this")


def _record(person: Person, at: datetime, action: str, draft: RuleDraft, reason: str = "") -> None:
    record(
        at=at, actor=person.username, office=person.office_id or "", action=action, object_kind="rule",
        object_ref=draft.rule, reason=reason, detail={"version": draft.version, "draft": draft.pk, "digest": draft.digest[:16]},
    )  # fmt: skip
