"""Text as agencies send it: full width, invisible characters, tokens that mean nothing."""

from __future__ import annotations

import polars as pl

# Zero-width and bidi marks, BOM, word joiner, soft hyphen: NFKC leaves them in place.
_INVISIBLE = "[\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\u00ad]"
#: control characters no table cell may hold (tab and line ends are blanks)
CONTROL = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
# Printable ASCII and common Chinese characters need no work; a text guard (' or =") does.
_NEEDS_WORK = "[^\x21-\x7e\u4e00-\u9fff]|^['=]|^$"
NULL_TOKENS = (
    "", "-", "--", "—", "——", "/", "//", "\\", "无", "空", "NULL", "null", "Null", "None", "NaN", "nan",
    "N/A", "n/a", "#N/A", "#N/A!", "#REF!", "#VALUE!", "不详", "未知", "暂无", "<NULL>", "(null)", "\\N",
)  # fmt: skip
# Characters that GB18030 decoders leave in the private use area, and where Unicode has had them since 4.1.
_PRIVATE = dict(
    zip(
        "\ue78d\ue78e\ue78f\ue790\ue791\ue792\ue793\ue794\ue795\ue796\ue7c7\ue81e\ue826\ue82b\ue82c\ue832\ue843"
        "\ue854\ue864\ue816\ue817\ue818\ue831\ue83b\ue855",
        "\ufe10\ufe12\ufe11\ufe13\ufe14\ufe15\ufe16\ufe17\ufe18\ufe19\u1e3f\u9fb4\u9fb5\u9fb6\u9fb7\u9fb8\u9fb9"
        "\u9fba\u9fbb\U00020087\U00020089\U000200cc\U000215d7\U0002298f\U000241fe",
        strict=True,
    )
)
# NFKC makes digits of ① and ⒈, and they would run into an amount that follows (①500元).
_ENUMERATORS = {chr(0x2460 + i): f"({i + 1})" for i in range(20)} | {
    chr(0x2488 + i): f"{i + 1}、" for i in range(20)
}


def cleaned(values: pl.Series) -> pl.Series:
    """NFKC, no invisible characters, inner runs of blanks as one, stripped; null tokens become null."""
    rows = values.str.contains(_NEEDS_WORK).fill_null(False).arg_true()
    if len(rows):
        values = values.scatter(rows, _thoroughly(values.gather(rows)))
    void = values.is_in(list(NULL_TOKENS)).fill_null(False)
    return values.set(void, None) if void.any() else values


def _thoroughly(values: pl.Series) -> pl.Series:
    text = (
        values.str.replace_many(_PRIVATE | _ENUMERATORS).str.normalize("NFKC").str.replace_all(_INVISIBLE, "")
    )
    text = text.str.replace_all(r"\s+", " ").str.strip_chars()
    # ="532301…" and a leading apostrophe are how spreadsheets keep digits as text.
    return text.str.replace(r'^="?([^"]*)"?$', "${1}").str.strip_prefix("'")


def without_blanks(values: pl.Series) -> pl.Series:
    """For codes and numbers: no blank anywhere, no quotation mark of a text guard."""
    return values.str.replace_all(r"[\s'‘’`]", "")


def same_brackets(values: pl.Series) -> pl.Series:
    """Round brackets for every kind: 〔2026〕, [2026] and 【2026】 are one."""
    return values.str.replace_all(r"[（〔\[【〖]", "(").str.replace_all(r"[）〕\]】〗]", ")")


def same_dots(values: pl.Series) -> pl.Series:
    """Middle dots of minority names in one form (·), without blanks around them."""
    return values.str.replace_all(r"\s*[·・•‧∙.．。]\s*", "·")
