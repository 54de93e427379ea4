"""Roll budgets or a policy forward through futures of an account world.

A future is a seed: its luck is that of (seed, day, ad set, purpose), so that policies which are rolled through the same seeds
face the same demand, prices and chances, and their difference is what they did. Policies see what a platform shows: reported
metrics, whose last days still grow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmx.data.ads.history import METRICS, AccountHistory
from mmx.errors import ConfigError
from mmx.worlds.accounts.luck import Floats, keys_of, luck_of
from mmx.worlds.accounts.past import Past, as_reported, known_at, metrics_of, per_purchase
from mmx.worlds.accounts.reporting import reported
from mmx.worlds.accounts.step import Day, repeated, step
from mmx.worlds.accounts.truth import Truth
from mmx.worlds.accounts.world import AccountWorld

LOOK_BACK = 35  # days that a policy sees besides the immature ones
_ATTRIBUTED = [METRICS.index("purchases"), METRICS.index("revenue")]


class Windows(NamedTuple):
    """What a batch policy sees on the morning of a day, read-only.

    Attributes
    ----------
    metrics : array, (future, day, ad set, 6)
        As reported by then, in the order of ``METRICS``; up to 35 days and the immature ones.
    budget : array, (future, day, ad set)
        Budgets that held.
    dates : array of datetime64[D], (day,)
    date : datetime64[D]
        The day whose budgets are asked for.
    """

    metrics: Floats
    budget: Floats
    dates: NDArray[np.datetime64]
    date: np.datetime64


@runtime_checkable
class BatchPolicy(Protocol):
    """A policy that decides for many futures at once."""

    def start(self, history: AccountHistory, futures: int) -> Any:
        """Return its state before the first decision."""
        ...

    def decide(self, windows: Windows, state: Any) -> tuple[Floats, Any]:
        """Return budgets, (future, ad set), currency per day, >= 0, and the next state."""
        ...


Policy = Callable[[AccountHistory, int], ArrayLike]


@dataclass(frozen=True)
class Outcome:
    """What came of a policy.

    Attributes
    ----------
    seeds : tuple of int
        One per future.
    margin : float
        Profit per revenue before advertising.
    asked : array, (future, day, ad set)
        Budgets that were asked for.
    opening : array, (ad set,)
        Budgets that held on the day before.
    day : Day
        Each of its arrays (future, day, ad set); purchases and revenue as they truly were.
    """

    seeds: tuple[int, ...]
    margin: float
    asked: Floats
    opening: Floats
    day: Day

    def total(self, name: str) -> Floats:
        """Sum over days and ad sets of an array of ``Day``, (future,)."""
        return np.asarray(getattr(self.day, name).sum(axis=(1, 2)))

    @property
    def spend(self) -> Floats:
        """Currency, (future,)."""
        return self.total("spend")

    @property
    def revenue(self) -> Floats:
        """Realised, (future,), currency."""
        return self.total("revenue")

    @property
    def expected_revenue(self) -> Floats:
        """Mean over each day's counts, order values and noise, (future,), currency."""
        return self.total("expected_revenue")

    @property
    def purchases(self) -> Floats:
        """Realised, (future,)."""
        return self.total("purchases")

    @property
    def expected_purchases(self) -> Floats:
        """Mean of each day's, (future,)."""
        return self.total("expected_purchases")

    @property
    def profit(self) -> Floats:
        """Margin of the realised revenue less spend, (future,), currency."""
        return self.margin * self.revenue - self.spend

    @property
    def expected_profit(self) -> Floats:
        """Margin of the expected revenue less spend, (future,), currency."""
        return self.margin * self.expected_revenue - self.spend

    @property
    def turnover(self) -> Floats:
        """Money moved from day to day over money budgeted, (future,): sum of absolute changes over sum of budgets."""
        before = np.concatenate([np.broadcast_to(self.opening, self.asked[:, :1].shape), self.asked[:, :-1]], axis=1)
        moved = np.abs(self.asked - before).sum(axis=(1, 2))
        budgeted = self.asked.sum(axis=(1, 2))
        return np.asarray(moved / np.where(budgeted > 0.0, budgeted, 1.0))


