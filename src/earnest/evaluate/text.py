"""Numbers and untrusted text as people read them. Rates are shown in per cent, their differences in points."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from earnest.printable import cut, one_line, visible

if TYPE_CHECKING:
    from earnest.functional.stats import Interval

__all__ = ["cut", "one_line", "visible"]
NONE: Final = "\u2013"  # en dash
MINUS: Final = "\u2212"


def points(value: float | None, digits: int = 1) -> str:
    """A rate in per cent, without the sign. Example: 0.5732 -> "57.3"."""
    return NONE if value is None else _minus(f"{_no_negative_zero(100 * value, digits):.{digits}f}")


def signed_points(value: float | None, digits: int = 1) -> str:
    """Example: 0.27 -> "+27.0", -0.0512 -> "−5.1"."""
    return NONE if value is None else _minus(f"{_no_negative_zero(100 * value, digits):+.{digits}f}")


def interval(ci95: Interval | None, *, scale: float = 100, digits: int = 1, signed: bool = False) -> str:
    """Example: (0.53, 0.61) -> "[53.0, 61.0]"."""
    if ci95 is None:
        return NONE
    sign = "+" if signed else ""
    low, high = (_minus(f"{_no_negative_zero(scale * x, digits):{sign}.{digits}f}") for x in ci95)
    return f"[{low}, {high}]"


def difference(value: float, ci95: Interval | None) -> str:
    """Example: (0.27, (0.22, 0.32)) -> "+27.0 [+22.0, +32.0]"."""
    return f"{signed_points(value)} {interval(ci95, signed=True)}" if ci95 else signed_points(value)


def p_value(p: float | None) -> str:
    """Example: 0.0004 -> "0.0004", 1e-6 -> "≤ 0.0001"."""
    if p is None:
        return NONE
    return "≤ 0.0001" if p <= 1e-4 else f"{p:.4f}" if p < 0.01 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def whole_per_cent(value: float) -> str:
    """A share of a whole, without a fraction. Example: 0.437 -> "44 %", 0.004 -> "< 1 %"."""
    return "< 1 %" if 0 < value < 0.005 else f"{value:.0%}".replace("%", " %")


def number(value: float | None) -> str:
    """A plain number, as short as is useful. Example: 1234567 -> "1,234,567", 0.031234 -> "0.0312"."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if float(value).is_integer() and abs(value) < 1e15:
        return _minus(f"{int(value):,}")
    return _minus(f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}")


def seconds(value: float | None) -> str:
    """Example: 42.3 -> "42 s", 3723 -> "1 h 2 min"."""
    if value is None:
        return NONE
    if value < 10:
        return f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def flops(value: float | None) -> str:
    """Example: 3.2e12 -> "3.2e12"."""
    if not value:
        return NONE
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def aligned(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> list[str]:
    """Rows of cells as lines with columns of equal width, to the right but for those in `left`. Empty columns are dropped;
    the first row is the heading."""
    kept = [column for column in range(len(rows[0])) if any(row[column] for row in rows[1:])]
    width = {column: max(len(row[column]) for row in rows) for column in kept}
    return [
        "  ".join(row[c].ljust(width[c]) if c in left else row[c].rjust(width[c]) for c in kept).rstrip()
        for row in rows
    ]


def markdown(text: str) -> str:
    """Text that Markdown shows as it is, on one line: no markup, no HTML, no link, no table cell ends early."""
    text = re.sub(r"\s+", " ", visible(text)).strip()
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*\[\]|~$])", r"\\\1", text)
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)
    return re.sub(r"(?i)\b(https?|ftp|www)(?=[:.])", "\\1\u200b", text)


def fenced(text: str) -> str:
    """A Markdown code block that the text cannot close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{visible(text)}\n{fence}"


def _no_negative_zero(value: float, digits: int) -> float:
    rounded = round(value, digits)
    return 0.0 if rounded == 0 else value


def _minus(text: str) -> str:
    return text.replace("-", MINUS)
