"""Words and small drawings of the pages about feeds, agreements and data tickets."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from ingestion import selectors as ingestion
from ingestion.catalog.purposes import purposes
from ingestion.catalog.spec import FeedSpec
from ingestion.intake.normalising import Reason
from ingestion.models import DataTicket
from ingestion.tickets.drafting import MACHINE

register = template.Library()


def _english() -> bool:
    return (get_language() or "zh").startswith("en")


@register.filter
def named(item: Any) -> str:
    """``item.zh`` or ``item.en``."""
    return str(getattr(item, "en" if _english() else "zh", ""))


@register.filter
def percent(share: float | None) -> str:
    """A share as people read it; what is there but tiny is not shown as nothing."""
    if share is None:
        return "—"
    if 0 < share < 0.001:
        return "<0.1%"
    return f"{share:.1%}"


@register.filter
def health_words(health: str) -> str:
    return {
        "ok": _("正常"),
        "late": _("迟报"),
        "silent": _("中断"),
        "never": _("未报送"),
        "odd": _("异常"),
    }[health]


@register.filter
def standing_words(standing: str) -> str:
    return {
        "valid": _("有效"),
        "soon": _("即将到期"),
        "coming": _("尚未生效"),
        "over": _("已到期"),
        "ended": _("已终止"),
    }[standing]


@register.filter
def clearing_words(state: str) -> str:
    return {
        "requested": _("统计中"),
        "counted": _("待批准"),
        "approved": _("已批准"),
        "clearing": _("清除中"),
        "done": _("已清除"),
        "declined": _("未批准"),
    }.get(state, "")


@register.filter
def happened(kind: str) -> str:
    """What an event of an agreement or a ticket says."""
    return {
        "register": _("登记"),
        "renewed": _("续签"),
        "end": _("终止"),
        "custodians": _("变更专管员"),
        "warned": _("到期提醒"),
        "clearing_requested": _("申请清除数据"),
        "clearing_approved": _("批准清除数据"),
        "clearing_declined": _("不批准清除数据"),
        "cleared": _("数据已清除"),
        "opened": _("拟稿"),
        "sent": _("发出"),
        "sent_again": _("再次发出"),
        "reminded": _("催办"),
        "acknowledged": _("单位签收"),
        "answered": _("单位已答复"),
        "closed": _("关闭"),
        "dropped": _("不发出"),
    }.get(kind, kind)


@register.filter
def ticket_words(state: str) -> str:
    return {
        "open": _("待发出"),
        "sent": _("待答复"),
        "answered": _("已答复"),
        "closed": _("已关闭"),
    }[state]


@register.filter
def ticket_kind(kind: str) -> str:
    return {
        "quarantine": _("隔离行"),
        "anomaly": _("数据异常"),
        "late": _("迟报或中断"),
        "device": _("设备中断"),
        "layout": _("格式问题"),
        "other": _("其他"),
    }[kind]


@register.filter
def ticket_answer(answer: str) -> str:
    return {
        "resent": _("已更正重报"),
        "will_resend": _("将更正重报"),
        "correct": _("数据无误"),
        "explained": _("情况说明"),
        "extension": _("申请延期"),
    }.get(answer, answer)


@register.filter
def type_words(kind: str) -> str:
    """A column's type in words."""
    return {
        "text": _("文本"),
        "code": _("编号"),
        "person_name": _("姓名"),
        "org_name": _("单位名称"),
        "address": _("地址"),
        "case_no": _("案号"),
        "enum": _("代码"),
        "division": _("行政区划"),
        "date": _("日期"),
        "month": _("年月"),
        "datetime": _("日期时间"),
        "money": _("金额"),
        "int": _("整数"),
        "number": _("数值"),
        "bool": _("是否"),
        "citizen_id": _("身份证号"),
        "phone": _("电话"),
        "bank_account": _("银行账号"),
        "credit_code": _("统一社会信用代码"),
        "plate": _("号牌号码"),
        "findings": _("文书提取"),
    }[kind]


@register.filter
def class_words(level: str) -> str:
    """What a class of sensitivity means."""
    return {
        "L1": _("公开"),
        "L2": _("内部"),
        "L3": _("敏感"),
        "L4": _("高度敏感"),
    }[level]


@register.simple_tag
def finding(feed: FeedSpec, found: dict[str, Any]) -> dict[str, str]:
    """{says, means}: one thing outside the usual, what it may mean and what to do."""
    kind, seen, usual, name = found["kind"], found["seen"], found["usual"], found["column"]
    column = next((c for c in feed.columns if c.name == name), None)
    title = (column.en if _english() else column.zh) if column else _("所属县市")
    if kind == "middle" and column and column.type == "money":
        seen, usual = seen / 100, usual / 100
    values = {"seen": seen, "usual": usual, "column": title}
    says, means = {
        "volume_low": (
            _("行数 %(seen)s，通常约 %(usual)s，明显偏少") % _counts(values),
            _(
                "可能漏导了县市、险种或月份，或只导了部分页；缺的行会使“无记录”的判断落空。请提供单位核对导出范围。"
            ),
        ),
        "volume_high": (
            _("行数 %(seen)s，通常约 %(usual)s，明显偏多") % _counts(values),
            _("可能重复导出，或改为了全量；已入库的行按主键合并，不会重复计数。请提供单位核对口径。"),
        ),
        "quarantined": (
            _("隔离行占 %(seen)s，高于约定") % _shares(values),
            _("这些行没有入库，涉及的对象查不到。把问题单发给提供单位，更正后重报。"),
        ),
        "empty": (
            _("“%(column)s”空值占 %(seen)s，以往约 %(usual)s") % _shares(values),
            _("可能换了导出模板或列名；读取该列的模型会少命中。请提供单位核对该列。"),
        ),
        "drift": (
            _("“%(column)s”的取值分布变化，约 %(seen)s 的行与惯常不同") % _shares(values),
            _("可能代码表换版、漏了县市或口径变化；也可能是真实变化。请提供单位说明。"),
        ),
        "middle": (
            _("“%(column)s”中位数 %(seen)s，以往约 %(usual)s") % _middles(values),
            _("多为计量单位改变（如万元与元、毫克与微克）。核实前，依赖该列的结果应谨慎使用。"),
        ),
    }[kind]
    return {"says": says, "means": means}


