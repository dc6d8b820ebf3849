"""Words that the walls' pages show, in the page's language."""

from __future__ import annotations

from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from dashboard.walls.spec import plain, scenes
from supervision.alarms.states import LEVEL_WORDS
from supervision.alarms.states import STATE_WORDS as ALARM_STATE_WORDS
from supervision.clues.lifecycle import STATE_WORDS, TRACK


def english() -> bool:
    return (get_language() or "").startswith("en")


def words() -> dict[str, Any]:
    """Everything that the drawing side says."""
    en = english()
    states = {s.value: (w.en if en else w.zh) for s, w in STATE_WORDS.items()}
    return {
        "centre": _("楚雄州检察业务大数据中心"),
        "levels": {"urgent": _("紧急"), "important": _("重点"), "ordinary": _("一般")},
        "states": states,
        "track": [s.value for s in TRACK],
        "feed": {"ok": _("按时"), "late": _("迟报"), "silent": _("中断"), "never": _("未报送")},
        "chip": {"live": _("实时"), "late": _("延迟"), "off": _("数据已中断")},
        "none": _("还没有线索"),
        "own": _("州本级"),
        "all": _("全州合计"),
        "days": _("# 天"),
        "today": _("今天"),
        "alarms": {k: (w.en if en else w.zh) for k, w in LEVEL_WORDS.items()},
        "alarmStates": {s.value: (w.en if en else w.zh) for s, w in ALARM_STATE_WORDS.items()},
        "unreviewed": _("# 条未审核"),
        "times": _("# 倍"),
        "noAlarm": _("没有待处理的预警"),
        "figures": [
            ["found", _("发现线索")],
            ["checked", _("已核查")],
            ["confirmed", _("查实")],
            ["corrected", _("依法监督纠正")],
            ["improved", _("反馈并帮助改进")],
            ["in_progress", _("办理中")],
        ],
        "columns": [_("县市"), _("发现"), _("核查"), _("查实"), _("纠正"), _("改进")],
        "asOf": _("数据截至"),
        "demoMap": _("演示地图，非标准地图"),
        "schematic": _("示意河道，非测绘成果"),
        "kinds": {
            "section": _("断面"),
            "station": _("监测站"),
            "outfall": _("排污口"),
            "tributary": _("支流汇入"),
            "camera": _("摄像机"),
            "problem": _("巡河问题"),
        },
        "river": {
            "length": _("河长"),
            "km": _("公里"),
            "count": _("处"),
            "open": _("未整改"),
            "above": _("超限 # 次"),
            "outfallsAbove": _("有超限的排污口"),
            "clean": _("未见超限"),
            "silent": _("没有读数"),
            "target": _("目标 # 类"),
            "within": _("达标"),
            "over": _("劣于目标"),
            "was": _("期间劣于目标"),
            "nearest": _("最近的摄像机"),
            "away": _("相距 # 公里"),
            "noCamera": _("附近没有摄像机"),
            "empty": _("还没有登记河流"),
            "stopped": _("数据协议不在有效期内，不显示读数"),
            "days": _("近 # 日"),
        },
        "water": {"limit": _("限值"), "none": _("还没有断面读数")},
        "exceed": {
            "none": _("期间没有超限均值"),
            "worst": _("最高达限值 # 倍"),
            "total": _("合计"),
        },
        "tiles": {
            "live": _("实时"),
            "asking": _("正在打开"),
            "stalled": _("信号中断，正在重连"),
            "dead": _("没有信号"),
            "last": _("最后画面"),
            "still": _("未获准向来访者播放"),
            "off": _("摄像机暂停"),
            "none": _("还没有登记摄像机"),
            "more": _("另有 # 路"),
        },
        "flow": {
            "found": _("发现"),
            "confirmed": _("查实"),
            "unchecked": _("未核查"),
            "unfounded": _("核查未查实"),
            "none": _("期间没有线索"),
        },
        "landings": {
            "last": _("最近入库"),
            "landings": _("入库批次"),
            "feeds": _("数据源"),
            "none": _("期间没有入库"),
        },
        "models": {
            "trial": _("试运行"),
            "live": _("启用"),
            "stopped": _("已停"),
            "none": _("还没有启用的监督模型"),
            "columns": [_("编号"), _("监督模型"), _("状态"), _("发现"), _("已核查"), _("查实")],
            "rules": _("# 个模型"),
        },
        "recovery": {
            "cases": _("有损失的案件"),
            "lost": _("被害人损失"),
            "recovered": _("已追回"),
            "unhandled": _("查扣冻未处置"),
            "found": _("追赃线索"),
            "confirmed": _("查实"),
            "piece": _("件"),
            "money": _("万元"),
            "none": _("近十二个月没有这类案件"),
            "unsaid": _("未填写"),
            "columns": [_("县市"), _("案件"), _("损失"), _("追回")],
        },
        "results": {"none": _("还没有登记办结成效"), "of": _("全部已办结线索"), "clues": _("# 条线索")},
        "wages": {
            "claims": _("欠薪线索"),
            "open": _("尚未办结"),
            "owed": _("欠付"),
            "paid": _("已付"),
            "found": _("监督线索"),
            "confirmed": _("查实"),
            "piece": _("件"),
            "money": _("万元"),
            "workers": _("# 人"),
            "none": _("近十二个月没有欠薪线索"),
            "noSites": _("还没有在建工地的月报"),
            "sites": _("在建 # 个"),
            "columns": [_("县市"), _("线索"), _("欠付"), _("已付")],
            "lacks": [
                ["no_account", _("未开工资专户")],
                ["no_deposit", _("未存工资保证金")],
                ["no_guarantee", _("未提供工程款支付担保")],
                ["nobody", _("无人实名登记")],
            ],
        },
        "pairs": {
            "before": _("整改前"),
            "after": _("整改后"),
            "none": _("还没有核准展示的整改照片"),
            "noneForVisitors": _("没有核准向来访者展示的整改照片"),
            "how": _("已办结线索的整改前后照片由承办人提交，另一人核准后在此轮播"),
        },
        "domains": {
            "criminal": _("刑事检察"),
            "civil": _("民事检察"),
            "administrative": _("行政检察"),
            "public_interest": _("公益诉讼检察"),
        },
        "masked": _("参观模式，不显示明细"),
        "visitor": _("参观模式"),
        "held": _("画面已保持"),
        "interrupt": _("插播"),
        "preparing": _("正在准备 #"),
        "frozen": _("画面停在 #"),
        "unreachable": _("服务中断，正在重连，画面停在 #"),
        "polling": _("实时通道中断，每隔几秒询问一次"),
        "failed": _("本栏暂时无法显示"),
        "loading": _("正在载入"),
    }


def drawn_scenes() -> list[dict[str, Any]]:
    return [plain(scene, english=english()) for scene in scenes().values()]
