"""Daily rules in a configuration: what the customer asks for, what is known beforehand, and parameters that differ."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mmx.spec import Frozen, Positive

Money = Annotated[float, Field(ge=0)]


class Promotion(Frozen):
    """Days of a promotion, first and last, inclusive."""

    start: dt.date
    end: dt.date

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"the promotion ends ({self.end}) before it starts ({self.start})")
        return self


class LogNormal(Frozen):
    """A positive number that is not known exactly: its median, and the standard deviation of its logarithm."""

    median: Positive
    log_sd: Money


class RulesSettings(Frozen):
    """What rules are told of a customer.

    Attributes
    ----------
    target_roas : float, optional
        Revenue per unit of spend that is asked for: the platform's times the incrementality; null: the account's own over its
        last 28 mature days.
    margin : float, optional
        Share of revenue that is left before advertising. The next unit of money must bring ``1 / margin``; null: the account's
        own marginal ROAS, so that money moves within the account only.
    daily_budget : float, optional
        Money of a day, currency; null: yesterday's budgets.
    minimum_budget : float
        Least daily budget that the platform takes, currency.
    campaign_budgets : tuple of str
        Campaigns whose budget the platform splits among their ad sets.
    promotions : tuple of Promotion
        The calendar of promotions.
    stock_days : mapping of str to float
        Days for which the stock lasts of what a campaign or an ad set sells.
    response : {"fit", "prior"}
        Where elasticities come from: the response model, fitted to the account's past, or ``elasticity``.
    elasticity : LogNormal
        Of the response in the budget, where no response model is fitted or its posterior cannot be used.
    incrementality : LogNormal
        True over platform ROAS; ``--from`` takes it from a recommendation's fit.
    channel : str, optional
        Channel of the marketing-mix model that the account is part of; ``--from`` reads its plan.
    channel_share : float
        The account's share of that channel's money.
    without : tuple of str
        Rules that are left out.
    parameters : mapping of str to mapping of str to float
        Values that differ from the library's defaults, by rule and parameter.
    """

    target_roas: Positive | None
    margin: Annotated[float, Field(gt=0, le=1)] | None
    daily_budget: Positive | None
    minimum_budget: Money
    campaign_budgets: tuple[str, ...]
    promotions: tuple[Promotion, ...]
    stock_days: dict[str, Money]
    response: Literal["fit", "prior"]
    elasticity: LogNormal
    incrementality: LogNormal
    channel: str | None
    channel_share: Annotated[float, Field(gt=0, le=1)]
    without: tuple[str, ...]
    parameters: dict[str, dict[str, float]]

    @property
    def values(self) -> dict[str, float]:
        """Parameters as ``rule.parameter``: value."""
        return {f"{rule}.{name}": value for rule, own in self.parameters.items() for name, value in own.items()}
