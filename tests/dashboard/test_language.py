"""Every word on a page has its English; what the browser prefers does not matter."""

from __future__ import annotations

import io
import re
from pathlib import Path

from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.test import Client

ROOT = Path(__file__).resolve().parents[2]
_TAG = re.compile(r"\{%\s*translate\s+(?:\"([^\"]+)\"|'([^']+)')")
_BLOCK = re.compile(r"\{%\s*blocktranslate[^%]*%\}(.*?)\{%\s*endblocktranslate", re.S)
_CODE = re.compile(r"\b_\(\s*\"([^\"]+)\"")


def _messages() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        found |= {a or b for a, b in _TAG.findall(text)}
        found |= {re.sub(r"\{\{\s*(\w+)\s*\}\}", r"%(\1)s", block) for block in _BLOCK.findall(text)}
    for path in (ROOT / "dashboard").rglob("*.py"):
        found |= set(_CODE.findall(path.read_text(encoding="utf-8")))
    return found


def test_every_message_has_its_english():
    with (ROOT / "locale/en/LC_MESSAGES/django.po").open("rb") as source:
        catalog = read_po(source)
    translated = {m.id for m in catalog if m.id and m.string}
    assert _messages() - translated == set()
    assert translated - _messages() == set(), "translations of words that no page uses"


def test_the_compiled_words_are_those_of_the_source():
    with (ROOT / "locale/en/LC_MESSAGES/django.po").open("rb") as source:
        wanted = {m.id: m.string for m in read_po(source) if m.id}
    compiled = read_mo(io.BytesIO((ROOT / "locale/en/LC_MESSAGES/django.mo").read_bytes()))
    assert {m.id: m.string for m in compiled if m.id} == wanted, "run make messages"


def test_chinese_unless_the_person_chose_otherwise(database):
    page = Client(headers={"Accept-Language": "en-US"}).get("/login").content.decode()
    assert "密码" in page
    client = Client()
    client.post("/i18n/setlang/", {"language": "en", "next": "/login"})
    assert "Password" in client.get("/login").content.decode()
