"""What the compiled kernel reads: a model's structure and data as contiguous arrays."""

from __future__ import annotations

from math import lgamma
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mmx.mmm.kernel_codes import ADSTOCK_CODES, SATURATION_CODES, is_plain, order_codes
from mmx.mmm.kernel_features import LAYOUT as FEATURES_LAYOUT
from mmx.mmm.kernel_features import features_of, scratch_cells
from mmx.mmm.structure import Structure

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Degrees of freedom less 2 are log-normal.
_KINDS = {"normal": 0, "lognormal": 1, "beta": 2, "half_normal": 3, "half_cauchy": 4, "degrees": 1}
SLOTS = 4  # Calls that can run at the same time without allocating memory.
_LOG_2PI = float(np.log(2 * np.pi))


class Arrays(NamedTuple):
    """Everything the kernel reads, as contiguous arrays and numbers; ``-1`` marks a parameter that a medium lacks."""

    kind: Any  # (dim,)
    first: Any  # (dim,) location, beta's a, or half-normal scale
    second: Any  # (dim,) scale, beta's b
    norm: Any  # (dim,) log of the prior's normalising constant
    adstock: Any  # (media,)
    window: Any  # (media,)
    saturation: Any  # (media,)
    order: Any  # (media,) see kernel_codes.order_codes
    at: Any  # (media, 7) effect, two of the adstock, two of the saturation, geo sd, first geo z
    special: Any  # noise, drift sd, drift length, total, and the first split, control, local and global sparse scale
    direct: Any  # (media,) 1 where the effect is the coefficient
    numerator: Any  # (media,)
    shared: Any  # media under one total
    split_sd: Any
    split_basis: Any  # (shared, shared - 1)
    x: Any  # (media + frequencies, cell); cells in the order time, geo
    x_other: Any  # (media + frequencies, cell); nothing where nothing else is counted
    counted: Any  # (media, 2) how often the effect counts x and x_other
    money: Any  # (cell,) of training rows
    y: Any  # (cell,)
    w: Any  # (cell,)
    z_cell: Any  # (cell column, cell)
    z_time: Any  # (time, column)
    zz: Any  # (column, column); of one geo those of the drift alone
    roots: Any  # (fixed column,) of one geo: the fixed columns' part of the design's products, rotated until it is diagonal
    cross: Any  # (fixed column, drift column) of one geo
    cross_back: Any  # (drift column, fixed column) the same, transposed
    local: Any  # (own column - 1, cell) what geos have own coefficients for beside the intercept
    own_z: Any  # (own, column); the geos' own coefficients: all intercepts, then all of the next column
    own_w: Any  # (own,)
    own_sd: Any  # (own,)
    prior_sd: Any
    frequency: Any
    sparse: Any  # columns with a sparse prior
    signed: Any  # (signed control, cell)
    rows_used: Any
    log_weight: Any
    mirror: Any  # (media, geo) axis of the reflection behind the zero-sum deviations
    class_first: Any  # (class,) first of the own coefficients that have the same weight and prior
    class_size: Any  # (class,)
    class_cross: Any  # (class, column, column) sum of the outer products of own_z
    features: Any  # mmx.mmm.kernel_features.Features
    work: Any  # (slot, cell arrays)
    busy: Any  # (slot,)


LAYOUT = Arrays(  # See ``mmx.machine.code.table_of``.
    kind="i1",
    first="f1",
    second="f1",
    norm="f1",
    adstock="i1",
    window="i1",
    saturation="i1",
    order="i1",
    at="i2",
    special="i1",
    direct="i1",
    numerator="f1",
    shared="i1",
    split_sd="f0",
    split_basis="f2",
    x="f2",
    x_other="f2",
    counted="f2",
    money="f1",
    y="f1",
    w="f1",
    z_cell="f2",
    z_time="f2",
    zz="f2",
    roots="f1",
    cross="f2",
    cross_back="f2",
    local="f2",
    own_z="f2",
    own_w="f1",
    own_sd="f1",
    prior_sd="f1",
    frequency="f1",
    sparse="i1",
    signed="f2",
    rows_used="f0",
    log_weight="f0",
    mirror="f2",
    class_first="i1",
    class_size="f1",
    class_cross="f3",
    features=FEATURES_LAYOUT,
    work="f2",
    busy="i1",
)


