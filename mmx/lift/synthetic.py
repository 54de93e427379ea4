"""Synthetic controls: a weighted mean of untreated geos that follows the treated ones before the test.

Unit fixed effects are taken out first: every series is measured from its mean over the fitted periods, so that the donors need
only move alike, not be as large (Doudchenko and Imbens 2016; Ferman and Pinto 2021). With ``x`` the demeaned treated series and
``X`` the donors, (time, donor),

    w = argmin |x - X w|^2  over  w >= 0, sum(w) = 1                       (Abadie, Diamond and Hainmueller 2010)
    w_aug = w + Xc' (Xc Xc' + lambda I)^-1 (x - X w)                         (Ben-Michael, Feller and Rothstein 2021, eq. 9)

with ``Xc`` the donors less their mean at each time, so that the augmented weights still sum to one; they may be negative.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import linalg, optimize

from mmx.data.cells import Floats


def simplex_weights(target: Floats, donors: Floats) -> Floats:
    """Weights on the simplex that come closest, exactly.

    On the simplex ``|x - X w|`` is ``|P w|`` with ``P = X - x``, the distance of the origin from the hull of P's columns. For
    ``u = s w`` with free ``s >= 0``, ``|P u|^2 + (sum(u) - 1)^2`` has its minimum over ``s`` at ``|P w|^2 / (1 + |P w|^2)``,
    which grows with ``|P w|``: non-negative least squares give ``u``, and ``w = u / sum(u)``.

    Parameters
    ----------
    target : array, (time,)
    donors : array, (time, donor)

    Returns
    -------
    array, (donor,)
    """
    gaps = donors - target[:, None]
    # Scaled so that the two terms are alike in size: the solution does not depend on it, its rounding does.
    scale = float(np.sqrt((gaps**2).sum(axis=0).min()))
    if scale == 0:
        exact: Floats = np.eye(donors.shape[1])[int((gaps**2).sum(axis=0).argmin())]
        return exact
    stacked = np.vstack([gaps / scale, np.ones(donors.shape[1])])
    u, _ = optimize.nnls(stacked, np.append(np.zeros(len(gaps)), 1.0), maxiter=50 * donors.shape[1])
    return np.asarray(u / u.sum())


def augmented(weights: Floats, target: Floats, donors: Floats, ridge: float) -> Floats:
    """Return weights with the ridge correction of what they leave unexplained.

    Parameters
    ----------
    weights : array, (donor,)
    target : array, (time,)
    donors : array, (time, donor)
    ridge : float
        ``lambda`` over the mean squared norm of ``Xc`` at a time; 0 leaves the weights as they are, and so does infinity.
    """
    if ridge == 0:
        return weights
    centred = donors - donors.mean(axis=1, keepdims=True)
    gram = centred @ centred.T
    level = ridge * float(np.trace(gram)) / len(gram)
    if level == 0:
        return weights
    correction: Floats = centred.T @ linalg.solve(gram + level * np.eye(len(gram)), target - donors @ weights, assume_a="pos")
    return weights + correction


def gap(target: Floats, donors: Floats, fitted: np.ndarray, ridge: float) -> tuple[Floats, Floats]:
    """What the target has beyond its synthetic control, and the weights.

    Parameters
    ----------
    target : array, (time,)
    donors : array, (time, donor)
    fitted : array of bool, (time,)
        Periods that means and weights are taken from.
    ridge : float

    Returns
    -------
    gap : array, (time,)
        With mean zero over the fitted periods.
    weights : array, (donor,)
    """
    x = target - target[fitted].mean()
    others = donors - donors[fitted].mean(axis=0)
    weights = augmented(simplex_weights(x[fitted], others[fitted]), x[fitted], others[fitted], ridge)
    return x - others @ weights, weights


def choose_ridge(target: Floats, donors: Floats, grid: Sequence[float]) -> float:
    """Return the ridge of a grid that predicts periods best that were left out, one at a time; 0 where none beats no ridge.

    Parameters
    ----------
    target : array, (time,)
        Before the test.
    donors : array, (time, donor)
    grid : sequence of float
    """
    candidates = (0.0, *grid)
    errors = np.zeros(len(candidates))
    for t in range(len(target)):
        fitted = np.arange(len(target)) != t
        x, others = target - target[fitted].mean(), donors - donors[fitted].mean(axis=0)
        simple = simplex_weights(x[fitted], others[fitted])
        for k, ridge in enumerate(candidates):
            errors[k] += (x[t] - others[t] @ augmented(simple, x[fitted], others[fitted], ridge)) ** 2
    return candidates[int(errors.argmin())]
