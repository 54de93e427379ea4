"""Response curves of a plan: what each channel brings over the horizon with more or less money.

The cells of a channel are scaled together, all other channels stay as the plan has them: with the share ``p`` of the
channel's money that each of its cells has, ``curve(x) = value(plan with x p) - value(plan without the channel)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mmx.data.panel import Floats
from mmx.decide.answer import Asked
from mmx.decide.intervals import interval
from mmx.decide.problem import Index, Response
from mmx.decide.recommendation import Curve, CurvePoint

if TYPE_CHECKING:
    from mmx.mmm.posterior import Posterior

POINTS = 25  # Evenly spaced from no spend to the largest; the spends that are marked stand between them.
FAR = 2.0  # The observed spend is shown up to this many times the most that a plan may spend.


def plan_curves(asked: Asked, response: Response, money: Floats, posterior: Posterior) -> tuple[Curve, ...]:
    """Response curve of every channel that has money or may get some, or had some.

    Parameters
    ----------
    asked : Asked
    response : Response
        Of the draws that the curves are of.
    money : array, (cell,), money
        The recommended plan.
    posterior : Posterior
        Whose window of rows has the observed spend.

    Returns
    -------
    tuple of Curve
    """
    names, channel, current, high = asked.window.channels, asked.channel, asked.problem.current, asked.problem.high

    def sums(values: Floats) -> Floats:
        return np.bincount(channel, weights=values, minlength=len(names))

    share = shares(channel, (money, current, high, np.ones(len(money))))
    observed = posterior.panel.array("spend")[:, posterior.window].max(axis=1)
    edge = observed_edge(asked.fit.spread(share).max(axis=0), observed)
    now, then = sums(current), sums(money)
    allowed = np.max([now, then, asked.reach[1]], axis=0)
    most = np.where(allowed > 0, np.maximum(allowed, np.minimum(edge, FAR * allowed)), edge)
    spend = np.concatenate([np.linspace(0.0, most, POINTS), np.stack([now, then, np.minimum(edge, most)])])
    value, slope = brought(response, channel, money, share, spend)
    slope[0] = value[1].mean(axis=0) / np.where(most > 0, spend[1], 1.0)
    found = []
    for c in np.flatnonzero(most > 0):
        order = np.unique(spend[:, c], return_index=True)[1]
        points = [CurvePoint(float(spend[k, c]), interval(value[k, :, c]), float(slope[k, c])) for k in order]
        found.append(Curve(names[c], float(now[c]), float(then[c]), float(edge[c]), tuple(points)))
    return tuple(found)


def shares(channel: Index, patterns: tuple[Floats, ...]) -> Floats:
    """Share of its channel's money that each cell has, (cell,), by the first pattern (cell,) in which the channel has any."""
    share = np.zeros(len(channel))
    for pattern in reversed(patterns):
        total = np.bincount(channel, weights=pattern)[channel]
        share = np.where(total > 0, pattern / np.where(total > 0, total, 1.0), share)
    return share


def observed_edge(plan: Floats, observed: Floats) -> Floats:
    """Money at which the first geo of a channel reaches its largest observed spend in a period, (channel,).

    Parameters
    ----------
    plan : array, (geo, channel)
        Largest spend of a period per unit of the channel's money.
    observed : array, (geo, channel), money
        Largest observed spend of a period.
    """
    edge = np.divide(observed, plan, out=np.full_like(observed, np.inf), where=plan > 0).min(axis=0)
    return np.where(np.isfinite(edge), edge, 0.0)


def brought(response: Response, channel: Index, money: Floats, share: Floats, spend: Floats) -> tuple[Floats, Floats]:
    """What each channel brings over no spend of its own, and its mean slope.

    Parameters
    ----------
    response : Response
    channel : array of int, (cell,)
    money : array, (cell,), money
        The plan that the other channels keep to.
    share : array, (cell,)
        Of its channel's money.
    spend : array, (point, channel), money

    Returns
    -------
    value : array, (point, sample, channel)
        KPI money.
    slope : array, (point, channel)
        KPI money per unit of the channel's money.
    """
    count = spend.shape[1]
    blocks = np.asarray(response.blocks)
    owner = np.zeros(int(blocks.max()) + 1, dtype=np.intp)
    owner[blocks] = channel
    value = np.empty((len(spend), response.samples, count))
    slope = np.empty(spend.shape)

    def asked(plan: Floats) -> tuple[Floats, Floats]:
        found, slopes = response.value_and_slope(plan)
        along = np.where(share > 0, slopes.mean(axis=0), 0.0) * share  # a cell without money may start infinitely steep
        return found, np.bincount(channel, weights=along, minlength=count)

    if (owner[blocks] == channel).all():  # channels add up: one plan tells a point of every curve
        member = (owner[:, None] == np.arange(count)).astype(float)
        for k, at in enumerate(spend):
            found, slope[k] = asked(at[channel] * share)
            value[k] = found @ member
        return value, slope
    for c in range(count):
        own = channel == c
        without = response.value(np.where(own, 0.0, money)).sum(axis=1)
        for k, at in enumerate(spend[:, c]):
            found, slopes = asked(np.where(own, at * share, money))
            value[k, :, c], slope[k, c] = found.sum(axis=1) - without, slopes[c]
    return value, slope
