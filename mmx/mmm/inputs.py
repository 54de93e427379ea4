"""Everything that the compiled density takes as arguments: data, row weights and constants, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mmx.data.panel import Floats, Panel
from mmx.mmm import correlated, effectiveness, lift, reference
from mmx.mmm import design as baseline
from mmx.mmm.structure import Structure, structure_of
from mmx.spec import Constants, Spec

Inputs = dict[str, Any]
STEP = 0.01  # Marginal quantities speak of +1 % of every cell.


def prepare(
    spec: Spec, panel: Panel, weights: npt.NDArray[np.float64] | None = None
) -> tuple[Structure, Inputs, baseline.Design]:
    """Arrays of one fit.

    Parameters
    ----------
    spec : Spec
        Resolved.
    panel : Panel
    weights : array, (time,), optional
        Row weights: 0 is held out, 1 is used. The KPI window by default.

    Returns
    -------
    Structure, dict of arrays, Design
        Inside the density the order is ``time, geo, media``; money is KPI money per unit of the scaled KPI.
    """
    constants = spec.constants
    if constants is None:
        raise ValueError("the specification is not resolved: call mmx.mmm.resolve.resolve(spec, panel) first")
    design = baseline.build(spec, panel)
    row_weights = panel.window.astype(float) if weights is None else np.asarray(weights, dtype=float) * panel.window
    geos, times = panel.data.sizes["geo"], panel.data.sizes["time"]
    w = np.repeat(row_weights[:, None], geos, axis=1)
    train = w > 0
    x = scaled_exposure(panel, constants)
    other, counted = other_exposure(constants, x, train)
    structure = structure_of(
        spec,
        geos=geos,
        times=times,
        columns=design.z.shape[2],
        other=bool(counted[:, 1].any()),
        own_columns=len(design.local),
        groups=len(set(panel.groups)),
        signed=design.signed.shape[2],
        sparse=design.sparse,
        frequency=panel.names("frequency"),
    )
    size = np.array(constants.geo_scale) * constants.kpi_scale
    kpi = panel.array("kpi").T
    y = observed(spec, kpi, size)
    money = money_per_unit(panel, constants)
    if structure.multiplicative:  # An effect is a share of the KPI: what a unit of it is worth is the KPI itself.
        money = money * np.where(train, kpi / size, 0.0)
    spend = np.concatenate([panel.array("spend"), panel.array("organic")], axis=2).swapaxes(0, 1)
    trained_spend = np.where(train[..., None], spend, 0.0).sum(axis=0)
    inputs: Inputs = {
        **_baseline_inputs(design, w),
        "x": x,
        "x_other": other,
        "counted": counted,
        "y": np.where(train, y, 0.0),
        "w": w,
        "rows_used": float(train.sum()),
        "log_weight": np.log(np.where(train, w, 1.0)).sum(),
        "money_train": np.where(train, money, 0.0),
        **_effect_inputs(spec, constants),
        "size": size,
        "center": constants.kpi_center,
        "lognormal": structure.lognormal,
        "other": np.array(structure.other),
        "geo_basis": nested_bases(trained_spend, panel.groups),
        "geo_mirror": mirrors(trained_spend),
        "prior": prior_arrays(spec, structure),
    }
    inputs |= _special_inputs(spec, panel, structure, design, row_weights, inputs)
    return structure, inputs, design


def _special_inputs(
    spec: Spec, panel: Panel, structure: Structure, design: baseline.Design, weights: Floats, inputs: Inputs
) -> Inputs:
    """What only some models have: experiments, effectiveness over time, other noise, a baseline that is sampled."""
    out: Inputs = lift_inputs(spec, panel, weights) if spec.lift_tests else {}
    if structure.varies:
        assert spec.constants is not None
        found = effectiveness.basis(spec.constants, panel, weights > 0)
        out["effectiveness_basis"], out["effectiveness_frequency"] = found
    if not structure.collapsed:
        target = reference.of_kpi(structure, inputs["y"], inputs["size"], inputs["center"], inputs["w"])
        out["reference"], out["reference_variance"] = target
    elif not structure.plain:
        out |= correlated.products(design.z, inputs["local"], inputs["w"])
    return out


def _effect_inputs(spec: Spec, constants: Constants) -> Inputs:
    """What effects are counted in, and how those under one total share it."""
    return {
        "numerator": np.array(constants.numerator),
        "bend": np.array([-STEP if kind == "mroas" else 1.0 for kind in constants.kind]),
        "direct": np.array([kind == "coefficient" for kind in constants.kind]),
        "split_sd": spec.model.split_sd,
        "split_basis": zero_sum_bases(np.ones((max(constants.kind.count("total"), 1), 1)))[0],
    }


def _baseline_inputs(design: baseline.Design, w: Floats) -> Inputs:
    """Design of the baseline with its products under row weights (time, geo)."""
    wz = design.z * w[..., None]
    local, middle = local_columns(design.local, w)
    return {
        "z_cell": design.z[..., : design.cell_columns],
        "z_time": design.z[:, 0, design.cell_columns :],
        "zz": np.einsum("tgp,tgq->pq", wz, design.z),
        "local": local,
        "local_middle": middle,
        "local_z": np.einsum("ktg,tgp->kgp", local, wz),
        "local_w": np.einsum("ktg,tg->kg", local**2, w),
        "local_sd": design.local_sd,
        "prior_sd": design.prior_sd,
        "frequency": design.frequency,
        "signed": design.signed,
    }


def lift_inputs(spec: Spec, panel: Panel, weights: Floats) -> dict[str, Floats]:
    """Arrays of experiments under row weights (time,): see ``mmx.mmm.lift.probes``."""
    assert spec.constants is not None
    size = np.array(spec.constants.geo_scale) * spec.constants.kpi_scale
    kpi, worth, train = panel.array("kpi").T, money_per_unit(panel, spec.constants), weights > 0
    multiplicative = spec.model.likelihood == "lognormal" or spec.model.link == "log"
    scale = np.where(train[:, None], kpi / size, 0.0) if multiplicative else 1.0
    x = scaled_exposure(panel, spec.constants)
    return lift.probes(spec, panel, x, train, scale * np.broadcast_to(size, kpi.shape), scale * worth)


def observed(spec: Spec, kpi: Floats, size: Floats) -> Floats:
    """What the likelihood is of, (time, geo): the scaled KPI or its logarithm less the centre, or counts as they are.

    Parameters
    ----------
    spec : Spec
        Resolved.
    kpi : array, (time, geo)
    size : array, (geo,)
        KPI units per scaled unit.
    """
    assert spec.constants is not None
    if spec.model.likelihood == "negative_binomial":
        return kpi
    scaled: Floats = kpi / size
    if spec.model.likelihood == "lognormal":
        scaled = np.log(np.where(scaled > 0, scaled, np.nan))
    return scaled - spec.constants.kpi_center


def other_exposure(constants: Constants, x: Floats, train: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """What else the effects are counted from.

    A marginal ROAS is the difference that ``STEP`` more exposure in the training rows makes, over ``STEP``; everything else is
    counted from the actual exposure, less what exposure outside the training rows does inside them.

    Parameters
    ----------
    constants : Constants
    x : array, (time, geo, media + frequencies)
    train : array of bool, (time, geo)

    Returns
    -------
    other : array, (time, geo, media + frequencies)
        Exposure, and the same frequencies.
    counted : array, (media, 2)
        How often the effect counts the actual exposure, and the other one.
    """
    marginal = np.array([kind == "mroas" for kind in constants.kind])
    media = len(marginal)
    other = x.copy()
    other[..., :media] = np.where(train[..., None], x[..., :media] * np.where(marginal, 1.0 + STEP, 0.0), x[..., :media])
    stop = int(np.flatnonzero(train.any(axis=1))[-1]) + 1
    carries_in = bool(np.where(train[..., None], 0.0, x[..., :media])[:stop].any())
    counted = np.where(marginal[:, None], [-1.0 / STEP, 1.0 / STEP], [1.0, -1.0 * carries_in])
    return other, counted


def local_columns(columns: Floats, w: Floats) -> tuple[Floats, Floats]:
    """Columns that geos have coefficients of their own for, each but the first measured from its mean over a geo's rows.

    Orthogonal in every geo, so that its coefficients are eliminated one by one.

    Parameters
    ----------
    columns : array, (local column, time)
    w : array, (time, geo)
        Row weights.

    Returns
    -------
    local : array, (local column, time, geo)
    middle : array, (local column, geo)
        What was subtracted; 0 for the first column, which is 1.
    """
    middle = columns @ w / w.sum(axis=0)
    middle[0] = 0.0
    local: Floats = columns[:, :, None] - middle[:, None, :]
    return local, middle


def scaled_exposure(panel: Panel, constants: Constants) -> Floats:
    """Exposure per head and frequency, in multiples of their means over active cells.

    Returns
    -------
    array, (time, geo, media + frequencies)
        The frequencies of channels with reach stand after all media: see ``Structure.often``.
    """
    exposure = panel.media_exposure / np.array(constants.geo_scale)[:, None, None] / np.array(constants.media_scale)
    often = panel.media_frequency / np.array(constants.frequency_scale)
    scaled: Floats = np.concatenate([exposure, often], axis=2).swapaxes(0, 1)
    return scaled


def money_per_unit(panel: Panel, constants: Constants) -> Floats:
    """KPI money (KPI units for an index) per unit of the scaled KPI, (time, geo)."""
    money: Floats = panel.array("unit_value").T * np.array(constants.geo_scale) * constants.kpi_scale
    return money


def zero_sum_bases(size: Floats) -> Floats:
    """Orthonormal bases of the deviations whose size-weighted sum is zero.

    Parameters
    ----------
    size : array, (geo, media)
        Spend, or exposure of organic media; equal sizes where a medium has none.

    Returns
    -------
    array, (media, geo, geo - 1)
    """
    # A Householder reflection sends the first axis to the weights; its other columns span their complement.
    axes = mirrors(size)
    bases: Floats = (np.eye(len(size)) - axes[:, :, None] * axes[:, None, :])[:, :, 1:]
    return bases


def nested_bases(size: Floats, groups: tuple[str, ...]) -> Floats:
    """Bases of geos' deviations in two levels: first those of groups, alike for all their geos, then those within each group.

    Both sum to zero by size: over groups, and over the geos of each.

    Parameters
    ----------
    size : array, (geo, media)
    groups : tuple of str, (geo,)
        Empty without groups.

    Returns
    -------
    array, (media, geo, geo - 1)
    """
    if not groups:
        return zero_sum_bases(size)
    labels = np.array(groups)
    weight = np.where(size.sum(axis=0) > 0, size, 1.0)
    names = list(dict.fromkeys(groups))
    inside = [labels == name for name in names]
    between = zero_sum_bases(np.stack([weight[own].sum(axis=0) for own in inside]))
    out = np.zeros((size.shape[1], len(labels), len(labels) - 1))
    start = len(names) - 1
    for g, own in enumerate(inside):
        out[:, own, : len(names) - 1] = between[:, g, None, :]
        width = int(own.sum()) - 1
        out[:, own, start : start + width] = zero_sum_bases(weight[own])
        start += width
    return out


def mirrors(size: Floats) -> Floats:
    """Axes ``a`` of the reflections ``I - a a'`` behind ``zero_sum_bases``, (media, geo); ``a'a`` is 2."""
    weight = np.where(size.sum(axis=0) > 0, size, 1.0).T
    unit = weight / np.linalg.norm(weight, axis=1, keepdims=True)
    unit[:, 0] += np.where(unit[:, 0] >= 0, 1.0, -1.0)
    axes: Floats = unit * np.sqrt(2.0) / np.linalg.norm(unit, axis=1, keepdims=True)
    return axes


def prior_arrays(spec: Spec, structure: Structure) -> dict[str, Floats]:
    """Two numbers per parameter: location and scale, the two shapes of a beta, or the scale of a half-normal and zero."""
    media = [*spec.channels.values(), *spec.organic.values()]
    constants, priors = spec.constants, spec.model.baseline
    assert constants is not None
    table: dict[str, Floats] = {}
    for block in structure.blocks:
        if block.name == "effect":
            pairs = [media[m].prior_of(constants.kind[m], spec.model).location_scale() for m in block.media]
        elif block.name == "total":
            pairs = [spec.model.priors.location_scale()]
        elif block.name in ("drift_length", "effectiveness_length", "degrees"):
            pairs = [getattr(priors, block.name).location_scale()]
        elif block.name == "autocorrelation":
            pairs = [(float(priors.autocorrelation.a or 0), float(priors.autocorrelation.b or 0))]
        elif block.kind == "half_normal":
            scales = {"noise": priors.noise, "drift_sd": priors.drift, "control": priors.control}
            on_kpi = block.name in scales
            scale = scales[block.name] * constants.kpi_sd if on_kpi else priors.effectiveness
            pairs = [(scale, 0.0)] * block.size
        elif block.kind == "half_cauchy":  # The slab is the columns' own prior scale.
            pairs = [(1.0 if block.name == "sparse_local" else priors.sparse * constants.kpi_sd, 0.0)] * block.size
        elif block.name in ("geo_sd", "group_sd"):
            pairs = [(0.0, priors.geo_effect if block.name == "geo_sd" else priors.group_effect)] * block.size
        elif block.kind == "normal":
            pairs = [(0.0, 1.0)] * block.size
        else:
            own = [getattr(media[m].shapes, block.name) for m in block.media]
            pairs = [(float(p.a), float(p.b)) if block.kind == "beta" else p.location_scale() for p in own]
        table[block.name] = np.array(pairs, dtype=float).T
    return table
