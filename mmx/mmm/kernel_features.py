"""What the compiled kernel reads of a model beside the plain one; all empty for the plain model."""

from __future__ import annotations

from math import lgamma
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mmx.mmm.kernel_codes import COUNTS, is_plain, likelihood_code
from mmx.mmm.structure import Structure

Floats = npt.NDArray[np.float64]

SCRATCH = 5  # Arrays (cell,) that the general kernel needs beside curves.


class Features(NamedTuple):
    """Likelihood, noise, groups, effectiveness over time and experiments; ``-1`` marks a parameter that the model lacks."""

    plain: Any  # 1 where the plain model's kernel computes the density
    likelihood: Any  # see kernel_codes.likelihood_code
    multiplicative: Any  # 1 where media and baseline add up to the logarithm of the expected KPI
    noises: Any  # scales of the noise: 1, or one per geo
    degrees: Any  # place of the degrees of freedom, less 2
    autocorrelation: Any  # place of the noise's autocorrelation
    baseline: Any  # place of the first coordinate of the shared columns
    own: Any  # place of the first coordinate of the geos' own columns
    bend: Any  # (media,) of a multiplicative model
    size: Any  # (geo,) counts per unit of the scaled KPI
    center: Any
    reference: Any  # (cell,) of counts: see mmx.mmm.reference
    reference_variance: Any
    log_factorials: Any  # weighted sum over the counts
    inner: Any  # (cell,) row weights, 0 at the ends of the rows
    parts_zz: Any  # (part, noise, column, column) see mmx.mmm.correlated.products
    parts_own: Any  # (part, geo, own column, own column)
    parts_cross: Any  # (part, geo, own column, column)
    groups: Any  # groups of geos, or 0
    group_sd: Any  # place of the first medium's standard deviation between groups
    geo_basis: Any  # (media, geo, geo - 1) with groups
    effect_curve: Any  # (media,) curve over time of its effectiveness, or -1
    effect_curves: Any  # number of these curves
    effect_sd: Any  # place of the first curve's standard deviation
    effect_length: Any  # place of their length
    effect_z: Any  # place of the first curve's first coefficient
    effect_basis: Any  # (time, term)
    effect_frequency: Any  # (term,)
    lift_medium: Any  # (experiment,) those that are used
    lift_x: Any  # (experiment, cell) exposure without the tested spend
    lift_worth: Any  # (experiment, cell)
    lift_value: Any  # (experiment,)
    lift_sd: Any  # (experiment,)


LAYOUT = Features(  # See ``mmx.machine.code.table_of``.
    plain="i0",
    likelihood="i0",
    multiplicative="i0",
    noises="i0",
    degrees="i0",
    autocorrelation="i0",
    baseline="i0",
    own="i0",
    bend="f1",
    size="f1",
    center="f0",
    reference="f1",
    reference_variance="f0",
    log_factorials="f0",
    inner="f1",
    parts_zz="f4",
    parts_own="f4",
    parts_cross="f4",
    groups="i0",
    group_sd="i0",
    geo_basis="f3",
    effect_curve="i1",
    effect_curves="i0",
    effect_sd="i0",
    effect_length="i0",
    effect_z="i0",
    effect_basis="f2",
    effect_frequency="f1",
    lift_medium="i1",
    lift_x="f2",
    lift_worth="f2",
    lift_value="f1",
    lift_sd="f1",
)


