"""Days of a rolling-origin backtest of rules: what is fitted on, where roll-outs start, and what tuning never sees.

    |- fold 1 fits -|-> rolled
    |- fold 2 fits ------|-> rolled
    |- fold 3 fits -----------|-> rolled   | purge + embargo | hold-out: a model of its own, rolled from its first day

The days that attribution had not finished on the morning of an origin are not fitted on (purge): the model masks them, and a
history as it was reported then has no others. Between tuning's last day and the hold-out lie the purge and an embargo, so that
no row tells of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmx.errors import DataError

if TYPE_CHECKING:
    from mmx.tune_settings import BacktestSettings


@dataclass(frozen=True)
class RuleFolds:
    """Rows of a history.

    Attributes
    ----------
    origins : tuple of int
        Rows on whose morning roll-outs start; the model is fitted on the rows before.
    holdout : int
        First row that the judge is fitted on, and on whose morning its roll-out starts.
    end : int
        Number of days.
    """

    origins: tuple[int, ...]
    holdout: int
    end: int


def rule_folds(days: int, immature_days: int, settings: BacktestSettings) -> RuleFolds:
    """Lay folds out.

    Parameters
    ----------
    days : int
        Days of the history.
    immature_days : int
        Days that attribution needs: the purge.
    settings : BacktestSettings

    Raises
    ------
    DataError
        If the days are too few, with the number that would do.
    """
    held = max(round(settings.holdout * days), 28)
    last = days - held - immature_days - settings.embargo
    first = settings.shortest + immature_days
    if last < first + settings.folds - 1:
        needed = days + first + settings.folds - 1 - last
        raise DataError(
            f"{days} days are too few for {settings.folds} folds of at least {settings.shortest} days, {immature_days} immature"
            f" days, an embargo of {settings.embargo} and a hold-out of {held}: about {needed} would do. Lower "
            "tune.backtest.shortest or folds, or bring a longer table"
        )
    step = (last - first) / (settings.folds - 1)
    return RuleFolds(tuple(round(first + i * step) for i in range(settings.folds)), days - held, days)
