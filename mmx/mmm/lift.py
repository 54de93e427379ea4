"""Experiments as evidence: what they measured, as sums over cells of the curve with and without the tested spend."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mmx.data.lift import cells_of, delta_of, follows_spend
from mmx.data.panel import Floats, Panel
from mmx.spec import Spec


def probes(spec: Spec, panel: Panel, x: Floats, train: npt.NDArray[np.bool_], size: Floats, money: Floats) -> dict[str, Floats]:
    """Arrays of all tests.

    Parameters
    ----------
    spec : Spec
    panel : Panel
    x : array, (time, geo, media + frequencies)
        Scaled exposure.
    train : array of bool, (time,)
    size, money : array, (time, geo)
        KPI units and KPI money per scaled unit; of a multiplicative model, those of the KPI itself.

    Returns
    -------
    dict of array
        ``lift_x (test, time, geo)`` exposure without the test; ``lift_worth (test, time, geo)`` what a scaled unit adds to the
        test's quantity; ``lift_value``, ``lift_sd`` and ``lift_used (test,)``. A test that ended after the last training row
        is not used: it would tell a fold its future.
    """
    tests = spec.lift_tests
    shape = (len(tests), *x.shape[:2])
    without, worth, used = np.zeros(shape), np.zeros(shape), np.zeros(len(tests))
    last = np.flatnonzero(train)[-1]
    for k, test in enumerate(tests):
        m = list(spec.channels).index(test.channel)
        cells = cells_of(test, panel)
        spend = panel.array("spend")[:, :, m].T
        delta = delta_of(test, panel)
        without[k] = x[..., m] - np.where(cells, bought(x[..., m], spend, cells, delta), 0.0)
        worth[k] = np.where(cells, size if test.metric == "kpi" else money / delta, 0.0)
        used[k] = float(np.flatnonzero(cells.any(axis=1))[-1] <= last)
    return {
        "lift_x": np.maximum(without, 0.0),
        "lift_worth": worth,
        "lift_value": np.array([test.value for test in tests]),
        "lift_sd": np.array([test.se * test.inflation for test in tests]),
        "lift_used": used,
    }


def bought(x: Floats, spend: Floats, cells: npt.NDArray[np.bool_], delta: float) -> Floats:
    """Exposure that the tested spend bought, (time, geo): negative where the test took spend away.

    It is in proportion to the spend of each cell. Where a test took away more than it left, or all, what is left does not show
    what is missing: that has the pattern over geos of the channel's other periods, even over time, at their exposure per money.
    """
    total = float(spend[cells].sum())
    if follows_spend(delta, total):
        return x * delta / total
    usual, paid = x[~cells.any(axis=1)].mean(axis=0), spend[~cells.any(axis=1)].mean(axis=0)
    pattern = np.where(cells, usual, 0.0)
    price = float(np.where(cells, paid, 0.0).sum())
    return pattern * (delta / price if price > 0 else 0.0)
