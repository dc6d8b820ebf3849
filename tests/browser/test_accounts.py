"""A browser keeps what was typed when the stay ends, and a duty post goes back to its board."""

from __future__ import annotations

import pytest

from tests.browser.test_whole_way import Screen, centre, chromium, pytestmark  # noqa: F401  fixtures and mark


def test_typed_text_outlives_the_stay(centre, chromium):  # noqa: F811
    desk, elsewhere = Screen(chromium, centre), Screen(chromium, centre)
    desk.sign_in("zhou")
    desk.go("/clues/new")
    desk.page.fill("main [name=title]", "示例线索")
    desk.page.fill("main [name=occurred_on]", "2026-11-01")
    desk.page.fill("main textarea[name=text]", "还没保存的文字")
    elsewhere.sign_in("zhou")
    desk.page.wait_for_selector("#stay[open]", timeout=10000)
    assert "已在别处登录" in desk.page.inner_text("#stay")

    with desk.page.context.expect_page() as opened:
        desk.page.click("#stay a.button.primary")
    tab = opened.value
    tab.fill("[name=username]", "zhou")
    tab.fill("[name=password]", centre.logins["zhou"])
    tab.click("button.primary")
    tab.wait_for_url("**/session/back")
    tab.close()
    desk.page.bring_to_front()
    if desk.page.is_visible("#stay"):
        desk.page.click("[data-again]")
    desk.page.wait_for_selector("#stay", state="hidden")
    assert desk.page.input_value("main textarea[name=text]") == "还没保存的文字"
    desk.page.click("main form button.primary")
    desk.page.wait_for_url("**/clues/XS-*")
    assert "还没保存的文字" in desk.page.inner_text("main")


def test_a_duty_post_goes_back_to_its_board(centre, chromium):  # noqa: F811
    post, elsewhere = Screen(chromium, centre), Screen(chromium, centre)
    post.go("/post/pair")
    post.page.fill("[name=code]", centre.logins["duty-post"])
    post.page.click("button.primary")
    post.page.wait_for_url("**/post")
    post.page.click("a.button.primary")
    post.page.fill("[name=username]", "lin")
    post.page.fill("[name=password]", centre.logins["lin"])
    post.page.click("button.primary")
    post.page.wait_for_selector("#live[data-state=on]")
    elsewhere.sign_in("lin")
    post.page.wait_for_url("**/post", timeout=10000)
    assert "无人登录" in post.page.inner_text("body")


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_administrators_pages_fit_and_do_not_complain(centre, chromium, language):  # noqa: F811
    for name, paths in (
        (
            "sysadmin",
            ("/people", "/people/new", "/people/1", "/offices", "/posts", "/me", "/me/second-factor"),
        ),
        ("secadmin", ("/rights", "/rights/1", "/rights/roles", "/confidentiality")),
    ):
        screen = Screen(chromium, centre)
        screen.page.context.add_cookies(
            [{"name": "django_language", "value": language, "url": centre.address}]
        )
        screen.go("/login")
        screen.page.fill("[name=username]", name)
        screen.page.fill("[name=password]", centre.logins[name])
        screen.page.click("button.primary")
        screen.page.wait_for_selector("main.accounts")
        for path in paths:
            screen.go(path)
            for width in (1366, 1920):
                screen.page.set_viewport_size({"width": width, "height": 768})
                wide, inner = screen.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
                assert wide <= inner, f"{path} {language} is {wide} wide at {width}"
            assert screen.page.query_selector("main h1"), path
        assert screen.complaints == []
