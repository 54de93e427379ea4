from __future__ import annotations

import datetime as dt
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from mmx.config import read_config
from mmx.errors import DataError
from mmx.lift.estimate import LiftEstimate, estimate
from mmx.lift.synthetic import gap
from mmx.lift_settings import LiftSettings

from .panels import experiment

START, END = dt.date(2024, 2, 22), dt.date(2024, 2, 29)  # the last 8 of 60 days
TREATED = ("geo 0", "geo 1")
ANY = {"data": {"date": "d", "geo": "g", "target": "y", "channels": {"x": {"spend": "y"}}}}


def options(**changes: Any) -> LiftSettings:
    return read_config(ANY).lift.model_copy(update=changes)


def found(seed: int = 2, start: dt.date = START, end: dt.date = END, changes: Any = None, **world: Any) -> LiftEstimate:
    return estimate(experiment(seed, **world), TREATED, start, end, options(**(changes or {})))


def test_the_estimate_is_the_mean_gap_in_all_its_units() -> None:
    outcomes = experiment(2, effect=6.0)
    made = estimate(outcomes, TREATED, START, END, options())
    target, donors, before = outcomes.kpi[:2].mean(axis=0), outcomes.kpi[2:].T, np.arange(60) < 52
    left, weights = gap(target, donors, before, 0.0)
    assert made.att == pytest.approx(left[52:].mean(), rel=1e-12)
    assert made.total == pytest.approx(made.att * 2 * 8, rel=1e-12)
    incremental = outcomes.kpi[:2, 52:].sum()
    assert made.lift == pytest.approx(made.total / (incremental - made.total), rel=1e-12)
    for name in ("att", "total", "lift"):
        low, value, high = (getattr(made, name + end) for end in ("_low", "", "_high"))
        assert low < value < high
        assert (value - low) / (high - low) == pytest.approx((made.att - made.att_low) / (made.att_high - made.att_low))
    assert made.se == pytest.approx((made.total_high - made.total_low) / (2 * NormalDist().inv_cdf(0.95)), rel=1e-12)
    assert (made.start, made.end, made.periods, made.before) == (START, END, 8, 52)
    assert dict(made.weights) == {f"geo {g + 2}": w for g, w in enumerate(weights) if w}
    np.testing.assert_allclose(np.array(made.observed) - made.expected, left, atol=1e-9)
    assert made.rmse == pytest.approx(np.sqrt((left[before] ** 2).mean()))
    assert 0 < made.error_ratio < 1


def test_a_large_effect_is_found_and_none_is_not() -> None:
    made = found(effect=8.0)
    assert made.significant and made.att_low < 8.0 < made.att_high and made.p < 0.05 and made.placebo.rank == 1
    nothing = found(effect=0.0)
    assert not nothing.significant and nothing.p > 0.1 and nothing.placebo.rank > 1
    assert found(effect=-8.0).total_high < 0


def test_the_placebo_before_the_test_does_not_see_the_test() -> None:
    made, other = found(effect=0.0), found(effect=50.0)
    assert made.placebo.lift == other.placebo.lift and made.placebo.p == other.placebo.p
    assert abs(made.placebo.lift) < 0.1 and made.placebo.of == 17


def test_what_can_be_detected_follows_from_the_standard_error() -> None:
    made = found(effect=2.0)
    units = NormalDist().inv_cdf(0.95) + NormalDist().inv_cdf(0.8)
    assert made.detectable == pytest.approx(units * made.se / made.total * made.lift, rel=1e-9)
    assert found(effect=2.0, changes={"power": 0.95}).detectable > made.detectable
    assert found(effect=2.0, size=4.0).detectable > 1.5 * made.detectable


def test_periods_after_the_test_are_left_aside() -> None:
    outcomes = experiment(2)
    changed = outcomes.kpi.copy()
    changed[:, 55:] = 1e6
    end = dt.date(2024, 2, 24)
    made = [estimate(replace(outcomes, kpi=kpi), TREATED, START, end, options()) for kpi in (outcomes.kpi, changed)]
    assert made[0] == made[1] and made[0].periods == 3 and made[0].end == end


def test_geos_that_move_alone_are_a_bad_match() -> None:
    outcomes = experiment(2)
    alone = outcomes.kpi.copy()
    alone[:2] = 50 + 5 * np.random.default_rng(1).normal(size=(2, 60))
    limit = options().fit_ratio
    assert estimate(replace(outcomes, kpi=alone), TREATED, START, END, options()).error_ratio > limit > found().error_ratio


def test_a_ridge_is_taken_or_chosen() -> None:
    given = found(changes={"ridge": 0.1})
    assert given.ridge == 0.1 and given.att != found().att and min(w for _, w in given.weights) < 0
    chosen = found(changes={"ridge": None, "ridge_grid": (0.1, 10.0)})
    assert chosen.ridge in (0.0, 0.1, 10.0)


def test_weeks_that_a_test_touches_count() -> None:
    outcomes = experiment(2)
    weekly = replace(outcomes, dates=np.datetime64("2023-01-02") + 7 * np.arange(61), frequency="weekly")
    made = estimate(weekly, TREATED, dt.date(2024, 1, 3), dt.date(2024, 1, 10), options())
    assert (made.start, made.end, made.periods) == (dt.date(2024, 1, 1), dt.date(2024, 1, 14), 2)


REFUSED: dict[str, tuple[tuple[Any, ...], dict[str, Any], tuple[str, ...]]] = {
    "unknown geo": ((("Geo 1",), START, END), {}, ("--treated: there is no geo 'Geo 1'", "Did you mean 'geo 1'?")),
    "no donors": ((tuple(f"geo {g}" for g in range(17)), START, END), {}, ("1 geo left untreated", "at least 2")),
    "start outside": ((TREATED, dt.date(2023, 12, 31), END), {}, ("--start: 2023-12-31 lies outside the table, 2024-01-01",)),
    "end outside": ((TREATED, START, dt.date(2024, 3, 1)), {}, ("--end: 2024-03-01 lies outside the table",)),
    "reversed": ((TREATED, END, START), {}, ("2024-02-22 is before --start 2024-02-29",)),
    "too little before": ((TREATED, dt.date(2024, 1, 20), END), {}, ("19 periods before a test of 41", "at least 82")),
    "mass out of reach": (
        (TREATED, START, END),
        {"mass": 0.99},
        ("52 periods before a test of 8", "at least 92", "lift.mass 0.99"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_experiment_that_cannot_be_estimated_is_refused(case: str) -> None:
    arguments, changes, says = REFUSED[case]
    with pytest.raises(DataError) as caught:
        estimate(experiment(1), *arguments, options(**changes))
    for text in says:
        assert text in str(caught.value), str(caught.value)
