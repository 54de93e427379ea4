"""A discovered rule as an entry of the library: Python text that can be pasted into a file of ``mmx/rules/library``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mmx.rules.learned import names_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmx.rules.discovery.terms import Condition

LEAST_MOVE, MOST_MOVE = 0.02, 0.6
HEADER = '''"""Rules that were found in an account's past."""

from __future__ import annotations

from mmx.rules.parameters import Parameter
from mmx.rules.rule import Rule, Verdict, View
'''


class Draft(NamedTuple):
    """What an entry is written from.

    Attributes
    ----------
    name : str
        Of the rule.
    conditions : tuple of Condition
    ranges : tuple of (float, float)
        Least and most threshold of each condition.
    raises : bool
        Whether budgets are raised or cut.
    share : float
        By how much.
    """

    name: str
    conditions: tuple[Condition, ...]
    ranges: tuple[tuple[float, float], ...]
    raises: bool
    share: float


def library_file(drafts: Sequence[Draft]) -> str:
    """Text of a library file with all rules."""
    functions = "\n\n".join(_function(draft) for draft in drafts)
    entries = "".join(_entry(draft) for draft in drafts)
    return f'{HEADER}\n\n{functions}\n\n_G = "discovered"\n\nRULES = (\n{entries})\n'


def _move(draft: Draft) -> str:
    return "rise" if draft.raises else "cut"


def _expression(condition: Condition) -> str:
    """A condition as code; ``v`` is the view, ``p`` the parameters."""
    parts = condition.term.measure.split()
    value = " ".join(f"v.{part}" if i % 2 == 0 else part for i, part in enumerate(parts))
    return f"({value} {'>' if condition.above else '<='} p.{condition.parameter})"


def _function(draft: Draft) -> str:
    when = "\n    when = when & ".join(_expression(condition) for condition in draft.conditions)
    sign = "+" if draft.raises else "-"
    return (
        f"def _{draft.name}(v: View, p: View) -> Verdict:\n"
        f"    when = (v.spend_7d > 0.0) & {when}\n"
        f"    return Verdict(when, 1.0 {sign} p.{_move(draft)})\n"
    )


def _entry(draft: Draft) -> str:
    doing = "Raises" if draft.raises else "Cuts"
    spoken = " and ".join(_plain(condition) for condition in draft.conditions)
    lines = [
        f'"{draft.name}",',
        "_G,",
        '"decider",',
        f'"{doing} an ad set with {spoken}.",',
        f"_{draft.name},",
        "(",
    ]
    for condition, (low, high) in zip(draft.conditions, draft.ranges, strict=True):
        lines.append("    Parameter(")
        lines += [f'        "{text}",' for text in (condition.parameter, condition.term.words, condition.term.unit)]
        lines += [f"        {number:.3g}," for number in (low, high, condition.threshold)]
        lines.append("    ),")
    share = "share that is added to the budget" if draft.raises else "share of the budget that is taken away"
    lines.append(f'    Parameter("{_move(draft)}", "{share}", "share", {LEAST_MOVE}, {MOST_MOVE}, {draft.share:g}),')
    lines += ["),", f'"{_reason(draft)}",']
    return "    Rule(\n" + "".join(f"        {line}\n" for line in lines) + "    ),\n"


def _plain(condition: Condition) -> str:
    return f"{'high' if condition.above else 'low'} {condition.term.name.replace('_', ' ')}"


def _reason(draft: Draft) -> str:
    """The numbers that the conditions read, as a template."""
    shown = []
    for condition in draft.conditions:
        names = names_in(condition.term.measure)
        form = condition.term.form if len(names) == 1 else ".2f"
        shown.append(" over ".join(f"{name} {{{name}:{form}}}" for name in names))
    return ", ".join(dict.fromkeys(shown))
