"""A budget recommendation as a value: a plan with its gain, its certificate and its reasons, ready for every export."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from mmx.decide.certificate import Certificate

FORMAT = 2


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
        Least and largest money that its own bounds allow over the horizon.
    extra : Interval
        KPI money of the recommended plan over the current plan scaled to the same total, tail included: they add up to
        the gain.
    net : float
        ``extra`` less what the moved money earns at the plan's shadow price: what the move itself brings. Where both plans have
        the same total, these add up to the gain as well.
    mroas_current, mroas_recommended : Interval
        Marginal ROAS of +1 % of every cell at the two plans, tail included.
    optimum : Interval
        Spend of the best plan of each posterior draw: how far the advice itself is known.
    at_bounds : tuple of float
        Share of draws whose best plan has the channel at its least and at its largest money.
    binding : str
        What holds the channel: a constraint in the user's words, ``lower bound``, ``upper bound``, ``no spend to scale``, or
        empty.
    outside_observed : bool
        Whether the plan goes above the channel's largest observed spend in a geo, or stays below its smallest active one.
    outside : float
        Largest planned spend of a geo and period over the largest observed there, as a ratio.
    """

    current_spend: float
    recommended_spend: float
    multiplier: float
    low: float
    high: float
    extra: Interval
    net: float
    mroas_current: Interval
    mroas_recommended: Interval
    optimum: Interval
    at_bounds: tuple[float, float]
    binding: str
    outside_observed: bool
    outside: float


@dataclass(frozen=True)
class Flip:
    """The smallest change that turns the plan's largest move around, or takes it away.

    Attributes
    ----------
    channel : str
        Of the largest move.
    kind : {"belief", "budget"}
        What changes: the channel's effect, times a factor, or the total.
    factor : float or None
        On the effect or on the total; None where no factor within the range that was searched does it.
    searched : tuple of float
        Range of factors that was searched.
    """

    channel: str
    kind: str
    factor: float | None
    searched: tuple[float, float]


@dataclass(frozen=True)
class Frontier:
    """One plan of the efficient frontier of gain against risk.

    Attributes
    ----------
    level : float
        Share of worst draws whose mean it maximises; 1 is the mean.
    gain : Interval
        Over the current plan scaled to the same total.
    worst : float
        Mean gain of the worst tenth of draws.
    probability_better : float
    spend : dict of str to float
        Money per channel.
    """

    level: float
    gain: Interval
    worst: float
    probability_better: float
    spend: dict[str, float]


@dataclass(frozen=True)
class Scenario:
    """One answer of several side by side.

    Attributes
    ----------
    name : str
    objective : str
    total : float
    gain : Interval
        Over the current plan, as it is: scenarios differ in their totals, so this counts what more or less money brings.
    profit : Interval or None
        Gain times the margin less the change of the total; None where no margin is known.
    probability_better : float
        Of the gain over the current plan scaled to the same total.
    certified : bool
    relative_gap : float or None
    spend : dict of str to float
        Money per channel.
    """

    name: str
    objective: str
    total: float
    gain: Interval
    profit: Interval | None
    probability_better: float
    certified: bool
    relative_gap: float | None
    spend: dict[str, float]


@dataclass(frozen=True)
class CurvePoint:
    """What a channel brings at one spend.

    Attributes
    ----------
    spend : float
        Money over the horizon.
    value : Interval
        KPI money over no spend of the channel, tail included.
    mroas : float
        Slope of the mean; at no spend, up to the next point, as a curve may start infinitely steep.
    """

    spend: float
    value: Interval
    mroas: float


@dataclass(frozen=True)
class Curve:
    """Response of one channel to its money over the horizon: its cells scaled together, all other channels as recommended.

    Attributes
    ----------
    channel : str
    current, recommended : float
        Money over the horizon of the two plans; the curve has a point at each.
    observed : float
        Money at which a geo would first spend its largest observed amount in a period; beyond it the curve follows from its
        assumed form. 0 where the channel never spent in some geo.
    points : tuple of CurvePoint
        By spend, from 0 to the most that the bounds allow and to ``observed``, or to twice the former where that is less.
    """

    channel: str
    current: float
    recommended: float
    observed: float
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class TestValue:
    """What an experiment would be worth to this decision.

    Attributes
    ----------
    channel : str
    design : str
        In words: ``dark in north, south for 4 periods``.
    periods : int
    geos : tuple of str
        Empty for all.
    change : float
        Factor on the tested spend less one: -1 is dark, .5 half as much again.
    delta_spend : float
        Money that the test adds; negative where it takes spend away.
    cost : float
        Expected KPI money lost while it runs, less the spend that it saves; negative where it earns.
    information : float
        Expected value of sample information: KPI money per horizon that the plan gains in the mean by knowing the result first.
    information_error : float
        Its Monte-Carlo standard error.
    se : float
        Standard error of the test's ROAS.
    width : float
        Of the 90 % interval of ROAS that it would report, over today's.
    power : float
        Chance that the test's 90 % interval leaves out zero, over the posterior.
    changes_largest_move : float
        Share of results after which the plan's largest move turns around or goes away.
    """

    __test__ = False  # Not a test case, whatever its name.

    channel: str
    design: str
    periods: int
    geos: tuple[str, ...]
    change: float
    delta_spend: float
    cost: float
    information: float
    information_error: float
    se: float
    width: float
    power: float
    changes_largest_move: float


