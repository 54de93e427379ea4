"""The truth of an account: how each ad set turns money into impressions, clicks and purchases, drawn once from a seed.

Per ad set and day, with budget-limited spend s:

    impressions = audience * cap * (1 - exp(-x / cap)),  x = 1000 s / cpm / audience      people can be reached only so often
    clicks      = impressions * sum over ads of share * ctr * fatigue(impressions of the ad per person)
    purchases   = clicks * cvr * depth(s / half) * demand * stock * learning              the best prospects buy first
    depth(v)    = 1 / (1 + v)  or  (1 - exp(-v)) / v

None of it has the constant elasticity of the response model in ``mmx.rules``. Efficiencies and saturation are drawn around the
campaign, which is drawn around the customer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmx.worlds.accounts.calendar import Calendar, make_calendar
from mmx.worlds.accounts.creatives import Creatives, make_creatives
from mmx.worlds.accounts.customer import Customer
from mmx.worlds.accounts.luck import Floats

MAX_FREQUENCY = 1.0  # impressions per person and day that an audience can hold
FATIGUE_FLOOR = 0.4  # share of the CTR that no fatigue takes
OVERSPEND = {"meta": 1.75, "google": 2.0}  # most spend of a day over its budget
RESET_STEP = 0.2  # change of budget that restarts the learning phase
LEARNING_EVENTS = 50.0  # purchases in seven days that end it
ZERO_RETURN = 0.08  # share of ad sets that bring next to nothing
NEW_SHARE, ENDED_SHARE = 0.2, 0.1  # ad sets that begin within the history, and that end in it
CAMPAIGN_BUDGETS = 0.25  # share of campaigns whose budget the platform splits
NEVER = 10**6


@dataclass(frozen=True)
class Truth:
    """What is true of an account; arrays over ad sets, money in currency per day.

    Attributes
    ----------
    customer : Customer
    calendar : Calendar
    creatives : Creatives
    campaign_of : array of int, (ad set,)
    campaigns : int
    campaign_budget : array of bool, (ad set,)
        Whether the platform splits the campaign's budget.
    first_day, last_day : array of int, (ad set,)
        Days of the calendar; negative where it is older, ``NEVER`` where it does not end.
    base : array, (ad set,)
        Budget around which past budgets lie.
    audience : array, (ad set,)
        People.
    cpm, ctr, cvr, order_value : array, (ad set,)
        Price of 1000 impressions, clicks per impression of a new ad, purchases per click of the best prospects, mean value.
    half : array, (ad set,)
        Spend of ``depth``.
    hill : array of bool, (ad set,)
        Which of the two forms ``depth`` has.
    bid : array, (ad set,)
        CPM above which a bid cap holds spend back; infinite without one.
    purchase_size, click_size : float
        Sizes of the negative binomials.
    delay : array, (lag,)
        Share of purchases that are reported at the end of their day, one day later, ...; the last is 1.
    immature_days : int
        Last days of a history that attribution has not finished.
    """

    customer: Customer
    calendar: Calendar
    creatives: Creatives
    campaign_of: NDArray[np.intp]
    campaigns: int
    campaign_budget: NDArray[np.bool_]
    first_day: NDArray[np.int64]
    last_day: NDArray[np.int64]
    base: Floats
    audience: Floats
    cpm: Floats
    ctr: Floats
    cvr: Floats
    order_value: Floats
    half: Floats
    hill: NDArray[np.bool_]
    bid: Floats
    purchase_size: float
    click_size: float
    delay: Floats
    immature_days: int

    @property
    def adsets(self) -> int:
        """Number of ad sets that are ever there."""
        return len(self.base)

    @property
    def overspend(self) -> float:
        """Most spend of a day over its budget."""
        return OVERSPEND[self.customer.platform]

    def servable(self, day: int) -> NDArray[np.bool_]:
        """Which ad sets can be served on a day of the calendar, (ad set,)."""
        return (self.first_day <= day) & (self.last_day >= day)


def impressions_of(truth: Truth, spend: Floats, cpm: Floats) -> Floats:
    """Mean impressions, (..., ad set), at a price without competition of ``cpm``; concave in spend."""
    people = truth.audience * MAX_FREQUENCY
    return np.asarray(-people * np.expm1(-1000.0 * spend / (cpm * people)))


def depth_of(truth: Truth, spend: Floats) -> Floats:
    """Purchases per click over those of the best prospects, (..., ad set); falls from 1 as spend grows."""
    v = spend / truth.half
    tiny = v < 1e-8
    return np.where(truth.hill, 1.0 / (1.0 + v), np.where(tiny, 1.0, -np.expm1(-v) / np.where(tiny, 1.0, v)))


def fatigue_of(truth: Truth, frequency: Floats) -> Floats:
    """CTR of an ad over that of the same ad when it was new, from its impressions per person of the audience."""
    return FATIGUE_FLOOR + (1.0 - FATIGUE_FLOOR) * np.exp(-frequency / truth.customer.fatigue)


def deliverable(truth: Truth, target: Floats, cpm: Floats) -> Floats:
    """Money that can be spent of what the platform wants to spend, (..., ad set): small audiences and bids hold back."""
    most = 1.5 * truth.audience * MAX_FREQUENCY * cpm / 1000.0
    cleared = 1.0 / (1.0 + (cpm / truth.bid) ** 4)
    return np.asarray(cleared * target / (1.0 + (target / most) ** 4) ** 0.25)


def draw_truth(rng: np.random.Generator, customer: Customer, days: int, history: int) -> Truth:
    """Draw an account of a customer.

    Parameters
    ----------
    rng : Generator
    customer : Customer
    days : int
        Days of the calendar: history and future.
    history : int
        Days of the history, in which ad sets begin and end.
    """
    sets = customer.ad_sets
    campaigns = max(2, round(sets / 5))
    campaign_of = np.sort(np.concatenate([np.arange(campaigns), rng.integers(0, campaigns, sets - campaigns)]))
    first_day, last_day = _lives(rng, sets, history)

    def nested(spread: float) -> Floats:
        return np.asarray(
            spread * (np.sqrt(0.4) * rng.standard_normal(campaigns)[campaign_of] + np.sqrt(0.6) * rng.standard_normal(sets))
        )

    efficiency = nested(customer.roas_spread)
    weight = np.exp(0.6 * rng.standard_normal(sets) + 0.3 * efficiency)
    base = customer.spend * weight / weight.sum()
    google = customer.platform == "google"
    cpm = (25.0 if google else 9.0) * np.exp(0.3 * rng.standard_normal(sets))
    ctr = (0.035 if google else 0.013) * np.exp(0.25 * rng.standard_normal(sets))
    order_value = customer.order_value * np.exp(0.2 * rng.standard_normal(sets))
    audience = 1000.0 * base / cpm / (0.08 * np.exp(0.7 * rng.standard_normal(sets)))
    delay, immature = delay_curve(customer.delay)
    capped = rng.random(sets) < 0.12
    truth = Truth(
        customer=customer,
        calendar=make_calendar(rng, days, campaigns, customer.platform),
        creatives=make_creatives(rng, days, first_day),
        campaign_of=campaign_of.astype(np.intp),
        campaigns=campaigns,
        campaign_budget=(rng.random(campaigns) < CAMPAIGN_BUDGETS)[campaign_of],
        first_day=first_day,
        last_day=last_day,
        base=base,
        audience=audience,
        cpm=cpm,
        ctr=ctr,
        cvr=np.ones(sets),
        order_value=order_value,
        half=base / (customer.saturation * np.exp(nested(customer.saturation_spread))),
        hill=rng.random(sets) < 0.5,
        bid=np.where(capped, cpm * np.exp(rng.uniform(0.1, 0.6, sets)), np.inf),
        purchase_size=float(rng.uniform(6.0, 20.0)),
        click_size=float(rng.uniform(20.0, 60.0)),
        delay=delay,
        immature_days=immature,
    )
    roas = customer.roas * np.exp(efficiency) * np.where(rng.random(sets) < ZERO_RETURN, 0.02, 1.0)
    return _with_roas(truth, roas)


def delay_curve(mean: float) -> tuple[Floats, int]:
    """Shares reported after 0, 1, ... days, geometric in the lag, and the days until 97 % are."""
    keep = mean / (1.0 + mean)
    last = 7 if mean < 1.5 else 14
    share = 1.0 - keep ** (np.arange(last + 1) + 1.0)
    share = share / share[-1]
    return share, int(np.argmax(share >= 0.97))


def _with_roas(truth: Truth, roas: Floats) -> Truth:
    """The truth whose ad sets have these ROAS at their base budgets, with ads half worn and no shocks; CVR below .5."""
    from dataclasses import replace

    clicks = impressions_of(truth, truth.base, truth.cpm) * truth.ctr * 0.8
    best = clicks * depth_of(truth, truth.base) * truth.order_value
    return replace(truth, cvr=np.minimum(roas * truth.base / best, 0.5))


def _lives(rng: np.random.Generator, sets: int, history: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last days: some ad sets begin within the history, some of the older ones end in it."""
    kind = rng.random(sets)
    first = np.where(kind < NEW_SHARE, rng.integers(10, max(history, 11), sets), -rng.integers(30, 400, sets))
    ended = (kind > 1.0 - ENDED_SHARE) & (np.arange(sets) > 0)
    return first, np.where(ended, rng.integers(min(30, history - 1), history, sets), NEVER)
