"""Expected value of sample information: what knowing a test's result before deciding is worth to the decision.

    EVSI = E over results r of [ max over plans x of E(v(x) | r) ]  -  max over x of E(v(x))

(Raiffa and Schlaifer 1961), by nested Monte Carlo over posterior draws s. A result is simulated as ``r = lift_s + se z``, for
draws and normal numbers z spread evenly by a shifted lattice (Cranley and Patterson 1976). What it says of a draw is the
likelihood of lift tests, ``N(r | lift_s', se)``. A result speaks of a plan's value only through the lift, ``E(v | r) = E(E(v
| lift) | r)``, and the inner expectation is a regression on the lift by cubic splines (Strong, Oakley and Brennan 2014).
Means under reweighted draws alone would be noise where few draws have weight, and a plan chosen by them would live off that
noise; the regression needs no more draws for a precise test than for a rough one.

Of estimates with errors the largest is too large in the mean. Plans, today's included, are therefore chosen by one half of
the draws and valued by all of them: to first order the two errors cancel. The value of today's plan is taken under the same
weights, as a control variate. Nothing is clipped: a test that is worth nothing may come out a little below 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from mmx.data.panel import Floats
from mmx.decide.menu import TODAY, Menu, simple
from mmx.decide.problem import Index
from mmx.decide.replan import best_plans, today

KNOTS = 5  # Of the splines in the lift, at even quantiles: four free numbers and the mean.
PROGRAMS = (
    9  # Results per test for which plans are sought where each takes a linear program; the best of them answers each result.
)
GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0  # Its multiples, whole parts left out, fill the unit interval most evenly.
CERTAIN = 1e-9  # Relative spread of a lift below which there is nothing to learn from it.


@dataclass(frozen=True)
class Information:
    """What a result would be worth.

    Attributes
    ----------
    value : float, money
        Of the objective's mean, over one horizon.
    error : float, money
        Monte-Carlo standard error, of results and of posterior draws.
    effective : float
        Median over results of the draws' effective number under the result: how much the test narrows the posterior.
    moved : float
        Share of results after which today's largest move is gone or turns around.
    """

    value: float
    error: float
    effective: float
    moved: float


@dataclass(frozen=True)
class Move:
    """The largest move of today's plan.

    Attributes
    ----------
    groups : array of int
        Of the menu.
    amount : float, money
        Over the reference; negative for a cut.
    gone : float
        A move of which less than this share is left is gone.
    """

    groups: Index
    amount: float
    gone: float


def largest_move(menu: Menu, reference: Floats, gone: float) -> Move | None:
    """The channel that today's plan moves furthest from a reference (cell,); None where nothing moves."""
    moved = menu.amounts[TODAY] - reference
    free = menu.groups >= 0
    channel = menu.channels[menu.groups[free]]
    if not free.any():
        return None
    totals = np.bincount(channel, weights=moved[free])
    furthest = int(np.abs(totals).argmax())
    if totals[furthest] == 0:
        return None
    return Move(np.flatnonzero(menu.channels == furthest), float(totals[furthest]), gone)


def information(menu: Menu, lift: Floats, se: float, *, results: int, seed: int, move: Move | None = None) -> Information:
    """Value of one test.

    Parameters
    ----------
    menu : Menu
    lift : array, (sample,), money
        What the test would measure without error, by draw of the menu.
    se : float, money
        Of the measured lift.
    results : int
        Simulated results.
    seed : int
        The same seed simulates the same quantiles of every test: their values are compared with less noise.
    move : Move, optional
        Whose fate is counted.
    """
    samples, groups, points = menu.gain.shape
    spread = float(lift.std())
    if groups == 0 or spread <= CERTAIN * max(float(np.abs(lift).max()), 1e-300):
        return Information(0.0, 0.0, float(samples), 0.0)
    which, noise = _simulated(lift, results, seed)
    found = lift[which] + se * noise
    weights, effective = _beliefs(found, lift, se)
    basis = splines(lift)
    about = weights @ basis
    gain = menu.gain.reshape(samples, -1)
    shape = (-1, groups, points)
    inverse, now = np.linalg.pinv(basis), basis.mean(axis=0)
    slopes = inverse @ gain
    valued = about @ slopes
    gains, changes, moved = np.zeros(results), np.zeros_like(valued), 0.0
    for half in (slice(0, None, 2), slice(1, None, 2)):
        fitted = np.linalg.pinv(basis[half]) @ gain[half]
        kept = np.stack([best_plans(menu, (now @ fitted).reshape(shape))[0], today(menu)]).reshape(2, -1)
        before = _better(kept, (now @ fitted)[None])[0]
        after = _replanned(menu, about @ fitted, np.stack([before, kept[1]]), np.argsort(found, kind="stable"))
        change = after - before
        gains += np.einsum("rn,rn->r", change, valued) / 2
        changes += change / 2
        moved += _turned(menu, change.reshape(shape), move) / 2
    # The value is linear in what the draws bring: each draw's part of the regression's error, then that of results and lifts.
    parts = (inverse.T @ (about.T @ changes / results) * (gain - basis @ slopes)).sum(axis=1)
    error = np.sqrt((parts**2).sum() + gains.var() * (1 / results + 1 / samples))
    return Information(float(gains.mean()), float(error), effective, moved)


