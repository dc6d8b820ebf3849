"""Filters of the queue under names of a person's own (常用视图). Words that were searched for are never kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlencode

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from supervision.clues.actions import Refused
from supervision.models import SavedView
from supervision.selectors import ClueFilters

#: more would be a list to search in
MOST = 20
_NAME_LENGTH = 20


def of(person: Person) -> list[SavedView]:
    """The person's views in the order in which they were saved."""
    with person_scope(person):
        return list(SavedView.objects.filter(person=person.username))


def query_of(filters: ClueFilters) -> str:
    """The filters as the queue's address has them, always in the same order; without the words searched for."""
    several: Sequence[tuple[str, Sequence[str]]] = (
        ("state", filters.states), ("level", filters.levels), ("office", filters.offices), ("rule", filters.rules),
        ("origin", filters.origins),
    )  # fmt: skip
    found = [(name, value) for name, values in several for value in sorted(values)]
    if filters.attention:
        found.append(("attention", filters.attention))
    if filters.closed:
        found.append(("closed", "1"))
    return urlencode(found)


def save(*, by: Person, at: datetime, name: str, filters: ClueFilters) -> SavedView:
    """Keep the filters under a name; a name that is taken gets the new ones. Raises ``Refused``."""
    name, query = " ".join(name.split())[:_NAME_LENGTH], query_of(filters)
    if not name:
        raise Refused("请给视图起个名字", "give the view a name")
    if not query or len(query) > 1000:
        raise Refused(
            "先选好筛选条件再存为视图；搜索的文字不存",
            "choose filters first; words searched for are not kept",
        )
    with person_scope(by):
        held = SavedView.objects.filter(person=by.username)
        if held.exclude(name=name).count() >= MOST:
            raise Refused(f"至多 {MOST} 个视图，请先删去不用的", f"at most {MOST} views: remove one first")
        made, _new = SavedView.objects.update_or_create(
            person=by.username, name=name, defaults={"query": query, "made_at": at}
        )
    return made


def forget(*, by: Person, pk: int) -> None:
    """Remove one of one's own; another's is not there."""
    with person_scope(by):
        SavedView.objects.filter(person=by.username, pk=pk).delete()
