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
    from numpy.typing import NDArray

    from mmx.data.ads.history import AccountHistory
    from mmx.data.panel import Panel
    from mmx.mmm.posterior import Posterior
    from mmx.rules_settings import RulesSettings
    from mmx.schema import Config

RUN = "run.jsonl"
Z90 = 1.6448536269514722


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
        Mean and standard deviation of the logarithm of the model's ROAS over the platform's, of the periods that both know.
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
    found = incrementality(_posterior(source), channel, history)
    _same_money(content, history)
    low, high = (float(np.exp(found.log_mean + z * found.log_sd)) for z in (-Z90, Z90))
    sentence = (
        f"{planned:,.2f} a day from the plan for {channel} ({source}); of the platform's ROAS {found.platform_roas:.2f} the "
        f"model counts {np.exp(found.log_mean):.0%} [{low:.0%}, {high:.0%}] (90 %), {found.over}, in which the account spent "
        f"{found.spend_share:.0%} of the channel's money; {_compared(config.rules)}"
    )
    return FromPlan(channel, planned, found.log_mean, found.log_sd, sentence)


@dataclass(frozen=True)
class Incrementality:
    """How much of a platform's ROAS a marketing-mix model counts.

    Attributes
    ----------
    log_mean, log_sd : float
        Of the logarithm of the model's ROAS over the platform's, over posterior draws.
    platform_roas : float
    spend_share : float
        The account's spend over the channel's in the model's table.
    over : str
        The periods that were compared.
    """

    log_mean: float
    log_sd: float
    platform_roas: float
    spend_share: float
    over: str


def incrementality(posterior: Posterior, channel: str, history: AccountHistory) -> Incrementality:
    """A channel's ROAS over the platform's, in the periods that both tables hold, mature days only.

    Where they share no period with spend, the fit's whole window is compared with all mature days of the account.

    Parameters
    ----------
    posterior : Posterior
    channel : str
        A paid channel of it.
    history : AccountHistory

    Raises
    ------
    InputError
        If the model knows no ROAS of the channel, or the platform shows no spend or revenue.
    """
    from mmx.mmm.quantities import effects

    panel = posterior.panel
    c = panel.names("channel").index(channel)
    spend = panel.array("spend")[:, : posterior.stop, c].sum(axis=0)
    window = posterior.window[: posterior.stop]
    if panel.target_kind == "index" or spend[window].sum() <= 0.0:
        why = "is an index without money" if panel.target_kind == "index" else f"had no spend of {channel}"
        raise InputError(f"the fit's window {why}: there is no ROAS to compare the platform's with; leave --from out")
    days, mature = _days(panel, posterior.stop), history.dates[: len(history.dates) - history.immature_days]
    common = window & (days[:, 0] >= mature[0]) & (days[:, 1] < mature[-1] + np.timedelta64(1, "D"))
    rows = common if spend[common].sum() > 0.0 else window
    seen = np.ones(len(mature), dtype=bool)
    over = "over all that each of both tables holds, as they share no period"
    if rows is common:
        seen = ((mature[:, None] >= days[rows, 0]) & (mature[:, None] <= days[rows, 1])).any(axis=1)
        over = f"over {common.sum()} of the fit's {window.sum()} periods, those that both tables hold"
    spent, earned = (float(history.metric(name)[: len(mature)][seen].sum()) for name in ("spend", "revenue"))
    if not (spent > 0.0 and earned > 0.0):
        raise InputError(
            f"{history.account}: the platform shows spend {spent:g} and revenue {earned:g} {over}: no ROAS to compare with"
        )
    roas = effects(posterior).by_period[:, : posterior.stop][:, rows, c].sum(axis=1) / spend[rows].sum()
    log = np.log(np.maximum(roas, 1e-9)) - np.log(earned / spent)
    return Incrementality(float(log.mean()), float(log.std()), earned / spent, spent / float(spend[rows].sum()), over)


def _compared(rules: RulesSettings) -> str:
    """What incrementality means for decisions, by what the customer asks for."""
    asked = [name for name in ("target_roas", "margin") if getattr(rules, name) is not None]
    if asked:
        return f"rules hold ROAS times that against {' and '.join(f'rules.{name}' for name in asked)}"
    return "it cancels out, as the account is held against its own ROAS: give rules.target_roas or rules.margin"


def _days(panel: Panel, stop: int) -> NDArray[np.datetime64]:
    """First and last day of the periods before row ``stop``, (time, 2)."""
    import pandas as pd

    first = pd.DatetimeIndex(panel.dates[:stop])
    length = {"daily": pd.DateOffset(days=1), "weekly": pd.DateOffset(weeks=1), "monthly": pd.DateOffset(months=1)}
    last = first + length[panel.frequency] - pd.Timedelta(days=1)
    return np.stack([first, last], axis=1).astype("datetime64[D]")


def _same_money(content: dict[str, Any], history: AccountHistory) -> None:
    if content["money"] not in ("money", history.currency) and history.currency:
        raise InputError(
            f"the plan counts in {content['money']} and the account {history.account} in {history.currency}: bring the "
            "account's table into the plan's currency (ads.currency names it)"
        )


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


def _posterior(source: Path) -> Posterior:
    """The posterior of the fit that a recommendation was made from."""
    from mmx.mmm.store import read

    folder = source if source.is_dir() else source.parent
    inputs = [Path(name) for row in read_journal(folder / RUN) for name in row.get("inputs", ())]
    posterior = next((path for path in inputs if path.name == POSTERIOR), None)
    if posterior is None or not posterior.is_file():
        raise InputError(
            f"{folder / RUN} names {posterior or 'no posterior'}, which is not there: keep the fit's folder where the "
            f"recommendation {RECOMMENDATION} found it, or recommend again"
        )
    return read(posterior).posterior