def features_of(structure: Structure, inputs: dict[str, Any], times: int) -> Features:
    """Lay out what the first ``times`` rows need."""
    cells, code = times * structure.geos, likelihood_code(structure)
    y, w = np.asarray(inputs["y"], dtype=float), np.asarray(inputs["w"], dtype=float)
    counts = code == COUNTS
    places = {name: where.start for name, where in structure.slices.items()}
    lift = _experiments(structure, inputs, times)
    return Features(
        plain=int(is_plain(structure)),
        likelihood=code,
        multiplicative=int(structure.multiplicative),
        noises=structure.noises,
        degrees=places.get("degrees", -1),
        autocorrelation=places.get("autocorrelation", -1),
        baseline=places.get("baseline", -1),
        own=places.get("local", -1),
        bend=_floats(inputs["bend"] if structure.multiplicative else np.zeros(0)),
        size=_floats(inputs["size"] if counts else np.zeros(0)),
        center=float(inputs["center"]),
        reference=_floats(inputs["reference"][:times]).ravel() if counts else np.zeros(0),
        reference_variance=float(inputs["reference_variance"]) if counts else 0.0,
        log_factorials=sum(a * lgamma(b + 1.0) for a, b in zip(w.ravel(), y.ravel(), strict=True) if a > 0) if counts else 0.0,
        groups=structure.groups,
        group_sd=places.get("group_sd", -1),
        geo_basis=_floats(inputs["geo_basis"] if structure.groups else np.zeros((0, 0, 0))),
        effect_curve=np.array(structure.effectiveness, dtype=np.int64),
        effect_curves=max(structure.effectiveness, default=-1) + 1,
        effect_sd=places.get("effectiveness_sd", -1),
        effect_length=places.get("effectiveness_length", -1),
        effect_z=places.get("effectiveness_z", -1),
        effect_basis=_floats(inputs["effectiveness_basis"][:times] if structure.varies else np.zeros((0, 0))),
        effect_frequency=_floats(inputs["effectiveness_frequency"] if structure.varies else np.zeros(0)),
        lift_medium=lift["medium"].astype(np.int64),
        lift_x=_floats(lift["x"]).reshape(-1, cells),
        lift_worth=_floats(lift["worth"]).reshape(-1, cells),
        lift_value=_floats(lift["value"]),
        lift_sd=_floats(lift["sd"]),
        **_products(structure, inputs, times),
    )


def scratch_cells(structure: Structure, features: Features, cells: int) -> int:
    """Length of the scratch memory that the general kernel needs beside what the plain one does; 0 for the plain model."""
    if features.plain:
        return 0
    experiments = len(features.lift_medium)
    return cells * (SCRATCH - 3 + 5 * experiments + structure.media * structure.multiplicative)


def _floats(value: Any) -> Floats:
    return np.ascontiguousarray(value, dtype=np.float64)


def _experiments(structure: Structure, inputs: dict[str, Any], times: int) -> dict[str, Any]:
    """Experiments that the training rows know of."""
    if not structure.lift:
        nothing = np.zeros(0)
        return {"medium": nothing, "x": nothing, "worth": nothing, "value": nothing, "sd": nothing}
    used = np.asarray(inputs["lift_used"]) > 0
    cells = {name: inputs[f"lift_{name}"][used, :times] for name in ("x", "worth")}
    return {
        **cells,
        "medium": np.array(structure.lift)[used],
        "value": inputs["lift_value"][used],
        "sd": inputs["lift_sd"][used],
    }


def _products(structure: Structure, inputs: dict[str, Any], times: int) -> dict[str, Floats]:
    """Products of the rows: summed over geos that share a noise scale, the first part only without autocorrelation."""
    if is_plain(structure) or not structure.collapsed:
        nothing = np.zeros((0, 0, 0, 0))
        return {"inner": np.zeros(0), "parts_zz": nothing, "parts_own": nothing, "parts_cross": nothing}
    if structure.plain:
        zz, inner = np.asarray(inputs["zz"])[None, None], np.zeros(0)
        own = np.einsum("kg,kj->gkj", inputs["local_w"], np.eye(len(inputs["local_w"])))[None]
        cross = np.swapaxes(inputs["local_z"], 0, 1)[None]
    else:
        parts = 3 if structure.autocorrelated else 1
        zz, own, cross = (np.asarray(inputs[f"parts_{name}"])[:parts] for name in ("zz", "own", "cross"))
        inner = np.where(np.asarray(inputs["first"]) | np.asarray(inputs["last"]), 0.0, inputs["w"])[:times].ravel()
    count = structure.own_columns if structure.geos > 1 else 0
    return {
        "inner": _floats(inner),
        "parts_zz": _floats(zz.sum(axis=1, keepdims=True) if structure.noises == 1 else zz),
        "parts_own": _floats(own[:, :, :count, :count]),
        "parts_cross": _floats(cross[:, :, :count]),
    }
