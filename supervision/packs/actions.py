"""The one writer of model packs: hand out, take in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import yaml
from django.db import IntegrityError, transaction
from django.utils import timezone

from chuxiong.accounts.models import Office, Person
from chuxiong.accounts.refused import Refused
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from ingestion.catalog.load import Catalog
from ingestion.selectors import catalog
from supervision.drafts import actions as drafts
from supervision.models import ModelPack, RuleDraft
from supervision.packs import checking, document, keys, sheet, word
from supervision.packs.card import card
from supervision.packs.container import Faulty, open_pack, pack
from supervision.packs.elements import elements, needs_of
from supervision.packs.limits import LIMITS
from supervision.packs.manifest import (
    CARD,
    ELEMENTS,
    FORMAT,
    SPEC,
    FileEntry,
    Manifest,
    ModelEntry,
    Needed,
    Words,
    digest,
)
from supervision.rulebook.load import LoadedRule, Rulebook

#: the ending of a pack's name
ENDING = ".cxmodels"


@dataclass(frozen=True)
class Made:
    name: str
    content: bytes
    pack: ModelPack


def house() -> str:
    """The name under which this house signs: its prefecture office's."""
    return (
        Office.objects.filter(parent=None).order_by("code").values_list("name_zh", flat=True).first()
        or "本院"
    )


def export(by: Person, ids: Iterable[str], book: Rulebook, *, note: str, at: datetime) -> Made:
    """A signed pack of the chosen models; on record. Raises ``Refused``."""
    if not by.may("rule.approve"):
        raise Refused("只有审批规则的人可以导出模型包", "Only those who approve rules hand models out")
    wanted = list(dict.fromkeys(ids))
    unknown = [i for i in wanted if i not in book]
    if unknown:
        raise Refused(f"没有监督模型 {unknown[0][:60]}", f"There is no model {unknown[0][:60]}")
    if not wanted:
        raise Refused("请至少选择一个模型", "Choose at least one model")
    if len(wanted) > LIMITS.models.value:
        raise Refused(
            f"一个模型包最多 {LIMITS.models.value} 个模型，请分几次导出",
            f"A pack holds at most {LIMITS.models.value} models; export several",
        )
    rules = [book[i] for i in wanted]
    publisher, feeds = house(), catalog()
    files, entries = _files(rules, feeds)
    manifest = Manifest(
        format=FORMAT,
        publisher=publisher,
        created_at=timezone.localtime(at),
        note=note.strip()[:500],
        models=entries,
    )
    signing_key = keys.own_key()
    content = pack(manifest, files, signing_key.private)
    name = f"models-{timezone.localtime(at):%Y%m%d-%H%M}{ENDING}"
    with person_scope(by):
        made = ModelPack.objects.create(
            way="out", digest=digest(manifest.to_bytes()), publisher=publisher, key=keys.own_public()[0], name=name,
            size=len(content), note=manifest.note, created_at=at, at=at, by=by.username, by_name=by.name[:60],
            listed=[
                {"id": r.id, "code": r.code, "version": r.version, "title_zh": r.title.zh, "title_en": r.title.en}
                for r in rules
            ],
        )  # fmt: skip
        record(
            at=at, actor=by.username, office=by.office_id or "", action="pack.export", object_kind="pack", object_ref=str(made.pk),
            detail={"models": len(rules), "digest": made.digest[:16]},
        )  # fmt: skip
    return Made(name, content, made)


