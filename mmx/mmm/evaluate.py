"""Evaluate draws by compiled code: money of media, coefficients and baseline. The fast twin of ``mmx.mmm.evaluate_jax``.

Draws are spread over threads; each is summed on its own, so the result does not depend on their number. Tests hold both twins
equal to 1e-12 for every family.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mmx.data.panel import Floats
from mmx.machine import code
from mmx.mmm.evaluate_data import LAYOUTS, Data
from mmx.mmm.evaluate_plans import ABOVE_HILL
from mmx.mmm.kernel_codes import ADSTOCK_CODES, SATURATION_CODES, order_codes
from mmx.mmm.structure import Structure

Ints = npt.NDArray[np.int64]
PARTS = 4  # Blocks of draws per thread: they do not end at the same time.
FEWEST = 16  # Draws in a block.
_HERE = Path(__file__).parent
_FILES = (
    *_HERE.glob("evaluate*.py"),
    *(_HERE / f"kernel_{name}.py" for name in ("math", "options", "windows")),
    *code.FILES,
)
SOURCE = code.Source("mmx.mmm.evaluate_call", _FILES)
PLANS = code.Source("mmx.mmm.evaluate_call_plans", _FILES)


def levels(
    structure: Structure, params: Mapping[str, Floats], beta: Floats, x: Floats, money: Floats, first: int = 0
) -> Floats:
    """Money by period from row ``first`` on, (sample, time - first, media); see ``mmx.mmm.levels.levels``."""
    codes, shapes, beta = _codes(structure), _shapes(structure, params, len(beta)), _floats(beta)
    by_medium, money = _by_medium(x), _floats(money)
    out = np.empty((len(beta), len(x) - first, structure.media))

    def block(rows: slice) -> None:
        _call("by_period", codes, shapes[rows], beta[rows], by_medium, money, first, out[rows])

    _in_blocks(len(beta), block)
    return out


def totals(
    structure: Structure,
    params: Mapping[str, Floats],
    beta: Floats,
    x: Floats,
    before: Floats,
    money: Floats,
    groups: Ints,
    multipliers: Floats,
) -> Floats:
    """Money by multiplier and group of periods, (sample, multiplier, group, media); see ``mmx.mmm.levels.totals``."""
    codes, shapes, beta = _codes(structure), _shapes(structure, params, len(beta)), _floats(beta)
    moved, fixed, money = _by_medium(x), _by_medium(before if before.any() else before[:0]), _floats(money)
    runs, multipliers = _runs(groups), _floats(multipliers)
    out = np.empty((len(beta), len(multipliers), int(groups.max()) + 1, structure.media))

    def block(rows: slice) -> None:
        _call("by_group", codes, shapes[rows], beta[rows], moved, fixed, money, runs, multipliers, out[rows])

    _in_blocks(len(beta), block)
    return out


def plans(
    structure: Structure,
    params: Mapping[str, Floats],
    beta: Floats,
    x: Floats,
    money: Floats,
    varied: Floats | None,
    rows: tuple[int, int],
    direction: Floats,
    labels: Ints,
    *,
    states: Floats | None = None,
    above: bool = False,
) -> tuple[Floats, Floats]:
    """Money by geo with its slopes, (sample, geo, channel) and (sample, label, geo, channel); see ``mmx.mmm.levels.plans``."""
    samples, channels = len(beta), direction.shape[2]
    codes, shapes, beta = _codes(structure), _shapes(structure, params, samples), _floats(beta)
    states = past_states(structure, params, x, samples, rows[0]) if states is None else states
    if above:
        codes[2, codes[2] == SATURATION_CODES["hill"]] = ABOVE_HILL
    by_medium, money, along = _by_medium(x), _floats(money), _by_medium(direction)
    factors = np.empty((0, 0, 0)) if varied is None else _floats(varied)
    labels = np.array(labels, dtype=np.int64)
    value = np.empty((samples, structure.geos, channels))
    slope = np.empty((samples, int(labels.max(initial=-1)) + 1, structure.geos, channels))

    def block(part: slice) -> None:
        own = money if len(money) == 1 else money[part]
        drawn = (codes, shapes[part], beta[part], by_medium, states[part], own, factors[part])
        _call("by_plan", *drawn, *rows, along, labels, value[part], slope[part], source=PLANS)

    _in_blocks(samples, block)
    return value, slope


def past_states(structure: Structure, params: Mapping[str, Floats], x: Floats, samples: int, first: int) -> Floats:
    """What recurrences of paid channels have carried before row ``first``, (sample, channel, stage, geo), for `plans`."""
    codes, shapes, by_medium = _codes(structure), _shapes(structure, params, samples), _by_medium(x)
    states = np.empty((samples, structure.channels, 2, structure.geos))

    def block(part: slice) -> None:
        _call("past_states", codes, shapes[part], by_medium, first, states[part], source=PLANS)

    _in_blocks(samples, block)
    return states


def coefficients(
    structure: Structure,
    inputs: Mapping[str, Any],
    params: Mapping[str, Floats],
    drawn: Mapping[str, Floats],
) -> tuple[Floats, Floats, Floats]:
    """Coefficients of media and baseline; see ``mmx.mmm.parameters``.

    Parameters
    ----------
    structure, inputs
    params : mapping of str to array, (sample, size)
    drawn : mapping of str to array
        ``effect (sample, media)``, ``factor (sample, geo, media)``, ``prior_sd (sample, column)``, and standard normals
        ``shared_noise (sample, column)``, ``geo_noise (sample, local column, geo)``.

    Returns
    -------
    beta, gamma, local : array, (sample, geo, media), (sample, column) and (sample, local column, geo)
        ``local`` of the columns ``inputs["local"]``.
    """
    samples = len(drawn["effect"])
    data = _data(structure, inputs)
    shapes, noise = _shapes(structure, params, samples), _floats(params["noise"][:, 0])
    control = _floats(params["control"]) if structure.signed else np.zeros((samples, 0))
    names = ("effect", "factor", "prior_sd", "shared_noise", "geo_noise")
    effect, factor, prior_sd, shared_noise, geo_noise = (_floats(drawn[name]) for name in names)
    beta = np.empty((samples, structure.geos, structure.media))
    gamma, geo = np.empty((samples, structure.columns)), np.empty((samples, *data.local_w.shape))

    def block(rows: slice) -> None:
        own = (shapes, effect, factor, prior_sd, noise, control, shared_noise, geo_noise)
        _call("coefficients", data, *(values[rows] for values in own), beta[rows], gamma[rows], geo[rows])

    _in_blocks(samples, block)
    return beta, gamma, geo


def _call(name: str, *arguments: Any, source: code.Source = SOURCE) -> None:
    """Call a compiled function."""
    table = code.table_of(arguments, LAYOUTS[name])
    code.function(code.load(source)[name])(table.ctypes.data)


def _in_blocks(samples: int, block: Callable[[slice], None]) -> None:
    """Call ``block`` on all draws, side by side."""
    workers = os.cpu_count() or 1
    size = max(-(-samples // (PARTS * workers)), FEWEST)
    parts = [slice(start, min(start + size, samples)) for start in range(0, samples, size)]
    if len(parts) == 1:
        block(parts[0])
        return
    list(_pool(os.getpid(), workers).map(block, parts))


@cache
def _pool(process: int, workers: int) -> ThreadPoolExecutor:
    """Threads of this process, started once: a plan is evaluated thousands of times, and threads do not survive a fork."""
    return ThreadPoolExecutor(workers)


def _data(structure: Structure, inputs: Mapping[str, Any]) -> Data:
    return Data(
        codes=_codes(structure),
        direct=np.array([kind == "coefficient" for kind in structure.kind], dtype=np.int64),
        numerator=_floats(inputs["numerator"]),
        x=_by_medium(inputs["x"]),
        x_other=_by_medium(inputs["x_other"]),
        counted=_floats(inputs["counted"]),
        money=_floats(inputs["money_train"]),
        signed=_by_medium(inputs["signed"]),
        y=_floats(inputs["y"]),
        w=_floats(inputs["w"]),
        z_cell=_floats(inputs["z_cell"]),
        z_time=_floats(inputs["z_time"]),
        zz=_floats(inputs["zz"]),
        local=_floats(inputs["local"]),
        local_z=_floats(inputs["local_z"]),
        local_w=_floats(inputs["local_w"]),
        local_sd=_floats(inputs["local_sd"]),
    )


def _codes(structure: Structure) -> Ints:
    adstock = [(ADSTOCK_CODES[family], window) for family, window in structure.adstock]
    codes = np.array([(*code, SATURATION_CODES[f]) for code, f in zip(adstock, structure.saturation, strict=True)])
    return np.ascontiguousarray(np.column_stack([codes, order_codes(structure)]).T, dtype=np.int64)


def _shapes(structure: Structure, params: Mapping[str, Floats], samples: int) -> Floats:
    """Shape parameters of all media, (sample, media, 4): two of the adstock, two of the saturation; NaN where there is none."""
    shapes = np.full((samples, structure.media, 4), np.nan)
    for name, places in structure.shape_places.items():
        for i, (medium, column) in enumerate(places):
            shapes[:, medium, column] = params[name][:, i]
    return shapes


def _runs(groups: Ints) -> Ints:
    """Periods in a row of one group that is counted, (run, 3): first, end and group."""
    starts = np.flatnonzero(np.diff(groups, prepend=groups[0] + 1))
    runs = np.column_stack([starts, np.append(starts[1:], len(groups)), groups[starts]])
    return np.array(runs[runs[:, 2] >= 0], dtype=np.int64, order="C")


def _by_medium(x: Floats) -> Floats:
    return _floats(np.moveaxis(x, 2, 0))


def _floats(values: Floats) -> Floats:
    """Return a copy in C order that may be written: a layout of its own would be compiled anew."""
    return np.array(values, dtype=np.float64, order="C")