def perfect_information(menu: Menu, *, draws: int | None = None) -> float:
    """Value of knowing everything: the mean over draws of the best plan of each, over that of the plan that is best on average.

    Parameters
    ----------
    menu : Menu
    draws : int, optional
        Evenly spaced draws to use where each takes a linear program; all by default.
    """
    samples = len(menu.gain)
    some = np.arange(samples) if draws is None else np.linspace(0, samples - 1, min(draws, samples)).astype(np.intp)
    gain = menu.gain[some]
    mean = gain.mean(axis=0)
    known = float((best_plans(menu, gain) * gain).sum(axis=(1, 2)).mean())
    return known - float((best_plans(menu, mean[None])[0] * mean).sum())


def splines(lift: Floats) -> Floats:
    """Natural cubic splines of the lift, (sample, column): 1, the lift, and bends (Hastie et al. 2009, eq. 5.4 and 5.5)."""
    z = (lift - lift.mean()) / lift.std()
    knots = np.unique(np.quantile(z, np.linspace(0.02, 0.98, KNOTS)))
    columns = [np.ones_like(z), z]
    if len(knots) > 2:
        cubes = np.maximum(z[:, None] - knots, 0.0) ** 3
        steep = (cubes[:, :-1] - cubes[:, -1:]) / (knots[-1] - knots[:-1])
        columns += list((steep[:, :-1] - steep[:, -1:]).T)
    return np.stack(columns, axis=1)


def _simulated(lift: Floats, results: int, seed: int) -> tuple[Index, Floats]:
    """Draws that are the truth of each result, and standard normal numbers: a lattice over both, shifted by the seed."""
    first, second = np.random.default_rng([seed, 41]).random(2)
    places = np.arange(results)
    which = np.argsort(lift, kind="stable")[((places + first) / results * len(lift)).astype(np.intp)]
    noise: Floats = norm.ppf(np.clip((places * GOLDEN + second) % 1.0, 1e-9, 1 - 1e-9))
    return which, noise


def _beliefs(found: Floats, lift: Floats, se: float) -> tuple[Floats, float]:
    """Weights of the draws after each result, (result, sample), and the median of their effective number."""
    log = -0.5 * ((found[:, None] - lift) / se) ** 2
    weights = np.exp(log - log.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights, float(np.median(1.0 / (weights**2).sum(axis=1)))


def _replanned(menu: Menu, means: Floats, offered: Floats, ranked: Index) -> Floats:
    """The best plan after each result, (result, group * point), of those sought and those offered (plan, group * point)."""
    shape = (-1, *menu.spend.shape)
    if simple(menu.problem):
        sought = best_plans(menu, means.reshape(shape)).reshape(len(means), -1)
        plans = np.stack([sought, *(np.broadcast_to(plan, sought.shape) for plan in offered)])
        pick = np.einsum("krn,rn->kr", plans, means).argmax(axis=0)
        chosen: Floats = plans[pick, np.arange(len(means))]
        return chosen
    places = ranked[((np.arange(PROGRAMS) + 0.5) / PROGRAMS * len(means)).astype(np.intp)]
    tried = best_plans(menu, means[places].reshape(shape)).reshape(PROGRAMS, -1)
    return _better(np.concatenate([tried, offered]), means)


def _better(plans: Floats, means: Floats) -> Floats:
    """The best of some plans (plan, amount) by each belief (belief, amount)."""
    chosen: Floats = plans[(means @ plans.T).argmax(axis=1)]
    return chosen


def _turned(menu: Menu, change: Floats, move: Move | None) -> float:
    """Share of results whose change of plan (result, group, point) takes the largest move away or turns it around."""
    if move is None:
        return 0.0
    shifted = np.einsum("rgp,gp->r", change[:, move.groups], menu.spend[move.groups])
    left = (move.amount + shifted) / move.amount
    return float((left < move.gone).mean())
