"""Candidate experiments on a fit: each channel dark, or with more spend, for some periods, everywhere or in some geos.

The lift of a design is what the model says that it would measure: KPI money in the test's own cells with the test less
without it, draw by draw, as the likelihood of lift tests counts it (``mmx.mmm.lift``). Its effect counts carryover after the
test as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy.stats import norm

from mmx.data.cells import listed
from mmx.data.panel import Floats
from mmx.decide.problem import Index
from mmx.decide.readout import mean_kpi, read_out_variance
from mmx.information_settings import InformationSettings
from mmx.mmm.levels import levels
from mmx.mmm.posterior import Posterior
from mmx.mmm.reference_window import Reference

Z95 = float(norm.ppf(0.95))  # A 90 % interval reaches this many standard errors to either side.
CONTROLS = 2  # Untreated geos that a comparison needs at least, as ``mmx lift`` does.
NAMED = 6  # Geos that a design names before it counts the others.


@dataclass(frozen=True)
class Design:
    """One candidate experiment.

    Attributes
    ----------
    channel : str
    words : str
        What is done: ``dark in north, south for 4 periods``.
    periods : int
        The first of the horizon.
    geos : tuple of str
        Treated; empty for all.
    change : float
        Of the spend of the tested cells, less one; -1 is dark.
    delta_spend : float
        Money that the test adds; negative where it takes spend away.
    lift : array, (sample,), KPI money
        In the test's own cells, with the test less without it.
    effect : array, (sample,), KPI money
        The same with the carryover after the test.
    se : float, KPI money
        Standard error of the measured lift, inflated as the settings say.
    """

    channel: str
    words: str
    periods: int
    geos: tuple[str, ...]
    change: float
    delta_spend: float
    lift: Floats
    effect: Floats
    se: float

    @property
    def roas_se(self) -> float:
        """Standard error of the measured ROAS."""
        return self.se / abs(self.delta_spend)

    @property
    def width(self) -> float:
        """Width of the 90 % interval of ROAS that the test would report."""
        return 2 * Z95 * self.roas_se

    @property
    def known_width(self) -> float:
        """Width of today's 90 % interval of the same ROAS."""
        q05, q95 = np.quantile(self.lift, [0.05, 0.95])
        return float(q95 - q05) / abs(self.delta_spend)

    @property
    def power(self) -> float:
        """Chance that the measured 90 % interval leaves out zero, over the draws of the lift."""
        z = self.lift / self.se
        return float((norm.cdf(z - Z95) + norm.cdf(-z - Z95)).mean())


def candidates(
    posterior: Posterior, reference: Reference, settings: InformationSettings, *, say: Callable[[str], None] | None = None
) -> tuple[Design, ...]:
    """Designs of every channel that spends in the test's periods.

    Parameters
    ----------
    posterior : Posterior
        Lifts are of all its draws: see `thinned`.
    reference : Reference
        What is spent without a test; tests are in its first periods.
    settings : InformationSettings
    say : callable, optional
        Called with a sentence about what is left out.
    """
    say = say or (lambda _: None)
    plans = []
    for periods, share in product(sorted(set(settings.periods)), _shares(posterior, settings)):
        if periods > reference.horizon:
            say(f"Tests of {periods} periods are left out: the horizon has {reference.horizon}.")
            continue
        treated = treated_geos(reference, periods, share)
        plans += [(change, periods, treated) for change in settings.changes if treated.any()]
    silent = [name for name, spend in zip(reference.channels, reference.spend.sum(axis=(0, 1)), strict=True) if spend <= 0]
    if silent:
        say(f"Without spend in the reference there is nothing to test: {listed(silent, NAMED)}.")
    measured = _lifts(posterior, reference, plans)
    found: dict[tuple[object, ...], Design] = {}
    for (change, periods, treated), (lift, effect) in zip(plans, measured, strict=True):
        for c, name in enumerate(reference.channels):
            spend = float(reference.spend[:periods, treated[:, c], c].sum())
            if spend > 0:
                variance = read_out_variance(posterior, reference, periods, treated[:, c])
                design = _design(reference, name, (change, periods, treated[:, c]), spend)
                se = settings.inflation * float(np.sqrt(variance))
                made = Design(*design, lift[:, c], effect[:, c], se)
                found.setdefault((name, made.words), made)
    return tuple(found.values())


def thinned(posterior: Posterior, draws: Index) -> Posterior:
    """Some of the draws of a posterior; ``chains`` then means nothing."""
    parts = {name: getattr(posterior, name)[draws] for name in ("beta", "gamma", "local")}
    return replace(posterior, params={name: value[draws] for name, value in posterior.params.items()}, **parts)


