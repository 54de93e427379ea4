"""Edits: which of the moves are made, as every change costs learning and platforms allow only so many."""

from __future__ import annotations

from typing import Any

from mmx.jax_setup import jax, jnp
from mmx.rules.parameters import Parameter
from mmx.rules.rule import Rule, View

TIE = 1e-4


def _smallest_edit(v: View, p: View, move: Any) -> Any:
    return move >= p.size


def _edits_per_day(v: View, p: View, move: Any) -> Any:
    size = move + TIE * v.budget / jnp.maximum(v.account_budget, 1e-9)  # many moves rest on one bound and differ by rounding
    none = jnp.zeros(size.shape, jnp.int32)
    larger, _ = jax.lax.scan(lambda count, one: (count + (one > size), None), none, size)  # no array of all pairs
    return larger < jnp.ceil(p.share * jnp.sum(v.live, axis=0))


_G = "edits"

RULES = (
    Rule(
        "smallest_edit",
        _G,
        "edit",
        "Leaves out moves that are too small to be worth a change.",
        _smallest_edit,
        (Parameter("size", "least move of the log budget", "log ratio", 0.0, 0.2, 0.018),),
        "the move is smaller than {smallest_edit__size:.0%}",
    ),
    Rule(
        "edits_per_day",
        _G,
        "edit",
        "Makes only the largest moves of a day, forced ones among them; of equal moves those of the larger budgets come first.",
        _edits_per_day,
        (Parameter("share", "ad sets that are changed in a day", "share", 0.05, 1.0, 0.54),),
        "not among the {edits_per_day__share:.0%} of ad sets with the largest moves",
    ),
)
