"""Money among ad sets: budgets as near as possible to what was decided, within bounds, that sum to the money of the day.

With what each ad set is to get, w, and bounds l and u, budgets are ``clip(s w, l, u)`` with the one scale s at which they sum
to the money. The sum rises in pieces that are straight lines, on which Newton's step is exact; a bracket keeps it from leaving.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mmx.jax_setup import jax, jnp

LARGEST_SCALE = 1e6


class Allocation(NamedTuple):
    """Budgets shared out.

    Attributes
    ----------
    budget : array, (ad set,)
        Currency.
    scale : scalar
        The scale that gave them.
    unallocated : scalar
        Money that no ad set may take, currency.
    short : scalar of bool
        Whether the lower bounds sum to more than the money, or there is none.
    """

    budget: Any
    scale: Any
    unallocated: Any
    short: Any


def allocate(want: Any, lower: Any, upper: Any, money: Any, steps: int) -> Allocation:
    """Share money out.

    Where the lower bounds sum to more than the money, they are all lowered by one factor: the account's budget comes first.

    Parameters
    ----------
    want, lower, upper : array, (ad set,)
        What was decided, and bounds; currency, ``0 <= lower <= upper``.
    money : scalar
        Money of the day.
    steps : int
        Steps of the search; ten reach the exact scale in nearly all cases, forty in all.
    """
    least = jnp.sum(lower, axis=0)
    short = (least > money) | (money <= 0.0)
    shrink = jnp.where(short, money / jnp.maximum(least, 1e-30), 1.0)
    lower = lower * shrink
    upper = jnp.where(short, lower, jnp.maximum(jnp.minimum(upper, money), lower))

    def step(_: Any, found: Any) -> Any:
        scale, low, high = found
        asked = scale * want
        total = jnp.sum(jnp.clip(asked, lower, upper), axis=0)
        slope = jnp.sum(jnp.where((asked >= lower) & (asked < upper), want, 0.0), axis=0)
        low, high = jnp.where(total <= money, scale, low), jnp.where(total > money, scale, high)
        newton = scale + (money - total) / jnp.maximum(slope, 1e-30)
        inside = (newton > low) & (newton < high)
        halfway = jnp.where(low > 0.0, jnp.sqrt(jnp.maximum(low, 1e-12) * high), 0.5 * high)
        return jnp.where(total == money, scale, jnp.where(inside, newton, halfway)), low, high

    one = jnp.ones_like(least)
    scale, low, _ = jax.lax.fori_loop(0, steps, step, (one, 0.0 * one, LARGEST_SCALE * one))
    budget = jnp.clip(scale * want, lower, upper)
    over = jnp.sum(budget, axis=0) > money
    budget = jnp.where(over, jnp.clip(low * want, lower, upper), budget)
    return Allocation(budget, jnp.where(over, low, scale), money - jnp.sum(budget, axis=0), short)
