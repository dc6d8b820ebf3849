"""Text as agencies send it: full width, invisible characters, tokens that mean nothing."""

from __future__ import annotations

import polars as pl

# Zero-width and bidi marks, BOM, word joiner, soft hyphen: NFKC leaves them in place.
_INVISIBLE = "[\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\u00ad\u0000-\u0008\u000b\u000c\u000e-\u001f]"
NULL_TOKENS = ("", "-", "--", "—", "——", "/", "\\", "无", "空", "null", "NULL", "None", "NaN", "nan", "N/A", "n/a", "#N/A", "不详", "未知", "暂无")
# Characters that GB18030 decoders still leave in the private use area.
_PRIVATE = {"\ue78d": "︐", "\ue81e": "龴", "\ue81f": "龵", "\ue7c7": "ḿ"}


def cleaned(values: pl.Expr) -> pl.Expr:
    """NFKC, no invisible characters, inner runs of blanks as one, stripped; null tokens become null."""
    text = values.str.normalize("NFKC").str.replace_all(_INVISIBLE, "")
    text = text.str.replace_all(r"[\s\u3000]+", " ").str.strip_chars()
    text = text.str.replace_many(list(_PRIVATE), list(_PRIVATE.values()))
    return pl.when(text.is_in(list(NULL_TOKENS))).then(None).otherwise(text)


def without_blanks(values: pl.Expr) -> pl.Expr:
    """For codes and numbers: no blank anywhere, no leading apostrophe of a text guard."""
    return values.str.replace_all(r"[\s']", "").str.replace_all("[‘’`]", "")


def same_dots(values: pl.Expr) -> pl.Expr:
    """Middle dots of minority names in one form (·)."""
    return values.str.replace_all("[・•‧∙.．。]", "·")
