"""Numbers as people read them: the one place where money, ratios, percentages and intervals become text.

Figures and the terminal use ``short`` (``1.23M``), tables use ``full`` (``1,234,567``). Negative numbers carry an ASCII
minus. A number that does not exist (None, NaN or infinite) is ``n/a`` everywhere.
"""

from __future__ import annotations

import math
import re

MISSING = "n/a"
DIGITS = 3
_SCALES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n")


def exists(value: float | None) -> bool:
    """Whether a number can be shown: not None, NaN or infinite."""
    return value is not None and math.isfinite(value)


def _decimals(magnitude: float) -> int:
    """Decimals that show ``magnitude`` with three significant digits; at most six."""
    if magnitude == 0 or magnitude >= 10**DIGITS:
        return 0
    # rounded first: 0.9996 becomes 1.00 and needs two decimals, not three
    rounded = float(f"{magnitude:.{DIGITS - 1}e}")
    return min(6, max(0, DIGITS - 1 - math.floor(math.log10(rounded))))


def _scale(magnitude: float) -> tuple[float, str]:
    for size, suffix in _SCALES:
        # 999,600 rounds to 1.00M, not to 1000k
        if magnitude >= size * (1 - 0.5 * 10.0**-DIGITS):
            return size, suffix
    return 1.0, ""


def _fixed(value: float, decimals: int, *, sign: bool = False) -> str:
    text = f"{value:+,.{decimals}f}" if sign else f"{value:,.{decimals}f}"
    if not text.strip("+-0.,"):  # never -0.0 or +0
        text = text.lstrip("+-")
    return text


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}" if unit else text


def short(value: float | None, unit: str = "", *, sign: bool = False) -> str:
    """Return three significant digits with k, M, B or T: ``1.23M EUR``."""
    if value is None or not math.isfinite(value):
        return MISSING
    if 0 < abs(value) < 1e-4:
        return _with_unit(f"{value:{'+' if sign else ''}.{DIGITS - 1}e}", unit)
    size, suffix = _scale(abs(value))
    scaled = value / size
    decimals = _decimals(abs(scaled))
    if not suffix and float(scaled).is_integer():
        decimals = 0
    return _with_unit(_fixed(scaled, decimals, sign=sign) + suffix, unit)


def short_interval(mean: float | None, low: float | None, high: float | None, unit: str = "", *, sign: bool = False) -> str:
    """Return mean and interval on one scale: ``1.23M [0.81M, 1.93M] EUR``."""
    if mean is None or not math.isfinite(mean):
        return MISSING
    ends = [v for v in (low, high) if v is not None and math.isfinite(v)]
    largest = max(abs(v) for v in (mean, *ends))
    # on the mean's own scale, unless the mean is next to nothing
    size, suffix = _scale(abs(mean) if abs(mean) >= 0.01 * largest else largest)
    scaled = [v / size for v in ends]
    # three digits of the largest number; one decimal more where the mean would keep fewer
    decimals = _decimals(max(abs(v) for v in (mean / size, *scaled)))
    decimals = max(decimals, min(decimals + 1, _mean_decimals(mean / size, scaled, DIGITS)))

    def text(value: float | None, sign: bool) -> str:
        if value is None or not math.isfinite(value):
            return MISSING
        return _fixed(value / size, decimals, sign=sign) + suffix

    return _with_unit(f"{text(mean, sign)} [{text(low, False)}, {text(high, False)}]", unit)


def full(value: float | None, unit: str = "", *, sign: bool = False) -> str:
    """Return all digits before the point, with thousands separators: ``1,234,567 EUR``; decimals only below 1000."""
    if value is None or not math.isfinite(value):
        return MISSING
    magnitude = abs(value)
    decimals = 0 if magnitude >= 1000 or float(value).is_integer() else 2 if magnitude >= 1 else _decimals(magnitude)
    return _with_unit(_fixed(value, decimals, sign=sign), unit)


def full_span(low: float | None, high: float | None) -> str:
    """Return the ends of an interval in full: ``812,345 to 1,930,000``."""
    return f"{full(low)} to {full(high)}"


def _mean_decimals(mean: float, ends: list[float], digits: int) -> int:
    """Decimals at which the mean shows ``digits`` significant digits; 0 where it is tiny against its interval."""
    largest = max(abs(v) for v in (mean, *ends))
    if mean == 0 or abs(mean) < 0.01 * largest:
        return 0
    return _decimals(abs(mean)) - DIGITS + digits


