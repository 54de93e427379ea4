"""Arms that pool scores instead of optima: which of the vectors that all customers tried serves a customer left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pooling_accounts import Floats


def told(scores: Floats) -> dict[str, list[float]]:
    """Gain of every vector over the defaults, its mean over posterior draws and their standard deviation."""
    gain = scores - scores[0]
    return {"gain": np.round(gain.mean(axis=1), 6).tolist(), "sd": np.round(gain.std(axis=1, ddof=1), 6).tolist()}


def score_arms(cells: Sequence[dict[str, Any]], settings: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Vectors of every arm by customer, as numbers of the design.

    ``others``: the largest mean gain of the other groups' customers. ``both``: the largest posterior mean of the customer's own
    gain, which lies normally around the others' mean; the spread between customers is what their gains vary beyond the
    variance of their draws, over all vectors together.
    """
    wide, found = str(settings["others"]), {}
    for begin in range(0, len(cells), settings["left_out"]):
        outside = cells[begin : begin + settings["left_out"]]
        inside = [cell["own"][wide]["scores"] for cell in cells if cell not in outside]
        gains, errors = np.array([c["gain"] for c in inside]), np.array([c["sd"] for c in inside])
        mean = gains.mean(axis=0)
        spread = float(np.maximum(gains.var(axis=0, ddof=1) - (errors**2).mean(axis=0), 0.0).mean())
        for cell in outside:
            arms = {"scores": int(mean.argmax())}
            for weeks in settings["weeks"]:
                gain, error = (np.array(cell["own"][str(weeks)]["scores"][key]) for key in ("gain", "sd"))
                share = spread / np.maximum(spread + error**2, 1e-12)
                arms[f"both scores {weeks}"] = int((mean + share * (gain - mean)).argmax())
                arms[f"own {weeks}"] = int(gain.argmax())
            found[str(cell["customer"])] = arms
    return found
