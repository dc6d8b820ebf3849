"""Words of the model library in templates."""

from __future__ import annotations

from django import template

from dashboard.desk.page import english
from dashboard.library import words
from ingestion import selectors as ingestion
from supervision.packs.reading import Publisher
from supervision.packs.word import DOMAINS

register = template.Library()
register.filter("domain_words", words.domain)
register.filter("status_words", words.status)
register.filter("expected_words", words.expected)
register.filter("level_words", words.level)
register.filter("standing_words_of", words.standing)
register.filter("met_words", words.met)


@register.filter
def feed_title(code: str) -> str:
    """A feed by its code, in words; a code that is none of ours stays."""
    found = ingestion.catalog().get(code)
    return (found.title.en if english() else found.title.zh) if found else code


@register.filter
def domain_words_or(code: str) -> str:
    """A domain in words; one that we do not have stays as it came."""
    return words.domain(code) if code in DOMAINS else code


@register.filter
def problem_line(problem: object) -> str:
    """A problem in the page's language."""
    return str(getattr(problem, "english", "")) if english() else str(problem)


@register.filter
def title_of(kept: dict[str, str]) -> str:
    """The title of a model as a pack's record keeps it."""
    return kept["title_en"] if english() else kept["title_zh"]


@register.filter
def fault_of(publisher: Publisher) -> str:
    """Why a publisher's key does not count today."""
    return publisher.fault_en if english() else publisher.fault_zh
