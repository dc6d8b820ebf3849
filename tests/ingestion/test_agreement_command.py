"""An agreement entered by command lets its feed in; what is wrong is named with its cure and leaves nothing."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone

from ingestion.models import Agreement

TODAY = timezone.localdate()
GOOD = {
    "--number": "楚检数协〔2026〕9号",
    "--agency": "ps_bureau",
    "--title": "数据共享协议",
    "--signed": str(TODAY),
    "--from": str(TODAY),
    "--to": str(TODAY + timedelta(days=365)),
    "--feed": "ps_population_death",
    "--custodian": "测试保管",
}


def register(*more: str, **changed: str) -> str:
    out = io.StringIO()
    given = GOOD | {f"--{name.rstrip('_')}": value for name, value in changed.items()}
    words = [word for pair in given.items() for word in pair]
    call_command("agreement", "register", *words, *more, stdout=out)
    return out.getvalue()


def test_registered_listed_audited(database: None) -> None:
    from ingestion.agreements import check

    assert not check({"ps_population_death": ["citizen_id"]}, on=TODAY, using="intake").allowed
    register()
    assert check({"ps_population_death": ["citizen_id"]}, on=TODAY, using="intake").allowed
    out = io.StringIO()
    call_command("agreement", "list", "--json", stdout=out)
    (listed,) = json.loads(out.getvalue())
    assert (listed["number"], listed["in_force"], listed["data_class"]) == (GOOD["--number"], True, "L4")
    with connections["owner"].cursor() as cursor:
        cursor.execute("select object_ref from audit_auditevent where action = 'agreement.register'")
        assert cursor.fetchall() == [(GOOD["--number"],)]


def test_columns_narrow_what_is_allowed(database: None) -> None:
    from ingestion.agreements import check

    register(feed="ps_population_death:person_name,citizen_id")
    assert check({"ps_population_death": ["person_name"]}, on=TODAY, using="intake").allowed
    assert "未包含字段" in check({"ps_population_death": ["death_date"]}, on=TODAY, using="intake").explain()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"agency": "nobody"}, "--agency nobody.*可用.*ps_bureau"),
        ({"feed": "mr_enterprise"}, "--feed mr_enterprise：属于其他单位.*ps_population_death"),
        ({"feed": "no_such"}, "--feed no_such：没有这个数据源"),
        ({"feed": "ps_population_death:nose"}, "没有列 nose；可用.*citizen_id"),
        ({"to": "2020-01-01"}, "--to 2020-01-01：早于"),
        ({"signed": "1.2.2026"}, "--signed 1.2.2026：不是日期"),
        ({"class_": "L1"}, "--class L1：所列字段最高为 L4"),
        ({"custodian": " "}, "--custodian"),
    ],
)
def test_a_mistake_is_named_with_its_cure(database: None, changed: dict[str, str], named: str) -> None:
    with pytest.raises(CommandError, match=named):
        register(**changed)
    assert not Agreement.objects.using("owner").exists()


def test_a_number_is_registered_once(database: None) -> None:
    register()
    with pytest.raises(CommandError, match="已登记"):
        register(title="另一份")
    assert Agreement.objects.using("owner").get().title == GOOD["--title"]
