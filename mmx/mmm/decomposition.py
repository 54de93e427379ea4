"""Additive decomposition of the expected KPI money of the window, period by period: media, treatments, carry-in, baseline.

Of an additive model these are the counterfactual contributions themselves; of a multiplicative one the log-mean Divisia index
(``mmx.mmm.multiplicative``), media against no media and the baseline's components against its intercept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmx.data.panel import Floats
from mmx.mmm import predict
from mmx.mmm.multiplicative import shares
from mmx.mmm.posterior import Posterior


@dataclass(frozen=True)
class Decomposition:
    """Money per period, summed over geos; everything together is the expected KPI money.

    Attributes
    ----------
    media, treatments : array, (media, window, sample) and (treatment, window, sample)
        Of exposure in the window, and of treatments above their minimum.
    carry_in : array, (window, sample)
        Of media before the window.
    baseline : dict of array, (window, sample)
        By component.
    """

    media: Floats
    treatments: Floats
    carry_in: Floats
    baseline: dict[str, Floats]


def decompose(posterior: Posterior) -> Decomposition:
    """Decompose the window."""
    return _log_mean(posterior) if posterior.structure.multiplicative else _additive(posterior)


def _additive(posterior: Posterior) -> Decomposition:
    rows = np.flatnonzero(posterior.window)
    media = posterior.levels(1.0, tail=False)[:, rows]
    carry_in = np.zeros(media.shape[:2])
    if posterior.has_carry_in:
        zero = posterior.levels(0.0, tail=False)[:, rows]
        media -= zero
        carry_in = zero.sum(axis=2)
    money = posterior.money[rows]
    return Decomposition(
        media=np.ascontiguousarray(media.T),
        treatments=_treatments(posterior, money),
        carry_in=np.ascontiguousarray(carry_in.T),
        baseline=_baseline(posterior, money),
    )


def _treatments(posterior: Posterior, money: Floats) -> Floats:
    """Money of each treatment against its minimum, (treatment, window, sample), summed over geos."""
    design, rows = posterior.design, np.flatnonzero(posterior.window)
    where = design.groups.get("treatments")
    if where is None:
        return np.zeros((0, len(rows), posterior.samples))
    weighted = np.einsum("tgk,tg->tk", design.z[rows][..., where], money)
    value: Floats = weighted.T[:, :, None] * posterior.gamma[:, where].T[:, None]
    return value


def _baseline(posterior: Posterior, money: Floats) -> dict[str, Floats]:
    """Baseline by component; treatments are media here, not baseline."""
    design, rows = posterior.design, np.flatnonzero(posterior.window)
    weighted = np.einsum("tgp,tg->tp", design.z[rows], money)
    parts = {}
    for name, where in design.groups.items():
        if name != "treatments":
            parts[name] = weighted[:, where] @ posterior.gamma[:, where].T
    if design.signed.shape[2]:
        signed = np.einsum("tgk,tg->tk", design.signed[rows], money) @ posterior.params["control"].T
        parts["controls"] = parts["controls"] + signed if "controls" in parts else signed
    centre = posterior.constants.kpi_center * money.sum(axis=1, keepdims=True)
    own = np.einsum("kt,tg,skg->kts", design.local[:, rows], money, posterior.local, optimize=True)
    parts["intercept"] = parts["intercept"] + centre + own[0]
    if len(own) > 1:
        parts["trend"] = parts["trend"] + own[1]
    return parts


def _log_mean(posterior: Posterior) -> Decomposition:
    rows = np.flatnonzero(posterior.window)
    worth = posterior.panel.array("unit_value")[:, rows]
    sums: dict[str, Floats] = {}
    for g, found in enumerate(predict.parts(posterior)):
        for name, value in _of_geo(posterior, found, g).items():
            money = value * worth[g, :, None] if value.ndim == 3 else value * worth[g]
            sums[name] = sums[name] + money if name in sums else money
    turned = {name: np.ascontiguousarray(value.T) for name, value in sums.items()}
    return Decomposition(turned.pop("media"), turned.pop("treatments"), turned.pop("carry_in"), turned)


def _of_geo(posterior: Posterior, found: predict.Parts, geo: int) -> dict[str, Floats]:
    """One geo's decomposition in KPI units, (sample, window, ...)."""
    all_media = found.media.sum(axis=2) + found.carry_in + found.treatments.sum(axis=2)
    level = found.total()
    whole = predict.expected(posterior, level.T, geo).T
    unit = shares(whole, all_media)
    bare = predict.expected(posterior, (level - all_media).T, geo).T
    others = {name: value for name, value in found.baseline.items() if name != "intercept"}
    above = np.sum(list(others.values()), axis=0) if others else np.zeros_like(level)
    base_unit = shares(bare, above)
    return {
        "media": unit[..., None] * found.media,
        "treatments": unit[..., None] * found.treatments,
        "carry_in": unit * found.carry_in,
        "intercept": predict.expected(posterior, found.baseline["intercept"].T, geo).T,
        **{name: base_unit * value for name, value in others.items()},
    }