def _files(
    rules: Iterable[LoadedRule], feeds: Catalog
) -> tuple[Mapping[tuple[str, str], bytes], tuple[ModelEntry, ...]]:
    files: dict[tuple[str, str], bytes] = {}
    entries = []
    for rule in rules:
        own = {
            SPEC: document.text_of(rule).encode(),
            CARD: word.document(rule, card(rule, feeds, "zh"), "zh"),
            ELEMENTS: sheet.write(f"{rule.code} {rule.title.zh} 数据要素", elements(rule, feeds)),
        }
        files |= {(rule.id, name): content for name, content in own.items()}
        entries.append(
            ModelEntry(
                id=rule.id, code=rule.code, version=rule.version, domain=rule.domain, digest=rule.digest,
                title=Words(zh=rule.title.zh, en=rule.title.en), tests=len(rule.tests),
                needs=tuple(
                    Needed(feed=n.feed, feed_zh=n.feed_zh, column=n.column, zh=n.zh, type=n.type)
                    for n in needs_of(rule, feeds)
                ),
                files=tuple(
                    FileEntry.model_validate(
                        {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                    )
                    for name, content in own.items()
                ),
            )
        )  # fmt: skip
    return files, tuple(entries)


def take_in(by: Person, content: bytes, book: Rulebook, *, name: str, at: datetime) -> ModelPack:
    """Check a pack and keep it with the outcome of every model; nothing of it runs.

    The same pack again is answered with the first one. Raises ``Refused`` for who may not, ``Faulty`` for a pack that
    cannot be taken; that is on record, and nothing of it is kept.
    """
    if not by.may("rule.write"):
        raise Refused("只有编写规则的人可以导入模型包", "Only those who write rules take models in")
    try:
        opened = open_pack(content)
        publisher = keys.publisher_of(opened, on=timezone.localdate(at), own_name=house())
    except Faulty as fault:
        with person_scope(by):
            record(
                at=at, actor=by.username, office=by.office_id or "", action="pack.refuse", object_kind="pack",
                object_ref=hashlib.sha256(content).hexdigest()[:16], detail={"place": fault.problem.place, "what": fault.problem.what},
            )  # fmt: skip
        raise
    with person_scope(by):
        known = ModelPack.objects.filter(way="in", digest=opened.digest).first()
        if known is not None:
            return known
        found = checking.outcomes(opened, catalog(), list(book.values()))
        try:
            with transaction.atomic():
                made = ModelPack.objects.create(
                    way="in", digest=opened.digest, publisher=publisher, key=opened.signature.key, name=name[:120], size=len(content),
                    note=opened.manifest.note, created_at=opened.manifest.created_at, listed=[o.stored() for o in found],
                    content=content, at=at, by=by.username, by_name=by.name[:60],
                )  # fmt: skip
                record(
                    at=at, actor=by.username, office=by.office_id or "", action="pack.import", object_kind="pack",
                    object_ref=str(made.pk),
                    detail={"models": len(found), "ready": sum(o.ready for o in found), "digest": made.digest[:16], "key": made.key},
                )  # fmt: skip
        except IntegrityError:
            # Another request was faster with the same pack.
            return ModelPack.objects.get(way="in", digest=opened.digest)
    return made


def propose(by: Person, number: int, model: str, *, at: datetime) -> RuleDraft:
    """A draft out of a model of a pack, for the studio: tried and published there by two people, like any other.

    Of a model that we have under its id it becomes a new version. Raises ``Refused`` for who may not, for a model that
    does not hold here or is the same as ours, and where the draft has been made already.
    """
    if not by.may("rule.write"):
        raise Refused("只有编写规则的人可以建草稿", "Only those who write rules make drafts")
    with person_scope(by), transaction.atomic():
        pack_ = ModelPack.objects.filter(pk=number, way="in").first()
        kept = next((o for o in pack_.listed if o["id"] == model), None) if pack_ else None
        if pack_ is None or pack_.content is None or kept is None:
            raise Refused("没有这个模型包或模型", "There is no such pack or model")
        outcome = checking.Outcome.restored(kept)
        content = open_pack(bytes(pack_.content)).files[model, SPEC]
        rule, problems = document.read_foreign(content, model, catalog())
        if rule is None or problems or outcome.problems:
            raise Refused(
                "这个模型在本院不能使用，原因见模型包", "This model cannot be used here; the pack says why"
            )
        if outcome.standing == "same":
            raise Refused("与本院的相同，不必建草稿", "It is the same as ours; no draft is needed")
        note = f"模型包 {pack_.digest[:12]} {model} {pack_.publisher}"[:200]
        if made := RuleDraft.objects.filter(note=note).order_by("pk").first():
            raise Refused(f"已建过草稿 {made.pk}", f"Draft {made.pk} was made of it already")
        whole = yaml.safe_load(document.text_of(rule))
        if outcome.standing == "code":
            # The code is another model's here: it becomes a rule of its own, with a name of ours.
            whole = {key: value for key, value in whole.items() if key not in ("id", "code")}
        draft, _checked = drafts.make(by, whole, at=at, note=note)
    return draft
