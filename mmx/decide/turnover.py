"""How much of an earlier plan a new one keeps, and what keeping the earlier one would lose.

Keeping it means its split of the money at the new total: ``kept = old * sum(new) / sum(old)``, cell by cell of the new plan.
The turnover is the money that moves between the two, ``sum |new - kept| / 2`` over the total: half the sum of absolute
differences of shares. What is lost is ``value(new) - value(kept)`` on the draws of the new posterior.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mmx.data.panel import Floats
from mmx.decide.answer import Answer, Asked
from mmx.decide.feasible import TOUCH, allows, polytope
from mmx.decide.intervals import interval
from mmx.decide.recommendation import FORMAT, Recommendation, Turnover
from mmx.errors import InputError

if TYPE_CHECKING:
    from mmx.mmm.reference_window import Reference

ASK_ALIKE = "Ask the same question of both fits, or leave out since"
LENGTHS = {"daily": (1, 1), "weekly": (7, 7), "monthly": (28, 31)}  # Days of a period.


@dataclass(frozen=True)
class Earlier:
    """An earlier plan as a later one sees it.

    Attributes
    ----------
    fit_name, start, end : str
        As in its recommendation.
    spend : array, (horizon, geo, channel), money
        In the order of the later fit's geos and channels.
    """

    fit_name: str
    start: str
    end: str
    spend: Floats


def earlier(since: Recommendation | Mapping[str, Any], asked: Asked, *, money: str, frequency: str) -> Earlier:
    """Read the plan of an earlier recommendation that answers the same kind of question.

    Parameters
    ----------
    since : Recommendation or mapping
        The content of ``recommendation.json``.
    asked : Asked
        The later question.
    money : str
        What its gain is counted in.
    frequency : {"daily", "weekly", "monthly"}

    Raises
    ------
    InputError
        If the content is damaged or of another format, or of other channels, geos or periods, or in other money.
    """
    content = since.as_mapping() if isinstance(since, Recommendation) else since
    _known(content)
    window = asked.window
    try:
        cells = pd.DataFrame(list(content["cells"]))[["channel", "geo", "start", "end", "recommended"]]
        cells = cells.astype({"channel": str, "geo": str, "start": str, "recommended": float})
        first, last = (pd.to_datetime(cells[key], format="%Y-%m-%d") for key in ("start", "end"))
        days = (last - first).dt.days + 1
        name, start, end = (str(content[key]) for key in ("fit_name", "start", "end"))
        unit = content["money"]
    except (KeyError, TypeError, ValueError) as error:
        raise _unlike(f"it is damaged ({error!r})", "recommendation.json as mmx recommend wrote it") from error
    if unit != money:
        raise _unlike(f"it counts in {unit}", f"{money}, as this fit does", ASK_ALIKE)
    for what, old, new in (("channels", cells["channel"], window.channels), ("geos", cells["geo"], window.geos)):
        if set(old) != set(new):
            raise _unlike(f"its {what} are {_listed(set(old))}", f"{_listed(set(new))}, as in this fit", ASK_ALIKE)
    starts = sorted(set(cells["start"]))
    shortest, longest = LENGTHS[frequency]
    if len(starts) != window.horizon or not days.between(shortest, longest).all():
        raise _unlike(
            f"it plans {len(starts)} periods of {days.iloc[0]} days", f"{window.horizon} {frequency} periods", ASK_ALIKE
        )
    return Earlier(name, start, end, _spend(cells, starts, window))


def _spend(cells: pd.DataFrame, starts: list[str], window: Reference) -> Floats:
    """Cells as (horizon, geo, channel)."""
    keys = ["start", "geo", "channel"]
    places = pd.MultiIndex.from_product([starts, window.geos, window.channels])
    given = cells.drop_duplicates(keys).set_index(keys)["recommended"].reindex(places).to_numpy()
    if len(cells) != len(places) or not (np.isfinite(given).all() and (given >= 0).all() and given.sum() > 0):
        raise _unlike("its cells are damaged", "one amount per channel, geo and period, each at least 0 and some above")
    spend: Floats = given.reshape(len(starts), len(window.geos), len(window.channels))
    return spend


def _known(content: object) -> None:
    """Refuse what is no recommendation of this format."""
    if not isinstance(content, Mapping):
        raise _unlike(f"it is a {type(content).__name__}", "the mapping that recommendation.json holds")
    if content.get("format") != FORMAT:
        raise _unlike(f"its format is {content.get('format')!r}", f"format {FORMAT}", "Recommend again from the earlier fit")


def _unlike(came: str, expected: str, remedy: str = "Give another file, or leave out since") -> InputError:
    return InputError(f"the earlier recommendation (since) cannot be compared: {came}. Expected {expected}. {remedy}")


def _listed(names: set[object]) -> str:
    return ", ".join(sorted(str(name) for name in names))


def turnover(before: Earlier, made: Answer) -> Turnover:
    """Compare a new plan with an earlier one.

    Parameters
    ----------
    before : Earlier
    made : Answer
    """
    asked, money = made.asked, made.solution.money
    old = asked.fit.gathered(before.spend)
    kept = old * (made.total / float(old.sum()))
    lost = made.draws - asked.draws(kept)
    worth = float(made.draws.mean())
    sums = np.bincount(asked.channel, weights=money - kept, minlength=len(asked.window.channels))
    poly = polytope(asked.problem)
    return Turnover(
        fit_name=before.fit_name,
        start=before.start,
        end=before.end,
        moved=float(np.abs(money - kept).sum()) / 2 / made.total if made.total > 0 else 0.0,
        channels=dict(zip(asked.window.channels, sums.tolist(), strict=True)),
        lost=interval(lost),
        lost_share=float(lost.mean()) / worth if worth > 0 else None,
        probability_better=float((lost > 0).mean()),
        allowed=allows(poly, kept / poly.unit, TOUCH),
    )
