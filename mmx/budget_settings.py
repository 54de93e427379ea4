"""A budget question in a configuration: how much, within which constraints, by which objective."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from mmx.information_settings import InformationSettings
from mmx.spec import Frozen, Positive, Share

Money = Annotated[float, Field(ge=0)]
Limits = tuple[Money | None, Money | None]
Shares = tuple[Share | None, Share | None]
ObjectiveName = Literal["mean", "cvar", "regret", "mean_sd", "beat", "target"]
By = Literal["channel", "geo", "period"]


def _ordered(name: str, limits: tuple[float | None, float | None] | None) -> None:
    """Refuse limits the other way round, and none at all."""
    if limits is None:
        return
    low, high = limits
    if low is None and high is None:
        raise ValueError(f"{name} [null, null] limits nothing: take it out, or give a number")
    if low is not None and high is not None and low > high:
        raise ValueError(f"{name} must be low, high; {list(limits)} is the other way round")


class ChannelLimits(Frozen):
    """What is decided of one channel beforehand.

    ``money`` is its least and largest spend over the horizon, ``fixed`` both at once, ``bounds`` the same in multiples of the
    current plan. ``minimum`` (nothing, or at least this) and ``step`` (multiples of this) are of each cell of the plan: of the
    channel over the horizon, or in a geo or period where ``by`` says so.
    """

    money: Limits | None = None
    fixed: Money | None = None
    bounds: tuple[Money, Money] | None = None
    minimum: Positive | None = None
    step: Positive | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        given = [name for name in ("money", "fixed", "bounds") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"it has {' and '.join(given)}: a channel takes one of money, fixed and bounds")
        _ordered("money", self.money)
        _ordered("bounds", self.bounds)
        return self


class GroupLimits(Frozen):
    """Limits on several channels, or geos, together: in money, or as a share of the whole plan."""

    name: Annotated[str, Field(min_length=1)]
    channels: tuple[str, ...] = ()
    geos: tuple[str, ...] = ()
    share: Shares | None = None
    money: Limits | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.channels and not self.geos:
            raise ValueError(f"group {self.name!r} names no channels and no geos: name what it limits")
        if (self.share is None) == (self.money is None):
            raise ValueError(f"group {self.name!r} takes share: [low, high] or money: [low, high], one of the two")
        _ordered("share", self.share)
        _ordered("money", self.money)
        return self


class Goal(Frozen):
    """How the total is chosen where it is not given: the largest with such a mean or marginal return, or cost per unit."""

    roas: Positive | None = None
    mroas: Positive | None = None
    cpa: Positive | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("roas", "mroas", "cpa") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a goal is one of roas, mroas and cpa; it names {', '.join(given) or 'none'}")
        return self


class Question(Frozen):
    """One budget question. Scenarios are questions that differ in some keys.

    Attributes
    ----------
    total : float, money, optional
        Over the horizon; the current plan's by default. Chosen by ``goal``, or with ``profit`` by what earns most.
    goal : Goal, optional
    profit : bool
        Choose the total that earns most: KPI money times ``margin`` less spend.
    margin : float, optional
        Share of KPI money that is earned before advertising; where it is known, scenarios say their profit.
    horizon : int, periods
    bounds : tuple of float
        Least and largest multiple of the current plan, of every cell.
    max_change : float, optional
        Largest change of a cell against the current plan, as a share of it.
    ramp : float, optional
        Largest change from a period of the plan to the next, as a share of the one before; with ``by: [channel, period]``.
    reference : str
        Which plan is the current one: the ``last`` periods, the same ones ``last_year``, or those ``planned`` in the table.
    by : tuple of str
        What has money of its own: ``channel``, and ``geo`` or ``period`` within it.
    every : int, periods
        Length of a cell with ``by: [channel, period]``.
    objective : str
        ``mean``; ``cvar`` (mean of the worst ``level`` of draws); ``regret`` (mean of the largest ``level`` of what each draw's
        best plan would have brought more, as small as possible); ``mean_sd`` (mean less ``risk`` standard deviations); ``beat``
        (the probability of more than the current plan); ``target`` (the probability of more than ``target``).
    level : float
    risk : float
    target : float, money, optional
        Gain over the current plan that ``objective: target`` asks for.
    channels : dict of ChannelLimits
    groups : tuple of GroupLimits
    """

    total: Positive | None
    goal: Goal | None
    profit: bool
    margin: Share | None
    horizon: Annotated[int, Field(ge=1, le=1000)]
    bounds: tuple[Money, Positive]
    max_change: Positive | None
    ramp: Positive | None
    reference: Literal["last", "last_year", "planned"]
    by: tuple[By, ...]
    every: Annotated[int, Field(ge=1)]
    objective: ObjectiveName
    level: Annotated[float, Field(gt=0, le=1)]
    risk: Money
    target: float | None
    channels: dict[str, ChannelLimits]
    groups: tuple[GroupLimits, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _ordered("bounds", self.bounds)
        ways = [name for name, given in (("total", self.total), ("goal", self.goal)) if given is not None]
        ways += ["profit"] if self.profit else []
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)} all choose the total: keep one, and set the others to null (profit: false)")
        if self.profit and self.margin is None:
            raise ValueError("profit: true needs margin, the share of KPI money that is earned before advertising")
        if "channel" not in self.by or len(set(self.by)) != len(self.by):
            raise ValueError(f"by names channel, and geo and period where they have money of their own; it is {list(self.by)}")
        if self.ramp is not None and "period" not in self.by:
            raise ValueError("ramp limits the change from period to period: it needs by: [channel, period]")
        if (self.target is None) == (self.objective == "target"):
            raise ValueError("target, a gain in money, goes with objective: target, which needs it")
        if self.objective in ("beat", "target") and (self.goal is not None or self.profit):
            raise ValueError(
                f"objective: {self.objective} is a probability, by which no total can be chosen: give total, or take "
                "objective: mean, cvar or mean_sd"
            )
        if self.objective == "regret" and (self.goal is not None or self.profit):
            raise ValueError("objective: regret compares plans of one total: give total, or take objective: mean or cvar")
        names = [group.name for group in self.groups]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"groups has {', '.join(twice)} more than once: give each group its own name")
        return self


class BudgetSettings(Question):
    """The budget question, and what else is answered beside it.

    Attributes
    ----------
    next_test : bool
        Whether experiments are valued by what their result would be worth to the plan.
    information : InformationSettings
        Which ones, and how closely.
    scenarios : dict
        Other questions side by side with this one, each with the keys in which it differs.
    frontier : tuple of float
        Levels of CVaR whose best plans make the efficient frontier; empty for none.
    """

    next_test: bool
    information: InformationSettings
    scenarios: dict[str, dict[str, Any]]
    frontier: tuple[Annotated[float, Field(gt=0, le=1)], ...]

    @model_validator(mode="after")
    def _scenarios(self) -> Self:
        for name in self.scenarios:
            try:
                self.scenario(name)
            except ValidationError as error:
                said = [f"{'.'.join(str(part) for part in e['loc']) or 'it'}: {e['msg']}" for e in error.errors()]
                raise ValueError(f"scenario {name!r}: {'; '.join(said)}") from error
        return self

    @property
    def question(self) -> Question:
        """The question itself."""
        return Question.model_validate({name: getattr(self, name) for name in Question.model_fields})

    def scenario(self, name: str) -> Question:
        """Return one of the scenarios as a question of its own.

        A key that chooses the total replaces the others that do.
        """
        own = self.scenarios[name]
        base = {key: getattr(self, key) for key in Question.model_fields}
        if {"total", "goal", "profit"} & set(own):
            base |= {"total": None, "goal": None, "profit": False}
        if own.get("objective", "target") != "target":
            base["target"] = None
        return Question.model_validate(base | own)
