"""The finished document as the national system gave it, put back beside its draft with its number and digest."""

from __future__ import annotations

import hashlib
import io
import uuid
import zipfile
from datetime import datetime

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from chuxiong.vault.keys import keys
from ingestion.api.limits import LIMITS
from supervision.clues.actions import Refused
from supervision.documents import reading
from supervision.documents.spec import kinds
from supervision.documents.writing import Missing, Taken
from supervision.models import Document, DocumentFinal

Form = DocumentFinal.Form
#: members by which a package tells what it is
_MEMBER = {"word/document.xml": Form.DOCX, "OFD.xml": Form.OFD}


def form_of(content: bytes) -> DocumentFinal.Form | None:
    """What the bytes are, whatever the file is called; None for anything but .docx, .pdf and .ofd."""
    if content.startswith(b"%PDF-"):
        return Form.PDF
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            held = set(package.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return None
    if any(name.lower().endswith("vbaproject.bin") for name in held):
        return None
    return next((form for member, form in _MEMBER.items() if member in held), None)


def put(*, by: Person, at: datetime, pk: int, official_number: str, content: bytes) -> DocumentFinal:
    """Put the finished file beside the document that bears ``official_number``; the same file again changes nothing.

    Raises ``Missing``, ``Refused``.
    """
    most = LIMITS.attachment_bytes.value
    with person_scope(by):
        found = Document.objects.select_for_update(of=("self",)).select_related("clue").filter(pk=pk).first()
        if found is None or not by.may("clue.read"):
            raise Missing(str(pk))
        kind = kinds()[found.kind]
        if not (reading.may_act(by, found.clue, kind) and reading.may_read(by, found.clue, found)):
            raise Refused("由承办人或部门负责人办理", "for the clue's handler or the head of department")
        if found.state != Document.State.ISSUED or kind.number != "official":
            raise Refused(
                "请先登记文书编号，再上传正式文本；作废的文书不收",
                "enter its official number first; a void document takes no file",
            )
        if official_number.strip() != found.official_number:
            raise Refused(
                f"文书编号与登记的“{found.official_number}”不一致，请核对是不是这份文书",
                f"the number differs from “{found.official_number}”: is it this document?",
            )
        if not content or len(content) > most:
            raise Refused(f"请选择文件，至多 {most >> 20} MB", f"choose a file of at most {most >> 20} MB")
        form = form_of(content)
        if form is None:
            raise Refused(
                "只收 DOCX（不含宏）、PDF 和 OFD；请从业务应用系统重新导出",
                "only .docx without macros, .pdf and .ofd are taken: export it from the national system again",
            )
        digest, code, ring = hashlib.sha256(content).hexdigest(), uuid.uuid4(), keys()
        made, new = DocumentFinal.objects.get_or_create(
            document=found, digest=digest,
            defaults={
                "code": code, "form": form, "size": len(content), "sealed": ring.wrap(content, _place(code)),
                "key_id": ring.current, "by": by.username, "by_name": by.name, "at": at,
            },
        )  # fmt: skip
        if new:
            _trace(made, by, at, "document.final", {"digest": digest, "size": len(content)})
    return made


def listed(person: Person, document: Document) -> list[DocumentFinal]:
    """The finished files of a document, the newest first."""
    with person_scope(person):
        return list(DocumentFinal.objects.filter(document=document).defer("sealed").order_by("-pk"))


def take(*, by: Person, at: datetime, code: str) -> Taken:
    """One finished file; the look is on record first. Raises ``Missing``, ``Refused``."""
    with person_scope(by):
        found = DocumentFinal.objects.select_related("document__clue").filter(code=code).first()
        if found is None or not by.may("clue.read"):
            raise Missing(code)
        document = found.document
        if not reading.may_read(by, document.clue, document):
            raise Refused(
                "文书含有姓名，只供起草人、承办人和部门负责人查看",
                "it bears names: open to its drafter, the clue's handler and the head of department",
            )
        _trace(found, by, at, "document.read", {"form": found.form, "final": True})
        content = keys().unwrap(bytes(found.sealed), found.key_id, _place(found.code))
    if hashlib.sha256(content).hexdigest() != found.digest:
        raise Refused("存档与登记的摘要不符", "the stored file does not match its digest")
    return Taken(f"{kinds()[document.kind].zh}-{document.official_number}.{found.form}", content)


def _place(code: uuid.UUID) -> str:
    return f"document-final:{code}"


def _trace(final: DocumentFinal, by: Person, at: datetime, action: str, detail: dict[str, object]) -> None:
    document = final.document
    record(
        at=at, actor=by.username, office=by.office_id, action=action, object_kind="document",
        object_ref=f"{document.clue.number} {document.kind} {document.version}", detail=detail,
    )  # fmt: skip
