"""Line icons of the desk, drawn inline: 16 units square, in the colour of the text around them."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

_PATHS = {
    "inbox": "M2 9l2-5.5h8L14 9v3.5H2zM2 9h3.5l1 2h3l1-2H14",
    "bell": "M4 11V7a4 4 0 018 0v4l1.2 1.5H2.8zM6.5 14.2h3",
    "pen": "M2.5 13.5l.6-3L10.8 2.8l2.4 2.4-7.7 7.7zM9.3 4.3l2.4 2.4",
    "screen": "M2 3h12v8H2zM5.5 13.5h5M8 11v2.5",
    "database": "M2.5 4c0-2.3 11-2.3 11 0s-11 2.3-11 0zM2.5 4v8c0 2.3 11 2.3 11 0V4M2.5 8c0 2.3 11 2.3 11 0",
    "pulse": "M1.5 8.5H5l2-5 2.5 9 1.8-4h3.2",
    "clock": "M8 1.8a6.2 6.2 0 100 12.4A6.2 6.2 0 008 1.8zM8 4.4V8l2.6 1.8",
    "ticket": "M2.5 3h11v7.5H8.2L5 13.5v-3H2.5zM5 5.7h6M5 8h4",
    "paper": "M4 2h5.5L12.5 5v9H4zM9.2 2v3.3h3.3M6 8h4.5M6 10.5h4.5",
    "search": "M7 2.5a4.5 4.5 0 100 9 4.5 4.5 0 000-9zM10.4 10.4l3.4 3.4",
    "help": "M8 1.8a6.2 6.2 0 100 12.4A6.2 6.2 0 008 1.8zM6.2 6.2c.2-2.4 3.8-2.2 3.6.1-.1 1.3-1.8 1.3-1.8 2.9M8 11.2v.7",
    "rows": "M2.5 4h11M2.5 8h11M2.5 12h11",
    "next": "M3 8h9.5M9 4.5L12.5 8 9 11.5",
    "left": "M9.8 3.5L5.3 8l4.5 4.5",
    "right": "M6.2 3.5L10.7 8l-4.5 4.5",
    "close": "M4 4l8 8M12 4l-8 8",
    "plus": "M8 3v10M3 8h10",
    "print": "M4.5 6V2.5h7V6M4.5 11.5H2.5V6h11v5.5h-2M4.5 9.5h7v4h-7z",
    "changed": "M2.5 5h8.5M8.8 2.6L11.2 5 8.8 7.4M13.5 11H5M7.2 8.6L4.8 11l2.4 2.4",
    "upload": "M8 10.5v-8M4.8 5.7L8 2.5l3.2 3.2M2.5 10.5v3h11v-3",
    "download": "M8 2.5v8M4.8 7.3L8 10.5l3.2-3.2M2.5 10.5v3h11v-3",
    "warning": "M8 2L14.5 13.5h-13zM8 6.3v3.5M8 11.3v.7",
    "out": "M9 3h4v4M13 3L7.5 8.5M11 9.5V13H3V5h3.5",
    "river": "M1.5 4.5c2 0 2 1.6 4.2 1.6S8 4.5 10 4.5s2.2 1.6 4.5 1.6M1.5 8c2 0 2 1.6 4.2 1.6S8 8 10 8s2.2 1.6 4.5 1.6M1.5 11.5c2 0 2 1.6 4.2 1.6s2.3-1.6 4.3-1.6 2.2 1.6 4.5 1.6",
    "camera": "M1.8 4.5h8.4v7H1.8zM10.2 7l4-2v6l-4-2",
    "order": "M2.5 8l11-5-3.5 10.5-2.6-4.2zM7.4 9.3l6.1-6.3",
    "matter": "M2.5 3h4v4h-4zM9.5 3h4v4h-4zM2.5 9.5h4v4h-4zM9.5 9.5h4v4h-4z",
    "book": "M3 3.5c2-1 4-.8 5 .3v9c-1-1.1-3-1.3-5-.3zM13 3.5c-2-1-4-.8-5 .3v9c1-1.1 3-1.3 5-.3z",
    "pair": "M5.2 7a2 2 0 100-4 2 2 0 000 4zM10.8 7a2 2 0 100-4 2 2 0 000 4zM1.8 13c0-5 6.2-5 6.2 0 0-5 6.2-5 6.2 0",
    "person": "M8 8a3 3 0 100-6 3 3 0 000 6zM2.5 14c0-6.5 11-6.5 11 0",
    "network": "M8 6.2a2 2 0 100-4 2 2 0 000 4zM3.5 13.8a2 2 0 100-4 2 2 0 000 4zM12.5 13.8a2 2 0 100-4 2 2 0 000 4zM7 6l-2.6 4M9 6l2.6 4M5.5 11.8h5",
    "chart": "M2.5 2.5v11h11M5 11V8M8 11V4.5M11 11V6.5",
    "model": "M3 2.5h4v4H3zM9 9.5h4v4H9zM5 6.5v5h4M7 4.5h4v5",
    "empty": "M2 8.5L4.2 3.5h7.6L14 8.5v4H2zM2 8.5h3.6c.4 2.4 4.4 2.4 4.8 0H14",
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """The icon's drawing; decoration only, the word beside it carries the meaning."""
    return format_html(
        '<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="{}"/></svg>', _PATHS[name]
    )
