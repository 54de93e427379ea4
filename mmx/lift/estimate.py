"""The effect of a geo experiment as a value: point, interval, and what there is to say against it.

gap[t] = treated mean[t] - synthetic control[t],  weights and means from before the test
ATT = mean of gap in the test;  total = ATT x treated geos x periods;  lift = ATT / (treated mean - ATT)
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mmx.data.cells import Bools, Findings, Floats, listed, plural
from mmx.data.outcomes import Outcomes
from mmx.errors import DataError
from mmx.lift.conformal import interval, p_value
from mmx.lift.synthetic import choose_ridge, gap
from mmx.lift_settings import LiftSettings

DONORS = 2  # Fewer leave nothing to weigh.


@dataclass(frozen=True)
class Placebo:
    """The same estimate where nothing happened.

    Attributes
    ----------
    lift : float
        Estimated share of what would have been, had the test been the run of periods just before it.
    p : float
        Probability of an estimate as large without any effect.
    rank, of : int
        Place of the treated geos among all geos, each in their role in turn, by the size of the gap in the test over that
        before it; 1 is the largest.
    """

    lift: float
    p: float
    rank: int
    of: int


@dataclass(frozen=True)
class LiftEstimate:
    """What a geo experiment measured.

    Attributes
    ----------
    treated : tuple of str
    start, end : date
        First and last day of the test's periods, inclusive.
    periods, before : int
        In the test, and before it.
    frequency : str
    att, att_low, att_high : float
        KPI per treated geo and period, with the interval of ``mass``.
    total, total_low, total_high : float
        KPI of all treated geos and periods.
    lift, lift_low, lift_high : float
        The total over what there would have been without the test.
    p : float
        Probability of an estimate as large without any effect.
    mass : float
    se : float
        Standard error of ``total``: the interval's length over that of a standard normal of the same mass.
    detectable : float
        Smallest true lift that a test like this finds with probability ``power``, by ``se``.
    power : float
    rmse, error_ratio : float
        Root mean square gap before the test, and the same over that of equal weights.
    ridge : float
    weights : tuple of (str, float)
        Donors with weight, the largest first.
    placebo : Placebo
    dates : tuple of date, (time,)
    observed, expected : tuple of float, (time,)
        Mean of the treated geos and of their synthetic control, from the first period to the end of the test.
    """

    treated: tuple[str, ...]
    start: dt.date
    end: dt.date
    periods: int
    before: int
    frequency: str
    att: float
    att_low: float
    att_high: float
    total: float
    total_low: float
    total_high: float
    lift: float
    lift_low: float
    lift_high: float
    p: float
    mass: float
    se: float
    detectable: float
    power: float
    rmse: float
    error_ratio: float
    ridge: float
    weights: tuple[tuple[str, float], ...]
    placebo: Placebo
    dates: tuple[dt.date, ...]
    observed: tuple[float, ...]
    expected: tuple[float, ...]

    @property
    def significant(self) -> bool:
        """Whether the interval of the total leaves out zero."""
        return self.total_low > 0 or self.total_high < 0


def estimate(outcomes: Outcomes, treated: Sequence[str], start: dt.date, end: dt.date, settings: LiftSettings) -> LiftEstimate:
    """Estimate what a test brought in the treated geos.

    Parameters
    ----------
    outcomes : Outcomes
    treated : sequence of str
    start, end : date
        First and last day of the test, inclusive; periods after it are left aside.
    settings : LiftSettings

    Raises
    ------
    DataError
        Where a geo is unknown, too few geos are left untreated, the days are none of the table's, or there is too little
        before the test.
    """
    test = _checked(outcomes, treated, start, end, settings)
    last = int(np.flatnonzero(test)[-1]) + 1
    inside, kpi = test[:last], outcomes.kpi[:, :last]
    own = np.isin(outcomes.geos, list(treated))
    target, donors = kpi[own].mean(axis=0), kpi[~own].T
    ridge = settings.ridge
    if ridge is None:
        ridge = choose_ridge(target[~inside], donors[~inside], settings.ridge_grid)
    left, weights = gap(target, donors, ~inside, ridge)
    att = float(left[inside].mean())
    low, high = interval(target, donors, inside, settings.mass, ridge, att)
    observed, size = float(target[inside].mean()), int(own.sum()) * int(inside.sum())
    without = observed - att
    normal = NormalDist()
    wide = normal.inv_cdf((1 + settings.mass) / 2)
    se = (high - low) / (2 * wide)
    equal, _ = _equal_gap(target, donors, ~inside)
    rmse = float(np.sqrt((left[~inside] ** 2).mean()))
    names = [g for g, mine in zip(outcomes.geos, own, strict=True) if not mine]
    days = tuple(d.astype(object) for d in outcomes.dates[: last + 1])
    return LiftEstimate(
        treated=tuple(g for g, mine in zip(outcomes.geos, own, strict=True) if mine),
        start=days[int(np.flatnonzero(inside)[0])],
        end=days[last] - dt.timedelta(days=1),
        periods=int(inside.sum()),
        before=int((~inside).sum()),
        frequency=outcomes.frequency,
        **_scaled("att", (att, low, high), 1.0),
        **_scaled("total", (att, low, high), size),
        **_scaled("lift", (att, low, high), 1.0 / without),
        p=p_value(target, donors, inside, 0.0, ridge),
        mass=settings.mass,
        se=se * size,
        detectable=abs((wide + normal.inv_cdf(settings.power)) * se / without),
        power=settings.power,
        rmse=rmse,
        error_ratio=rmse / equal if equal > 0 else 0.0,
        ridge=ridge,
        weights=_named(names, weights),
        placebo=_placebo(target, donors, inside, ridge),
        dates=days[:-1],
        observed=tuple(target.tolist()),
        expected=tuple((target - left).tolist()),
    )


def _scaled(name: str, values: tuple[float, float, float], factor: float) -> dict[str, float]:
    return {f"{name}{suffix}": value * factor for suffix, value in zip(("", "_low", "_high"), values, strict=True)}


def _named(names: list[str], weights: Floats) -> tuple[tuple[str, float], ...]:
    found = [(name, float(w)) for name, w in zip(names, weights, strict=True) if w != 0]
    return tuple(sorted(found, key=lambda pair: -abs(pair[1])))


def _equal_gap(target: Floats, donors: Floats, fitted: Bools) -> tuple[float, Floats]:
    """Root mean square of the gap to equal weights over the fitted periods, and that gap."""
    left = target - donors.mean(axis=1)
    left = left - left[fitted].mean()
    return float(np.sqrt((left[fitted] ** 2).mean())), left


def _placebo(target: Floats, donors: Floats, test: Bools, ridge: float) -> Placebo:
    """Pretend that the test was just before it, and that each donor was treated."""
    length, first = int(test.sum()), int(np.flatnonzero(test)[0])
    earlier = np.zeros(first, dtype=bool)
    earlier[first - length :] = True
    x, others = target[:first], donors[:first]
    left, _ = gap(x, others, ~earlier, ridge)
    att = float(left[earlier].mean())
    ratios = []
    for j in range(donors.shape[1]):
        alone, _ = gap(donors[:, j], np.delete(donors, j, axis=1), ~test, ridge)
        ratios.append(_stands_out(alone, test))
    own, _ = gap(target, donors, ~test, ridge)
    rank = 1 + sum(ratio >= _stands_out(own, test) for ratio in ratios)
    without = float(x[earlier].mean()) - att
    return Placebo(att / without, p_value(x, others, earlier, 0.0, ridge), rank, len(ratios) + 1)


def _stands_out(left: Floats, test: Bools) -> float:
    """Mean gap in the test over the root mean square gap before it."""
    before = float(np.sqrt((left[~test] ** 2).mean()))
    return abs(float(left[test].mean())) / before if before > 0 else float("inf")


def _checked(outcomes: Outcomes, treated: Sequence[str], start: dt.date, end: dt.date, settings: LiftSettings) -> Bools:
    """Periods of the test, (time,), or every reason why there can be no estimate."""
    findings = Findings()
    for name in dict.fromkeys(treated):
        if name not in outcomes.geos:
            near = difflib.get_close_matches(name.casefold(), [g.casefold() for g in outcomes.geos], n=1, cutoff=0.5)
            known = next((g for g in outcomes.geos if near and g.casefold() == near[0]), None)
            hint = f"Did you mean {known!r}?" if known else f"The table has {listed(outcomes.geos, 12)}."
            findings.refuse("--treated", f"there is no geo {name!r}", "geos of the table", hint)
    donors = len(set(outcomes.geos) - set(treated))
    if donors < DONORS:
        came = f"{plural(donors, 'geo')} left untreated"
        findings.refuse("--treated", came, f"at least {DONORS}", "An effect needs geos that had none to compare with.")
    first, last = outcomes.dates[0], outcomes.dates[-1] - np.timedelta64(1, "D")
    for option, day in (("--start", start), ("--end", end)):
        if not first <= np.datetime64(day) <= last:
            findings.refuse(option, f"{day} lies outside the table, {first} to {last}", "a day of the table", "Correct it.")
    if end < start:
        findings.refuse("--end", f"{end} is before --start {start}", "a test that ends after it starts", "Correct one of them.")
    test = (outcomes.dates[1:] > np.datetime64(start)) & (outcomes.dates[:-1] <= np.datetime64(end))
    length, before = int(test.sum()), int((outcomes.dates[1:] <= np.datetime64(start)).sum())
    least = max(settings.pre_over_post * length, 1 / (1 - settings.mass) - length)
    if not findings.problems and before < least:
        came = f"{plural(before, 'period')} before a test of {length}"
        expected = (
            f"at least {int(np.ceil(least))} (lift.pre_over_post {settings.pre_over_post:g}, lift.mass {settings.mass:g})"
        )
        findings.refuse("--start", came, expected, "Give a longer history, or read a shorter test.")
    if findings.problems:
        raise DataError("the experiment cannot be estimated", findings.problems)
    return np.asarray(test)