def _ratio_decimals(mean: float, ends: list[float]) -> int:
    """Two decimals, fewer for large ratios, up to four where the mean would keep fewer than two digits."""
    decimals = min(2, _decimals(max(abs(v) for v in (mean, *ends))))
    return max(decimals, min(4, _mean_decimals(mean, ends, 2)))


def ratio(value: float | None) -> str:
    """Return a ROAS or another ratio: ``1.23``, ``0.46``, ``0.012``."""
    if value is None or not math.isfinite(value):
        return MISSING
    return _fixed(value, _ratio_decimals(value, []))


def times(value: float | None) -> str:
    """Return a factor: ``1.31 times``."""
    return MISSING if value is None or not math.isfinite(value) else f"{ratio(value)} times"


def interval(mean: float | None, low: float | None, high: float | None) -> str:
    """Return a ratio with its interval, all with the same decimals: ``1.21 [0.82, 1.93]``."""
    if mean is None or not math.isfinite(mean):
        return MISSING
    ends = [v for v in (low, high) if v is not None and math.isfinite(v)]
    decimals = _ratio_decimals(mean, ends)

    def text(value: float | None) -> str:
        return MISSING if value is None or not math.isfinite(value) else _fixed(value, decimals)

    return f"{text(mean)} [{text(low)}, {text(high)}]"


def percent(share: float | None, *, sign: bool = False) -> str:
    """Return a share as a percentage with one decimal: ``12.3 %``."""
    if share is None or not math.isfinite(100 * share):
        return MISSING
    return f"{_fixed(100 * share, 1, sign=sign)} %"


def percent_interval(mean: float | None, low: float | None, high: float | None) -> str:
    """Return a share with its interval: ``12.3 % [8.1, 15.2]``."""
    if mean is None or not math.isfinite(100 * mean):
        return MISSING
    return f"{percent(mean)} [{percent(low).removesuffix(' %')}, {percent(high).removesuffix(' %')}]"


def at_most(share: float | None) -> str:
    """Return a share that is not exceeded, rounded up to two digits, 0.001 % at least: ``0.014 %``; ``0 %`` is exact."""
    if share is None or not math.isfinite(share):
        return MISSING
    if share <= 0:
        return "0 %"
    percents = max(100 * share, 1e-3)
    decimals = max(0, 1 - math.floor(math.log10(percents)))
    up = math.ceil(percents * 10**decimals * (1 - 1e-9)) / 10**decimals
    return f"{up:,.{decimals}f}".rstrip("0").rstrip(".") + " %" if decimals else f"{up:,.0f} %"


def probability(share: float | None) -> str:
    """Return a share of draws, never rounded to certainty: ``96 %``, ``over 99 %``, ``under 1 %``."""
    if share is None or not math.isfinite(share):
        return MISSING
    if share > 0.99:
        return "over 99 %"
    if share < 0.01:
        return "under 1 %"
    return f"{100 * share:.0f} %"


def number(value: object) -> str:
    """Return any table cell as text: floats with three digits or in full, True and False as yes and no, missing as n/a."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if not math.isfinite(value):
            return MISSING
        return full(value) if abs(value) >= 1000 else _fixed(value, _decimals(abs(value)))
    text = str(value)
    return MISSING if text in {"nan", "NaN", "NaT", "<NA>", "inf", "-inf"} else text


def header(label: str, unit: str = "") -> str:
    """Return a column header with its unit: ``Spend (EUR)``."""
    return f"{label} ({unit})" if unit else label


def markdown(text: str) -> str:
    """Return text that Markdown shows as it stands, also inside a table cell."""
    text = re.sub(r"([\\`*|<~]|\](?=[(\[:]))", r"\\\1", " ".join(text.split()))
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\_", text)


def cell_text(text: str) -> str:
    """Return text that a spreadsheet does not take for a formula: an apostrophe goes before ``= + - @`` or a control character.

    See OWASP, "CSV injection".
    """
    return f"'{text}" if text.startswith(_FORMULA_START) else text


def shorten(text: str, width: int) -> str:
    """Return at most ``width`` characters, cut in the middle, since long names often differ at their ends."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"
