"""A simulated account of four ad sets as a user's files, and settings under which its rules are tuned in seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mmx.worlds import SimulatedAccount, write
from mmx.worlds.accounts import draw_customer, make_world
from mmx.worlds.accounts.table import settings_of

DAYS = 84
# One number of lanes for folds and judge: roll-outs compile once.
QUICK = (
    "tune.backtest={folds: 2, horizon: 7, shortest: 28, draws: 20, judge_draws: 20}",
    "tune.response={method: laplace, draws: 40, proposals: 60}",
    "tune.screening={method: morris, keep: [3, 5], trajectories: 2}",
    "tune.trials=24",
    "tune.batch=12",
    "tune.shown=2",
    "rules.margin=0.4",
)


def write_account(folder: Path) -> Path:
    """Write the account's table and configuration; returns the latter."""
    customer = replace(draw_customer(5), ad_sets=4, platform="meta")
    world = make_world(5, kind="randomised", customer=customer, days=DAYS)
    truth = {"about": "A small account.", "seed": 5}
    made = SimulatedAccount(world.ad_table(), truth, settings_of(world, "small"), world)
    return write(made, folder / "small.csv")[2]
