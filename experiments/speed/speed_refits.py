"""Ten expanding windows, each started from the last fit, against one fit from scratch of the whole window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mmx import fit, load, read_config


def measure(folder: Path, overrides: list[str], settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Run the folds of one case.

    Parameters
    ----------
    folder : Path
        Of the case.
    settings : dict
        ``folds``, and ``first``: the share of the rows in the first window.

    Returns
    -------
    dict
        ``scratch`` (the second of two fits of the whole window, so that everything is compiled) and ``folds``, each with
        seconds and the gate; ``ratio`` of the folds' summed sampling time to that of the fit from scratch.
    """
    config = read_config(folder / "mmx.yaml", overrides=overrides)
    panel = load(config)
    fit(panel, config.spec, seed=seed)
    whole = fit(panel, config.spec, seed=seed)
    rows = np.flatnonzero(panel.window)
    sizes = np.linspace(settings["first"] * len(rows), len(rows), settings["folds"]).round().astype(int)
    start, folds = None, []
    for size in [sizes[0], *sizes]:  # The first window is fitted from scratch, then once more from its own posterior.
        weights = np.zeros(len(panel.window))
        weights[rows[:size]] = 1.0
        start = fit(panel, config.spec, seed=seed, weights=weights, start=start)
        folds.append({"rows": int(size), **_summary(start)})
    sampled = sum(f["sample"] for f in folds[1:])
    return {
        "scratch": _summary(whole),
        "first": folds[0],
        "folds": folds[1:],
        "ratio": sampled / whole.seconds["sample"],
        "passed": sum(f["passed"] for f in folds[1:]),
    }


def _summary(fitted: Any) -> dict[str, Any]:
    return {
        "passed": fitted.converged,
        "reasons": list(fitted.gate.reasons),
        "sample": fitted.seconds["sample"],
        "total": fitted.seconds["total"],
        "min_ess": fitted.gate.min_ess,
        "max_rhat": fitted.gate.max_rhat,
        "retried": len(fitted.decisions) > 0,
    }