def roll(
    world: AccountWorld,
    policy: BatchPolicy | Policy | ArrayLike,
    *,
    day: int | None = None,
    days: int = 28,
    seeds: Sequence[int] = tuple(range(1, 33)),
) -> Outcome:
    """Roll a policy forward from the state of the account on the morning of a day.

    Parameters
    ----------
    world : AccountWorld
    policy : BatchPolicy, callable or array
        A callable takes the history, as reported, and the day, and returns budgets, (ad set,), for one future. An array holds
        fixed budgets that broadcast to (future, day, ad set). Ad sets are those of ``world.history(day)``, currency per day.
    day : int, optional
        Day of the first decision; by default the first one after the past.
    days : int
        Days to roll; with ``day`` within past and horizon.
    seeds : sequence of int
        Of the futures, >= 0; a seed may come several times (0 repeats the luck of the past).

    Raises
    ------
    ConfigError
        If the days leave the horizon, there is no seed or a negative one, or budgets have another shape, are negative or not
        finite.
    """
    first = world.checked(day)
    if days < 1 or first + days > world.days + world.horizon:
        raise ConfigError(
            f"{world.name}: rolling {days} days from day {first} must end within its {world.days + world.horizon} days; "
            "make the world with a longer horizon"
        )
    if not len(seeds) or min(seeds) < 0:
        raise ConfigError(f"{world.name}: futures have seeds >= 0, at least one; {tuple(seeds)[:5]} came")
    truth, known = world.truth, known_at(world.truth, first)
    here = np.zeros(truth.adsets, dtype=bool)
    here[known] = True
    decide = _decider(world, policy, first, days, len(seeds))
    keys = keys_of(world.seed, seeds)
    state = repeated(world.past.states[first], len(seeds))
    whole = not isinstance(policy, BatchPolicy) and callable(policy)
    book = _open(truth, world.past, first, first if whole else min(first, LOOK_BACK + truth.immature_days), days, len(seeds))
    asked, happened = [], []
    for t in range(first, first + days):
        budgets = _checked(decide(book, t), (len(seeds), len(known)), t)
        everyone = np.zeros((len(seeds), truth.adsets))
        everyone[:, known] = budgets
        luck = luck_of(keys, t, truth.adsets)
        state, now = step(truth, t, state, everyone, luck, truth.servable(t) & here)
        now = Day(*(part[:, known] for part in now))
        _write(book, truth, t, now, luck.of("delay")[:, known], luck.of("reported")[:, known])
        asked.append(budgets)
        happened.append(now)
    stacked = Day(*(np.stack(parts, axis=1) for parts in zip(*happened, strict=True)))
    opening = world.past.day.budget[first - 1, known]
    return Outcome(tuple(int(s) for s in seeds), world.customer.margin, np.stack(asked, axis=1), opening, stacked)


class _Book(NamedTuple):
    """Rows that policies see, filled as days go by: (future, row, ad set), metrics with a last axis; row 0 is day ``begin``."""

    begin: int
    metrics: Floats
    budget: Floats
    tracked: Floats
    value: Floats
    delay: Floats
    arrival: Floats


def _open(truth: Truth, past: Past, first: int, rows: int, days: int, futures: int) -> _Book:
    """A book whose first rows are the past's last ones, as reported on the morning of day ``first``."""
    known = known_at(truth, first)
    purchases, revenue = as_reported(truth, past, first)
    now = past.day
    columns = [now.spend[:first], now.impressions[:first], now.clicks[:first], purchases, revenue, now.reach[:first]]
    value = per_purchase(now.purchases, now.revenue)

    def begin(values: Floats) -> Floats:
        recent = values[first - rows : first, known]
        out = np.zeros((futures, rows + days, *recent.shape[1:]))
        out[:, :rows] = recent
        return out

    return _Book(
        first - rows,
        begin(metrics_of(*columns)),
        *(begin(v) for v in (now.budget, now.tracked, value, past.delay, past.arrival)),
    )


