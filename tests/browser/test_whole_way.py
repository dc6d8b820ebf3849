"""A browser goes the whole way: agency file → clue on the open desk and wall → agency's answer → settled."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import openpyxl
import pytest

from ingestion.api.signing import sign, string_to_sign
from tests.prefecture import citizen, cremation, death, payment, sheet
from tests.up.test_up import ROOT, Tree

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium on this machine (apt-get install chromium fonts-noto-cjk)"
    ),
]
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Centre:
    """A running centre and the commands an operator would type."""

    def __init__(self, var: Path) -> None:
        self.tree = Tree(var)
        self.tree.start()
        self.address = f"http://127.0.0.1:{self.tree.port}"
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("CHUXIONG_", "DJANGO_"))}
        self.environment["CHUXIONG_VAR"] = str(var)
        self.logins = {
            row["name"]: row["secret"] for row in json.loads(self.manage("demo", "seed", "--json"))
        }

    def manage(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def bring(self, folder: Path, feed: str, rows: list[dict[str, str]], name: str) -> None:
        path = folder / name
        path.write_bytes(sheet(feed, rows).getvalue())
        self.manage("feed", "import", feed, str(path))

    def read(self, letter: str) -> str:
        """The letter's ETag; empty as long as the front has it not."""
        try:
            return self.answer(letter, "", None, "")
        except HTTPError:
            return ""

    def answer(self, letter: str, verb: str, body: object, tag: str) -> str:
        """A signed request of the agency's machine; returns the new ETag."""
        path = f"/api/v1/received/{quote(letter)}/{verb}" if verb else f"/api/v1/received/{quote(letter)}"
        data = json.dumps(body).encode() if verb else b""
        stamp, nonce, key = str(int(time.time() * 1000)), secrets.token_hex(12), "demo-hr_bureau"
        method = "POST" if verb else "GET"
        signature = sign(bytes.fromhex(self.logins[key]), string_to_sign(method, path, data, stamp, nonce))
        headers = {
            "Content-Type": "application/json",
            "X-App-Key": key,
            "X-Timestamp": stamp,
            "X-Nonce": nonce,
            "X-Signature": signature,
            **({"If-Match": tag, "Idempotency-Key": secrets.token_hex(8)} if verb else {}),
        }
        with urlopen(
            Request(self.address + path, data or None, headers, method=method), timeout=10
        ) as response:
            return str(response.headers["ETag"])


@pytest.fixture(scope="module")
def centre(tmp_path_factory) -> Iterator[Centre]:
    centre = Centre(tmp_path_factory.mktemp("browser") / "var")
    yield centre
    assert centre.tree.process
    centre.tree.process.terminate()
    centre.tree.process.wait(30)
    centre.tree.gone()


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield browser
        browser.close()


class Screen:
    """A page that remembers what it complained about and where it asked for things."""

    def __init__(self, browser, centre: Centre, width: int = 1366, height: int = 768) -> None:  # type: ignore[no-untyped-def]
        self.centre, self.complaints = centre, []
        self.page = browser.new_context(viewport={"width": width, "height": height}).new_page()
        self.page.on(
            "console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on(
            "request",
            lambda r: (
                None
                if r.url.startswith((centre.address, "ws://127.0.0.1", "data:"))
                else self.complaints.append(r.url)
            ),
        )

    def go(self, path: str) -> None:
        self.page.goto(self.centre.address + path)

    def sign_in(self, name: str) -> None:
        self.go("/login")
        self.page.fill("[name=username]", name)
        self.page.fill("[name=password]", self.centre.logins[name])
        self.page.click("button.primary")
        self.page.wait_for_selector("#live[data-state=on]")

    def figure(self, name: str) -> int:
        text = self.page.text_content(f"[data-figure={name}]") or ""
        return int(text.replace(",", "")) if text.strip("—") else -1