@dataclass(frozen=True)
class Turnover:
    """What changes against an earlier recommendation, and what keeping its plan would lose.

    Attributes
    ----------
    fit_name, start, end : str
        Of the earlier recommendation.
    moved : float
        Share of the money that moves between the two plans at the new total.
    channels : dict of str to float
        Money per channel over the earlier plan's at the new total; adds up to 0.
    lost : Interval
        KPI money of the new plan over the earlier one's at the new total, on the draws of the new fit.
    lost_share : float or None
        Mean of what is lost over what the new plan brings; None where that is nothing.
    probability_better : float
        Share of draws in which the new plan brings more.
    allowed : bool
        Whether the earlier plan, at the new total, meets today's constraints; where not, keeping it may even bring more.
    """

    fit_name: str
    start: str
    end: str
    moved: float
    channels: dict[str, float]
    lost: Interval
    lost_share: float | None
    probability_better: float
    allowed: bool


@dataclass(frozen=True)
class Recommendation:
    """The plan that is best by an objective, within constraints.

    Attributes
    ----------
    objective : str
        In words, such as ``mean`` or ``mean of the worst 0.1 of draws``; of KPI money, tail included.
    goal : str
        How the total was chosen: ``fixed total``, ``largest total with a ROAS of at least 3``, ``total with the most profit at
        a margin of 40 %``.
    certificate : Certificate
        The plan's objective against a bound on that of every allowed plan.
    total : float
        Money over the horizon, the sum of all recommended cells.
    remainder : float
        What integer steps leave of a fixed total.
    current_total : float
        Money of the current plan as it was.
    shadow_price : float or None
        What one more unit of money would bring at the plan, by the objective; None where the total is free or has none.
    horizon : int
        Periods.
    start, end : str
        First day of the first and of the last period, ISO.
    reference : str
        ``last``, ``last_year`` or ``planned``.
    money : str
        What the gain is counted in: a currency, ``money`` or ``KPI units``.
    converged : bool
    gate_reasons : tuple of str
        Why the fit failed its gate; empty when it passed.
    gain : Interval
        KPI money over the current plan scaled to the same total.
    nothing : Interval
        KPI money that the current plan, scaled to the same total, brings over no spend at all: what doing nothing gives.
    probability_better : float
        Share of posterior draws with a positive gain.
    draws : int
        Posterior draws that plan, gain and certificate are of.
    channels : dict of ChannelPlan
    cells : tuple of Cell
    constraints : tuple of str
        Every constraint in the user's words; those that bind begin with ``binds: ``.
    flips : tuple of Flip
    modes : str
        Whether the best plan per draw has several centres, in words; empty where it has one.
    frontier : tuple of Frontier
    scenarios : tuple of Scenario
    tests : tuple of TestValue
        By what they are worth, largest first.
    unknowns : tuple of str
        What the model does not know about this plan, one sentence each.
    notes : tuple of str
        Data notes and decisions that a reader should know.
    fit_name : str
        ``name`` of the configuration that was fitted.
    curves : tuple of Curve
        Of every channel that has money, may get some or had some.
    turnover : Turnover or None
        Against an earlier recommendation, where one is given.
    """

    objective: str
    goal: str
    certificate: Certificate
    total: float
    remainder: float
    current_total: float
    shadow_price: float | None
    horizon: int
    start: str
    end: str
    reference: str
    money: str
    converged: bool
    gate_reasons: tuple[str, ...]
    gain: Interval
    nothing: Interval
    probability_better: float
    draws: int
    channels: dict[str, ChannelPlan]
    cells: tuple[Cell, ...]
    constraints: tuple[str, ...]
    flips: tuple[Flip, ...]
    modes: str
    frontier: tuple[Frontier, ...]
    scenarios: tuple[Scenario, ...]
    tests: tuple[TestValue, ...]
    unknowns: tuple[str, ...]
    notes: tuple[str, ...]
    fit_name: str
    curves: tuple[Curve, ...] = ()
    turnover: Turnover | None = None
    format: int = field(default=FORMAT)

    def as_mapping(self) -> dict[str, Any]:
        """Return the content of ``recommendation.json``."""
        return asdict(self)