def _write(book: _Book, truth: Truth, day: int, now: Day, delay: Floats, arrival: Floats) -> None:
    """Enter a day, and restate the days before it as they stand reported on the next morning."""
    row = day - book.begin
    book.metrics[:, row] = metrics_of(now.spend, now.impressions, now.clicks, now.purchases, now.revenue, now.reach)
    book.budget[:, row] = now.budget
    book.tracked[:, row] = now.tracked
    book.value[:, row] = per_purchase(now.purchases, now.revenue)
    book.delay[:, row], book.arrival[:, row] = delay, arrival
    rows = slice(max(row + 1 - len(truth.delay), 0), row + 1)
    age = np.arange(rows.stop - rows.start - 1, -1, -1)
    parts = (book.tracked[:, rows], book.value[:, rows], age, truth.delay, book.delay[:, rows], book.arrival[:, rows])
    book.metrics[:, rows, :, _ATTRIBUTED[0]], book.metrics[:, rows, :, _ATTRIBUTED[1]] = reported(*parts)


def _decider(
    world: AccountWorld, policy: BatchPolicy | Policy | ArrayLike, first: int, days: int, futures: int
) -> Callable[[_Book, int], Floats]:
    """What gives the budgets of a day, (future, ad set), from the book, for each of the three kinds of policy."""
    dates = world.truth.calendar.dates
    history = world.history(first)
    if isinstance(policy, BatchPolicy):
        state = [policy.start(history, futures)]
        seen = LOOK_BACK + world.truth.immature_days

        def batch(book: _Book, day: int) -> Floats:
            rows = slice(max(day - book.begin - seen, 0), day - book.begin)
            metrics, budget = book.metrics[:, rows], book.budget[:, rows]
            metrics.flags.writeable = budget.flags.writeable = False
            windows = Windows(metrics, budget, dates[book.begin + rows.start : day], dates[day])
            budgets, state[0] = policy.decide(windows, state[0])
            return np.asarray(budgets, dtype=np.float64)

        return batch
    if callable(policy):

        def single(book: _Book, day: int) -> Floats:
            rows = day - book.begin
            return np.stack(
                [np.asarray(policy(_history_in(history, book, f, rows, dates), day), dtype=np.float64) for f in range(futures)]
            )

        return single
    shape = (futures, days, len(history.adsets))
    try:
        fixed = np.broadcast_to(np.asarray(policy, dtype=np.float64), shape)
    except ValueError as error:
        raise ConfigError(
            f"{world.name}: fixed budgets must broadcast to (future, day, ad set) = {shape}; {np.shape(policy)} came"
        ) from error
    return lambda book, day: fixed[:, day - first]


def _history_in(history: AccountHistory, book: _Book, future: int, rows: int, dates: NDArray[np.datetime64]) -> AccountHistory:
    """The history of one future, as reported by then; the book begins with the account."""
    metrics, budget = book.metrics[future, :rows].copy(), book.budget[future, :rows].copy()
    return replace(history, dates=dates[:rows], metrics=metrics, budget=budget, propensity=None)


def _checked(budgets: Floats, shape: tuple[int, int], day: int) -> Floats:
    if budgets.shape != shape:
        raise ConfigError(f"day {day}: budgets must be of shape (future, ad set) = {shape}; {budgets.shape} came")
    if not (np.isfinite(budgets) & (budgets >= 0.0)).all():
        bad = budgets[~(np.isfinite(budgets) & (budgets >= 0.0))]
        raise ConfigError(
            f"day {day}: budgets must be finite and >= 0; {bad[0]:g} came, in {bad.size} of {budgets.size} places"
        )
    return budgets
