"""Evidence on tuned rule parameters: the judge's verdict on the hold-out, what tuning claimed, what a replay would claim.

The winner and the defaults are rolled from the hold-out's first day by a response model that no trial has seen. Nothing here
is an experiment: the verdict is the model's, and where the data do not say how purchases answer to budgets, the prior's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mmx.errors import DataError
from mmx.tune.problem import Floats
from mmx.tune.rule_problem import MONEY, unit_of
from mmx.tune.verdict import Verdict, judge
from mmx.validate.replay import Replay, replay

if TYPE_CHECKING:
    from mmx.data.ads.history import AccountHistory
    from mmx.rules.response.fit import ResponseFit
    from mmx.tune.search import Tuning
    from mmx.tune_settings import VerdictSettings
    from mmx.validate.rule_backtest import Backtest, HoldOut
    from mmx.validate.rule_folds import RuleFolds

GAIN = "weighted gain"
PRIOR_DOMINATED = "prior-dominated"


@dataclass(frozen=True)
class Difference:
    """Winner minus defaults in one quantity, under the same draws and luck; money per day.

    Attributes
    ----------
    name, unit : str
        An objective, or ``weighted gain`` where several are searched.
    judged : array, (draw,)
        On the hold-out, with the parameter uncertainty of the judge and of the model that tuning used.
    claimed : array, (draw,)
        By the model of the last fold, which tuning used.
    level, claimed_level : float
        Mean of the defaults under each; NaN for the weighted gain.
    """

    name: str
    unit: str
    judged: Floats
    claimed: Floats
    level: float
    claimed_level: float

    def interval(self, mass: float) -> tuple[float, float, float]:
        """Mean and central interval of what was judged."""
        tail = (1.0 - mass) / 2.0
        low, high = np.quantile(self.judged, [tail, 1.0 - tail])
        return float(self.judged.mean()), float(low), float(high)


@dataclass(frozen=True)
class ReplayClaim:
    """What replays of the hold-out's days claim in revenue: labelled upper bounds, by which nothing is decided.

    Attributes
    ----------
    same_day, next_period : float
        Relative uplift of the winner over the defaults.
    """

    same_day: float
    next_period: float


@dataclass(frozen=True)
class ModelNote:
    """What is to be known of one response model.

    Attributes
    ----------
    label : str
        ``fold 1``, ``judge``.
    first, last : str
        Days that it was fitted on.
    passed : bool
    reasons : tuple of str
        What failed.
    identification : {"learned", "partly prior-dominated", "prior-dominated"}
    sentence : str
    learned : float
        Posterior over prior width of the account's mean elasticity.
    """

    label: str
    first: str
    last: str
    passed: bool
    reasons: tuple[str, ...]
    identification: str
    sentence: str
    learned: float


@dataclass(frozen=True)
class Evidence:
    """All that is known of the winner.

    Attributes
    ----------
    verdict : Verdict
    basis : tuple of str
        What the verdict rests on, a sentence each.
    differences : tuple of Difference
        The decisive one first.
    replay : ReplayClaim or None
        None where too few mature days follow the hold-out's first.
    models : tuple of ModelNote
        Of the folds, then of the judge.
    """

    verdict: Verdict
    basis: tuple[str, ...]
    differences: tuple[Difference, ...]
    replay: ReplayClaim | None
    models: tuple[ModelNote, ...]

    @property
    def on_prior(self) -> bool:
        """Whether the judge learned nothing of elasticities."""
        return self.models[-1].identification == PRIOR_DOMINATED

    @property
    def headline(self) -> str:
        """The verdict, with what it rests on in a word."""
        if self.on_prior:
            rest = "This is model-based and rests on the prior: the data do not say how purchases answer to budgets."
        elif self.models[-1].identification == "learned":
            rest = "This is model-based: no budget was moved to measure it."
        else:
            rest = "This is model-based, and for some ad sets rests on the prior: no budget was moved to measure it."
        return f"{self.alarm}{self.verdict.sentence} {rest}"

    @property
    def alarm(self) -> str:
        """What stands before everything else where posteriors cannot be used; else empty."""
        failed = sum(not model.passed for model in self.models)
        if not failed:
            return ""
        return f"NOT CONVERGED: {failed} of {len(self.models)} response models cannot be used. Do not decide anything on this. "


def model_notes(backtest: Backtest, history: AccountHistory, folds: RuleFolds) -> tuple[ModelNote, ...]:
    """Notes on the response models of all folds and of the judge."""
    stages = [(f"fold {i + 1}", 0, origin) for i, origin in enumerate(folds.origins)] + [("judge", folds.holdout, folds.end)]
    models = [*(stage.model for stage in backtest.stages), backtest.judge.model]
    return tuple(
        _note(label, str(history.dates[begin]), str(history.dates[end - 1]), model)
        for (label, begin, end), model in zip(stages, models, strict=True)
    )


def _note(label: str, first: str, last: str, model: ResponseFit) -> ModelNote:
    failed = tuple(f"{v.part}: {reason}" for v in model.verdicts for reason in v.reasons if not v.passed)
    known = model.identification
    return ModelNote(label, first, last, model.passed, failed, known.verdict, known.sentence, known.account_learned)


def judge_winner(
    backtest: Backtest,
    tuning: Tuning,
    history: AccountHistory,
    folds: RuleFolds,
    settings: VerdictSettings,
    *,
    seed: int,
) -> Evidence:
    """Judge the winner of a search on the hold-out.

    Parameters
    ----------
    backtest : Backtest
        That the search's problem was made of.
    tuning : Tuning
    history : AccountHistory
    folds : RuleFolds
    settings : VerdictSettings
    seed : int
        Of the draws that are paired.
    """
    models = model_notes(backtest, history, folds)
    goals, winner, default = tuning.search.goals, tuning.vector, backtest.engine.space.default
    names = [*goals.names, *(n for n in backtest.objectives if n not in goals.names)]
    rolled = backtest.differences(winner, default)
    found = {name: _difference(rolled[name], name, history.currency, backtest.judge.days, seed) for name in names}
    ordered = tuple(found.values())
    if len(goals.names) > 1:
        ordered = (_weighted(found, goals.names, goals.weights / goals.scale, backtest.stages[0].days), *ordered)
    verdict = judge(ordered[0].judged, settings, luck=tuning.luck, unit=ordered[0].unit)
    verdict = _special(verdict, bool(np.array_equal(winner, default)), float(tuning.trials.violation[tuning.winner]))
    return Evidence(
        verdict, _basis(models, backtest, history, folds), ordered, _replayed(backtest, winner, history, folds), models
    )


def _difference(found: HoldOut, name: str, currency: str, days: int, seed: int) -> Difference:
    per = 1.0 / days if name in MONEY else 1.0
    # The same seed for every objective: draw i is the same future in all of them.
    judged = found.draws(np.random.default_rng([seed, 3]))
    unit = unit_of(name, currency)
    return Difference(name, unit, per * judged, per * found.claimed, per * found.level, per * found.claimed_level)


def _weighted(found: Mapping[str, Difference], names: Sequence[str], weights: Floats, days: int) -> Difference:
    """The weighted gain that was searched for; its scales are of sums over the horizon."""
    size = [weight * (days if name in MONEY else 1.0) for name, weight in zip(names, weights, strict=True)]
    judged, claimed = (
        np.sum([s * getattr(found[name], which) for s, name in zip(size, names, strict=True)], axis=0)
        for which in ("judged", "claimed")
    )
    return Difference(GAIN, "in weighted gain", judged, claimed, float("nan"), float("nan"))


def _special(verdict: Verdict, same: bool, violation: float) -> Verdict:
    """Cases in which the hold-out is not what decides."""
    if same:
        words = "Keep the defaults: no trial did better than they do in the folds that tuning used."
        return replace(verdict, adopt=False, sentence=words)
    if violation > 0.0:
        words = (
            f"Keep the defaults: no trial kept all constraints; the best one breaks them by {violation:.3g} of their limits."
        )
        return replace(verdict, adopt=False, sentence=words)
    return verdict


def _basis(models: Sequence[ModelNote], backtest: Backtest, history: AccountHistory, folds: RuleFolds) -> tuple[str, ...]:
    own, days = models[-1], backtest.judge.days
    start = history.dates[folds.holdout]
    dominated = sum(m.identification == PRIOR_DOMINATED for m in models[:-1])
    said = [
        f"The judge is a response model fitted on {own.first} to {own.last}, days that no trial has seen; it rolled the tuned "
        f"parameters and the defaults over {days} days from {start} under the same "
        f"{backtest.judge.future.noise.shape[-1]} posterior draws and the same luck. The interval holds the "
        "parameter uncertainty of the judge and of the model that tuning used.",
        f"What the judge knows of elasticities: {own.sentence}",
    ]
    if dominated:
        said.append(f"Of the {len(models) - 1} models that tuning used, {dominated} rest on the prior as well.")
    return tuple(said)


def _replayed(backtest: Backtest, winner: Floats, history: AccountHistory, folds: RuleFolds) -> ReplayClaim | None:
    engine = backtest.engine
    both = np.stack([engine.space.default, winner])
    try:
        claimed = replay(engine, both, history, backtest.customer.settings, folds.holdout)
    except DataError:  # Too few mature days: a label is missing, and nothing else.
        return None
    same, after = (float(Replay.uplift(values)[1]) for values in (claimed.same_day, claimed.next_period))
    return ReplayClaim(same, after)
