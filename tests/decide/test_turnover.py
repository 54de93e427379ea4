"""A new plan against an earlier one: what moves, what keeping the earlier one would lose, and files that cannot be compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mmx.decide.recommend import recommend
from mmx.decide.recommendation import Recommendation
from mmx.errors import InputError
from mmx.mmm.fit import Fit

HORIZON = 8
QUICK: dict[str, Any] = {"frontier": (), "next_test": False, "horizon": HORIZON}


@pytest.fixture(params=["national_fit", "geo_fit"])
def made(request: pytest.FixtureRequest) -> Fit:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def now(national_fit: Fit) -> Recommendation:
    return recommend(national_fit, **QUICK)


def halved(plan: Recommendation, channel: str) -> Recommendation:
    """The plan with half of a channel's money."""
    cells = tuple(replace(c, recommended=c.recommended / (2 if c.channel == channel else 1)) for c in plan.cells)
    return replace(plan, cells=cells)


def test_nothing_moves_since_the_same_plan(made: Fit) -> None:
    first = recommend(made, **QUICK)
    found = recommend(made, **QUICK, since=first).turnover
    assert first.turnover is None and found is not None
    assert found.moved == pytest.approx(0.0, abs=1e-12)
    assert list(found.channels.values()) == pytest.approx([0.0] * len(found.channels), abs=1e-9 * first.total)
    assert found.lost.mean == pytest.approx(0.0, abs=1e-9 * first.nothing.mean)
    assert found.allowed and (found.start, found.end, found.fit_name) == (first.start, first.end, first.fit_name)


def test_half_the_sum_of_absolute_differences_of_shares_moves(made: Fit) -> None:
    first = recommend(made, **QUICK)
    name = max(first.channels, key=lambda n: first.channels[n].recommended_spend)
    old = halved(first, name)
    found = recommend(made, **QUICK, since=old).turnover
    assert found is not None
    new = np.array([c.recommended_spend for c in first.channels.values()])
    kept = np.where(np.array(list(first.channels)) == name, new / 2, new)
    kept *= new.sum() / kept.sum()
    assert found.moved == pytest.approx(np.abs(new - kept).sum() / (2 * new.sum()), rel=1e-9)
    assert list(found.channels.values()) == pytest.approx((new - kept).tolist(), rel=1e-9, abs=1e-9 * new.sum())
    current = np.array([c.current_spend for c in first.channels.values()])
    spend = made.posterior.reference(HORIZON).spend
    value = [made.posterior.response(spend * (m / np.where(current > 0, current, 1.0))).sum(axis=1) for m in (new, kept)]
    lost = value[0] - value[1]
    assert (found.lost.mean, found.lost.q05, found.lost.q95) == pytest.approx(
        (lost.mean(), *np.quantile(lost, [0.05, 0.95])), rel=1e-6, abs=1e-6 * abs(lost).max()
    )
    assert found.probability_better == pytest.approx((lost > 0).mean())
    assert found.lost.mean > 0 or not found.allowed
    assert found.lost_share == pytest.approx(lost.mean() / (first.nothing.mean + first.gain.mean))


def test_totals_may_differ_and_the_file_is_as_good_as_the_value(national_fit: Fit, now: Recommendation) -> None:
    old = recommend(national_fit, **QUICK, total=1.2 * now.total)
    same = replace(old, cells=tuple(replace(c, recommended=1.7 * c.recommended) for c in old.cells))
    read = json.loads(json.dumps(same.as_mapping()))
    one, two = (recommend(national_fit, **QUICK, since=since).turnover for since in (old, read))
    assert one is not None and two is not None
    assert (one.moved, one.lost.mean) == pytest.approx((two.moved, two.lost.mean), rel=1e-6, abs=1e-9)


def test_an_earlier_plan_may_break_todays_constraints(national_fit: Fit, now: Recommendation) -> None:
    wide = recommend(national_fit, **QUICK, bounds=(0.0, 3.0))
    found = recommend(national_fit, **QUICK, bounds=(0.9, 1.1), since=wide).turnover
    assert found is not None and not found.allowed and found.moved > 0
    assert found.lost.mean < 0  # What is forbidden today was better.


def test_a_plan_by_geo_counts_what_moves_between_geos(geo_fit: Fit) -> None:
    by_geo = recommend(geo_fit, **QUICK, by=("channel", "geo"))
    geo = by_geo.cells[0].geo
    cells = tuple(replace(c, recommended=c.recommended * (0.5 if c.geo == geo else 1.0)) for c in by_geo.cells)
    found = recommend(geo_fit, **QUICK, by=("channel", "geo"), since=replace(by_geo, cells=cells)).turnover
    assert found is not None
    assert found.moved > np.abs(list(found.channels.values())).sum() / (2 * by_geo.total) + 1e-6


def without_a_cell(content: dict[str, Any]) -> None:
    content["cells"] = content["cells"][1:]


def twice_a_cell(content: dict[str, Any]) -> None:
    content["cells"][1] = content["cells"][0]


def negative(content: dict[str, Any]) -> None:
    content["cells"][0]["recommended"] = -1.0


def renamed(content: dict[str, Any]) -> None:
    for cell in content["cells"]:
        cell["channel"] = f"old {cell['channel']}"


def moved_away(content: dict[str, Any]) -> None:
    for cell in content["cells"]:
        cell["geo"] = "elsewhere"


def shorter(content: dict[str, Any]) -> None:
    last = max(cell["start"] for cell in content["cells"])
    content["cells"] = [cell for cell in content["cells"] if cell["start"] != last]


def daily(content: dict[str, Any]) -> None:
    for cell in content["cells"]:
        cell["end"] = cell["start"]


FAULTS: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "older format": ("its format is 1", lambda c: c.update(format=1)),
    "no format": ("its format is None", lambda c: c.pop("format")),
    "other money": ("it counts in USD", lambda c: c.update(money="USD")),
    "no cells at all": ("it is damaged", lambda c: c.pop("cells")),
    "empty cells": ("it is damaged", lambda c: c.update(cells=[])),
    "a number as cells": ("it is damaged", lambda c: c.update(cells=5)),
    "a word as money": ("it is damaged", lambda c: c["cells"][0].update(recommended="much")),
    "a word as day": ("it is damaged", lambda c: c["cells"][0].update(end="soon")),
    "a cell less": ("its cells are damaged", without_a_cell),
    "a cell twice": ("its cells are damaged", twice_a_cell),
    "negative money": ("its cells are damaged", negative),
    "not a number": ("its cells are damaged", lambda c: c["cells"][0].update(recommended=float("nan"))),
    "no money": ("its cells are damaged", lambda c: [cell.update(recommended=0.0) for cell in c["cells"]]),
    "other channels": ("its channels are old", renamed),
    "other geos": ("its geos are elsewhere", moved_away),
    "shorter": ("it plans 7 periods of 7 days. Expected 8 weekly periods", shorter),
    "daily": ("it plans 8 periods of 1 days. Expected 8 weekly periods", daily),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_be_compared_is_refused(national_fit: Fit, now: Recommendation, name: str) -> None:
    said, fault = FAULTS[name]
    content = json.loads(json.dumps(now.as_mapping()))
    fault(content)
    with pytest.raises(InputError, match=said) as caught:
        recommend(national_fit, **QUICK, since=content)
    assert "the earlier recommendation" in str(caught.value) and caught.value.exit_code == 2


def test_what_is_no_mapping_is_refused(national_fit: Fit) -> None:
    with pytest.raises(InputError, match="it is a list"):
        recommend(national_fit, **QUICK, since=[1, 2])  # type: ignore[arg-type]