def arrays_of(structure: Structure, inputs: dict[str, Any]) -> Arrays:
    """Lay a structure's inputs out for the kernel, without the rows after the last one that has a weight."""
    own_w, own_sd, own_z = _own(inputs)
    first, size, cross = _classes(np.stack([own_w, own_sd], axis=1), own_z)
    times = 1 + int(np.flatnonzero(np.asarray(inputs["w"]).any(axis=1))[-1])
    cells = times * structure.geos
    rotated = structure.geos == 1 and is_plain(structure)
    shared = _rotated(structure, inputs) if rotated else _as_it_is(structure, inputs)
    features = features_of(structure, inputs, times)
    memory = cells * (3 + 5 * structure.media * (1 + structure.other)) + scratch_cells(structure, features, cells)

    def floats(value: Any) -> Floats:
        return np.ascontiguousarray(value, dtype=np.float64)

    def by_medium(value: Any) -> Floats:
        return floats(np.moveaxis(value[:times], 2, 0)).reshape(-1, cells)

    def by_cell(value: Any) -> Floats:
        return floats(value[:times]).ravel()

    return Arrays(
        **_parameters(structure, inputs),
        direct=np.array([k == "coefficient" for k in structure.kind], dtype=np.int64),
        numerator=floats(inputs["numerator"]),
        shared=np.flatnonzero([k == "total" for k in structure.kind]).astype(np.int64),
        split_sd=float(inputs["split_sd"]),
        split_basis=floats(inputs["split_basis"]),
        x=by_medium(inputs["x"]),
        x_other=by_medium(inputs["x_other"])[: (structure.media + len(structure.often)) * structure.other],
        counted=floats(inputs["counted"]),
        money=by_cell(inputs["money_train"]),
        y=by_cell(inputs["y"]),
        w=by_cell(inputs["w"]),
        z_cell=by_medium(shared["z_cell"]),
        z_time=floats(shared["z_time"][:times]),
        zz=floats(shared["zz"]),
        roots=floats(shared["roots"]),
        cross=floats(shared["cross"]),
        cross_back=floats(shared["cross"].T),
        local=floats(inputs["local"][1:, :times]).reshape(-1, cells),
        own_z=own_z,
        own_w=own_w,
        own_sd=own_sd,
        prior_sd=floats(shared["prior_sd"]),
        frequency=floats(inputs["frequency"]),
        sparse=shared["sparse"],
        signed=by_medium(inputs["signed"]),
        rows_used=float(inputs["rows_used"]),
        log_weight=float(inputs["log_weight"]),
        mirror=floats(inputs["geo_mirror"]),
        class_first=first,
        class_size=size,
        class_cross=cross,
        features=features,
        work=np.empty((SLOTS, memory)),
        busy=np.zeros(SLOTS, dtype=np.int64),
    )


def _parameters(structure: Structure, inputs: dict[str, Any]) -> dict[str, Any]:
    """Priors and places of the parameters, and the families that they belong to."""
    kinds, first, second = _prior_arrays(structure, inputs)
    at, special = _places(structure)
    return {
        "kind": kinds,
        "first": first,
        "second": second,
        "norm": _norms(kinds, first, second),
        "adstock": np.array([ADSTOCK_CODES[f] for f, _ in structure.adstock], dtype=np.int64),
        "window": np.array([w for _, w in structure.adstock], dtype=np.int64),
        "saturation": np.array([SATURATION_CODES[f] for f in structure.saturation], dtype=np.int64),
        "order": order_codes(structure),
        "at": at,
        "special": special,
    }


def _as_it_is(structure: Structure, inputs: dict[str, Any]) -> dict[str, Any]:
    """Design of the shared columns."""
    kept = {name: np.asarray(inputs[name]) for name in ("z_cell", "z_time", "zz", "prior_sd")}
    return {**kept, "roots": np.zeros(0), "cross": np.zeros((0, 0)), "sparse": np.array(structure.sparse, dtype=np.int64)}


