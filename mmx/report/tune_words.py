"""Sentences and tables of a tuning that report, terminal and MLflow share."""

from __future__ import annotations

from mmx.report import format as fmt
from mmx.tune.rule_evidence import GAIN
from mmx.tune.rule_tuning import RuleTuning

Rows = list[list[str]]
SHARES = ("ctr", "stability", "utilisation", GAIN)


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


def spend_sentence(made: RuleTuning) -> str:
    """How much money is spent: rules may leave some of it unspent, and profit can rise by spending less."""
    default, winner = made.spend
    change = fmt.percent(winner / default - 1.0, sign=True) if default > 0.0 else fmt.MISSING
    about = "" if made.margin is not None else "about "
    unit = made.unit("revenue")
    said = f"{about}{fmt.full(winner)} {unit}, the defaults {fmt.full(default)}: {change}."
    return f"In those folds the tuned parameters spend {said}"


def replay_sentence(made: RuleTuning) -> str:
    """What a replay would claim beside what the judge says; a label only."""
    claim = made.evidence.replay
    if claim is None:
        return "No replay: fewer than ten mature days follow the hold-out's first."
    return (
        f"A replay of the hold-out's days claims {fmt.percent(claim.same_day, sign=True)} revenue (each day's ROAS kept) and "
        f"{fmt.percent(claim.next_period, sign=True)} (that of the next seven days); the judge says {judged_uplift(made)}. "
        "A replay lets every unit of money earn what the last one did: an upper bound where the same money is moved. It is a "
        "label, and decides nothing."
    )


def judged_uplift(made: RuleTuning) -> str:
    """The judge's relative uplift in revenue with its interval."""
    revenue = next(d for d in made.evidence.differences if d.name == "revenue")
    mean, low, high = (value / revenue.level for value in revenue.interval(made.evidence.verdict.mass))
    return fmt.percent_interval(mean, low, high)


def hold_out_rows(made: RuleTuning) -> Rows:
    """Every objective: defaults and winner in tuning's folds, and winner minus defaults as claimed and as judged."""
    rows, scores = [], made.scores
    for one in made.evidence.differences:
        default, winner = scores.get(one.name, (float("nan"), float("nan")))
        mean, low, high = (_number(one.name, value) for value in one.interval(made.evidence.verdict.mass))
        judged = f"{mean} [{low.removesuffix(' %')}, {high.removesuffix(' %')}]"
        chance = fmt.probability(float((one.judged > 0.0).mean())) if one.judged.any() else fmt.MISSING
        claimed = _number(one.name, float(one.claimed.mean()))
        rows.append([one.name, _number(one.name, default), _number(one.name, winner), claimed, judged, chance])
    return rows


def table_sentence(made: RuleTuning) -> str:
    """What the columns and units of ``hold_out_rows`` are."""
    mass = f"{100 * made.evidence.verdict.mass:.0f} %"
    return (
        "Defaults and tuned: means over the folds that tuning used; the winner was chosen by them, and they flatter it. "
        "Claimed: the difference by the model of the last fold. Judged: the difference on the hold-out, which decides, with "
        f"its {mass} interval. Money is in {made.unit('revenue')}; stability is minus the share of the money moved in a day; "
        "utilisation is spend over budget."
    )


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


def _number(name: str, value: float) -> str:
    """An objective, or a difference of it, in few digits."""
    if not fmt.exists(value):
        return fmt.MISSING
    if name in SHARES:
        return f"{100 * value:.2f} %"
    return fmt.full(value) if abs(value) >= 100 else f"{value:.2f}"