def treated_geos(reference: Reference, periods: int, share: float) -> np.ndarray:
    """Which geos a test of each channel treats, (geo, channel) of bool; none where too few are left to compare with.

    Geos that spend on the channel are ordered by that, cut into as many runs as are to be treated, and the middle one of each
    run is taken: large and small ones alike, the same every time.
    """
    spend = reference.spend[:periods].sum(axis=0)
    chosen = np.zeros(spend.shape, dtype=bool)
    for c in range(spend.shape[1]):
        spending = np.flatnonzero(spend[:, c] > 0)
        if share >= 1:
            chosen[spending, c] = True
            continue
        count = min(max(round(share * len(spend)), 1), len(spending), len(spend) - CONTROLS)
        if count > 0:
            ordered = spending[np.argsort(-spend[spending, c], kind="stable")]
            chosen[[run[len(run) // 2] for run in np.array_split(ordered, count)], c] = True
    return chosen


def _shares(posterior: Posterior, settings: InformationSettings) -> tuple[float, ...]:
    return (1.0,) if posterior.structure.geos == 1 else tuple(sorted(set(settings.geo_shares)))


def _design(
    reference: Reference, name: str, plan: tuple[float, int, np.ndarray], spend: float
) -> tuple[str, str, int, tuple[str, ...], float, float]:
    """The first fields of a design: what is done, in words and numbers."""
    change, periods, treated = plan
    geos = tuple(geo for geo, at in zip(reference.geos, treated, strict=True) if at)
    geos = () if len(geos) == len(reference.geos) else geos
    what = "dark" if change == -1 else f"{change:+.0%} spend".replace("%", " %")
    where = f" in {listed(geos, NAMED)}" if geos else ""
    lasts = "1 period" if periods == 1 else f"{periods} periods"
    return name, f"{what}{where} for {lasts}", periods, geos, change, change * spend


def _lifts(
    posterior: Posterior, reference: Reference, plans: list[tuple[float, int, np.ndarray]]
) -> list[tuple[Floats, Floats]]:
    """Lift and effect of every plan, as if all channels were tested: each (sample, channel), KPI money.

    Channels do not act on each other's lift, or only by the KPI that they leave, which is taken as it is.
    """
    stop, channels = posterior.stop, posterior.structure.channels
    base, worth = exposure(posterior, reference), _worth(posterior, reference)
    zeros = [np.zeros((posterior.samples, channels)) for _ in range(2 * len(plans))]
    sums = list(zip(zeros[::2], zeros[1::2], strict=True))
    for g in range(posterior.structure.geos):
        now = _levels(posterior, base, g)
        for (change, periods, treated), (lift, effect) in zip(plans, sums, strict=True):
            if not treated[g].any():
                continue
            x = base.copy()
            x[stop : stop + periods, g, :channels] *= np.where(treated[g], 1.0 + change, 1.0)
            brought = _levels(posterior, x, g) - now
            if posterior.structure.multiplicative:
                brought = np.expm1(brought)
            money = brought * worth[:, g, None]
            lift += money[:, :periods].sum(axis=1)
            effect += money.sum(axis=1)
    return sums


def exposure(posterior: Posterior, reference: Reference) -> Floats:
    """Scaled exposure of past, reference and a tail without any, (time, geo, media + frequencies)."""
    past, stop, media = posterior.exposure, posterior.stop, posterior.structure.media
    x = np.zeros((stop + reference.horizon + posterior.tail, *past.shape[1:]))
    x[:stop] = past
    ahead = x[stop : stop + reference.horizon]
    ahead[..., : posterior.structure.channels] = reference.spend * reference.exposure_per_money
    ahead[..., media:] = reference.frequency
    return x


def _levels(posterior: Posterior, x: Floats, geo: int) -> Floats:
    """Effect of each channel from the horizon on in one geo, on the scaled KPI or its logarithm, (sample, time, channel)."""
    at, stop, channels = slice(geo, geo + 1), posterior.stop, posterior.structure.channels
    found = levels(posterior.structure, posterior.params, posterior.beta[:, at], x[:, at], np.ones((len(x), 1)), stop)
    varied = posterior.varied(len(x))
    return (found if varied is None else found * varied[:, stop:])[..., :channels]


def _worth(posterior: Posterior, reference: Reference) -> Floats:
    """KPI money per unit of effect in horizon and tail, (time, geo); of a multiplicative model that of the usual KPI."""
    worth = np.concatenate([reference.money, np.repeat(reference.ahead[None], posterior.tail, axis=0)])
    if not posterior.structure.multiplicative:
        return worth
    scaled: Floats = worth * mean_kpi(posterior, reference.horizon) / posterior.size
    return scaled
