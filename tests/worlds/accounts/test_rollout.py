import numpy as np
import pytest

from mmx.errors import ConfigError
from mmx.worlds.accounts import Allocation, make_world, roll
from mmx.worlds.accounts.allocations import NAMES


@pytest.fixture(scope="module")
def world():
    return make_world(2, kind="calm", days=100, horizon=40)


def equal(first, second, adsets=slice(None)):
    return all((a[..., adsets] == b[..., adsets]).all() for a, b in zip(first.day, second.day, strict=True))


def test_the_past_repeats_itself_under_its_own_budgets_and_luck(world):
    day, days = 60, 30
    known = np.flatnonzero(world.truth.first_day < day)
    out = roll(world, world.past.asked[day : day + days, known], day=day, days=days, seeds=[0])
    own = ~world.truth.campaign_budget[known]
    assert own.sum() > 3
    for name in ("spend", "impressions", "clicks", "purchases", "revenue", "reach", "expected_revenue"):
        assert (getattr(out.day, name)[0][:, own] == getattr(world.past.day, name)[day : day + days, known[own]]).all(), name


def test_what_a_policy_sees_is_what_the_account_would_have_shown(world):
    first = 60
    known = np.flatnonzero(world.truth.first_day < first)
    own = np.flatnonzero(~world.truth.campaign_budget[known])

    def follow(history, day):
        shown = world.history(day)
        columns = [shown.adsets.index(history.adsets[a]) for a in own]
        assert (history.metrics[:, own] == shown.metrics[:, columns]).all() and (history.dates == shown.dates).all()
        assert (history.budget[:, own] == shown.budget[:, columns]).all()
        return world.past.asked[day, known]

    roll(world, follow, day=first, days=20, seeds=[0])


class Watching:
    """A batch policy that keeps what it saw and moves budgets with reported revenue."""

    def __init__(self):
        self.seen = []

    def start(self, history, futures):
        return history.budget[-1]

    def decide(self, windows, state):
        self.seen.append(windows._replace(metrics=windows.metrics.copy(), budget=windows.budget.copy()))
        recent = windows.metrics[:, -7:, :, 4].sum(axis=1)
        return state * (1.0 + 0.3 * (recent > np.median(recent, axis=1, keepdims=True))), state


def test_batch_single_and_fixed_policies_meet_the_same_luck(world):
    watching, histories = Watching(), []
    batch = roll(world, watching, days=10, seeds=[3, 5])

    def single(history, day):
        histories.append(history)
        recent = history.metric("revenue")[-7:].sum(axis=0)
        return world.history().budget[-1] * (1.0 + 0.3 * (recent > np.median(recent)))

    assert equal(batch, roll(world, single, days=10, seeds=[3, 5]))
    assert equal(batch, roll(world, batch.asked, days=10, seeds=[3, 5]))
    for k, windows in enumerate(watching.seen):
        for f in range(2):
            history = histories[2 * k + f]
            rows = windows.metrics.shape[1]
            assert (history.metrics[-rows:] == windows.metrics[f]).all() and (history.budget[-rows:] == windows.budget[f]).all()
            assert (history.dates[-rows:] == windows.dates).all() and windows.date == history.dates[-1] + np.timedelta64(1, "D")
    first = watching.seen[0]
    assert first.metrics.shape[1] == 35 + world.truth.immature_days
    assert (histories[0].metrics == world.history().metrics).all()


def test_reports_within_a_future_only_grow(world):
    watching = Watching()
    roll(world, watching, days=12, seeds=[1, 2, 3])
    for earlier, later in zip(watching.seen[:-1], watching.seen[1:], strict=True):
        before, after = earlier.metrics[:, 1:, :, 3], later.metrics[:, :-1, :, 3]
        assert (after >= before).all()
    assert any((b.metrics[:, :-1] > a.metrics[:, 1:]).any() for a, b in zip(watching.seen[:-1], watching.seen[1:], strict=True))


