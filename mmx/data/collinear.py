"""Exact and near linear dependence among columns.

Exact: with centred columns scaled to length one, column ``x_j`` depends on the earlier ones where the residual of its
projection on them has a length below a tolerance. Near: the variance inflation factor ``VIF_j = 1 / (1 - R2_j)``, the
diagonal of the inverse correlation matrix.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmx.data.cells import Floats


def standardised(matrix: Floats) -> Floats:
    """Columns centred and scaled to length 1, (row, column); a constant column becomes 0."""
    # measured from the first row, so that a constant column is exactly 0
    shifted = matrix - matrix[:1]
    centred = shifted - shifted.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    return np.asarray(np.divide(centred, length, out=np.zeros_like(centred), where=length > 0))


def exact_dependences(matrix: Floats, tolerance: float) -> list[tuple[int, tuple[int, ...]]]:
    """Columns that are a linear function of earlier columns and a constant.

    Parameters
    ----------
    matrix : array, (row, column)
    tolerance : float
        Largest relative length of the residual that counts as none.

    Returns
    -------
    list of (int, tuple of int)
        Each dependent column with the earlier columns that it is made of. Constant columns are passed over.
    """
    x = standardised(matrix)
    basis: list[Floats] = []
    kept: list[int] = []
    found = []
    for j in range(x.shape[1]):
        residual = x[:, j]
        if not residual.any():
            continue
        # twice is enough (Kahan; Giraud et al. 2005): one pass loses orthogonality among nearly dependent columns
        for _ in range(2):
            for q in basis:
                residual = residual - q * (q @ residual)
        length = float(np.linalg.norm(residual))
        if length > tolerance:
            basis.append(residual / length)
            kept.append(j)
            continue
        coefficients = np.linalg.lstsq(x[:, kept], x[:, j], rcond=None)[0]
        parts = tuple(k for k, c in zip(kept, coefficients, strict=True) if abs(c) > np.sqrt(tolerance))
        found.append((j, parts or tuple(kept)))
    return found


def correlations(matrix: Floats) -> Floats:
    """Correlation of every pair of columns, (column, column); 0 with a constant column."""
    x = standardised(matrix)
    return np.asarray(x.T @ x, dtype=np.float64)


def inflation(matrix: Floats) -> Floats:
    """Variance inflation factor of each column, (column,); NaN for a constant column, infinite for a dependent one."""
    x = standardised(matrix)
    out = np.full(x.shape[1], np.nan)
    for j in np.flatnonzero(x.any(axis=0)):
        others = np.delete(x, j, axis=1)
        residual = x[:, j] - others @ np.linalg.lstsq(others, x[:, j], rcond=None)[0]
        left = float(residual @ residual)
        out[j] = 1 / left if left > np.finfo(float).eps else np.inf
    return out


def worst_pairs(matrix: Floats, names: Sequence[str], count: int) -> list[tuple[str, str, float]]:
    """Pairs of columns with the largest absolute correlation, worst first."""
    r = correlations(matrix)
    upper = np.triu_indices(len(names), 1)
    order = np.argsort(-np.abs(r[upper]), kind="stable")[:count]
    return [(names[upper[0][k]], names[upper[1][k]], float(r[upper][k])) for k in order]
