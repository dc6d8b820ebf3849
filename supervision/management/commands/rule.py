"""``manage.py rule``: list, check, operators, sync, sql, explain; run, backtest, compare, runs."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from ingestion.catalog.load import CatalogError
from ingestion.selectors import catalog
from supervision.drafts.book import register, whole_book
from supervision.management import running
from supervision.models import RuleState
from supervision.rulebook.compiler import compile_rule
from supervision.rulebook.load import Rulebook, load_rulebook
from supervision.rulebook.operators import OPERATORS
from supervision.rulebook.problems import RuleError
from supervision.rulebook.sentence import rule_sentence
from supervision.selectors import live_rules
from supervision.selectors.rules import shipped_rules


class Command(BaseCommand):
    help = "监督模型：list | check [--tests] | operators | sync | sql ID | explain ID | run [ID] | backtest ID | compare [ID] | runs [ID]"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true")
        verbs = parser.add_subparsers(dest="verb", required=True)
        for verb in ("list", "check", "operators", "sync"):
            parts = verbs.add_parser(verb)
            parts.add_argument("--json", action="store_true")
            if verb == "check":
                parts.add_argument(
                    "--tests",
                    action="store_true",
                    help="also run the rules' stored tests; the pool stays as it is",
                )
        for verb in ("sql", "explain"):
            one = verbs.add_parser(verb)
            one.add_argument("rule")
            one.add_argument("--engine", choices=["postgres", "duckdb", "spark"], default="postgres")
            one.add_argument("--json", action="store_true")
        running.arguments(verbs)

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['verb']}")(**options)

    def _rulebook(self) -> Rulebook:
        try:
            return load_rulebook(settings.RULES_DIR, catalog())
        except (RuleError, CatalogError) as error:
            raise CommandError(str(error)) from error

    def _one(self, rule: str) -> Any:
        book = self._rulebook()
        if rule not in book:
            book = whole_book("default")
        if rule not in book:
            raise CommandError(f"没有监督模型 {rule}；可用：{', '.join(sorted(book))}")
        return book[rule]

    def _say(self, as_json: bool, document: Any, lines: list[str]) -> None:
        self.stdout.write(
            json.dumps(document, ensure_ascii=False, default=str) if as_json else "\n".join(lines)
        )

    def _list(self, *, json: bool, **_: Any) -> None:
        states = {s.rule: s for s in RuleState.objects.all()}
        rows = []
        for rule in self._rulebook().values():
            state = states.get(rule.id)
            rows.append(
                {
                    "id": rule.id,
                    "code": rule.code,
                    "title": rule.title.zh,
                    "status": rule.status,
                    "hits": state.hits if state else None,
                    "undecided": state.undecided if state else None,
                    "stopped": state.stopped_zh if state else "",
                }
            )
        lines = [
            f"{r['code']:<7}{r['status']:<8}{r['id']:<28}命中 {r['hits']}  未定 {r['undecided']}  {r['title']} {r['stopped']}"
            for r in rows
        ]
        self._say(json, rows, lines)

    def _check(self, *, json: bool, tests: bool, **_: Any) -> None:
        from supervision.matching.stored_tests import failures, unproved_leaves, unproved_parts

        book = self._rulebook()
        for rule in book.values():
            compile_rule(rule, catalog())
        lines = [f"{len(book)} 个监督模型无误 / rules are valid"]
        document: dict[str, Any] = {"rules": len(book), "ok": True}
        failed: list[dict[str, str]] = []
        unproved: list[dict[str, str]] = []
        if tests:
            failed = [
                {"rule": rule.id, "test": name, "expected": expected, "found": found}
                for rule in book.values()
                for name, expected, found in failures(rule, catalog())
            ]
            count = sum(len(rule.tests) for rule in book.values())
            unproved = [
                {"rule": rule.id, "condition": leaf}
                for rule in book.values()
                for leaf in (*unproved_leaves(rule, catalog()), *unproved_parts(rule, catalog()))
            ]
            document |= {
                "ok": not failed and not unproved,
                "tests": count,
                "failed": failed,
                "unproved": unproved,
            }
            lines += [
                f"{f['rule']} → tests“{f['test']}”：应为 {f['expected']}，得到 {f['found']}" for f in failed
            ]
            lines += [
                f"{u['rule']} → {'' if '.' in u['condition'] else 'when.'}{u['condition']}：取反后样例仍全部成立，没有样例说明这个条件；补一个只差这一条的样例"
                for u in unproved
            ]
            lines.append(f"{count - len(failed)}/{count} 个样例成立 / stored tests hold")
        self._say(json, document, lines)
        if failed or unproved:
            raise CommandError(
                "样例不成立或不足，见上；改正条件或样例 / tests fail or prove too little: mend the conditions or the tests"
            )

    def _operators(self, *, json: bool, **_: Any) -> None:
        rows: list[dict[str, Any]] = [
            {
                "op": o.name,
                "zh": o.zh,
                "en": o.en,
                "needs": sorted(o.needs),
                "takes": sorted(o.takes),
                "types": sorted(o.types),
                "inputs": list(o.inputs),
                "empty_zh": o.empty_zh,
                "empty_en": o.empty_en,
            }
            for o in OPERATORS.values()
        ]
        lines = [f"{r['op']:<24}{r['zh']} / {r['en']}  {'、'.join(r['needs'])}" for r in rows]
        self._say(json, rows, lines)

    def _sync(self, *, json: bool, **_: Any) -> None:
        # The files as they are now, and what people have published.
        shipped = self._rulebook()
        made = {
            rule.id: rule for rule in whole_book("owner").values() if rule != shipped_rules().get(rule.id)
        }
        book, states = {**shipped, **made}, RuleState.objects.using("owner")
        for rule in book.values():
            register(rule, using="owner")
        states.exclude(rule__in=list(book)).update(status="retired")
        self._inherit_seals(book)
        self._say(json, {"rules": len(book)}, [f"{len(book)} 个监督模型已登记 / rules registered"])

    def _inherit_seals(self, book: Rulebook) -> None:
        """Clues raised before their feed declared a seal inherit it now: the trigger looks at their rows again."""
        rules = [
            rule.id
            for rule in book.values()
            if any(catalog()[feed].seals for feed in compile_rule(rule, catalog()).fields_read)
        ]
        with connections["owner"].cursor() as cursor:
            cursor.execute(
                "update supervision_clue set seals = seals where rule = any (%s) and pool_seals(evidence) <> seals",
                [rules],
            )

    def _sql(self, *, rule: str, engine: Any, json: bool, **_: Any) -> None:
        query = compile_rule(self._one(rule), catalog()).query(engine, "full")
        self._say(json, {"sql": query.sql, "params": query.params}, [query.sql])

    def _explain(self, *, rule: str, json: bool, **_: Any) -> None:
        one = self._one(rule)
        lines = [f"{one.code} {one.title.zh}", rule_sentence(one, None, "zh"), rule_sentence(one, None, "en")]
        self._say(json, {"zh": lines[1], "en": lines[2]}, lines)

    def _run(self, *, rule: str | None, full: bool, as_of: Any, engine: Any, json: bool, **_: Any) -> None:
        rules = [self._one(rule).id] if rule else []
        running.run(self, rules, as_of=as_of, full=full, engine=engine, as_json=json)

    def _backtest(
        self, *, rule: str | None, file: Path | None, as_of: Any, known_on: Any, **options: Any
    ) -> None:
        if (rule is None) == (file is None):
            raise CommandError("写明模型编号，或用 --file 给出草稿 / name a model, or a draft by --file")
        running.run_backtest(
            self,
            running.draft(file) if file else self._one(rule or ""),
            as_of=as_of,
            known_on=known_on,
            engine=options["engine"],
            draft=file is not None,
            as_json=options["json"],
        )

    def _compare(self, *, rule: str | None, as_of: Any, json: bool, **_: Any) -> None:
        rules = [self._one(rule)] if rule else [self._one(one) for one in live_rules()]
        running.run_compare(self, rules, as_of=as_of, as_json=json)

    def _runs(self, *, rule: str | None, json: bool, **_: Any) -> None:
        running.run_history(self, rule, as_json=json)
