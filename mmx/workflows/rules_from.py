"""What a recommendation says to the daily rules: the account's money, and how much of the platform's ROAS is true."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmx.errors import InputError
from mmx.workflows.fit import POSTERIOR
from mmx.workflows.journal import read_journal
from mmx.workflows.recommend import RECOMMENDATION, earlier_content

if TYPE_CHECKING:
    from mmx.data.ads.history import AccountHistory
    from mmx.schema import Config

RUN = "run.jsonl"


@dataclass(frozen=True)
class FromPlan:
    """What daily rules take from a recommendation and its fit.

    Attributes
    ----------
    channel : str
        The channel of the marketing-mix model that the account is part of.
    money : float
        The account's money of a day, in the fit's currency.
    log_incrementality, log_sd : float
        Mean and standard deviation of the logarithm of the model's ROAS over the platform's.
    sentence : str
        Where both come from, with numbers.
    """

    channel: str
    money: float
    log_incrementality: float
    log_sd: float
    sentence: str


def read_plan(source: Path, config: Config, history: AccountHistory, date: dt.date) -> FromPlan:
    """Read a recommendation's folder and the fit that it was made from.

    Parameters
    ----------
    source : path
        Output folder of ``mmx recommend``.
    config : Config
        ``rules.channel`` and ``rules.channel_share``.
    history : AccountHistory
        The account's past, for the platform's ROAS.
    date : date
        The day that is decided about.

    Raises
    ------
    InputError
        If there is no such folder or fit, no such channel, the plan does not cover the day, or nothing was sold.
    """
    content = earlier_content(source)
    channel = config.rules.channel
    if channel is None or channel not in content["channels"]:
        known = ", ".join(content["channels"])
        raise InputError(
            f"--from needs rules.channel, the channel of the recommendation that the account belongs to; it has {known}, and "
            f"rules.channel is {channel!r}"
        )
    planned = _money(content, channel, date, source) * config.rules.channel_share
    roas = _roas_draws(source, channel)
    mature = slice(0, len(history.dates) - history.immature_days)
    spend, revenue = (float(history.metric(name)[mature].sum()) for name in ("spend", "revenue"))
    if not (spend > 0.0 and revenue > 0.0):
        raise InputError(
            f"{history.account}: the platform shows spend {spend:g} and revenue {revenue:g}: no ROAS to compare with"
        )
    log = np.log(np.maximum(roas, 1e-9)) - np.log(revenue / spend)
    low, high = np.quantile(np.exp(log), (0.05, 0.95))
    sentence = (
        f"{planned:,.2f} a day from the plan for {channel} ({source}); of the platform's ROAS {revenue / spend:.2f} the model "
        f"counts {np.exp(log.mean()):.0%} [{low:.0%}, {high:.0%}] (90 %)"
    )
    return FromPlan(channel, planned, float(log.mean()), float(log.std()), sentence)


def _money(content: dict[str, Any], channel: str, date: dt.date, source: Path) -> float:
    """Planned money of a channel on a day: that of the cells that cover it, spread evenly over their days."""
    total, covered = 0.0, False
    for cell in content["cells"]:
        start, end = (dt.date.fromisoformat(cell[key]) for key in ("start", "end"))
        if cell["channel"] == channel and start <= date <= end:
            covered = True
            total += cell["recommended"] / ((end - start).days + 1)
    if not covered:
        raise InputError(
            f"the plan in {source} goes from {content['start']} to {content['end']}, and the rules decide about {date}: "
            "recommend for a horizon that holds the day, or leave --from out"
        )
    return total


def _roas_draws(source: Path, channel: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Posterior draws of a channel's ROAS over the fit's window, of the fit that a recommendation was made from."""
    from mmx.mmm.quantities import effects, roas_draws
    from mmx.mmm.store import read

    folder = source if source.is_dir() else source.parent
    inputs = [Path(name) for row in read_journal(folder / RUN) for name in row.get("inputs", ())]
    posterior = next((path for path in inputs if path.name == POSTERIOR), None)
    if posterior is None or not posterior.is_file():
        raise InputError(
            f"{folder / RUN} names {posterior or 'no posterior'}, which is not there: keep the fit's folder where the "
            f"recommendation {RECOMMENDATION} found it, or recommend again"
        )
    fit = read(posterior).posterior
    return np.asarray(roas_draws(fit, effects(fit))[f"roas[{channel}]"], float).ravel()
