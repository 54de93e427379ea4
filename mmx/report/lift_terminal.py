"""What the command line prints of a geo experiment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from mmx.report import format as fmt
from mmx.report.grid import Grid
from mmx.report.terminal import line, new_console, whole

if TYPE_CHECKING:
    from mmx.lift.estimate import LiftEstimate
    from mmx.lift_settings import LiftSettings

UNITS = {"daily": "day", "weekly": "week", "monthly": "month"}


def print_lift(
    found: LiftEstimate,
    settings: LiftSettings,
    *,
    spend: float | None = None,
    notes: Sequence[str] = (),
    out: Path | None = None,
    console: Console | None = None,
) -> None:
    """Print an experiment: the effect with its interval, what supports it, and what it could not have seen.

    Parameters
    ----------
    found : LiftEstimate
    settings : LiftSettings
    spend : float, optional
        Spend with the test less without it.
    notes : sequence of str
        From reading the table.
    out : Path, optional
        Table that the lift test was written to.
    console : Console, optional
        Where to print; stdout by default.
    """
    console = console or new_console()
    unit = UNITS[found.frequency]
    for note in notes:
        line(console, note)
    line(
        console,
        f"{', '.join(found.treated)} from {found.start} to {found.end}: {found.periods} {unit}s, after {found.before} before "
        f"the test, against {len(found.weights)} geos with weight.",
    )
    console.print()
    grid = Grid(["effect", "estimate", f"{100 * found.mass:g} % interval"])
    grid.add([f"per geo and {unit}", *_cells(found.att, found.att_low, found.att_high)])
    grid.add(["all of the test", *_cells(found.total, found.total_low, found.total_high)])
    lift = [fmt.percent(v, sign=True) for v in (found.lift, found.lift_low, found.lift_high)]
    grid.add(["share of what would have been", lift[0], f"{lift[1]} to {lift[2]}"])
    if spend is not None:
        ends = sorted((found.total_low / spend, found.total_high / spend))
        grid.add(["KPI per unit of spend", *_cells(found.total / spend, *ends)])
    grid.print(console)
    console.print()
    line(console, _verdict(found), "bold")
    for sentence in (_fit(found, settings), _placebos(found), _power(found)):
        line(console, f"- {sentence}")
    shown = [f"{name} {weight:.2f}" for name, weight in found.weights[: settings.shown]]
    rest = len(found.weights) - len(shown)
    line(console, f"- Weights: {', '.join(shown)}{f' and {rest} smaller' if rest > 0 else ''}.")
    if out is not None:
        console.print()
        whole(console, "Lift test written to:", str(out))


def _cells(value: float, low: float, high: float) -> list[str]:
    return [f"{value:,.6g}", f"{low:,.6g} to {high:,.6g}"]


def _verdict(found: LiftEstimate) -> str:
    if found.significant:
        return f"There was an effect: the interval leaves out zero (p = {found.p:.2g})."
    return f"No effect was shown: the interval holds zero (p = {found.p:.2g}). That is not proof of none, see below."


def _fit(found: LiftEstimate, settings: LiftSettings) -> str:
    text = f"Before the test the control misses by {found.rmse:.4g} per geo and {UNITS[found.frequency]} (root mean square), "
    text += f"{100 * found.error_ratio:.3g} % of what equal weights miss by"
    if found.error_ratio > settings.fit_ratio:
        return text + ": A BAD MATCH. The geos do not move alike, and the estimate leans on luck."
    return text + "."


def _placebos(found: LiftEstimate) -> str:
    placebo = found.placebo
    text = f"Had the test been the {found.periods} periods before it, where nothing happened, the estimate would be "
    text += f"{fmt.percent(placebo.lift, sign=True)} (p = {placebo.p:.2g}). Of {placebo.of} geos taken as treated in turn, "
    return text + f"{'none stands' if placebo.rank == 1 else f'{placebo.rank - 1} stand'} out more than these."


def _power(found: LiftEstimate) -> str:
    smallest = fmt.percent(found.detectable)
    return (
        f"A test like this finds an effect of {smallest} or more with probability {100 * found.power:g} %; smaller ones it "
        "would often miss, and those that it finds then look larger than they are."
    )