def _counts(values: dict[str, Any]) -> dict[str, str]:
    return {"seen": f"{values['seen']:,.0f}", "usual": f"{values['usual']:,.0f}"}


def _shares(values: dict[str, Any]) -> dict[str, str]:
    return {
        "column": values["column"],
        "seen": percent(values["seen"]),
        "usual": percent(values["usual"]),
    }


def _middles(values: dict[str, Any]) -> dict[str, str]:
    return {
        "column": values["column"],
        "seen": f"{values['seen']:,.6g}",
        "usual": f"{values['usual']:,.6g}",
    }


@register.simple_tag
def trend(shares: list[float | None]) -> SafeString:
    """Shares over the last batches as a line of small bars, oldest left; a gap where a batch has none."""
    drawn = []
    for i, share in enumerate(shares, 12 - len(shares)):
        if share is None:
            continue
        height = max(1, round(18 * share))
        drawn.append(
            f'<rect class="{"some" if share else "zero"}" x="{i * 8}" y="{19 - height}" width="6" height="{height}"/>'
        )
    return format_html(
        '<svg class="bars" viewBox="0 0 94 20" role="img" aria-label="{}">{}</svg>',
        _("近 %(n)s 批空值占比，最近 %(last)s")
        % {"n": len(shares), "last": percent(shares[-1] if shares else None)},
        SafeString("".join(drawn)),
    )


@register.simple_tag
def band(counts: list[int], usual: Any) -> SafeString:
    """Rows of the last deliveries as bars over the usual band, oldest left; outside the band amber, none red."""
    top = max([*counts, usual.high or 0, 1])
    low, high = usual.low or 0, usual.high or top
    shade = ""
    if usual.rows is not None:
        y = 20 - 18 * min(high, top) / top
        shade = f'<rect class="band" x="0" y="{y:.1f}" width="94" height="{max(1.0, 18 * (min(high, top) - low) / top):.1f}"/>'
    drawn = []
    for i, n in enumerate(counts, 12 - len(counts)):
        height = max(2, round(18 * n / top)) if n else 2
        tone = "none" if not n else "out" if usual.rows is not None and not low <= n <= high else "some"
        drawn.append(f'<rect class="{tone}" x="{i * 8}" y="{20 - height}" width="6" height="{height}"/>')
    return format_html(
        '<svg class="bars" viewBox="0 0 94 20" role="img" aria-label="{}">{}</svg>',
        _("近 %(n)s 批行数，最近 %(last)s") % {"n": len(counts), "last": counts[-1] if counts else 0},
        SafeString(shade + "".join(drawn)),
    )


@register.filter
def columns_of(feed: FeedSpec, names: list[str]) -> str:
    """Columns by name, in words."""
    known = {c.name: (c.en if _english() else c.zh) for c in feed.columns}
    return (", " if _english() else "、").join(known.get(n, n) for n in names)


@register.filter
def column_words(feed: FeedSpec, name: str) -> str:
    return columns_of(feed, [name])


@register.filter
def at(mapping: dict[Any, Any], key: Any) -> Any:
    """``mapping[key]`` or nothing."""
    return mapping.get(key)


@register.filter
def purpose_words(purpose: str) -> str:
    """A purpose the house knows in words; another as the paper has it."""
    known = purposes().get(purpose)
    return named(known) if known else purpose


@register.filter
def provider_words(agency: str) -> str:
    """A data provider's name by its code."""
    known = next((f.agency for f in ingestion.catalog().values() if f.agency.code == agency), None)
    return named(known) if known else agency


@register.filter
def ticket_title(ticket: DataTicket) -> str:
    """A ticket's subject. What the machine drafted is said in English on an English page; a person's words stay."""
    if not _english() or ticket.opened_by != MACHINE or ticket.feed not in ingestion.catalog():
        return ticket.subject
    rows = f", {ticket.rows:,} row{'' if ticket.rows == 1 else 's'}" if ticket.rows else ""
    return f"{named(ingestion.catalog()[ticket.feed].title)}: {ticket_kind(ticket.kind)}{rows}"


@register.filter
def fault_words(reason: str) -> str:
    """A reason of quarantine by its code."""
    found = Reason.__members__.get(reason.upper())
    return named(found) if found else reason
