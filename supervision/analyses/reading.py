"""Reads what the analysis of cases with enterprises counts: the ledger, suits, arbitration, and the register of firms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from django.db import connection

from chuxiong.accounts.scope import all_offices, scope
from ingestion import agreements
from supervision.analyses.enterprise_risk import Analysis, Case, Definition, analyse, definition

_LEDGER, _REGISTER = "pr_enterprise_case", "mr_enterprise"
#: feed → what is read of it; without an agreement for one of them the analysis goes on and says so
FIELDS: Mapping[str, tuple[str, ...]] = {
    _LEDGER: ("unified_case_no", "uscc", "role", "charge", "case_stage", "filing_date", "risk_category", "division_code"),
    _REGISTER: ("uscc", "change_seq", "industry_code", "status"),
    "ct_trial_case": ("case_no", "defendant_ids", "cause_of_action", "filing_date"),
    "hr_labour_arbitration": ("case_no", "respondent_uscc", "dispute_type", "accept_date"),
}  # fmt: skip
#: the newest row of each firm
_FIRMS = (
    "select distinct on (uscc) uscc, county, industry_code, status from pool.mr_enterprise"
    " where to_landing is null order by uscc, change_seq desc nulls last, from_landing desc"
)
_CASES = {
    _LEDGER: (
        "select unified_case_no, uscc, coalesce(charge, ''), county, filing_date, coalesce(case_stage, ''), role,"
        " coalesce(risk_category, '') from pool.pr_enterprise_case where to_landing is null and uscc is not null"
    ),
    # A suit with several firms is a case of each.
    "ct_trial_case": (
        "select t.case_no, m[1]::uuid, coalesce(t.cause_of_action, ''), t.county, t.filing_date, '审判', '被告', ''"
        " from pool.ct_trial_case t, regexp_matches(t.defendant_ids, '〔credit_code:([0-9a-f-]{36})〕', 'g') m"
        " where t.to_landing is null"
    ),
    "hr_labour_arbitration": (
        "select distinct on (case_no, respondent_uscc) case_no, respondent_uscc, dispute_type, county, accept_date,"
        " '仲裁', '被申请人', '用工' from pool.hr_labour_arbitration"
        " where to_landing is null and respondent_uscc is not null order by case_no, respondent_uscc"
    ),
}


class NotPermitted(Exception):
    """No agreement lets the ledger or the register be read; the words say what to do."""


def enterprise_risk(until: date, with_: Definition | None = None) -> Analysis:
    """The analysis on day ``until`` over all counties. Raises ``NotPermitted`` without the ledger or the register."""
    with_ = with_ or definition()
    feeds: dict[str, tuple[str, ...]] = {}
    missing = []
    for feed, fields in FIELDS.items():
        permit = agreements.check({feed: fields}, on=until)
        if permit.allowed:
            feeds[feed] = fields
        elif feed in (_LEDGER, _REGISTER):
            raise NotPermitted(permit.explain())
        else:
            missing.append(feed)
    cases: list[Case] = []
    firms: dict[tuple[str, str], int] = {}
    industry_of: dict[str, str] = {}
    with scope(offices=all_offices(), feeds=feeds, purpose=agreements.PURPOSE), connection.cursor() as cursor:
        cursor.execute(_FIRMS)
        for uscc, county, code, status in cursor.fetchall():
            industry = industry_of[str(uscc)] = with_.industry(code or "")
            if status == "存续":
                firms[industry, county or ""] = firms.get((industry, county or ""), 0) + 1
        for feed, select in _CASES.items():
            if feed not in feeds:
                continue
            cursor.execute(select)
            cases += [
                Case(
                    feed,
                    number,
                    str(uscc),
                    cause,
                    industry_of.get(str(uscc), ""),
                    county or "",
                    day,
                    stage,
                    role,
                    risk,
                )
                for number, uscc, cause, county, day, stage, role, risk in cursor.fetchall()
            ]
    return replace(analyse(cases, firms, until, with_), missing=missing)
