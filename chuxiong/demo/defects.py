"""The faults that agencies' files have, put into chosen rows. Codes as in the feed catalogue's dictionary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import cn2an
import numpy as np

from chuxiong.demo import identifiers, names

Row = dict[str, Any]
_FULL_WIDTH = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")
_EXCEL_EPOCH = date(1899, 12, 30)
BAD_CHECKSUM = "BAD_CHECKSUM"
#: gaps and clocks of monitoring devices are planted where the readings are made
BY_WRITER = frozenset({"D24", "D25"})
_CHOOSY = frozenset({"D15", "D17", "D19", "D20", "D26"})
#: fit rows of some counties only: where chance gave a small feed none of them, other feeds have them
_OF_PLACES = frozenset({"D17"})
#: what cannot be read is left out of a row that is kept otherwise
LEFT_OUT = frozenset({"D04", "D20", "D22"})


@dataclass(frozen=True)
class Places:
    """Headers of a feed in which a kind of fault may occur."""

    ids: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    months: tuple[str, ...] = ()
    moments: tuple[str, ...] = ()
    money: tuple[str, ...] = ()
    divisions: tuple[str, ...] = ()
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: without a value in one of these the row cannot be loaded
    required: tuple[str, ...] = ()
    orgs: tuple[str, ...] = ()
    firms: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    several: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    #: longitude and latitude
    axes: tuple[str, ...] = ()
    #: numbers that cannot be negative
    floors: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    #: where a clerk writes "as above"
    ditto: tuple[str, ...] = ()
    spreadsheet: bool = False


@dataclass(frozen=True)
class Fault:
    """``at``: row index in the list returned by ``plant``; ``column``, ``clean``: the spoiled cell as it should read."""

    at: int
    code: str
    expected: str
    column: str = ""
    clean: str | None = None


def plant(
    feed: str,
    rows: list[Row],
    free: list[int],
    wanted: Mapping[str, int],
    places: Places,
    draw: np.random.Generator,
) -> tuple[list[Row], list[Fault]]:
    """Put the wanted faults into rows whose index is in ``free``; copies go to the end. ``rows`` is changed."""
    order = draw.permutation(np.array(sorted(free), dtype=int)).tolist()
    faults: list[Fault] = []
    whole = dict.fromkeys(order)  # rows nobody has touched yet, in the order drawn
    # The choosiest first: old division names fit rows of two counties only, a check character X one in eleven.
    for code, count in sorted(wanted.items(), key=lambda item: item[0] not in _CHOOSY):
        if code in BY_WRITER:
            continue
        for _ in range(count):
            fault = _first_fit(rows, whole, code, places, draw)
            if fault is None and code in _OF_PLACES:
                break
            if fault is None:
                raise ValueError(f"{feed} 没有足够的普通行来植入 {code}：请调大 plan.yaml 中的规模")
            faults.append(fault)
    return rows, faults


def _first_fit(
    rows: list[Row], whole: dict[int, None], code: str, places: Places, draw: np.random.Generator
) -> Fault | None:
    """Spoil the first untouched row that suits; it is touched then. None when none suits."""
    for at in list(whole):
        before = dict(rows[at])
        if code == "D15":
            expected, copy = (_as_above(rows, at, places) if at - 1 in whole else ""), None
        else:
            expected, copy = _spoil(rows[at], code, places, draw)
        if not expected:
            continue
        del whole[at]
        if code == "D15":
            whole.pop(at - 1)
            before = before | {h: rows[at - 1][h] for h in places.ditto if rows[at][h] == "同上"}
        if copy is not None:
            rows.append(copy)
            at = len(rows) - 1
        changed = [h for h in before if rows[at].get(h) != before[h]] if copy is None else []
        column = changed[0] if changed else ""
        # A rare character is the name as it is; an old division stays as delivered, only its office is today's.
        clean = (
            str((rows[at] if code in ("D07", "D34") else before)[column])
            if column and expected == "mended"
            else None
        )
        if code == "D17":
            clean = None
        if column and expected == "kept":
            clean = "" if code in LEFT_OUT else str(rows[at][column])
        if code == "D30":
            clean = ""
        return Fault(at, code, expected, column, clean)
    return None


def _as_above(rows: list[Row], at: int, places: Places) -> str:
    """D15: 同上 stands for the cell above it."""
    for header in places.ditto:
        if rows[at - 1].get(header) and rows[at].get(header):
            rows[at][header] = "同上"
            return "mended"
    return ""


def _spoil(row: Row, code: str, places: Places, draw: np.random.Generator) -> tuple[str, Row | None]:
    """(expected treatment, copy to append). An empty treatment: the row does not suit this fault."""
    if code == "D12":
        return "duplicate", dict(row)
    if code == "D35":
        return _two_persons(row, places)
    return _FAULTS[code](row, places, draw), None


def _two_persons(row: Row, places: Places) -> tuple[str, Row | None]:
    """The same number under another name."""
    name = places.names[0]
    copy = dict(row)
    copy[name] = (
        "王" + str(row[name])[-1] if not str(row[name]).startswith("王") else "李" + str(row[name])[-1]
    )
    return "duplicate", copy


def _chosen(row: Row, headers: tuple[str, ...], draw: np.random.Generator) -> str | None:
    filled = [h for h in headers if isinstance(row.get(h), str) and row[h]]
    return filled[int(draw.integers(0, len(filled)))] if filled else None


def _fifteen(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, places.ids, draw)
    # 996 to 999 at the end of an old number meant a birth in the 1800s.
    if not header or len(row[header]) != 18 or row[header][6:8] != "19" or row[header][14:17] >= "996":
        return ""
    row[header] = identifiers.old_number(row[header])
    return "mended"


def _numeric_id(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, places.ids, draw)
    if not header or len(row[header]) != 18:
        return ""
    row[header] = int(row[header][:15]) * 1000
    return "quarantined"


def _scientific(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, places.ids, draw)
    if not header or len(row[header]) != 18:
        return ""
    row[header] = f"{row[header][0]}.{row[header][1:6]}E+17"
    return "quarantined"


def _full_width(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, places.ids or places.phones or places.optional, draw)
    if not header or row[header] == (wide := row[header].translate(_FULL_WIDTH)):
        return ""
    row[header] = wide
    return "mended"


def _invisible(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, places.ids + places.names or places.optional, draw)
    if not header or len(row[header]) < 2:
        return ""
    value = row[header]
    forms = (f"\u3000{value}", f"{value}\u00a0", f"{value[:2]}\u200b{value[2:]}", f"\ufeff{value} ")
    row[header] = forms[int(draw.integers(0, len(forms)))]
    return "mended"


def _rare(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, places.names, draw)
    if not header:
        return ""
    row[header] = row[header][:-1] + names.RARE[int(draw.integers(0, len(names.RARE)))]
    return "mended"


def _dots(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, places.names, draw)
    if not header:
        return ""
    if "·" not in row[header]:
        return _rare(row, places, draw)
    row[header] = row[header].replace("·", ("•", "・", "．")[int(draw.integers(0, 3))])
    return "mended"


def _serial(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, places.dates, draw)
    if not header:
        return ""
    row[header] = (date.fromisoformat(row[header]) - _EXCEL_EPOCH).days
    return "mended"


def _date_forms(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, places.dates + places.months + places.moments, draw)
    if not header:
        return ""
    value = row[header]
    if header in places.months:
        row[header] = (f"{value[:4]}-{value[4:]}", f"{value[:4]}年{int(value[4:])}月")[
            int(draw.integers(0, 2))
        ]
        return "mended"
    day, clock = date.fromisoformat(value[:10]), value[10:]
    forms = [
        f"{day.year}.{day.month}.{day.day}",
        f"{day.year}/{day.month}/{day.day}",
        f"{day.year}年{day.month}月{day.day}日",
    ]
    if not clock:
        forms.append(f"{day:%Y%m%d}")
    if 2000 <= day.year < 2024 and not clock:
        forms.append(f"{day.year % 100:02d}-{day.month}-{day.day}")
    row[header] = forms[int(draw.integers(0, len(forms)))] + clock
    return "mended"


def _amounts(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, places.money, draw)
    if not header or float(row[header]) <= 0:
        return ""
    yuan = float(row[header])
    forms = [f"{yuan:,.2f}", f"{yuan:.2f}元"]
    if yuan == int(yuan):
        forms += [cn2an.an2cn(int(yuan), "rmb"), f"{yuan / 10_000:.4f}万元"]
    row[header] = forms[int(draw.integers(0, len(forms)))]
    return "mended"


def _labels(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, tuple(places.codes), draw)
    if not header:
        return ""
    codes = places.codes[header]
    code = row[header] if row[header] in codes else {v: k for k, v in codes.items()}[row[header]]
    forms = [f for f in (code, codes[code], f"{code}-{codes[code]}") if f != row[header]]
    row[header] = forms[int(draw.integers(0, len(forms)))]
    return "mended"


def _old_division(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, places.divisions, draw)
    if not header:
        return ""
    if row[header] in ("532302", "禄丰市"):
        row[header] = ("532331", "禄丰县")[int(draw.integers(0, 2))]
    elif row[header] in ("532301", "楚雄市"):
        row[header] = ("532321", "楚雄县")[int(draw.integers(0, 2))]
    else:
        return ""
    return "mended"


def _bad_checksum(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, places.ids, draw)
    if not header or len(row[header]) != 18:
        return ""
    row[header] = identifiers.broken(row[header])
    return "quarantined"


def _masked(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, places.ids, draw)
    if not header or len(row[header]) != 18:
        return ""
    row[header] = f"{row[header][:6]}********{row[header][14:]}"
    return "quarantined" if header in places.required else "kept"


def _anonymous(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, places.names, draw)
    if not header or "·" in row[header]:
        return ""
    row[header] = row[header][0] + ("某", "*", "某某")[int(draw.integers(0, 3))]
    return "kept"


def _org_variants(row: Row, places: Places, draw: np.random.Generator) -> str:
    """Brackets differ: one form is made of them. A short name stays: nobody can tell which firm it is."""
    header = _chosen(row, places.orgs, draw)
    if not header:
        return ""
    name = row[header]
    if "（" in name:
        row[header] = name.translate(str.maketrans("（）", ("()", "〔〕")[int(draw.integers(0, 2))]))
        return "mended"
    if not name.endswith("有限公司"):
        return ""
    row[header] = name.removesuffix("有限公司")
    return "kept"


def _several(row: Row, places: Places, draw: np.random.Generator) -> str:
    for listed in places.several:
        if "、" in str(row.get(listed, "")):
            row[listed] = row[listed].replace("、", ("；", "/", ",")[int(draw.integers(0, 3))])
            return "mended"
    header = _chosen(row, places.phones, draw)
    if not header or not row[header].isdigit():
        return ""
    row[header] = f"{row[header]}/{identifiers.phone(int(row[header][3:]) + 1)}"
    return "mended"


def _axes(row: Row, places: Places, draw: np.random.Generator) -> str:
    if len(places.axes) != 2 or not all(row.get(h) for h in places.axes):
        return ""
    lon, lat = places.axes
    if draw.random() < 0.3:
        row[lon] = "见附图"
        return "kept"
    row[lon], row[lat] = row[lat], row[lon]
    return "mended"


def _former_number(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, places.firms, draw)
    if not header:
        return ""
    row[header] = identifiers.registration_number(draw, row[header][2:8])
    return "quarantined" if header in places.required else "kept"


def _negative(row: Row, places: Places, draw: np.random.Generator) -> str:
    filled = [
        h for h in places.floors if str(row.get(h, "")).replace(".", "").isdigit() and float(row[h]) > 0
    ]
    if not filled:
        return ""
    header = filled[int(draw.integers(0, len(filled)))]
    row[header] = f"-{row[header]}"
    return "quarantined"


def _like_x(row: Row, places: Places, draw: np.random.Generator) -> str:
    ending = tuple(h for h in places.ids if str(row.get(h, "")).endswith("X"))
    header = _chosen(row, ending, draw)
    if not header or len(row[header]) != 18:
        return ""
    row[header] = row[header][:17] + "x×Х*"[int(draw.integers(0, 4))]
    return "mended"


def _guarded(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, places.ids or places.firms, draw)
    if not header or len(row[header]) != 18:
        return ""
    formula = not places.spreadsheet and draw.random() < 0.5
    row[header] = f'="{row[header]}"' if formula else f"'{row[header]}"
    return "mended"


def _null_token(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, places.optional, draw)
    if not header:
        return ""
    row[header] = ("无", "/", "-", "不详", "NULL")[int(draw.integers(0, 5))]
    return "mended"


def _case_brackets(row: Row, places: Places, draw: np.random.Generator) -> str:
    header = _chosen(row, places.cases, draw)
    if not header or not row[header].startswith("（") or not row[header].endswith("号"):
        return ""
    year, rest = row[header][1:5], row[header][6:]
    forms = (f"〔{year}〕{rest}", f"{year}{rest}", f"({year}){rest[:-1]}", f"（{year}） {rest[:-1]} 号")
    row[header] = forms[int(draw.integers(0, len(forms)))]
    return "mended"


def _cut(row: Row, places: Places, draw: np.random.Generator) -> str:
    """The system behind the export keeps 255 characters: nobody knows how the text went on."""
    header = _chosen(row, places.texts, draw)
    if not header:
        return ""
    row[header] = (row[header].rstrip("。；，、") * 256)[:254] + "的"
    return "kept"


_FAULTS: dict[str, Callable[[Row, Places, np.random.Generator], str]] = {
    "D01": _fifteen,
    "D02": _numeric_id,
    "D03": _scientific,
    "D04": _masked,
    "D05": _full_width,
    "D06": _invisible,
    "D07": _rare,
    "D08": _serial,
    "D09": _date_forms,
    "D13": _anonymous,
    "D14": _amounts,
    "D16": _labels,
    "D17": _old_division,
    "D18": _org_variants,
    "D19": _several,
    "D20": _axes,
    "D22": _former_number,
    "D23": _negative,
    "D26": _like_x,
    "D27": _guarded,
    "D30": _null_token,
    "D31": _case_brackets,
    "D32": _cut,
    "D34": _dots,
    BAD_CHECKSUM: _bad_checksum,
}
