"""Lift tests as a prior: what experiments say of a channel's ROAS, pooled, and the prior updated by it.

A test gives a ROAS ``r_i`` with standard error ``s_i``, its inflation included: ``value`` itself for metric ``roas``, and
``value * unit_value / delta_spend`` for metric ``kpi``. Tests of a channel are pooled by their precision,

    r = sum(r_i / s_i^2) / sum(1 / s_i^2),    s = sum(1 / s_i^2)^(-1/2),

and the prior ``p(ROAS)`` becomes ``p(ROAS) N(r; ROAS, s)``: for a normal prior exactly, for a lognormal one as the lognormal
with the same mean and standard deviation of the logarithm, the closest of its family in Kullback-Leibler divergence. A weak
test thus leaves the prior as it was, and one that measured less than nothing pulls it towards zero.

The assumption is that a test's ROAS *is* that of the training rows: the same level of spend on the same curve, the same season,
all carryover inside the test. As a likelihood a test is instead compared with what the model says of its very cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from mmx.data.lift import cells_of, delta_of
from mmx.data.panel import Panel
from mmx.spec import EffectPrior, LiftTest, Spec

POINTS, REACH = 4001, 9.0  # Of the grid on log ROAS, and its half width in standard deviations.


@dataclass(frozen=True)
class Pooled:
    """What the tests of one channel say together.

    Attributes
    ----------
    roas, se : float
        Precision-weighted mean and its standard error.
    agreement : float or None
        Probability of tests that differ at least as much if all measured one ROAS (Cochran's chi-square); None for one test.
    """

    roas: float
    se: float
    agreement: float | None


def informed(spec: Spec, panel: Panel, train: npt.NDArray[np.bool_]) -> Spec:
    """Return the specification with the priors of tested channels updated, where tests are to be a prior.

    Parameters
    ----------
    spec : Spec
    panel : Panel
    train : array of bool, (time,)
        Training rows: tests that ended after the last of them are left out, since they would tell a fold its future.

    Returns
    -------
    Spec
        Without its tests then, so that they count once.

    Raises
    ------
    ValueError
        Where a tested channel has no prior of kind roas.
    """
    if spec.lift_tests_as != "prior" or not spec.lift_tests:
        return spec
    last = int(np.flatnonzero(train)[-1])
    known = [test for test in spec.lift_tests if np.flatnonzero(cells_of(test, panel).any(axis=1))[-1] <= last]
    channels = dict(spec.channels)
    for name in dict.fromkeys(test.channel for test in known):
        medium = channels[name]
        if medium.priors.kind != "roas":
            raise ValueError(f"lift tests as a prior need one of kind roas; that of {name} is of kind {medium.priors.kind}")
        tests = [test for test in known if test.channel == name]
        prior = updated(medium.priors, pooled(tests, panel))
        channels[name] = medium.model_copy(update={"priors": prior, "own_prior": True})
    return spec.model_copy(update={"channels": channels, "lift_tests": ()})


def measured(test: LiftTest, panel: Panel) -> tuple[float, float]:
    """ROAS of a test and its standard error, inflated; KPI units are worth their mean over the test's cells."""
    se = test.se * test.inflation
    if test.metric == "roas":
        return test.value, se
    cells = cells_of(test, panel).T
    worth, weight = panel.array("unit_value")[cells], np.abs(np.nan_to_num(panel.array("kpi")[cells]))
    each = float(np.average(worth, weights=weight if weight.sum() > 0 else None))
    delta = delta_of(test, panel)
    return test.value * each / delta, abs(se * each / delta)


def pooled(tests: Sequence[LiftTest], panel: Panel) -> Pooled:
    """Pool the tests of one channel by their precision."""
    values, ses = np.array([measured(test, panel) for test in tests]).T
    weights = 1.0 / ses**2
    roas = float((weights * values).sum() / weights.sum())
    spread = float((weights * (values - roas) ** 2).sum())
    agreement = float(stats.chi2.sf(spread, len(tests) - 1)) if len(tests) > 1 else None
    return Pooled(roas, float(weights.sum() ** -0.5), agreement)


def updated(prior: EffectPrior, found: Pooled) -> EffectPrior:
    """Return a prior on ROAS after a measurement with normal error."""
    location, scale = prior.location_scale()
    if prior.family == "normal":
        precision = scale**-2 + found.se**-2
        mean = (location * scale**-2 + found.roas * found.se**-2) / precision
        return EffectPrior(kind=prior.kind, family="normal", mean=mean, sd=precision**-0.5)
    reach = np.linspace(-REACH, REACH, POINTS)
    grid = location + scale * reach
    if found.roas > 0:  # A sharp test has a narrow peak of its own.
        grid = np.union1d(grid, np.log(found.roas) + reach * min(found.se / found.roas, scale))
    log_density = -0.5 * ((grid - location) / scale) ** 2 - 0.5 * ((found.roas - np.exp(grid)) / found.se) ** 2
    density = np.exp(log_density - log_density.max())
    density /= np.trapezoid(density, grid)
    mean = float(np.trapezoid(density * grid, grid))
    sd = float(np.sqrt(np.trapezoid(density * (grid - mean) ** 2, grid)))
    return EffectPrior(kind=prior.kind, family="lognormal", mu=mean, sigma=sd)