def _within(seconds: float, what: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - began


def test_from_agency_file_to_settled_clue(centre, chromium, tmp_path, capsys):
    wall, desk = Screen(chromium, centre, 1920, 1080), Screen(chromium, centre)
    wall.go("/wall/")
    wall.page.wait_for_selector("#chip[data-state=live]")
    desk.sign_in("zhou")
    assert "目前没有在办线索" in (desk.page.text_content("#list") or "")

    # A batch arrives; the clue appears on both by itself.
    number = citizen(321)
    centre.bring(tmp_path, "ps_population_death", [death(number, "2026-03-10")], "deaths.csv")
    centre.bring(tmp_path, "ca_funeral", [cremation(number, "2026-03-10", 5)], "cremations.csv")
    months = [payment(number, f"2026{m:02d}", "3000") for m in range(4, 11)]
    centre.bring(tmp_path, "hr_pension_payment", months, "payments.csv")
    desk.page.wait_for_selector("tr[data-number]", timeout=20000)
    _within(10, lambda: wall.figure("found") == 1)
    assert "赵样本" in (desk.page.text_content("#list") or "")
    assert "赵样本" not in wall.page.content()

    delays: list[float] = []
    acted = [0.0]
    desk.page.click("tr[data-number] a.one")

    def step(name: str, fill: dict[str, str] | None = None) -> None:
        button = f"[data-move={name}]"
        acted[0] = time.monotonic()
        desk.page.click(button)
        if fill is not None:
            form = f"details:has(summary{button}) form"
            for field, value in fill.items():
                selector = f"{form} [name={field}]"
                if desk.page.eval_on_selector(selector, "e => e.tagName") == "SELECT":
                    desk.page.select_option(selector, value)
                else:
                    desk.page.fill(selector, value)
            acted[0] = time.monotonic()
            desk.page.click(f"{form} button:not([formaction])")
        desk.page.wait_for_selector(".message.success")

    def follows(figure: str, value: int) -> None:
        _within(1.0, lambda: wall.figure(figure) == value)
        delays.append(time.monotonic() - acted[0])

    def stage(words: str) -> None:
        _within(1.0, lambda: words in (wall.page.text_content("#latest") or ""))
        delays.append(time.monotonic() - acted[0])

    step("accept")
    stage("已采纳")
    step("dispatch", {"office": "532301", "department": "public_interest", "note": "请核查"})
    stage("已交办")
    step("receive")
    stage("核查中")
    step("conclude", {"finding": "confirmed", "note": "调取凭证，属实"})
    follows("confirmed", 1)
    follows("in_progress", 1)
    step("feed_back", {"agency": "hr_bureau", "subject": "停发并追回", "text": "请核实后停发并追回多发待遇"})
    stage("处置中")

    # The agency's machine signs for the letter and answers; the open page shows it after a look.
    body = desk.page.text_content("main") or ""
    letter = next(word for word in body.split() if word.startswith("楚检反馈"))
    # The inner side brings letters to the front and fetches answers, every second.
    _within(30, lambda: bool(centre.read(letter)))
    tag = centre.answer(letter, "acknowledge", {}, centre.read(letter))
    centre.answer(letter, "answer", {"answer": "corrected", "text": "已停发并追回"}, tag)

    def answered() -> bool:
        desk.page.reload()
        return "已停发并追回" in (desk.page.text_content("main") or "")

    _within(30, answered)
    step("settle", {"outcome": "improved:management_gap", "note": "单位已整改"})
    follows("improved", 1)
    follows("in_progress", 0)
    assert wall.figure("confirmed") == wall.figure("corrected") + wall.figure("improved") + wall.figure(
        "in_progress"
    )
    assert wall.figure("found") == wall.figure("checked") == 1
    assert max(delays) < 1.0, delays
    with capsys.disabled():
        print(
            f"\nwall follows the click within {max(delays):.2f} s at worst, {sorted(delays)[len(delays) // 2]:.2f} s in the middle"
        )
    assert wall.complaints == []
    assert desk.complaints == []


@pytest.mark.parametrize("path", ["/", "/clues/new", "/feeds", "/wall/"])
@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1920, 1080)])
def test_pages_do_not_scroll_sideways_or_complain(centre, chromium, path, width, height):
    screen = Screen(chromium, centre, width, height)
    if path != "/wall/":
        screen.sign_in("lin")
    for language in ("zh-hans", "en"):
        screen.page.context.add_cookies(
            [{"name": "django_language", "value": language, "url": centre.address}]
        )
        screen.go(path)
        screen.page.wait_for_timeout(300)
        sizes = screen.page.evaluate(
            "[document.documentElement.scrollWidth, innerWidth, document.documentElement.scrollHeight]"
        )
        assert sizes[0] <= sizes[1], f"{path} {language} is {sizes[0]} wide"
        if path == "/wall/":
            assert sizes[2] <= height
        # Everything that can be pressed or filled in has a name for those who do not see it.
        nameless = screen.page.evaluate(
            """[...document.querySelectorAll("a, button, summary, input:not([type=hidden]), select, textarea")]
            .filter((e) => !(e.textContent.trim() || e.ariaLabel || e.title || [...(e.labels || [])].some((l) => l.textContent.trim())))
            .map((e) => e.outerHTML)"""
        )
        assert nameless == []
        assert screen.complaints == []


