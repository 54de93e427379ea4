"""What the cells say: regret, the worst worlds, paired differences, and what was promised against what came."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mmx.decide.objective import CVaR

Floats = npt.NDArray[np.float64]
Cells = dict[str, list[dict[str, Any]]]


def scored(found: Cells) -> tuple[list[str], Floats, Floats]:
    """True values as shares of the best plan's.

    Parameters
    ----------
    found : dict of list
        Cells by world.

    Returns
    -------
    list of str
        Plans.
    array, (cell, plan)
        Regret: the best plan's value less the plan's.
    array, (cell,)
        Number of each cell's world, from 0.
    """
    cells = [(k, cell) for k, world in enumerate(found.values()) for cell in world]
    names = list(cells[0][1]["plans"])
    best = np.array([cell["oracle"]["value"] for _, cell in cells])
    value = np.array([[cell["plans"][name]["value"] for name in names] for _, cell in cells])
    return names, 1.0 - value / best[:, None], np.array([k for k, _ in cells])


def resampled(worlds: Floats, draws: int, *, together: bool) -> list[npt.NDArray[np.intp]]:
    """Cells of bootstrap samples: of worlds with all their seeds together, or of single cells."""
    rng = np.random.default_rng(0)
    if not together:
        return [rng.integers(0, len(worlds), len(worlds)) for _ in range(draws)]
    of = [np.flatnonzero(worlds == k) for k in np.unique(worlds)]
    return [np.concatenate([of[k] for k in rng.integers(0, len(of), len(of))]) for _ in range(draws)]


def worst(gain: Floats, share: float) -> Floats:
    """Mean over the share of cells with the lowest gain, for each plan by itself, (plan,)."""
    return np.array([CVaR(share).value(column) for column in gain.T])


def table_of(found: Cells, first: str, share: float, draws: int, *, together: bool = True) -> pd.DataFrame:
    """One row per plan, in percent of what the best plan brings; 90 % bootstrap intervals of differences to the plan ``first``.

    ``regret`` and its mean over the worst cells, ``left`` over the current plan's regret, ``worst_gain`` (mean gain over the
    current plan in the cells where it is lowest), ``worse`` (share of cells with less than the current plan).
    """
    names, regret, worlds = scored(found)
    gain = regret[:, [names.index("current")]] - regret
    one = names.index(first)

    def measured(cells: npt.NDArray[np.intp]) -> Floats:
        return np.stack([regret[cells].mean(axis=0), -worst(-regret[cells], share), worst(gain[cells], share)])

    everything = measured(np.arange(len(regret)))
    drawn = np.stack([measured(cells) for cells in resampled(worlds, draws, together=together)])
    table = pd.DataFrame({"plan": names})
    for k, name in enumerate(("regret", "worst_regret", "worst_gain")):
        table[name] = 100 * everything[k]
        gap = drawn[:, k] - drawn[:, k, [one]]
        table[f"{name}_less"] = 100 * (everything[k] - everything[k, one])
        table[f"{name}_low"], table[f"{name}_high"] = 100 * np.quantile(gap, [0.05, 0.95], axis=0)
    table.insert(2, "left", everything[0] / everything[0, names.index("current")])
    table["worse"] = (gain < -1e-9).mean(axis=0)
    table["beats_first"] = (regret < regret[:, [one]] - 1e-9).mean(axis=0)
    return table


def by_world(found: Cells) -> pd.DataFrame:
    """Mean regret per world and plan, in percent of what the best plan brings."""
    names, regret, worlds = scored(found)
    rows = [100 * regret[worlds == k].mean(axis=0) for k in range(len(found))]
    return pd.DataFrame(rows, columns=names, index=pd.Index(found, name="world")).reset_index()


def promised(found: Cells, plans: list[str]) -> pd.DataFrame:
    """True gains over the current plan against the 90 % intervals that were promised, in percent of the best plan's value."""
    cells = [cell for world in found.values() for cell in world]
    best = np.array([cell["oracle"]["value"] for cell in cells])
    rows = []
    for name in plans:
        came = np.array([cell["plans"][name]["value"] - cell["plans"]["current"]["value"] for cell in cells])
        said = {key: np.array([cell["plans"][name]["gain"][key] for cell in cells]) for key in ("mean", "q05", "q95")}
        row = {"plan": name, "said": 100 * (said["mean"] / best).mean(), "came": 100 * (came / best).mean()}
        row |= {"inside": ((said["q05"] <= came) & (came <= said["q95"])).mean(), "below": (came < said["q05"]).mean()}
        certified = [cell["plans"][name]["certified"] for cell in cells]
        rows.append(row | {"certified": np.nan if None in certified else np.mean(certified)})
    return pd.DataFrame(rows)


def turnovers(found: Cells) -> pd.DataFrame:
    """Means over refreshes: share of money that moved, what keeping the earlier plan was said to lose, and what it would have.

    ``inside``: the true loss lies in the interval. ``apart``: the interval leaves out zero. ``right``: the new plan is truly no
    worse than the kept one. Money in percent of what the current plan brings.
    """
    rows = [
        {"plan": name, "question": kind, "current moved": cell["current_moved"], **one, **one["lost"]}
        for cells in found.values()
        for cell in cells
        for name, plan in cell["plans"].items()
        for kind, one in plan.items()
    ]
    frame = pd.DataFrame(rows).drop(columns="lost")
    frame[["mean", "q05", "q95", "true"]] *= 100
    frame["inside"] = (frame["q05"] <= frame["true"]) & (frame["true"] <= frame["q95"])
    frame["apart"] = frame["q05"] > 0
    frame["right"] = frame["true"] >= 0
    parts = frame.groupby(["plan", "question"], sort=False)
    return parts.mean().assign(refreshes=parts.size()).reset_index()
