"""An account as the engine sees it, from its history and what the configuration says of the customer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mmx.errors import DataError
from mmx.jax_setup import jnp
from mmx.rules.context import Account, State, days_since_change, first_state
from mmx.rules.features import LEARNING_DAYS
from mmx.rules.moments import order_value_spread
from mmx.rules.window import LOOK_BACK, Window, window_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mmx.data.ads.history import AccountHistory
    from mmx.rules_settings import RulesSettings

# Of so many log-normal values a coefficient of variation near 0.8 is known to 13 % (1.5 / sqrt(days)).
ORDER_VALUE_SPREAD, LEAST_SPREAD_DAYS = 0.8, 140


class Log(NamedTuple):
    """A positive number per ad set on the log scale: mean and standard deviation, (ad set,) or scalars."""

    mean: Any
    sd: Any


def account_of(
    history: AccountHistory,
    settings: RulesSettings,
    *,
    month_budget: float | None = None,
    delay_curve: Sequence[float] = (),
    elasticity: Log | None = None,
    incrementality: Log | None = None,
    as_reported: bool = True,
    dtype: Any = np.float64,
) -> Account:
    """The account at the end of a history.

    Parameters
    ----------
    history : AccountHistory
    settings : RulesSettings
        Target, margin, minimum budget, campaign budgets, and priors of elasticity and incrementality.
    month_budget : float, optional
        Money of a calendar month, currency.
    delay_curve : sequence of float
        Share of a day's purchases that is reported after 0, 1, ... days; all of them where it is empty.
    elasticity, incrementality : Log, optional
        From a response model and from a fit; the settings' where they are not given. The elasticity's ``mean`` and ``sd`` are
        of the elasticity itself.
    as_reported : bool
        Whether purchases come as the platform shows them; a roll-out's are complete, and are shown by the delay curve.

    Raises
    ------
    DataError
        Where nothing was sold or spent in the last mature days and no target is given.

    Notes
    -----
    Rules see the platform's ROAS times the incrementality, and target and floor are in the same money: the account's own ROAS,
    which stands where no target or margin is given, is multiplied as well. How uncertain the incrementality is then cancels
    out of the comparison; it is counted where target or margin are the customer's.
    """
    ad_sets = len(history.adsets)
    mature = slice(max(len(history.dates) - history.immature_days - LOOK_BACK, 0), len(history.dates) - history.immature_days)
    spend, purchases, revenue = (float(history.metric(m)[mature].sum()) for m in ("spend", "purchases", "revenue"))
    if settings.target_roas is None and not (spend > 0.0 and revenue > 0.0):
        raise DataError(
            f"{history.account}: the last {LOOK_BACK} mature days have spend {spend:g} and revenue {revenue:g}, from which no "
            "target ROAS follows; give rules.target_roas"
        )
    elastic = elasticity or Log(settings.elasticity.median, settings.elasticity.median * settings.elasticity.log_sd)
    increment = incrementality or Log(np.log(settings.incrementality.median), settings.incrementality.log_sd)
    believed = float(np.exp(np.mean(increment.mean)))
    target = settings.target_roas or believed * revenue / spend
    own = float(np.average(np.broadcast_to(elastic.mean, ad_sets), weights=_weights(history)))
    floor = 1.0 / settings.margin if settings.margin else own * target
    cpa = spend / purchases if purchases > 0.0 and spend > 0.0 else max(history.budget[-1].mean(), settings.minimum_budget, 1.0)
    member = np.arange(len(history.campaigns))[:, None] == history.campaign_of[None, :]
    named = np.isin(np.array(history.campaigns, dtype=object), settings.campaign_budgets)[history.campaign_of]
    maturity = np.ones(LEARNING_DAYS)
    known = np.asarray(delay_curve, float)[:LEARNING_DAYS]
    maturity[: len(known)] = known

    def array(value: Any) -> Any:
        return jnp.asarray(value, dtype)

    def each(value: Any) -> Any:
        return array(np.broadcast_to(value, ad_sets))

    return Account(
        member=array(member),
        campaign_budget=array(history.campaign_budget | named),
        target_roas=array(target),
        marginal_floor=array(floor),
        expected_cpa=array(cpa),
        order_value_spread=array(_spread(history)),
        minimum_budget=array(settings.minimum_budget),
        month_budget=array(np.inf if month_budget is None else month_budget),
        elasticity_mean=each(elastic.mean),
        elasticity_sd=each(elastic.sd),
        incrementality_mean=each(increment.mean),
        incrementality_sd=each(increment.sd if settings.target_roas else 0.0),
        floor_sd=each(increment.sd if settings.margin else 0.0),
        maturity=array(maturity),
        reported=array(np.ones(LEARNING_DAYS) if as_reported else maturity),
    )


def _spread(history: AccountHistory) -> float:
    """Coefficient of variation of order values: the account's own from 140 ad-set-days with sales on, 0.8 below."""
    own = order_value_spread(history)
    return own.value if own.days >= LEAST_SPREAD_DAYS and np.isfinite(own.value) else ORDER_VALUE_SPREAD


def _weights(history: AccountHistory) -> NDArray[np.float64]:
    """Spend of the last 28 days, with a little for all."""
    spend = history.metric("spend")[-LOOK_BACK:].sum(axis=0)
    return np.asarray(spend + 1e-9)


def start_of(history: AccountHistory, dtype: Any = np.float64) -> tuple[Window, State]:
    """The window at the end of a history, and the state of ad sets that no rule has frozen.

    Raises
    ------
    DataError
        Where the history is shorter than the days that attribution needs.
    """
    if len(history.dates) <= history.immature_days:
        raise DataError(
            f"{history.account}: the table has {len(history.dates)} days, of which {history.immature_days} are not mature: "
            "rules need more days"
        )
    since = days_since_change(history.budget, history.first_day)
    return window_of(history, dtype), first_state(history.budget[-1], since, dtype)