def test_the_queue_goes_by_keyboard_and_several_clues_at_once(centre, chromium):
    screen = Screen(chromium, centre)
    screen.sign_in("lin")
    page = screen.page
    for title in ("桥下堆放垃圾", "河面漂浮物", "岸边建房"):
        screen.go("/clues/new")
        page.fill("[name=title]", title)
        page.fill("#entry [name=text]", "两处，已拍照")
        page.keyboard.press("Control+Enter")
        page.wait_for_selector(".message.success")
    screen.go("/?origin=manual&state=raised")
    page.wait_for_selector("#live[data-state=on]")
    rows = "tr[data-number]"
    assert page.locator(rows).count() == 3

    for key in ("j", "x", "j", "x"):
        page.keyboard.press(key)
    assert page.locator("#bulk-count").text_content() == "2"
    page.keyboard.press("e")
    page.wait_for_selector("#sheet[open] select[name=reason]")
    # A letter that is being composed, or typed into a field, is not a command.
    page.keyboard.press("Escape")
    page.click(".search input")
    page.keyboard.type("aex")
    assert not page.locator("#sheet[open]").count()
    page.keyboard.press("Escape")

    page.keyboard.press("a")
    page.wait_for_selector("#sheet[open] .primary")
    page.click("#sheet .primary")
    page.wait_for_selector("#sheet [data-act=finish]")
    assert "2 条已办理" in (page.text_content("#sheet h2") or "")
    page.click("#sheet .primary")
    _within(3, lambda: page.locator(rows).count() == 1)
    assert page.locator("#bulk").is_hidden()

    page.keyboard.press("j")
    page.keyboard.press(" ")
    page.wait_for_selector("#peek.open .peek-body")
    page.keyboard.press("Shift+Slash")
    assert page.locator("#palette").is_visible()
    page.keyboard.type("数据源")
    page.keyboard.press("Enter")
    page.wait_for_url("**/feeds")
    assert screen.complaints == []


def test_what_was_not_entered_is_there_again(centre, chromium):
    screen = Screen(chromium, centre)
    screen.sign_in("lin")
    screen.go("/clues/new")
    screen.page.fill("[name=title]", "只写了一半")
    screen.go("/feeds")
    screen.go("/clues/new")
    assert screen.page.input_value("[name=title]") == "只写了一半"
    assert screen.page.locator("#restored").is_visible()
    screen.page.click("#entry .button.primary")
    assert screen.page.text_content("#e-text") == "此项必填"
    screen.page.click("[data-act=discard]")
    screen.go("/clues/new")
    assert screen.page.input_value("[name=title]") == ""
    assert screen.complaints == []


