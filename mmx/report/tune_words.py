"""Sentences and tables of a tuning that report, terminal and MLflow share."""

from __future__ import annotations

from mmx.report import format as fmt
from mmx.tune.rule_problem import MONEY
from mmx.tune.rule_tuning import RuleTuning

Rows = list[list[str]]


def luck_sentences(made: RuleTuning) -> list[str]:
    """How much of the winner is luck."""
    luck, deflated, out = made.tuning.luck, made.tuning.deflated, []
    if luck is not None:
        below = (
            f", and in {fmt.percent(luck.below_default)} of the splits it does worse there than the defaults"
            if fmt.exists(luck.below_default)
            else ""
        )
        out.append(
            f"Probability of backtest overfitting: {luck.probability:.2f}. This is the share of splits of the {luck.folds} "
            "folds into halves in which the best trial of one half is no better than the median of all "
            f"{luck.trials} different trials in the other{below}."
        )
    out.append(
        f"In the folds that tuning used, the best trial gains {fmt.percent(deflated.gain)} over the defaults; the best of "
        f"{deflated.independent:,.1f} independent trials without any merit would show {fmt.percent(deflated.expected)}. "
        f"What is left is {fmt.percent(deflated.deflated, sign=True)}."
    )
    return out


def replay_sentence(made: RuleTuning) -> str:
    """What a replay would claim beside what the judge says; a label only."""
    claim = made.evidence.replay
    if claim is None:
        return "No replay: fewer than ten mature days follow the hold-out's first."
    return (
        f"A replay of the hold-out's days claims {fmt.percent(claim.same_day, sign=True)} revenue (each day's ROAS kept) and "
        f"{fmt.percent(claim.next_period, sign=True)} (that of the next seven days); the judge says {judged_uplift(made)}. "
        "A replay lets every unit of money earn what the last one did: it is shown as an upper bound and decides nothing."
    )


def judged_uplift(made: RuleTuning) -> str:
    """The judge's relative uplift in revenue with its interval."""
    revenue = next(d for d in made.evidence.differences if d.name == "revenue")
    mean, low, high = (value / revenue.level for value in revenue.interval(made.evidence.verdict.mass))
    return fmt.percent_interval(mean, low, high)


def hold_out_rows(made: RuleTuning) -> Rows:
    """Every objective: defaults and winner in tuning's folds, and winner minus defaults as judged and as claimed."""
    rows, scores = [], made.scores
    mass = made.evidence.verdict.mass
    for one in made.evidence.differences:
        default, winner = scores.get(one.name, (float("nan"), float("nan")))
        name = f"{one.name} ({one.unit})" if one.name in MONEY else one.name
        chance = fmt.probability(float((one.judged > 0.0).mean())) if one.judged.any() else fmt.MISSING
        rows.append(
            [
                name,
                _number(default),
                _number(winner),
                _number(float(one.claimed.mean())),
                _interval(*one.interval(mass)),
                chance,
            ]
        )
    return rows


HOLD_OUT_HEADER = ["Objective", "Defaults", "Tuned", "Claimed", "Judged", "P(better)"]


def change_rows(made: RuleTuning, most: int | None = None) -> Rows:
    """Parameters that differ from the defaults."""
    return [
        [c.name, f"{c.parameter.default:.4g}", f"{c.value:.4g}", c.parameter.unit, fmt.percent(c.importance)]
        for c in made.changes[:most]
    ]


CHANGE_HEADER = ["Parameter", "Default", "Tuned", "Unit", "Importance"]


def model_rows(made: RuleTuning) -> Rows:
    """The response models and what the data said to them."""
    return [
        [
            note.label,
            f"{note.first} to {note.last}",
            "yes" if note.passed else "NO: " + "; ".join(note.reasons),
            note.identification,
            fmt.percent(note.learned),
        ]
        for note in made.evidence.models
    ]


MODEL_HEADER = ["Model", "Fitted on", "Usable", "Elasticities", "Posterior/prior width"]


def search_sentences(made: RuleTuning) -> list[str]:
    """What was searched, by what, and for what."""
    tuning, goals = made.tuning, made.tuning.search.goals
    trials = tuning.trials
    weights = ", ".join(f"{name} {weight:g}" for name, weight in zip(goals.names, goals.weights, strict=True))
    aim = (
        f"a front of {weights}" if goals.multi else f"the weighted sum of {weights}" if len(goals.names) > 1 else goals.names[0]
    )
    kept = int((trials.violation <= 0.0).sum())
    limits = f", {kept} of them within the limits on {', '.join(trials.constraints)}" if trials.constraints else ""
    starts = f" Starting points beside the defaults: {', '.join(made.starts)}." if made.starts else ""
    return [
        f"{len(trials)} trials by {made.engine} for {aim}{limits}. {tuning.screening.sentence}{starts}",
        f"The study is {tuning.study} in {made.storage}; the same command with more tune.trials goes on with it."
        if made.storage != "memory"
        else "The study was kept in memory and is gone; set tune.storage.url to take it up again later.",
    ]


def _number(value: float) -> str:
    return fmt.MISSING if not fmt.exists(value) else fmt.full(value) if abs(value) >= 100 else f"{value:.4g}"


def _interval(mean: float, low: float, high: float) -> str:
    if max(abs(mean), abs(low), abs(high)) >= 100:
        return f"{fmt.full(mean)} [{fmt.full(low)}, {fmt.full(high)}]"
    return f"{mean:.3g} [{low:.3g}, {high:.3g}]"
