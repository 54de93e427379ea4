"""What a platform has reported of a day by a later one: purchases arrive over days, and a history restates its last ones.

    reported = min(floor(tracked * curve[age]**speed + u), tracked),  speed = exp(SPEED_SD * z - SPEED_SD^2 / 2)

u and z belong to the day and ad set, so that a count never falls from one look to the next and ends at what is tracked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmx.worlds.accounts.luck import Floats

SPEED_SD = 0.25


def reported(
    tracked: Floats, revenue_per_purchase: Floats, age: NDArray[np.int64], curve: Floats, z: Floats, u: Floats
) -> tuple[Floats, Floats]:
    """Purchases and revenue of days as they stand some days later.

    Parameters
    ----------
    tracked : array, (..., day, ad set)
        Purchases that will be reported in the end.
    revenue_per_purchase : array, (..., day, ad set)
        Mean value of the day's orders, currency.
    age : array of int, (day,)
        Complete days since the day; 0 for the last one.
    curve : array, (lag,)
        Share of purchases reported by age; the last one is 1.
    z, u : array, (..., day, ad set)
        A standard normal and a uniform of the day.

    Returns
    -------
    purchases, revenue : array, (..., day, ad set)
    """
    share = curve[np.minimum(age, len(curve) - 1)][:, None] ** np.exp(SPEED_SD * z - 0.5 * SPEED_SD**2)
    purchases = np.minimum(np.floor(tracked * share + u), tracked)
    return purchases, np.round(purchases * revenue_per_purchase, 2)
