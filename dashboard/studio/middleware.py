"""Pages know the rules that people have published: another process may have done so a moment ago."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from supervision.drafts.book import bring_in

logger = logging.getLogger(__name__)


class PublishedRules:
    """Looks before every page. Without a database the page says so itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> None:
        try:
            bring_in()
        except DatabaseError:
            logger.warning("published rules could not be looked at")