def _rotated(structure: Structure, inputs: dict[str, Any]) -> dict[str, Any]:
    """Design of one geo: columns of fixed prior first, rotated, then those whose prior scale is sampled, the drift's last.

    With their prior standard deviations ``D`` and ``D Z'WZ D = Q diag(roots) Q'``, the columns ``Z D Q`` have unit prior
    standard deviations, uncorrelated, and the products ``roots``: their posterior precision is diagonal at every noise.
    """
    z = np.concatenate([inputs["z_cell"][:, 0], inputs["z_time"]], axis=1)
    sd, zz = np.array(inputs["prior_sd"], dtype=float), np.asarray(inputs["zz"], dtype=float)
    sampled = [*structure.sparse, *range(structure.columns - structure.drift_terms, structure.columns)]
    fixed = np.setdiff1d(np.arange(structure.columns), sampled)
    roots, turn = np.linalg.eigh(sd[fixed, None] * zz[np.ix_(fixed, fixed)] * sd[fixed])
    turn = sd[fixed, None] * turn
    return {
        "z_cell": np.zeros((len(z), 1, 0)),
        "z_time": np.concatenate([z[:, fixed] @ turn, z[:, sampled]], axis=1),
        "zz": zz[np.ix_(sampled, sampled)],
        "prior_sd": np.concatenate([np.ones(len(fixed)), sd[sampled]]),
        "roots": np.maximum(roots, 0.0),
        "cross": turn.T @ zz[np.ix_(fixed, sampled)],
        "sparse": len(fixed) + np.arange(len(structure.sparse)),
    }


def _own(inputs: dict[str, Any]) -> tuple[Floats, Floats, Floats]:
    """Weight (own,), prior standard deviation (own,) and products with the shared columns (own, column) of the geos' own."""
    w, z = np.asarray(inputs["local_w"], dtype=float), np.asarray(inputs["local_z"], dtype=float)
    sd = np.repeat(np.asarray(inputs["local_sd"], dtype=float), w.shape[1])
    return w.ravel(), sd, np.ascontiguousarray(z.reshape(w.size, -1))


def _classes(alike: Floats, own_z: Floats) -> tuple[Ints, Floats, Floats]:
    """Own coefficients of equal weight and prior: the first of each class, how many, and the sum of their cross products."""
    weights, first, which = np.unique(alike, axis=0, return_index=True, return_inverse=True)
    cross = [np.einsum("gp,gq->pq", own_z[which == k], own_z[which == k]) for k in range(len(weights))]
    return first.astype(np.int64), np.bincount(which).astype(np.float64), np.ascontiguousarray(np.stack(cross))


def _prior_arrays(structure: Structure, inputs: dict[str, Any]) -> tuple[Ints, Floats, Floats]:
    """Kind and the two numbers of every coordinate's prior."""
    kind, first, second = [], [], []
    for block in structure.blocks:
        prior = np.asarray(inputs["prior"][block.name], dtype=float)
        names = [block.kind] * block.size
        if block.kind == "effect":
            names = [structure.effect[m] for m in block.media]
        kind += [_KINDS[name] for name in names]
        first += prior[0].tolist()
        second += prior[1].tolist()
    return np.array(kind, dtype=np.int64), np.array(first), np.array(second)


def _places(structure: Structure) -> tuple[Ints, Ints]:
    """Where each medium's parameters and the model's scales lie in the unconstrained vector."""
    at = np.full((structure.media, 7), -1, dtype=np.int64)
    for block in structure.blocks:
        start = structure.slices[block.name].start
        if block.name in ("effect", "geo_sd"):
            at[list(block.media), 0 if block.name == "effect" else 5] = start + np.arange(block.size)
        elif block.name == "geo_z":
            at[:, 6] = start + np.arange(structure.media) * (structure.geos - 1)
    for name, places in structure.shape_places.items():
        for i, (medium, column) in enumerate(places):
            at[medium, 1 + column] = structure.slices[name].start + i
    special = [
        structure.slices[name].start if name in structure.slices else -1
        for name in ("noise", "drift_sd", "drift_length", "total", "split", "control", "sparse_local", "sparse_global")
    ]
    return at, np.array(special, dtype=np.int64)


def _norms(kind: Ints, a: Floats, b: Floats) -> Floats:
    beta = np.array([lgamma(c + d) - lgamma(c) - lgamma(d) if k == 2 else 0.0 for k, c, d in zip(kind, a, b, strict=True)])
    half = 0.5 * np.log(2.0 / np.pi) - np.log(np.where(kind == 3, a, 1.0))
    cauchy = np.log(2.0 / np.pi) - np.log(np.where(kind == 4, a, 1.0))
    norms: Floats = np.select([kind == 2, kind == 3, kind == 4], [beta, half, cauchy], -0.5 * _LOG_2PI)
    return norms
