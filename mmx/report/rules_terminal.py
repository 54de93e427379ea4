"""What the command line prints of rules: a day's budgets, and the library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmx.report.grid import Grid
from mmx.report.rules_files import cents, sentences
from mmx.report.terminal import line, new_console, whole

if TYPE_CHECKING:
    from rich.console import Console

    from mmx.rules.advice import Advice
    from mmx.rules.auto import Automatic
    from mmx.rules.discovery.found import Discovery


def print_advice(advice: Advice, folder: Path | None, notes: Sequence[str], *, console: Console | None = None) -> None:
    """Print a day's budgets: moves first, by size, then how many stay."""
    console = console or new_console()
    line(console, f"Budgets of {advice.account} for {advice.date}", "bold")
    for sentence in (*sentences(advice), *notes):
        line(console, f"- {sentence}")
    console.print()
    moved = sorted((r for r in advice.adsets if r.budget != r.budget_now), key=lambda r: -abs(r.budget - r.budget_now))
    grid = Grid(["Ad set", "Now", "Next", "Rule", "Why", "Bound by"], left=["Rule", "Why", "Bound by"])
    for row in moved:
        bound = ", ".join(name for name, _ in row.bound_by)
        grid.add([row.adset, cents(row.budget_now), cents(row.budget), row.rule, row.reason, bound])
    if moved:
        grid.print(console)
    stay: dict[str, int] = {}
    for row in advice.adsets:
        if row.budget == row.budget_now:
            stay[row.rule] = stay.get(row.rule, 0) + 1
    if stay:
        counted = ", ".join(f"{name} {count}" for name, count in sorted(stay.items(), key=lambda item: -item[1]))
        line(console, f"{sum(stay.values())} ad sets stay as they are, by rule: {counted}.")
    if folder is None:
        line(console, "Dry run: nothing was written or logged.")
    else:
        whole(console, "Files:", str(folder))


def print_rule_list(rules: Sequence[Mapping[str, Any]], *, console: Console | None = None) -> None:
    """Print every rule with its parameters."""
    console = console or new_console()
    group = None
    for rule in rules:
        if rule["group"] != group:
            group = rule["group"]
            console.print()
            line(console, str(group), "bold")
        line(console, f"{rule['name']} ({rule['kind']}): {rule['purpose']}")
        for p in rule["parameters"]:
            line(console, f"    {p['name']} = {p['default']:g} [{p['low']:g}, {p['high']:g}] {p['unit']}: {p['meaning']}")


def print_learned(learned: Automatic, folder: Path, *, console: Console | None = None) -> None:
    """Print the parameters that an account's past moves away from their defaults, and how many stay."""
    console = console or new_console()
    line(
        console,
        f"{len(learned.changed)} of {len(learned.rows)} parameters that can be learned differ from the defaults.",
        "bold",
    )
    grid = Grid(["Parameter", "Default", "Learned", "Days", "From"], left=["From"])
    for row in learned.changed:
        grid.add([row.name, f"{row.default:g}", f"{row.value:g}", f"{row.days:,}", row.sentence])
    if learned.changed:
        grid.print(console)
    whole(console, "Files:", str(folder))


def print_discovery(found: Discovery, folder: Path, *, console: Console | None = None) -> None:
    """Print what was found, or that nothing was, and the surest of what does not hold."""
    console = console or new_console()
    line(console, found.note[:1].upper() + found.note[1:] + ".", "bold")
    for candidate in found.found:
        line(console, f"- {candidate.sentence(0.9)}; proposes {'a raise' if candidate.raises else 'a cut'}.")
    if not found.found and found.candidates:
        line(console, f"The surest that does not hold: {found.candidates[0].sentence(0.9)}.")
    whole(console, "Files:", str(folder))
