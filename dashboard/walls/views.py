"""The wall's page and its snapshot by plain HTTP. Counts only, on the wall's own database role."""

from __future__ import annotations

import time
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard.walls.snapshot import snapshot
from supervision.alarms.states import LEVEL_WORDS
from supervision.alarms.states import STATE_WORDS as ALARM_STATE_WORDS
from supervision.clues.lifecycle import STATE_WORDS, TRACK


@require_safe
@never_cache
def overview(request: HttpRequest) -> HttpResponse:
    """The overview scene; ``?lang=en`` for an English wall."""
    with override(request.GET.get("lang") or get_language()):
        english = (get_language() or "").startswith("en")
        words: dict[str, Any] = {
            "levels": {"urgent": _("紧急"), "important": _("重点"), "ordinary": _("一般")},
            "states": {s.value: (w.en if english else w.zh) for s, w in STATE_WORDS.items()},
            "feed": {"ok": _("按时"), "late": _("迟报"), "silent": _("中断"), "never": _("未报送")},
            "chip": {"live": _("实时"), "late": _("延迟"), "off": _("数据已中断")},
            "none": _("还没有线索"),
            "own": _("州本级"),
            "all": _("全州合计"),
            "days": _("# 天"),
            "today": _("今天"),
            "alarms": {k: (w.en if english else w.zh) for k, w in LEVEL_WORDS.items()},
            "alarmStates": {s.value: (w.en if english else w.zh) for s, w in ALARM_STATE_WORDS.items()},
            "unreviewed": _("# 条未审核"),
            "times": _("# 倍"),
            "noAlarm": _("没有待处理的预警"),
        }
        track = [(s.value, words["states"][s.value]) for s in TRACK]
        figures = [
            ("found", _("发现线索")),
            ("checked", _("已核查")),
            ("confirmed", _("查实")),
            ("corrected", _("依法监督纠正")),
            ("improved", _("反馈并帮助改进")),
            ("in_progress", _("办理中")),
        ]
        return render(request, "walls/overview.html", {"words": words, "figures": figures, "track": track})


@require_safe
@never_cache
def now(request: HttpRequest) -> JsonResponse:
    """The snapshot, for screens whose socket is down."""
    return JsonResponse(snapshot(since=time.monotonic() - 1))
