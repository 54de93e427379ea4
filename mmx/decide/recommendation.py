"""A budget recommendation as a value: cells of a plan with its gain and the reasons, ready for every export."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Interval:
    """Posterior mean and equal-tailed 90 % interval."""

    mean: float
    q05: float
    q95: float


@dataclass(frozen=True)
class Cell:
    """Spend of one channel in one geo over one period of the horizon, in money."""

    channel: str
    geo: str
    start: str
    end: str
    current: float
    recommended: float


@dataclass(frozen=True)
class ChannelPlan:
    """What the plan does with one channel.

    Attributes
    ----------
    current_spend, recommended_spend : float
        Money over the horizon; sums of the cells.
    multiplier : float
        Recommended over current spend; 1 where both are 0.
    low, high : float
        Bounds on the multiplier.
    extra : Interval
        KPI money of the recommended plan over the current plan scaled to the same total, tail included: they add up to
        the gain.
    mroas_current, mroas_recommended : Interval
        Marginal ROAS of +1 % of every cell at the two plans, tail included.
    binding : str
        ``lower bound``, ``upper bound``, ``no spend to scale`` or empty.
    outside_observed : bool
        Whether the plan goes above the channel's largest observed spend in a geo, or stays below its smallest active one.
    """

    current_spend: float
    recommended_spend: float
    multiplier: float
    low: float
    high: float
    extra: Interval
    mroas_current: Interval
    mroas_recommended: Interval
    binding: str
    outside_observed: bool


@dataclass(frozen=True)
class Recommendation:
    """The plan that maximises expected KPI money under a fixed total and bounds per channel.

    Attributes
    ----------
    objective : str
        ``mean``: posterior mean of KPI money, tail included.
    certificate : None
        Reserved: the gap to a valid upper bound.
    total : float
        Money over the horizon, the sum of all recommended cells.
    current_total : float
        Money of the current plan as it was.
    horizon : int
        Periods.
    start, end : str
        First day of the first and of the last period, ISO.
    reference : str
        ``last`` or ``last_year``.
    money : str
        What the gain is counted in: a currency, ``money`` or ``KPI units``.
    converged : bool
    gate_reasons : tuple of str
        Why the fit failed its gate; empty when it passed.
    gain : Interval
        KPI money over the current plan scaled to the same total.
    probability_better : float
        Share of posterior draws with a positive gain.
    channels : dict of ChannelPlan
    cells : tuple of Cell
    unknowns : tuple of str
        What the model does not know about this plan, one sentence each.
    notes : tuple of str
        Data notes and decisions that a reader should know.
    fit_name : str
        ``name`` of the configuration that was fitted.
    """

    objective: str
    certificate: None
    total: float
    current_total: float
    horizon: int
    start: str
    end: str
    reference: str
    money: str
    converged: bool
    gate_reasons: tuple[str, ...]
    gain: Interval
    probability_better: float
    channels: dict[str, ChannelPlan]
    cells: tuple[Cell, ...]
    unknowns: tuple[str, ...]
    notes: tuple[str, ...]
    fit_name: str
    format: int = field(default=1)

    def as_mapping(self) -> dict[str, Any]:
        """Return the content of ``recommendation.json``."""
        return asdict(self)
