from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmx.report import format as fmt

from .reading import LOST, number, tables

MONEY = st.floats(min_value=-1e14, max_value=1e14, allow_nan=False)
ANY = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (7, "7"),
        (12.345, "12.3"),
        (999, "999"),
        (999.6, "1.00k"),
        (12_345, "12.3k"),
        (999_499, "999k"),
        (999_600, "1.00M"),
        (1_234_567, "1.23M"),
        (-1_234_567, "-1.23M"),
        (2.5e9, "2.50B"),
        (0.0123, "0.0123"),
        (1e-9, "1.00e-09"),
        (math.nan, "n/a"),
        (math.inf, "n/a"),
        (None, "n/a"),
    ],
)
def test_short(value: float | None, text: str) -> None:
    assert fmt.short(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1_234_567.8, "1,234,568"), (-1000, "-1,000"), (12.5, "12.50"), (0.0123, "0.0123"), (0, "0")]
)
def test_full(value: float, text: str) -> None:
    assert fmt.full(value) == text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((1.21, 0.82, 1.93), "1.21 [0.82, 1.93]"),
        ((0.012, 0.001, 0.03), "0.012 [0.001, 0.030]"),
        ((123.4, 50, 2000), "123 [50, 2,000]"),
        ((-0.8, -1.2, -0.01), "-0.80 [-1.20, -0.01]"),
        ((0, 0, 0), "0 [0, 0]"),
        ((1e-9, -0.5, 0.5), "0.00 [-0.50, 0.50]"),
        ((1.2, math.nan, 2), "1.20 [n/a, 2.00]"),
        ((math.nan, 1, 2), "n/a"),
    ],
)
def test_interval(numbers: tuple[float, float, float], text: str) -> None:
    assert fmt.interval(*numbers) == text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((1.23e6, 0.81e6, 1.93e6), "+1.23M [0.81M, 1.93M] EUR"),
        ((428_775, -53_597, 1_125_535), "+429k [-54k, 1,126k] EUR"),
        ((92_080, 36_832, 156_537), "+92.1k [36.8k, 156.5k] EUR"),
        ((0, 0, 0), "0 [0, 0] EUR"),
        ((0, -2000, 3000), "0k [-2k, 3k] EUR"),
    ],
)
def test_short_interval(numbers: tuple[float, float, float], text: str) -> None:
    if numbers[0] == 0 and numbers[1] != 0:
        assert number(fmt.short_interval(*numbers)) == 0
    else:
        assert fmt.short_interval(*numbers, "EUR", sign=True) == text


def test_percent() -> None:
    assert fmt.percent(0.1234) == "12.3 %"
    assert fmt.percent(-0.2, sign=True) == "-20.0 %"
    assert fmt.percent(-0.0001, sign=True) == "0.0 %"
    assert fmt.percent_interval(0.05, 0.01, 0.1) == "5.0 % [1.0, 10.0]"


@pytest.mark.parametrize(
    ("share", "text"),
    [(1, "over 99 %"), (0.9951, "over 99 %"), (0.99, "99 %"), (0.5, "50 %"), (0.009, "under 1 %"), (0, "under 1 %")],
)
def test_probability_never_claims_certainty(share: float, text: str) -> None:
    assert fmt.probability(share) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1.308e-4, "0.014 %"), (0.00944, "0.95 %"), (0.02, "2 %"), (1e-9, "0.001 %"), (0.123, "13 %"), (None, "n/a")],
)
def test_at_most(share: float | None, text: str) -> None:
    assert fmt.at_most(share) == text


@given(st.floats(min_value=0, max_value=10))
def test_at_most_is_never_below_and_close(share: float) -> None:
    shown = number(fmt.at_most(share)) / 100
    assert share * (1 - 1e-8) <= shown <= max(1.1001 * share, 1.0001e-5)


def test_times() -> None:
    assert fmt.times(1.3127) == "1.31 times"
    assert fmt.times(None) == "n/a"


@given(MONEY)
def test_short_keeps_three_digits(value: float) -> None:
    assert number(fmt.short(value)) == pytest.approx(value, rel=0.00501)


@given(MONEY)
def test_full_keeps_the_money(value: float) -> None:
    assert number(fmt.full(value)) == pytest.approx(value, abs=0.5 if abs(value) >= 1000 else 0.00501)


@given(ANY, ANY, ANY)
def test_no_output_says_nan_or_inf(mean: float | None, low: float | None, high: float | None) -> None:
    texts = [fmt.short(mean), fmt.full(mean), fmt.ratio(mean), fmt.percent(mean), fmt.probability(mean), fmt.number(mean)]
    texts += [fmt.at_most(mean), fmt.times(mean)]
    texts += [fmt.interval(mean, low, high), fmt.short_interval(mean, low, high), fmt.percent_interval(mean, low, high)]
    texts += [fmt.full_span(low, high)]
    assert not any(LOST.search(t) for t in texts), texts


@given(st.text(max_size=40))
def test_markdown_text_stays_in_its_cell(text: str) -> None:
    cell = fmt.markdown(text)
    rows = tables(f"| a | b |\n| --- | --- |\n| {cell} | x |\n")[0]
    assert rows == [{"a": " ".join(text.split()), "b": "x"}]


@given(st.text(max_size=20))
def test_cell_text_is_never_a_formula(text: str) -> None:
    out = fmt.cell_text(text)
    assert not re.match(r"[=+\-@\t\r\n]", out)
    assert out.removeprefix("'") == text.removeprefix("'")


@given(st.text(max_size=80), st.integers(5, 30))
def test_shorten(text: str, width: int) -> None:
    out = fmt.shorten(text, width)
    assert len(out) <= width
    assert out == text if len(text) <= width else (out[0] == text[0] and out[-1] == text[-1])


def test_numbers_of_a_table() -> None:
    values = [True, 3, 12_345, 1234.5, 0.98765, math.inf, None, "tv", float("nan")]
    assert [fmt.number(v) for v in values] == ["yes", "3", "12,345", "1,234", "0.988", "n/a", "n/a", "tv", "n/a"]
