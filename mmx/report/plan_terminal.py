"""What the command line prints of a recommendation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from mmx.decide.recommendation import Recommendation
from mmx.report import format as fmt
from mmx.report import plan_words as words
from mmx.report.grid import Grid
from mmx.report.terminal import alarm, line, new_console, places
from mmx.report.words import KPI_UNITS, Units

TESTS = 3  # Experiments that are printed; all are in the files.


def print_recommendation(
    rec: Recommendation,
    folder: Path,
    truth: Mapping[str, float] | None = None,
    *,
    ui_command: str = "",
    console: Console | None = None,
) -> None:
    """Print a plan: its gain and certificate, the channels, what binds, what would change it, and where the files are.

    Parameters
    ----------
    rec : Recommendation
    folder : Path
        Output folder.
    truth : mapping of str to float, optional
        Spend of the best plan by channel, over the same horizon and total, where a simulated world knows it; it stands
        beside the recommended spend.
    ui_command : str
        Command that opens the tracking UI, if any.
    console : Console, optional
    """
    console = console or new_console()
    units = words.plan_units(rec)
    if not rec.converged:
        alarm(console, rec.gate_reasons)
    line(console, words.gain_sentence(rec), "bold")
    line(console, words.certificate_sentence(rec), "" if rec.certificate.certified else "yellow")
    line(console, words.gain_definition(units))
    line(console, words.nothing_sentence(rec))
    for sentence in (words.total_sentence(rec), *words.turnover_sentences(rec)):
        line(console, sentence)
    console.print()
    _channels(console, rec, units, truth)
    console.print()
    _reasons(console, rec, units)
    sections = [("Constraints that bind", words.binding_lines(rec)), ("What would change the advice", words.flip_lines(rec))]
    for title, sentences in sections:
        _section(console, title, sentences)
    if rec.frontier:
        _frontier(console, rec, units)
    if rec.scenarios:
        _scenarios(console, rec, units)
    _section(console, "What to test next", [words.worth_sentence(t, rec) for t in rec.tests[:TESTS]])
    _section(console, "What the model does not know", words.unknown_lines(rec))
    places(console, folder, ui_command)


def _section(console: Console, title: str, sentences: list[str]) -> None:
    if sentences:
        console.print()
        line(console, title, "bold")
        for sentence in sentences:
            line(console, f"- {sentence}")


def _extra(units: Units) -> str:
    return "extra KPI" if units.value == KPI_UNITS else fmt.header("extra KPI", units.value)


def _channels(console: Console, rec: Recommendation, units: Units, truth: Mapping[str, float] | None) -> None:
    fourth = "change" if truth is None else "true best"
    grid = Grid(["channel", "current", "recommended", fourth, _extra(units), "net"])
    for name, plan in rec.channels.items():
        mark = "*" if plan.outside_observed else ""
        cells = [name, fmt.short(plan.current_spend), fmt.short(plan.recommended_spend) + mark]
        cells.append(words.change_text(plan) if truth is None else fmt.short(truth.get(name)))
        cells.append(fmt.short_interval(plan.extra.mean, plan.extra.q05, plan.extra.q95, sign=True))
        grid.add([*cells, fmt.short(plan.net, sign=True)])
    grid.print(console)
    if any(p.outside_observed for p in rec.channels.values()):
        line(console, "* spend outside the observed range")


def _reasons(console: Console, rec: Recommendation, units: Units) -> None:
    """Why each channel stops where it stops."""
    grid = Grid(["channel", f"{units.mroas} before", "after", "held by"], left=("held by",))
    for name, plan in rec.channels.items():
        before, after = fmt.ratio(plan.mroas_current.mean), fmt.ratio(plan.mroas_recommended.mean)
        grid.add([name, before, after, words.held_by(plan, units.spend)])
    grid.print(console)
    if sentence := words.shadow_sentence(rec):
        line(console, sentence)


def _frontier(console: Console, rec: Recommendation, units: Units) -> None:
    console.print()
    line(console, "Gain against risk", "bold")
    grid = Grid(["plan of the best", _extra(units), "worst tenth", "P(gain > 0)"])
    for point in rec.frontier:
        gain = fmt.short_interval(point.gain.mean, point.gain.q05, point.gain.q95, sign=True)
        chance = fmt.probability(point.probability_better)
        grid.add([words.level_name(point), gain, fmt.short(point.worst, sign=True), chance])
    grid.print(console)


def _scenarios(console: Console, rec: Recommendation, units: Units) -> None:
    console.print()
    line(console, "Scenarios, over the current plan as it is", "bold")
    profit = any(s.profit is not None for s in rec.scenarios)
    headers = ["scenario", "total", _extra(units), *(["profit"] if profit else []), "certificate"]
    grid = Grid(headers, left=("certificate",))
    for one in rec.scenarios:
        row = [one.name, fmt.short(one.total), fmt.short_interval(one.gain.mean, one.gain.q05, one.gain.q95, sign=True)]
        row += [fmt.short(one.profit.mean, sign=True) if one.profit else fmt.MISSING] if profit else []
        grid.add([*row, words.scenario_certificate(one)])
    grid.print(console)