def test_neither_the_order_of_policies_nor_their_company_matters(world):
    alone = {name: roll(world, Allocation(name), days=8, seeds=[4, 7]) for name in NAMES}
    again = {name: roll(world, Allocation(name), days=8, seeds=[7, 1, 4]) for name in reversed(NAMES)}
    for name in NAMES:
        assert (alone[name].revenue == again[name].revenue[[2, 0]]).all(), name
        assert (alone[name].expected_profit == again[name].expected_profit[[2, 0]]).all()


def test_an_ad_set_does_not_feel_another_ones_budget(world):
    budgets = world.history().budget[-1]
    own = np.flatnonzero(~world.history().campaign_budget & (budgets > 0.0))
    changed = budgets.copy()
    changed[own[0]] *= 2.0
    base, more = roll(world, budgets, days=14), roll(world, changed, days=14)
    others = np.setdiff1d(np.arange(len(budgets)), own[:1])
    assert equal(base, more, others)
    assert more.day.spend[..., own[0]].mean() > 1.5 * base.day.spend[..., own[0]].mean()


def test_outcomes_add_up(world):
    out = roll(world, Allocation("hold"), days=7, seeds=range(5))
    margin = world.customer.margin
    assert out.profit == pytest.approx(margin * out.day.revenue.sum(axis=(1, 2)) - out.day.spend.sum(axis=(1, 2)))
    assert out.expected_profit == pytest.approx(margin * out.expected_revenue - out.spend)
    assert out.turnover == pytest.approx(0.0) and out.seeds == (0, 1, 2, 3, 4)
    moved = out.asked.copy()
    moved[:, 3:, 0] += 10.0
    extra = roll(world, moved, days=7, seeds=range(5))
    assert extra.turnover == pytest.approx(10.0 / extra.asked.sum(axis=(1, 2)))


@pytest.mark.parametrize("name", NAMES)
def test_allocations_spend_the_opening_total_on_what_runs(world, name):
    out = roll(world, Allocation(name), days=5, seeds=[1, 2])
    opening = world.history().budget[-1]
    assert out.asked.sum(axis=2) == pytest.approx(opening.sum())
    assert (out.asked[:, :, opening == 0.0] == 0.0).all() and (out.asked >= 0.0).all()
    if name == "greedy":
        assert (out.asked <= 2.0 * opening + 1e-9).all()


def test_ended_ad_sets_cannot_be_served():
    world = make_world(6, days=150, horizon=10)
    known = np.flatnonzero(world.truth.first_day < world.days)
    ended = world.truth.last_day[known] < world.days
    out = roll(world, np.full(len(known), 50.0), days=3)
    assert ended.any() and (out.day.spend[..., ended] == 0.0).all()


@pytest.mark.parametrize(
    ("policy", "days", "said"),
    [
        (np.ones(3), 5, r"must broadcast to \(future, day, ad set\)"),
        (1.0, 41, "longer horizon"),
        (-1.0, 5, "-1 came"),
        (np.nan, 5, "finite"),
        (lambda history, day: np.ones(2), 5, "must be of shape"),
    ],
)
def test_bad_budgets_are_refused(world, policy, days, said):
    with pytest.raises(ConfigError, match=said):
        roll(world, policy, days=days)


@pytest.mark.parametrize("seeds", [[], [2, -1]])
def test_futures_without_a_seed_are_refused(world, seeds):
    with pytest.raises(ConfigError, match="at least one"):
        roll(world, 1.0, days=2, seeds=seeds)


def test_a_policy_cannot_write_into_what_it_sees(world):
    class Writing(Watching):
        def decide(self, windows, state):
            windows.metrics[:] = 0.0
            return state, state

    with pytest.raises(ValueError, match="read-only"):
        roll(world, Writing(), days=2)


def test_an_unknown_allocation_is_refused():
    with pytest.raises(ConfigError, match="Did you mean 'equal'"):
        Allocation("equall")
