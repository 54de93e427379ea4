"""A posterior as a value: draws of parameters, from which everything else is computed when asked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mmx.data.panel import Floats, Panel
from mmx.mmm import effectiveness, multiplicative
from mmx.mmm.design import Design, build
from mmx.mmm.inputs import money_per_unit, scaled_exposure
from mmx.mmm.levels import levels, totals
from mmx.mmm.outlook import Outlook
from mmx.mmm.reference_window import Reference, reference_of
from mmx.mmm.structure import Structure
from mmx.spec import Constants, Spec

TAIL_SHARE = 0.001  # The tail ends where less than this share of a unit's effect is still to come.


@dataclass(frozen=True)
class Posterior:
    """Draws of one fit.

    Attributes
    ----------
    spec : Spec
        Resolved.
    panel : Panel
    structure : Structure
    weights : array, (time,)
        Row weights of the fit; rows above zero are the window that ROAS and contribution speak of.
    params : dict of array, (sample, size)
        Sampled parameters, float32 values; samples are chains laid end to end.
    beta : array, (sample, geo, media)
        Effect at full saturation on the scaled KPI.
    gamma : array, (sample, column)
        Baseline coefficients of the design's columns.
    local : array, (sample, local column, geo)
        Each geo's own coefficients of the columns of ``Design.local``: intercept, and trend where there is one.
    chains : int
    """

    spec: Spec
    panel: Panel
    structure: Structure
    weights: Floats
    params: dict[str, Floats]
    beta: Floats
    gamma: Floats
    local: Floats
    chains: int

    @property
    def samples(self) -> int:
        """Number of draws over all chains."""
        return len(self.beta)

    @property
    def media(self) -> tuple[str, ...]:
        """Names of paid channels, then of organic media."""
        return self.panel.names("channel") + self.panel.names("organic")

    @property
    def constants(self) -> Constants:
        """Resolved constants."""
        assert self.spec.constants is not None
        return self.spec.constants

    @cached_property
    def window(self) -> npt.NDArray[np.bool_]:
        """Training rows, (time,)."""
        return np.asarray(self.weights > 0)

    @cached_property
    def stop(self) -> int:
        """Index one past the last training row."""
        return int(np.flatnonzero(self.window)[-1]) + 1

    @cached_property
    def tail(self) -> int:
        """Periods after the last row that a channel's effect is followed, at most a year."""
        longest = 1
        families = {family for family, _ in self.structure.adstock}
        kept = [self.params["alpha"]] if "alpha" in self.params and families & {"geometric", "two_stage"} else []
        kept += [0.5 ** (1.0 / self.params["half_life"])] if "half_life" in families else []
        if kept:
            alpha = min(max(float(np.quantile(share, 0.99)) for share in kept), 0.999)
            longest = math.ceil(math.log(TAIL_SHARE) / math.log(alpha))
            if "two_stage" in families:  # With two equal stages, lag by lag, the tail holds (1 + lag (1 - alpha)) alpha**lag.
                while (1 + longest * (1 - alpha)) * alpha**longest > TAIL_SHARE:
                    longest += 1
        longest = max([longest, *(window for _, window in self.structure.adstock)])
        return min(longest, math.ceil(self.panel.periods_per_year))

    @cached_property
    def exposure(self) -> Floats:
        """Scaled exposure of all periods up to the last training row, then frequencies, (time, geo, media + frequencies)."""
        return scaled_exposure(self.panel, self.constants)[: self.stop]

    @cached_property
    def design(self) -> Design:
        """Design of the baseline over all periods of the panel."""
        return build(self.spec, self.panel)

    @property
    def size(self) -> Floats:
        """KPI units per unit of the scaled KPI, (geo,)."""
        return np.array(self.constants.geo_scale) * self.constants.kpi_scale

    @cached_property
    def money(self) -> Floats:
        """KPI money per unit of the scaled KPI up to the last training row, (time, geo).

        Of a multiplicative model, the KPI's money itself in the training rows, and 0 in others: see ``mmx.mmm.multiplicative``.
        """
        money = money_per_unit(self.panel, self.constants)[: self.stop]
        if not self.structure.multiplicative:
            return money
        kpi = self.panel.array("kpi").T[: self.stop] / self.size
        return money * np.where(self.window[: self.stop, None], kpi, 0.0)

    @cached_property
    def zeroed(self) -> Floats:
        """The exposure with none in the training rows, (time, geo, media + frequencies)."""
        return self._multiplied(0.0)

    def _multiplied(self, multiplier: float) -> Floats:
        x = self.exposure.copy()
        x[..., : self.structure.media] *= np.where(self.window[: self.stop], multiplier, 1.0)[:, None, None]
        return x

    def varied(self, periods: int) -> Floats | None:
        """Factor on effects in the first periods, (sample, periods, media); None where effectiveness is constant.

        After the panel's last row it stays as it is there.
        """
        if not self.structure.varies:
            return None
        known = self._effectiveness
        return known[:, np.minimum(np.arange(periods), known.shape[1] - 1)]

    @cached_property
    def _effectiveness(self) -> Floats:
        columns = effectiveness.basis(self.constants, self.panel, self.window)
        return effectiveness.factors(self.structure, self.params, *columns)

    def extended(self, x: Floats, money: Floats, ahead: Floats) -> tuple[Floats, Floats]:
        """Append the tail: no exposure, and the money per unit ``ahead`` (geo,)."""
        x = np.concatenate([x, np.zeros((self.tail, *x.shape[1:]))])
        return x, np.concatenate([money, np.repeat(ahead[None], self.tail, axis=0)])

    @cached_property
    def mean_money(self) -> Floats:
        """Mean money per unit of the scaled KPI over the training rows, (geo,)."""
        mean: Floats = self.money[self.window[: self.stop]].mean(axis=0)
        return mean

    def levels(self, multiplier: float, draws: npt.NDArray[np.intp] | None = None, *, tail: bool = True) -> Floats:
        """Money per period and medium with the window's exposure multiplied.

        Parameters
        ----------
        multiplier : float
            Factor on every cell of the training rows; earlier rows stay.
        draws : array of int, optional
            Samples to use; all by default.
        tail : bool
            Whether the carryover after the last row is appended.

        Returns
        -------
        array, (sample, stop + tail, media)
        """
        x = self._multiplied(multiplier)
        return self._levels(*(self.extended(x, self.money, self.mean_money) if tail else (x, self.money)), draws)

    @cached_property
    def has_carry_in(self) -> bool:
        """Whether media act before, or between, the training rows."""
        return bool(self.exposure[~self.window[: self.stop], :, : self.structure.media].any())

    def totals(self, multipliers: Sequence[float]) -> Floats:
        """Money per medium with the window's exposure multiplied, summed over the training rows and over the tail.

        Parameters
        ----------
        multipliers : sequence of float, (multiplier,)
            Factors on every cell of the training rows; earlier rows stay.

        Returns
        -------
        array, (sample, multiplier, 2, media)
            Training rows, then tail.
        """
        if self.structure.multiplicative or self.structure.varies:
            return np.stack([self._sums(self.levels(m)) for m in multipliers], axis=1)
        inside = self.window[: self.stop]
        moved = np.where(inside[:, None, None], self.exposure, 0.0)
        moved[..., self.structure.media :] = 0.0
        x, money = self.extended(moved, self.money, self.mean_money)
        before = np.zeros_like(x)
        before[: self.stop] = self.exposure - moved
        groups = np.append(np.where(inside, 0, -1), np.ones(self.tail, dtype=int))
        return totals(self.structure, self.params, self.beta, x, before, money, groups, np.array(multipliers))

    def _sums(self, by_period: Floats) -> Floats:
        """Sums of (sample, stop + tail, media) over the training rows and over the tail, (sample, 2, media)."""
        rows = np.flatnonzero(self.window[: self.stop])
        return np.stack([by_period[:, rows].sum(axis=1), by_period[:, self.stop :].sum(axis=1)], axis=1)

    def response(
        self, spend: Floats, draws: npt.NDArray[np.intp] | None = None, *, reference: Reference | None = None
    ) -> Floats:
        """KPI money of a future spend plan, carryover tail and today's carry-in counted, summed over geos.

        Parameters
        ----------
        spend : array, (horizon, geo, channel)
            Money per period after the last training row; no spend thereafter.
        draws : array of int, optional
            Samples to use; all by default.
        reference : Reference, optional
            Says what exposure a unit of money buys; the last ``horizon`` periods by default.

        Returns
        -------
        array, (sample, channel)
            Money (KPI units for an index) of horizon and tail, the carry-in of past spend included: differences between
            plans are what a decision is about.

        Raises
        ------
        ValueError
            If the model is multiplicative: what a channel brings then depends on the others' plans; see `plan_value`.
        """
        total: Floats = self.response_by_geo(spend, draws, reference=reference).sum(axis=1)
        return total

    def response_by_geo(
        self, spend: Floats, draws: npt.NDArray[np.intp] | None = None, *, reference: Reference | None = None
    ) -> Floats:
        """KPI money of a future spend plan as `response`, by geo, (sample, geo, channel)."""
        return self._outlook(spend, draws, reference).value(spend)

    def response_and_slope(
        self, spend: Floats, draws: npt.NDArray[np.intp] | None = None, *, reference: Reference | None = None
    ) -> tuple[Floats, Floats]:
        """Response by geo, and the money that one more unit of spend in each cell brings.

        Returns
        -------
        value : array, (sample, geo, channel)
        slope : array, (sample, horizon, geo, channel)
        """
        return self._outlook(spend, draws, reference).value_and_slope(spend)

    def response_along(
        self, spend: Floats, pattern: Floats, draws: npt.NDArray[np.intp] | None = None, *, reference: Reference | None = None
    ) -> tuple[Floats, Floats]:
        """Response by geo, and the money that one step of a pattern (horizon, geo, channel) of spend brings.

        Returns
        -------
        value, slope : array, (sample, geo, channel)
        """
        outlook = self._outlook(spend, draws, reference)
        value, slope = outlook.value_and_slope(spend, pattern, np.zeros(len(spend), dtype=int))
        return value, slope[:, 0]

    def plan_value(
        self, spend: Floats, draws: npt.NDArray[np.intp] | None = None, *, reference: Reference | None = None
    ) -> Floats:
        """KPI money of a whole plan over that of no spend in the horizon, tail counted, for every model, (sample,).

        Of a multiplicative model the baseline counts: that of the planned rows where the table has them, else of the reference.
        """
        outlook = Outlook(self, reference or self.reference(len(spend)), draws)
        gain: Floats = (outlook.value(spend) - outlook.nothing).sum(axis=(1, 2))
        return gain

    def _outlook(self, spend: Floats, draws: npt.NDArray[np.intp] | None, reference: Reference | None) -> Outlook:
        if self.structure.multiplicative:
            raise ValueError("a multiplicative model has no response by channel: the channels' effects multiply")
        return Outlook(self, reference or self.reference(len(spend)), draws)

    def _levels(self, x: Floats, money: Floats, draws: npt.NDArray[np.intp] | None, first: int = 0) -> Floats:
        chosen = slice(None) if draws is None else draws
        params = {name: value[chosen] for name, value in self.params.items()}
        if self.structure.multiplicative:
            actual = np.zeros_like(x)
            actual[: self.stop] = self.exposure
            return multiplicative.levels(self.structure, params, self.beta[chosen], x, actual, money, first)
        found = levels(self.structure, params, self.beta[chosen], x, money, first)
        varied = self.varied(len(x))
        return found if varied is None else found * varied[chosen, first:]

    def reference(self, horizon: int, kind: str = "last") -> Reference:
        """Spend and exposure of the reference window of a plan.

        Parameters
        ----------
        horizon : int
            Periods.
        kind : {"last", "last_year", "planned"}
            The last periods, the weeks of the horizon a year earlier, or the table's rows after the training rows, with
            their dates, prices and planned spend.

        Raises
        ------
        ValueError
            If the data do not reach that far.
        """
        return reference_of(self, horizon, kind)

    def split_chains(self, values: Floats) -> Floats:
        """(sample, ...) as (chain, draw, ...)."""
        return values.reshape(self.chains, -1, *values.shape[1:])