# ---- a file brought in by hand --------------------------------------------------------------------

_PAYMENT_HEADERS = ["参保人", "证件号", "险种类型", "发放年月", "发放金额（元）", "经办人", "参保地"]


def _messy(path, faulty: int) -> str:  # type: ignore[no-untyped-def]
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["某中心发放表"])
    sheet.append(_PAYMENT_HEADERS)
    for n in range(12):
        month = "二〇二六年" if n < faulty else "2026-10"
        sheet.append(["赵样本", citizen(n), "城乡居民", month, "135.00", "示例员", "532301"])
    book.save(path)
    return str(path)


def test_a_messy_file_is_matched_by_keyboard_imported_and_its_rows_handed_back(centre, chromium, tmp_path):
    screen = Screen(chromium, centre)
    screen.sign_in("fang")
    page = screen.page
    screen.go("/imports")
    assert "还没有人工导入过文件" in (page.text_content("main") or "")
    page.keyboard.press("u")
    page.wait_for_url("**/imports/new")
    page.set_input_files("[name=file]", _messy(tmp_path / "发放.xlsx", faulty=2))
    page.click("#upload button.primary")
    # Found by its headers, with the reason; the person says so.
    page.wait_for_selector(".pick input:checked", timeout=60_000)
    assert "养老保险" in (page.text_content(".pick:has(:checked)") or "")
    page.click("text=按所选数据源检查")

    page.wait_for_selector("#columns", timeout=60_000)
    assert page.locator("#start button").is_disabled()
    # The first column that waits for a person has the focus; past “choose” and “not taken” required fields come first.
    assert page.evaluate("document.activeElement.id") == "c1"
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    assert page.input_value("#c1") == "person_name"
    page.click("#rest-not-taken")
    page.keyboard.press("Enter")
    page.wait_for_selector("#go", timeout=60_000)
    assert page.locator("td.bad").count() == 2
    said = page.text_content("tr.said") or ""
    assert "日期无法识别" in said and "2026-11" in said
    assert citizen(0) not in page.content()
    # A changed column asks for a new check before anything is imported.
    page.select_option("#c6", "agency_name")
    assert page.locator("#go").is_disabled() and page.locator("#changed-note").is_visible()
    page.select_option("#c6", "-")

    page.check("[name=remember]")
    page.click("#go")
    page.wait_for_selector("text=打开回执", timeout=60_000)
    with page.expect_download() as download:
        page.click(".hand-back button")
    download.value.save_as(tmp_path / "back.xlsx")
    back = openpyxl.load_workbook(tmp_path / "back.xlsx").worksheets[0]
    assert [row[1].value for row in back.iter_rows(min_row=2)] == [citizen(0), citizen(1)]
    page.click("text=打开回执")
    page.wait_for_selector(".receipt")
    assert "12 = 10 + 0 + 0 + 0 + 2" in (page.text_content(".receipt .adds") or "")
    printed = page.pdf(prefer_css_page_size=True)
    assert (
        printed.count(b"/Type /Page\n") == 1
        or printed.count(b"/Type /Page") - printed.count(b"/Type /Pages") == 1
    )

    # The same file again: told at once, nothing is imported.
    screen.go("/imports/new?feed=hr_pension_payment")
    page.set_input_files("[name=file]", str(tmp_path / "发放.xlsx"))
    page.click("#upload button.primary")
    page.wait_for_selector("text=这个文件已经接收过", timeout=60_000)

    for language in ("zh-hans", "en"):
        page.context.add_cookies([{"name": "django_language", "value": language, "url": centre.address}])
        for path in ("/imports", "/imports/new", "/imports/aliases", "/imports/1"):
            screen.go(path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (language, path)
    assert screen.complaints == []
