"""Rules that people make: from a pattern to a clue, by two people; released in batches, rolled back, with exclusions."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connections, transaction
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.refused import Refused
from chuxiong.accounts.scope import person_scope
from chuxiong.work.jobs import work_off
from ingestion.models import Agreement
from ingestion.selectors import catalog
from supervision import selectors
from supervision.drafts import actions, book, reading
from supervision.drafts.checking import check, much_like
from supervision.drafts.patterns import answered, options, patterns, sentence
from supervision.matching.stored_tests import failures, unproved_leaves
from supervision.models import Clue, Hit, RuleDraft, RuleState
from supervision.rulebook.form import encode
from supervision.rulebook.form_check import check_document, document_of
from tests.conftest import acting_as
from tests.prefecture import TODAY, agreements, citizen, death, land_rows, payment, person

ANSWERS = {
    "a": "hr_pension_payment.citizen_id",
    "b": "ps_population_death.citizen_id",
    "days": "31",
    "title": "死亡后仍发放（自建）",
    "domain": "administrative",
}
PEOPLE = [citizen(serial) for serial in range(700, 705)]


@pytest.fixture(autouse=True)
def _own_book() -> Iterator[None]:
    """What a test publishes is gone with it."""
    yield
    RuleDraft.objects.using("owner").update(state="withdrawn")
    RuleDraft.objects.using("owner").all().delete()
    book.bring_in(using="owner")


@pytest.fixture
def world(database) -> None:
    agreements()
    land_rows("ps_population_death", [death(p, "2026-01-15") for p in PEOPLE])
    land_rows("hr_pension_payment", [payment(p, "202606", "1500") for p in PEOPLE])
    assert Agreement.objects.using("owner").exists()


def _author() -> Person:
    return person("author", roles=("analyst",))


def _head() -> Person:
    return person("second", roles=("head",))


def _answers(**more: str) -> dict[str, str]:
    pattern = patterns()["paid_while_excluded"]
    basis = options(pattern.questions[-1], catalog(), selectors.rulebook().values())[0].value
    return {**ANSWERS, "basis": basis, **more}


def _draft(author: Person, **more: str) -> RuleDraft:
    made = answered(
        patterns()["paid_while_excluded"], _answers(**more), catalog(), selectors.rulebook().values(),
        rule_id="", code="", today=TODAY,
    )  # fmt: skip
    assert made.document is not None, made.wrong
    draft, checked = actions.make(author, made.document, at=timezone.now(), pattern="paid_while_excluded")
    assert checked.problems == ()
    return draft


def _work() -> None:
    with acting_as("worker"):
        work_off(kinds=["trial", "published", "match", "release"])


def _now(draft: RuleDraft) -> RuleDraft:
    return RuleDraft.objects.using("owner").get(pk=draft.pk)


def _tried(author: Person, **more: str) -> RuleDraft:
    draft = _draft(author, **more)
    actions.try_out(author, draft.pk, at=timezone.now())
    _work()
    found = _now(draft)
    assert found.checked["ok"], found.checked
    return found


def _publish(draft: RuleDraft, head: Person, *, batch: int = 0, seen: bool = False) -> None:
    actions.approve(head, draft.pk, at=timezone.now(), batch=batch, digest=draft.digest, seen=seen)
    _work()


@pytest.mark.parametrize("pattern", patterns().values(), ids=lambda p: p.id)
def test_every_pattern_makes_a_rule_whose_tests_hold_and_prove_each_condition(pattern, database):
    drawn = random.randrange(10**6)
    print("seed", drawn)
    draw, rules, tried = random.Random(drawn), list(selectors.rulebook().values()), 0
    chosen = {q.key: options(q, catalog(), rules) for q in pattern.questions}
    for _ in range(400):
        answers = {"title": "试验", "domain": "civil"}
        for q in pattern.questions:
            if q.kind == "whole":
                answers[q.key] = str(draw.randint(q.least, min(q.most, q.least + 40)))
            elif chosen[q.key]:
                answers[q.key] = draw.choice(chosen[q.key]).value
        made = answered(pattern, answers, catalog(), rules, rule_id="tried", code="ZJ-01", today=TODAY)
        if made.document is None:
            assert all(p.cure and p.cure_en for p in made.wrong.values())
            continue
        rule, problems = check_document(made.document, catalog())
        assert rule is not None, (answers, problems)
        with acting_as("worker"):
            assert list(failures(rule, catalog())) == [], answers
            assert unproved_leaves(rule, catalog()) == [], answers
        tried += 1
        if tried == 4:
            break
    assert tried == 4, "most choices must fit somewhere"


def test_every_pattern_asks_at_most_six_questions_in_both_languages_and_says_what_it_will_look_for():
    assert len(patterns()) == 5
    for pattern in patterns().values():
        assert len(pattern.questions) <= 6
        assert all(q.zh and q.en for q in pattern.questions)
        zh, en = sentence(pattern, {}, catalog())
        assert "……" in zh and "……" in en
    zh, en = sentence(patterns()["paid_while_excluded"], ANSWERS, catalog())
    assert "……" not in zh and "31 天" in zh and "31 days" in en


def test_an_answer_that_fits_nothing_is_told_at_its_question():
    made = answered(
        patterns()["paid_while_excluded"], _answers(b="hr_pension_payment.citizen_id", days="-1", title=""), catalog(),
        selectors.rulebook().values(), rule_id="x", code="x", today=TODAY,
    )  # fmt: skip
    assert made.document is None and made.wrong.keys() == {"b", "days", "title"}
    other = next(
        o.value
        for o in options(patterns()["many_times"].questions[0], catalog(), [])
        if o.value.endswith("uscc")
    )
    made = answered(
        patterns()["a_without_b"], _answers(b=other), catalog(), selectors.rulebook().values(),
        rule_id="x", code="x", today=TODAY,
    )  # fmt: skip
    assert made.wrong.keys() == {"b"} and "同类" in made.wrong["b"].cure


def test_from_answers_to_clues_by_two_people(world):
    author, head = _author(), _head()
    draft = _tried(author)
    assert (draft.state, draft.checked["hits"], draft.checked["undecided"]) == ("trial", 5, 0)
    assert Clue.objects.using("owner").count() == Hit.objects.using("owner").count() == 0, (
        "a trial raises nothing"
    )
    with acting_as("web"):
        seen = reading.detail(head, draft.pk)
    assert seen and len(seen.samples) == 5 and all(s.material["records"] == 1 for s in seen.samples)
    with pytest.raises(Refused, match="另一人"):
        actions.approve(
            person("both", roles=("modeller",)), _tried_by("both").pk, at=timezone.now(), batch=0, digest=""
        )
    county = person("county", office="532301", roles=("modeller",))
    with pytest.raises(Refused, match="州院"):
        _publish(draft, county)
    _publish(draft, head)
    found = Clue.objects.using("owner").filter(rule=draft.rule)
    assert found.count() == 5 and {c.state for c in found} == {"raised"}
    assert RuleState.objects.using("owner").get(rule=draft.rule).status == "live"
    with acting_as("web"):
        row = selectors.clue_rows(head, [found[0].number], at=timezone.now(), action="queue.chosen")[0]
    assert "死亡后仍发放" in str(row)


def _tried_by(username: str) -> RuleDraft:
    return _tried(Person.objects.using("owner").get(username=username))


def test_the_database_holds_the_second_person_too(world):
    author, head = _author(), _head()
    draft = _tried(author)
    both = person("both", roles=("modeller",))
    own = _tried(both)
    approval = {"state": "published", "approved_at": timezone.now()}
    for who, pk in ((both, own.pk), (author, draft.pk)):
        with pytest.raises(DatabaseError), transaction.atomic(), person_scope(who):
            RuleDraft.objects.filter(pk=pk).update(**approval, approver=who.username)
    # In another's name.
    with pytest.raises(DatabaseError), transaction.atomic(), person_scope(both):
        RuleDraft.objects.filter(pk=own.pk).update(**approval, approver=head.username)
    with pytest.raises(IntegrityError):
        RuleDraft.objects.using("owner").filter(pk=own.pk).update(**approval, approver=own.author)
    with pytest.raises(IntegrityError):
        RuleDraft.objects.using("owner").filter(pk=own.pk).update(**approval)
    # Nor is what runs written, or an approval made for what was never tried.
    _publish(draft, head)
    with pytest.raises(DatabaseError), transaction.atomic(), person_scope(author):
        RuleDraft.objects.filter(pk=draft.pk).update(spec="id: other")
    with pytest.raises(DatabaseError), transaction.atomic(), person_scope(head):
        RuleDraft.objects.filter(pk=own.pk).update(checked={"ok": True})
    assert connections["owner"]


def test_what_is_saved_needs_no_wholeness_and_a_lost_update_is_refused(world):
    author = _author()
    draft = _draft(author)
    data = encode(document_of(draft.spec)) | {"when.0.op": "sort_of"}
    saved, checked = actions.save(author, draft.pk, data, at=timezone.now(), revision=1, note="")
    assert [p.name for p in checked.problems] == ["when.0.op"] and saved.digest == ""
    assert document_of(_now(draft).spec)["when"]["all"][0]["op"] == "sort_of"
    with pytest.raises(Refused, match="改正"):
        actions.try_out(author, draft.pk, at=timezone.now())
    with pytest.raises(Refused, match="别人"):
        actions.save(author, draft.pk, data, at=timezone.now(), revision=1, note="")


def test_a_field_that_no_agreement_covers_is_refused_there(world):
    draft = _draft(_author())
    data = encode(document_of(draft.spec))
    Agreement.objects.using("owner").filter(number="T-hr_pension_payment").update(
        fields={"hr_pension_payment": ["citizen_id", "person_name", "pay_month"]}
    )
    told = {p.name: p.problem for p in check(data, on=date.today()).problems}
    # The amount is summed; the figure is where it is named.
    (name,) = told
    assert data[name] == "a.amount_cny" and "协议" in told[name].cure
    Agreement.objects.using("owner").filter(number="T-hr_pension_payment").delete()
    assert [p.name for p in check(data, on=date.today()).problems] == ["sources.0.feed"]


def test_too_many_pairs_are_told_at_the_links(world, monkeypatch):
    from supervision.matching import history
    from supervision.matching.budgets import BUDGETS

    draft = _draft(author := _author())
    small = BUDGETS.of("backtest").model_copy(update={"pairs": 2})
    monkeypatch.setattr(history.Log, "budget", property(lambda _: small))
    actions.try_out(author, draft.pk, at=timezone.now())
    _work()
    checked = _now(draft).checked
    assert not checked["ok"] and checked["place"] == "link" and "2" in checked["told"]["zh"]
    with pytest.raises(Refused, match="不能发布"):
        actions.approve(_head(), draft.pk, at=timezone.now(), batch=0, digest=draft.digest)


def test_the_first_run_is_released_in_batches(world):
    draft, head = _tried(_author()), _head()
    _publish(draft, head, batch=2)
    clues = Clue.objects.using("owner").filter(rule=draft.rule)
    assert (clues.count(), _now(draft).held) == (2, 3)
    # What comes while some wait, waits behind them.
    late = citizen(720)
    land_rows("ps_population_death", [death(late, "2026-01-15")])
    land_rows("hr_pension_payment", [payment(late, "202606", "1500")])
    with acting_as("worker"):
        selectors_run(draft.rule)
    assert (clues.count(), _now(draft).held) == (2, 4)
    for expected in ((4, 2), (6, 0)):
        actions.release(head, draft.pk, at=timezone.now() + timedelta(seconds=expected[0]))
        _work()
        assert (clues.count(), _now(draft).held) == expected
    assert _now(draft).released_at is not None
    with pytest.raises(Refused, match="没有等待"):
        actions.release(head, draft.pk, at=timezone.now())
    assert Hit.objects.using("owner").filter(rule=draft.rule).count() == 6


def selectors_run(rule: str) -> None:
    from supervision.matching.run import run_rule

    run_rule(rule, at=timezone.now(), as_of=timezone.localdate())


def test_a_version_takes_the_place_of_the_one_before_and_comes_back(world):
    author, head = _author(), _head()
    first = _tried(author)
    _publish(first, head)
    document = document_of(_now(first).spec)
    document["params"]["days"]["value"] = 3000
    document["tests"] = document["tests"][2:]
    second, checked = actions.make(author, document, at=timezone.now(), note="放宽到三千天")
    assert (second.rule, second.version) == (first.rule, 2)
    assert {p.name for p in checked.problems} == {"tests"}
    # By the same pattern, as its own version.
    made = answered(
        patterns()["paid_while_excluded"], _answers(days="3000"), catalog(), selectors.rulebook().values(),
        rule_id=first.rule, code=first.code, today=TODAY,
    )  # fmt: skip
    actions.save(
        author, second.pk, encode(made.document or {}), at=timezone.now(), revision=1, note="放宽到三千天"
    )
    actions.try_out(author, second.pk, at=timezone.now())
    _work()
    checked_now = _now(second).checked
    assert checked_now["hits"] == 0 and checked_now["against"]["gone"] == {"raised": 5}
    with pytest.raises(Refused, match="不再命中"):
        _publish(_now(second), head)
    _publish(_now(second), head, seen=True)
    assert (_now(first).state, _now(second).state) == ("withdrawn", "published")
    clues = Clue.objects.using("owner").filter(rule=first.rule)
    assert {c.state for c in clues} == {"withdrawn"}
    actions.roll_back(head, first.pk, at=timezone.now(), reason="放宽过头")
    _work()
    assert {c.state for c in clues.all()} == {"raised"} and clues.count() == 5
    assert (_now(first).state, _now(second).state) == ("published", "withdrawn")
    actions.withdraw(head, first.pk, at=timezone.now(), reason="不再需要")
    _work()
    assert RuleState.objects.using("owner").get(rule=first.rule).status == "retired"
    assert selectors.rulebook()[first.rule].status == "retired", "its clues are still explained"


def test_an_excluded_subject_raises_nothing_until_its_day_is_over(world):
    author, head = _author(), _head()
    draft = _tried(author)
    _publish(draft, head)
    # The one whom the corrections below are about.
    land_rows("ps_population_death", [death(PEOPLE[0], "2026-01-14")])
    with acting_as("worker"):
        selectors_run(draft.rule)
    one = max(Clue.objects.using("owner").filter(rule=draft.rule), key=lambda c: c.version)
    made = actions.exclude(
        author, one.number, at=timezone.now(), reason="已核实为同名", until=date.today() + timedelta(days=30)
    )
    with pytest.raises(Refused, match="已在"):
        actions.exclude(
            author, one.number, at=timezone.now(), reason="再次", until=date.today() + timedelta(days=30)
        )
    assert Clue.objects.using("owner").get(pk=one.pk).state == "raised", (
        "people decide on a clue that is there"
    )
    # Two corrections: the clue is taken back, and would come back with its hit.
    who = PEOPLE[0]
    for day, expected in (("2026-08-15", "withdrawn"), ("2026-01-15", "withdrawn")):
        land_rows("ps_population_death", [death(who, day)])
        with acting_as("worker"):
            selectors_run(draft.rule)
        assert Clue.objects.using("owner").get(pk=one.pk).state == expected
    assert Hit.objects.using("owner").filter(rule=draft.rule, verdict="hit").count() == 5
    actions.end_exclusion(author, made.pk, at=timezone.now())
    _work()
    clues = Clue.objects.using("owner").filter(rule=draft.rule)
    assert {c.state for c in clues} == {"raised"} and clues.count() == 5


def test_much_the_same_rule_is_named(world):
    shipped = selectors.rulebook()["pension_after_death"]
    twin = shipped.model_copy(update={"id": "twin"})
    (like, *_) = much_like(twin, selectors.rulebook().values())
    assert (like.rule.id, like.percent) == ("pension_after_death", 100)
    assert "pension_after_death" not in {
        like.rule.id for like in much_like(shipped, selectors.rulebook().values())
    }


def test_a_version_of_a_shipped_rule_stands_in_its_place_until_it_is_withdrawn(world):
    author, head = _author(), _head()
    from pathlib import Path

    from django.conf import settings

    text = (Path(settings.RULES_DIR) / "administrative" / "pension_after_death.yaml").read_text(
        encoding="utf-8"
    )
    draft, checked = actions.make(author, document_of(text), at=timezone.now())
    assert checked.problems == () and draft.version == selectors.shipped_rules()[draft.rule].version + 1
    actions.try_out(author, draft.pk, at=timezone.now())
    _work()
    _publish(_now(draft), head)
    assert selectors.rulebook()[draft.rule].version == draft.version
    actions.withdraw(head, draft.pk, at=timezone.now(), reason="用回原版")
    _work()
    assert selectors.rulebook()[draft.rule] == selectors.shipped_rules()[draft.rule]
    assert RuleState.objects.using("owner").get(rule=draft.rule).status == "live"
