"""KPI money of future spend, per draw and geo, with its slopes: the past and the reference held, the plan asked for.

Of an additive model channels and geos add up, ``sum_t money[t,g] beta[g,c] saturation(adstock(x))[t,g,c]`` over the horizon
and the carryover tail. Of a multiplicative one a plan is worth ``sum_t money[t,g] K[t,g] (exp(S[t,g]) - 1)``, with ``S`` the
sum of the paid channels' effects on the logarithm and ``K`` the KPI that is expected without them; a slope is that of an
additive model in which a unit of effect is worth ``money K exp(S)``. ``K`` is the forecast of the planned rows where the table
has as many as the horizon, else the expectation in the reference window; in the tail it is the mean over the horizon. An
autoregressive noise is taken at its mean, zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mmx.data.panel import Floats
from mmx.mmm import predict
from mmx.mmm.kernel_codes import has_curves
from mmx.mmm.levels import levels, past_states, plans
from mmx.mmm.reference_window import Reference

if TYPE_CHECKING:
    from mmx.mmm.posterior import Posterior

Ints = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Outlook:
    """What plans of one horizon are evaluated with.

    Attributes
    ----------
    posterior : Posterior
    reference : Reference
    draws : array of int, optional
        Samples to use; all by default.
    above : bool
        Whether the values are those of concave curves above the draws' own.
    """

    posterior: Posterior
    reference: Reference
    draws: Ints | None = None
    above: bool = False

    @property
    def samples(self) -> int:
        """Number of draws."""
        return len(self._beta)

    @property
    def additive(self) -> bool:
        """Whether channels add up."""
        return not self.posterior.structure.multiplicative

    @cached_property
    def nothing(self) -> Floats:
        """Value of no spend in the horizon by the draws' own curves, the carry-in of the past, as `value`."""
        return replace(self, above=False).value(np.zeros_like(self.reference.spend))

    def thinned(self, draws: Ints) -> Outlook:
        """Keep some of the draws."""
        return replace(self, draws=draws if self.draws is None else self.draws[draws])

    def envelope(self) -> Outlook | None:
        """Concave values, nowhere below these: S-shaped curves up to their least concave ones, and harm counted as nothing.

        None of a multiplicative model, or of a family without compiled code.
        """
        return replace(self, above=True) if self.additive and has_curves(self.posterior.structure) else None

    def value(self, spend: Floats) -> Floats:
        """Money of horizon and tail, the carry-in of past spend included.

        Parameters
        ----------
        spend : array, (horizon, geo, channel)
            Money per period after the last training row; no spend thereafter.

        Returns
        -------
        array, (sample, geo, channel)
            The last axis has one entry if the model is multiplicative: what all channels bring.
        """
        if not self.additive:
            return _summed(self._money * np.expm1(self._effect(self._exposure(spend))))
        none = np.zeros((0, *spend.shape[1:]))
        return self._plans(spend, self._money, none, np.zeros(0, dtype=np.int64))[0]

    def value_and_slope(
        self, spend: Floats, pattern: Floats | None = None, labels: npt.NDArray[np.integer] | None = None
    ) -> tuple[Floats, Floats]:
        """Value, and what a step of spend brings per draw.

        Parameters
        ----------
        spend : array, (horizon, geo, channel)
        pattern : array, (horizon, geo, channel), optional
            Money in the step; one unit in every cell by default.
        labels : array of int, (horizon,), optional
            Periods of one label are stepped together; each alone by default.

        Returns
        -------
        value : array
            As `value`.
        slope : array, (sample, label, geo, channel)
            Money per step, from above where a cell has no spend.
        """
        horizon = len(spend)
        labels = np.arange(horizon) if labels is None else labels
        direction = self.reference.exposure_per_money * (1.0 if pattern is None else pattern)
        numbers = np.asarray(labels, dtype=np.int64)
        if self.additive:
            return self._plans(spend, self._money, direction, numbers)
        effect = self._effect(self._exposure(spend))
        _, slope = self._plans(spend, self._money * np.exp(effect), direction, numbers)
        return _summed(self._money * np.expm1(effect)), slope

    def _plans(self, spend: Floats, money: Floats, direction: Floats, labels: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
        stop = self.posterior.stop
        rows = (stop, stop + len(spend))
        x = self._exposure(spend)
        beta = np.maximum(self._beta, 0.0) if self.above else self._beta
        given = (self.posterior.structure, self._shapes, beta, x, money, self._varied, rows, direction, labels)
        return plans(*given, states=self._states, above=self.above)

    def _exposure(self, spend: Floats) -> Floats:
        """Scaled exposure of past, plan and tail, (time, geo, media + frequencies)."""
        expected = self.reference.spend.shape
        if spend.shape != expected:
            raise ValueError(f"the spend has shape {spend.shape}; expected (horizon, geo, channel) {expected} as the reference")
        past, stop = self.posterior.exposure, self.posterior.stop
        x = np.zeros((stop + len(spend) + self.posterior.tail, *past.shape[1:]))
        x[:stop] = past
        ahead = x[stop : stop + len(spend)]
        ahead[..., : self.posterior.structure.channels] = spend * self.reference.exposure_per_money
        ahead[..., self.posterior.structure.media :] = self.reference.frequency
        return x

    @cached_property
    def _chosen(self) -> slice | Ints:
        return slice(None) if self.draws is None else self.draws

    @cached_property
    def _shapes(self) -> dict[str, Floats]:
        """Parameters of carryover and saturation."""
        return {name: self.posterior.params[name][self._chosen] for name in self.posterior.structure.shape_places}

    @cached_property
    def _states(self) -> Floats | None:
        """What the past has left to the horizon."""
        posterior = self.posterior
        return past_states(posterior.structure, self._shapes, posterior.exposure, self.samples, posterior.stop)

    @cached_property
    def _beta(self) -> Floats:
        return self.posterior.beta[self._chosen]

    @cached_property
    def _varied(self) -> Floats | None:
        """Factor on effects from the horizon on, (sample, horizon + tail, media)."""
        stop = self.posterior.stop
        varied = self.posterior.varied(stop + self.reference.horizon + self.posterior.tail)
        return None if varied is None else varied[self._chosen, stop:]

    @cached_property
    def _money(self) -> Floats:
        """Money per unit of effect from the horizon on, (1 or sample, horizon + tail, geo)."""
        worth = self._with_tail(self.reference.money[None], self.reference.ahead[None])
        if self.additive:
            return worth
        bare = self._bare()
        return worth / self.posterior.size * self._with_tail(bare, bare.mean(axis=1))

    def _with_tail(self, horizon: Floats, ahead: Floats) -> Floats:
        """Append the tail's value (..., geo) to those of the horizon, (..., period, geo)."""
        return np.concatenate([horizon, np.repeat(ahead[:, None], self.posterior.tail, axis=1)], axis=1)

    def _bare(self) -> Floats:
        """Expected KPI without paid media, (sample, horizon, geo): see the module."""
        posterior, horizon = self.posterior, self.reference.horizon
        whole = predict.whole_exposure(posterior)
        first = posterior.stop if posterior.stop + horizon <= len(whole) else self.reference.first
        whole[..., : posterior.structure.channels] = 0.0
        rows = np.arange(first, first + horizon)
        found = [
            predict.expected(posterior, predict.level(posterior, g, whole, rows).T, g).T[self._chosen]
            for g in range(posterior.structure.geos)
        ]
        return np.stack(found, axis=2)

    def _effect(self, x: Floats) -> Floats:
        """Sum of the paid channels' effects on the logarithm from the horizon on, (sample, horizon + tail, geo)."""
        stop, channels, structure = self.posterior.stop, self.posterior.structure.channels, self.posterior.structure
        out = np.empty((self.samples, len(x) - stop, structure.geos))
        for g in range(structure.geos):
            at = slice(g, g + 1)
            found = levels(structure, self._shapes, self._beta[:, at], x[:, at], np.ones((len(x), 1)), stop)[..., :channels]
            out[:, :, g] = (found if self._varied is None else found * self._varied[..., :channels]).sum(axis=2)
        return out


def _summed(by_period: Floats) -> Floats:
    """Sums over time of (sample, time, geo), (sample, geo, 1)."""
    total: Floats = by_period.sum(axis=1)[..., None]
    return total
