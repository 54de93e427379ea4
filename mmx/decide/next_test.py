"""What to test next: candidate experiments by what their result would be worth to the plan at hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from mmx.data.panel import Floats
from mmx.decide.designs import Z95, Design, candidates, thinned
from mmx.decide.fit_response import FitResponse
from mmx.decide.information import Information, information, largest_move
from mmx.decide.menu import menu_of
from mmx.decide.problem import Index, Problem, Response
from mmx.decide.recommendation import TestValue
from mmx.information_settings import InformationSettings
from mmx.mmm.outlook import Outlook
from mmx.mmm.posterior import Posterior

if TYPE_CHECKING:
    from mmx.mmm.fit import Fit
    from mmx.mmm.reference_window import Reference


def tests_worth(
    made: Fit | Posterior,
    problem: Problem,
    response: Response,
    money: Floats,
    *,
    settings: InformationSettings,
    seed: int,
    reference: Reference | None = None,
    channels: Index | None = None,
    say: Callable[[str], None] | None = None,
) -> tuple[TestValue, ...]:
    """Value candidate experiments before a plan is carried out.

    The plan is taken again after the result: for the same total, bounds and rows, by the mean. Where minimum commitments or
    steps limit cells, plans between two allowed amounts count as mixtures of them.

    Parameters
    ----------
    made : Fit or Posterior
    problem : Problem
    response : Response
        Of the same fit: of all its draws, or of those that a ``FitResponse`` names.
    money : array, (cell,), money
        Today's plan.
    settings : InformationSettings
    seed : int
    reference : Reference, optional
        What is spent without a test; that of a ``FitResponse``, or the last periods.
    channels : array of int, (cell,), optional
        Channel of each cell; by default cells are the channels in their order, each as often as the others.
    say : callable, optional
        Called with a sentence about what is left out, or too imprecise to be of use.

    Returns
    -------
    tuple of TestValue
        By information, largest first; ``information - cost`` is what a test is worth on the whole.
    """
    posterior = made if isinstance(made, Posterior) else made.posterior
    outlook = response.values if isinstance(response, FitResponse) and isinstance(response.values, Outlook) else None
    if reference is None:
        reference = posterior.reference(max(settings.periods)) if outlook is None else outlook.reference
    drawn = np.arange(posterior.samples) if outlook is None or outlook.draws is None else outlook.draws
    if len(drawn) != response.samples:
        raise ValueError(
            f"the response has {response.samples} draws and the posterior {posterior.samples}. Expected the same: thin both by "
            "the same draws"
        )
    some = np.linspace(0, len(drawn) - 1, min(settings.draws, len(drawn))).astype(np.intp)
    designs = candidates(thinned(posterior, drawn[some]), reference, settings, say=say)
    counts_spend = posterior.panel.target_kind != "index"
    return valued(
        designs,
        problem,
        response.thinned(some),
        money,
        settings=settings,
        seed=seed,
        channels=_channels(problem, posterior) if channels is None else channels,
        counts_spend=counts_spend,
        say=say,
    )


def valued(
    designs: tuple[Design, ...],
    problem: Problem,
    response: Response,
    money: Floats,
    *,
    settings: InformationSettings,
    seed: int,
    channels: Index,
    counts_spend: bool = True,
    say: Callable[[str], None] | None = None,
) -> tuple[TestValue, ...]:
    """Value designs whose lifts are of the draws of the response; the other arguments are those of `tests_worth`.

    ``counts_spend`` says whether spend that a test saves is in the unit of the KPI.
    """
    menu = menu_of(problem, response, money, channels)
    total = float(problem.current.sum())
    current = problem.current * (float(np.sum(money)) / total if total > 0 else 1.0)
    move = largest_move(menu, current, settings.gone)
    found = []
    for design in designs:
        lift, se = problem.margin * design.lift, problem.margin * design.se
        worth = information(menu, lift, se, results=settings.results, seed=seed, move=move)
        found.append(_value(design, worth, problem.margin, counts_spend))
    wide = sum(bool(caution(test, settings)) for test in found)
    if say is not None and wide:
        say(f"{wide} of {len(found)} tests would report a ROAS more than {100 * settings.widest:.0f} points of ROAS wide.")
    return tuple(sorted(found, key=lambda test: -test.information))


def caution(test: TestValue, settings: InformationSettings) -> str:
    """Say that a test's interval of ROAS would be too wide to be of use; empty where it would not."""
    width = 2 * Z95 * test.se
    if width <= settings.widest:
        return ""
    return (
        f"{test.channel} {test.design}: the 90 % interval would be {100 * width:.0f} points of ROAS wide, more than the "
        f"{100 * settings.widest:.0f} up to which a test can tell a good channel from a bad one."
    )


def _value(design: Design, worth: Information, margin: float, counts_spend: bool) -> TestValue:
    saved = -design.delta_spend if counts_spend else 0.0
    known = design.known_width
    return TestValue(
        channel=design.channel,
        design=design.words,
        periods=design.periods,
        geos=design.geos,
        change=design.change,
        delta_spend=design.delta_spend,
        cost=-margin * float(design.effect.mean()) - saved,
        information=worth.value,
        information_error=worth.error,
        se=design.roas_se,
        width=design.width / known if known > 0 else float("inf"),
        power=design.power,
        changes_largest_move=worth.moved,
    )


def _channels(problem: Problem, posterior: Posterior) -> Index:
    count, cells = posterior.structure.channels, len(problem.cells)
    if cells % count:
        raise ValueError(f"{cells} cells are not a whole number for each of {count} channels. Give the channel of each cell")
    return np.repeat(np.arange(count), cells // count)
