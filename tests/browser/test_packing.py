"""The packing page as an agency opens it: from a file, without network; what it makes is what the centre receives."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from ingestion.exchange import keys, sheet
from ingestion.exchange.bundles import receive_bundle
from ingestion.models import Delivery
from tests.browser import test_whole_way as whole_way
from tests.ingestion.exchange.ways import payments

chromium, pytestmark = whole_way.chromium, whole_way.pytestmark
HR, PAY = "hr_bureau", "hr_pension_payment"


@pytest.fixture
def tables(monkeypatch, request):  # type: ignore[no-untyped-def]
    """The browser's driver keeps a loop in this thread, in which Django would refuse its database."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    return request.getfixturevalue("database")


def test_it_makes_keys_bundles_and_sheets_that_hold(tables, chromium, tmp_path: Path) -> None:
    from dashboard.exchange.packing import packing_page
    from ingestion.exchange.selectors import providers

    (tmp_path / "pack.html").write_text(
        packing_page(next(p for p in providers() if p.code == HR)), encoding="utf-8"
    )
    files = {"养老金 9月.csv": payments(1, 2), "b.csv": payments(3) * 300}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    context = chromium.new_context(offline=True, accept_downloads=True)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: complaints.append(str(e)))
    made: dict[str, Path] = {}

    def keep(download) -> None:  # type: ignore[no-untyped-def]
        made[download.suggested_filename] = target = tmp_path / f"{len(made)}-{download.suggested_filename}"
        download.save_as(target)

    def after(click: str, *wanted: str) -> str:
        """What the page says once it has finished, with the files it has saved."""
        count = len(made)
        page.evaluate("document.getElementById('said').hidden = true")
        page.click(click)
        page.wait_for_selector("#said:not([hidden])")
        for _ in range(100):
            if len(made) >= count + len(wanted):
                break
            page.wait_for_timeout(50)
        assert all(any(name.endswith(end) for name in made) for end in wanted), made
        return page.text_content("#said") or ""

    page.on("download", keep)
    page.goto((tmp_path / "pack.html").as_uri())
    assert "还没有选择文件" in after("#pack")
    page.click("summary")
    page.fill("#new-password", "short")
    assert "至少 12" in after("#make")
    page.fill("#new-password", "correct horse battery")
    after("#make", "-key.json", "-public.pem")
    assert b"correct" not in made["hr_bureau-key.json"].read_bytes()
    now = timezone.now()
    keys.register(
        agency=HR, pem=made["hr_bureau-public.pem"].read_text(), holder="示例", by="test", at=now, using="owner",
        valid_from=timezone.localdate(now) - timedelta(days=2), valid_to=timezone.localdate(now) + timedelta(days=2),
    )  # fmt: skip
    page.set_input_files("#files", [tmp_path / name for name in files])
    for row in range(2):
        page.locator("#list tbody select").nth(row).select_option(PAY)
    page.locator("#list input[type=date]").first.fill("2026-10-31")
    page.fill("#by", "李样本")
    page.set_input_files("#key", made["hr_bureau-key.json"])
    page.fill("#password", "wrong horse battery")
    assert "口令不对" in after("#pack")
    page.fill("#password", "correct horse battery")
    first = after("#pack", "_000001.zip")
    bundle = next(path for name, path in made.items() if name.endswith("_000001.zip"))
    taken = receive_bundle(bundle, by="test", at=timezone.now()).delivery
    assert taken.state == Delivery.State.WAITING, taken.problem
    assert taken.digest in first and taken.sheet["by"] == "李样本"
    held = {f.name: f for f in taken.files.using("intake").all()}
    assert {n: f.digest for n, f in held.items()} == {
        n: hashlib.sha256(d).hexdigest() for n, d in files.items()
    }
    assert str(held["养老金 9月.csv"].covers_until) == "2026-10-31"
    # The next one follows on it.
    page.fill("#sequence", "2")
    assert "须选择上一个数据包" in after("#pack")
    page.set_input_files("#before", bundle)
    after("#pack", "_000002.zip")
    second = receive_bundle(
        next(p for n, p in made.items() if n.endswith("_000002.zip")), by="test", at=timezone.now()
    ).delivery
    assert (second.sequence, second.previous) == (2, taken.digest)
    page.check("input[value=disc]")
    after("#pack", "交接单.json")
    lines, hand_over = sheet.document(made["交接单.json"].read_bytes())
    assert sheet.compare(lines, held.values()) == [] and hand_over["agency"] == HR
    assert json.loads(made["交接单.json"].read_text())["format"] == "chuxiong-sheet/1"
    assert page.locator("#paper-files tr").count() == 2
    assert complaints == []
    context.close()
