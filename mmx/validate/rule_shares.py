"""How often each rule matters: the share of ad-set-days that it decides, changes, bounds or leaves out on an account."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from mmx.rules_settings import Promotion, RulesSettings
from mmx.validate.rule_policy import RulePolicy
from mmx.worlds.accounts import AccountWorld, roll

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mmx.rules.engine import Decision, Details, Engine
    from mmx.rules.rule import Kind

# Money of the month over the last day's pace, by account in turn: ample, and short ones, which minimum and pacing need.
MONTHS = (1.1, 0.9, 1.1, 0.7)


def rule_shares(
    engine: Engine,
    vector: NDArray[np.float64],
    worlds: Sequence[AccountWorld],
    settings: RulesSettings,
    *,
    days: int = 28,
    futures: int = 4,
    month: bool = True,
) -> dict[str, float]:
    """Share of ad-set-days at which each rule matters, by name, over roll-outs of simulated accounts.

    A decider counts where it decides, a modifier where it changes a factor by a thousandth, an account rule (for all ad sets of
    the day) where it changes the money, a guardrail where a budget rests on it, an edit rule where it leaves out a move.

    Parameters
    ----------
    engine : Engine
    vector : array, (parameter,)
    worlds : sequence of AccountWorld
    settings : RulesSettings
        The margin is each world's, and half of the worlds have their promotions in the calendar and low stock of an ad set.
    days, futures : int
    month : bool
        Whether accounts have a month's budget: over the pace of their last day 1.1, 0.9, 1.1 and 0.7 times, in turn.
    """
    counts: Counter[str] = Counter()
    total = [0.0]

    def watch(decision: Decision, details: Details) -> None:
        running = np.asarray(decision.rule) >= 0
        total[0] += float(running.sum())
        for i, rule in enumerate(engine.deciders):
            counts[rule.name] += int((np.asarray(decision.rule) == i).sum())
        kinds: tuple[tuple[Kind, Any], ...]
        kinds = (("modifier", details.modified), ("guardrail", details.binds), ("edit", details.left_out))
        for kind, found in kinds:
            for rule, hit in zip(engine.of(kind), np.asarray(found), strict=True):
                counts[rule.name] += int((hit & running).sum())
        moneys = np.asarray(details.moneys)
        for i, rule in enumerate(engine.of("account")):
            counts[rule.name] += int((running * (np.abs(moneys[i + 1] / moneys[i] - 1.0) > 1e-9)).sum())

    for number, world in enumerate(worlds):
        known = _told(world, settings, number)
        money = float(world.history().budget[-1].sum()) * 30.4 * MONTHS[number % len(MONTHS)]
        policy = RulePolicy(engine, np.tile(vector, (futures, 1)), known, month_budget=money if month else None, watch=watch)
        roll(world, policy, days=days, seeds=list(range(1, futures + 1)))
    return {rule.name: counts[rule.name] / max(total[0], 1.0) for rule in engine.rules if rule.kind != "evidence"}


def _told(world: AccountWorld, settings: RulesSettings, number: int) -> RulesSettings:
    """What a customer would have told: the margin, and in every second world a promotion and stock that runs out."""
    known: dict[str, Any] = {"margin": world.customer.margin}
    if number % 2 == 0:
        first = (world.history().dates[-1] + np.timedelta64(8, "D")).astype(object)
        last = (world.history().dates[-1] + np.timedelta64(11, "D")).astype(object)
        known |= {"promotions": (Promotion(start=first, end=last),)}
        known |= {"stock_days": {world.history().adsets[0]: 12.0}}
    return settings.model_copy(update=known)
