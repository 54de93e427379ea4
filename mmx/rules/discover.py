"""New rules from an account's own past: shallow trees propose, later days judge, and "nothing found" is a normal answer.

The past is cut in two. Trees grow on the earlier part (``discovery/trees.py``); their conditions, at most three together, are
judged on the later one, which begins after the week that outcomes need, the days that attribution needs and an embargo. An
outcome is the revenue of the week after a day over what the ad set's own past, its spend and the account's week let expect
(``discovery/outcome.py``), so that a rule says something new; evidence holds for all conditions together
(``discovery/effect.py``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mmx.rules.daily import daily_features, decisions_at, first_day_of, own_account
from mmx.rules.discovery.effect import effects
from mmx.rules.discovery.entry import Draft, library_file
from mmx.rules.discovery.found import Candidate, Discovering, Discovery
from mmx.rules.discovery.outcome import Outcome, outcome_of
from mmx.rules.discovery.terms import hold
from mmx.rules.discovery.trees import MOST_SHARE, jaccard, proposals, select, within
from mmx.rules.learned import measured

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmx.data.ads.history import AccountHistory
    from mmx.rules.context import Account
    from mmx.rules.discovery.terms import Condition
    from mmx.rules.engine import Engine

LEAST_SHARE, LARGEST_SHARE = 0.05, 0.3
LEAST_WEEKS, LEAST_AD_SETS = 8, 8
REPEATED = 0.5


class _Part(NamedTuple):
    """Features and outcomes of some days."""

    features: dict[str, NDArray[Any]]
    outcome: Outcome

    def at(self, days: NDArray[np.bool_] | NDArray[np.intp]) -> _Part:
        """The same of fewer days."""
        cut = {name: value[days] for name, value in self.features.items()}
        return _Part(cut, Outcome(self.outcome.revenue[days], self.outcome.expected[days]))


def discover(
    history: AccountHistory,
    engine: Engine,
    *,
    account: Account | None = None,
    options: Discovering | None = None,
    seed: int = 0,
) -> Discovery:
    """Look for new rules in a history.

    Parameters
    ----------
    history : AccountHistory
    engine : Engine
        Its rules are compared with what is found, at default parameters.
    account : Account, optional
        What the account itself brought in the earlier part where it is left out.
    options : Discovering, optional
    seed : int
        Of trees and flips.

    Returns
    -------
    Discovery
        ``found`` may be empty.
    """
    options = options or Discovering()
    rows, early, late = _split(history, options)
    weeks = [int(part.sum()) // options.days for part in (early, late)]
    if min(weeks) < LEAST_WEEKS or len(history.adsets) < LEAST_AD_SETS:
        note = (
            f"nothing can be found: {weeks[0]} weeks to grow on, {weeks[1]} to judge and {len(history.adsets)} ad sets, "
            f"where {LEAST_WEEKS}, {LEAST_WEEKS} and {LEAST_AD_SETS} are needed"
        )
        return Discovery((), None, None, 0, note, "")
    last = int(rows[early][-1]) + 1
    account = own_account(history.until(last)) if account is None else account
    features = daily_features(history, rows, account=account)
    own = engine.space.default[engine.space.index("evidence.own_purchases")]
    whole = _Part(features, outcome_of(history, features, rows, early, days=options.days, own_purchases=float(own)))
    rng = np.random.default_rng(seed)
    grown, judged = whole.at(early), whole.at(late)
    paths = proposals(
        grown.features, grown.outcome, trees=options.trees, depth=options.depth, least_share=options.least_share, rng=rng
    )
    chosen = select(paths, *grown.at(_weekly(int(early.sum()), options.days)), options.candidates)
    candidates = _judge(chosen, judged, engine, options, rng)
    days = history.dates[rows]
    spans = [(days[part][0], days[part][-1]) for part in (early, late)]
    new = [candidate for candidate in candidates if candidate.found and not candidate.repeats]
    entry = library_file([_draft(number, candidate, grown) for number, candidate in enumerate(new, 1)])
    found = sum(candidate.found for candidate in candidates)
    note = (
        f"{found or 'nothing'} found among {len(candidates)} conditions judged on {spans[1][0]} to {spans[1][1]}, which trees "
        f"proposed from {spans[0][0]} to {spans[0][1]}"
    )
    return Discovery(candidates, spans[0], spans[1], len(paths), note, entry if found else "")


def _split(history: AccountHistory, options: Discovering) -> tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.bool_]]:
    """Days of decisions, and which of them trees grow on, and which judge."""
    end = len(history.dates) - history.immature_days - options.days
    rows = np.arange(first_day_of(history), max(end, first_day_of(history)))
    cut = int(options.grown * len(rows))
    gap = options.days + history.immature_days + options.embargo
    return rows, np.arange(len(rows)) < cut - (gap - gap // 2), np.arange(len(rows)) >= cut + gap // 2


def _weekly(days: int, length: int) -> NDArray[np.intp]:
    """Every seventh of a number of days, the last one among them: their weeks do not overlap."""
    return np.arange((days - 1) % length, days, length)


def _judge(
    chosen: list[tuple[Condition, ...]],
    part: _Part,
    engine: Engine,
    options: Discovering,
    rng: np.random.Generator,
) -> tuple[Candidate, ...]:
    """Judge conditions with enough support on the later days."""
    from scipy.stats import t

    everywhere = [hold(conditions, part.features) for conditions in chosen]
    enough = [
        i
        for i, where in enumerate(everywhere)
        if where.sum() >= options.least_days and where.any(axis=0).sum() >= options.least_ad_sets
    ]
    if not enough:
        return ()
    week = _weekly(len(part.outcome.revenue), options.days)
    weekly = np.stack([everywhere[i][week] for i in enough])
    found = effects(part.at(week).outcome, weekly, flips=options.flips, rng=rng)
    clusters = min(len(week), int((part.outcome.expected > 0.0).any(axis=0).sum()))
    reach = float(t.ppf(0.5 + 0.5 * options.mass, clusters - 1)) * found.error
    deciders = _particular(decisions_at(part.features, engine, engine.space.default), hold((), part.features))
    candidates = []
    for at, i in enumerate(enough):
        where, d = everywhere[i], found.log_effect[at]
        low, high = np.expm1(d - reach[at]), np.expm1(d + reach[at])
        sure = max(low, -high, 0.0)  # the end of the interval that is nearer to nothing
        overlap = {name: jaccard(where, holds) for name, holds in deciders.items()}
        nearest = max(overlap, key=overlap.__getitem__, default="")
        candidates.append(
            Candidate(
                conditions=chosen[i],
                days=int(where.sum()),
                ad_sets=int(where.any(axis=0).sum()),
                effect=float(np.expm1(d)),
                low=float(low),
                high=float(high),
                p=float(found.p[at]),
                adjusted=float(found.adjusted[at]),
                found=bool(found.adjusted[at] <= options.level),
                raises=bool(d > 0.0),
                share=round(float(np.clip(sure, LEAST_SHARE, LARGEST_SHARE)), 2),
                overlaps=nearest,
                overlap=overlap.get(nearest, 0.0),
            )
        )
    order = sorted(range(len(enough)), key=lambda at: (candidates[at].adjusted, candidates[at].p, -abs(found.log_effect[at])))
    return _marked([candidates[at] for at in order], [everywhere[enough[at]] for at in order])


def _particular(deciders: dict[str, NDArray[np.bool_]], runs: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Deciders that say something of an ad set: those that hold on at most half of the ad-set-days."""
    return {name: holds for name, holds in deciders.items() if (holds & runs).sum() <= MOST_SHARE * runs.sum()}


def _marked(candidates: list[Candidate], everywhere: list[NDArray[np.bool_]]) -> tuple[Candidate, ...]:
    """The same candidates, each finding that mostly repeats a surer one marked with it."""
    out: list[Candidate] = []
    for i, candidate in enumerate(candidates):
        surer = [j for j in range(i) if out[j].found and not out[j].repeats and candidate.found]
        same = [j for j in surer if within(everywhere[i], everywhere[j]) >= REPEATED]
        out.append(replace(candidate, repeats=out[same[0]].words) if same else candidate)
    return tuple(out)


def _draft(number: int, candidate: Candidate, grown: _Part) -> Draft:
    """What the entry of a finding is written from: thresholds may move within all but a hundredth of the earlier part."""
    ranges = []
    for condition in candidate.conditions:
        seen = measured(grown.features, condition.term.measure)
        low, high = np.nanquantile(seen[np.isfinite(seen)], [0.01, 0.99])
        room = 0.1 * (high - low) + 1e-3
        ranges.append((float(min(low, condition.threshold - room)), float(max(high, condition.threshold + room))))
    return Draft(f"discovered_{number}", candidate.conditions, tuple(ranges), candidate.raises, candidate.share)
