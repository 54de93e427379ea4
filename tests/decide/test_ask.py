"""Budget questions in people's words: what they become, what is refused, and that the answer keeps to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mmx.config import read_budget
from mmx.decide.ask import Cells, problem_of
from mmx.decide.recommend import recommend
from mmx.errors import ConfigError, DecisionError
from mmx.mmm.fit import Fit, fit

from ..panels import OPEN_GATE, shop_config, shop_panel

CURRENT = np.array([100.0, 300.0, 600.0])
QUICK: dict[str, Any] = {"frontier": (), "next_test": False}


def cells(names: tuple[str, ...] = ("tv", "search", "social"), periods: int = 1, geos: tuple[str, ...] = ("",)) -> Cells:
    labels = [(c, g, f"week {p}" if periods > 1 else "") for c in names for g in geos for p in range(periods)]
    share = len(geos) * periods
    columns = [tuple(label[k] for label in labels) for k in range(3)]
    names = tuple(" ".join(filter(None, label)) for label in labels)
    return Cells(names, *columns, np.repeat(CURRENT / share, share), np.ones(len(labels)))


def asked(cells: Cells, **keys: Any) -> Any:
    return problem_of(read_budget(keys).question, cells, "EUR")


def test_bounds_are_multiples_and_a_largest_change_narrows_them() -> None:
    problem = asked(cells(), bounds=[0.2, 3.0], max_change=0.5)
    np.testing.assert_allclose(problem.low, 0.5 * CURRENT)
    np.testing.assert_allclose(problem.high, 1.5 * CURRENT)
    (total,) = problem.rows
    assert (total.low, total.high, total.name) == (1000.0, 1000.0, "total budget = 1,000 EUR")


def test_channels_take_money_fixed_amounts_commitments_and_steps() -> None:
    limits = {"tv": {"money": [None, 120]}, "search": {"fixed": 250}, "social": {"minimum": 400, "step": 50}}
    problem = asked(cells(), total=900, channels=limits)
    assert (problem.low[:2] == [0.0, 250.0]).all() and (problem.high[:2] == [120.0, 250.0]).all()
    assert (problem.minimum[2], problem.step[2], problem.low[2], problem.high[2]) == (400.0, 50.0, 0.0, 1200.0)


def test_several_cells_of_a_channel_share_its_money() -> None:
    problem = asked(cells(periods=2), by=["channel", "period"], channels={"search": {"money": [100, 350]}})
    row = next(r for r in problem.rows if r.name.startswith("search"))
    assert row.name == "search at least 100 EUR and at most 350 EUR"
    assert row.weights.tolist() == [0, 0, 1, 1, 0, 0] and (row.low, row.high) == (100.0, 350.0)


def test_in_a_flighting_multiples_are_of_a_channels_money_over_the_horizon() -> None:
    made = replace(cells(periods=3), current=np.array([0.0, 60, 40, 300, 0, 0, 200, 200, 200]))
    limits = {"social": {"bounds": [0.9, 1.1]}}
    problem = asked(made, by=["channel", "period"], bounds=[0.5, 2.0], channels=limits)
    assert (problem.low == 0).all()
    assert problem.high.tolist() == pytest.approx([120.0] * 3 + [600.0] * 3 + [220.0] * 3)
    rows = [row for row in problem.rows if "over the horizon" in row.name]
    assert [end for row in rows for end in (row.low, row.high)] == pytest.approx([50, 200, 150, 600, 540, 660])
    assert rows[0].name == "tv: 0.5 to 2 times its current money over the horizon"
    close = asked(made, by=["channel", "period"], bounds=[0.5, 2.0], max_change=0.1)
    assert close.high[:3].tolist() == pytest.approx([0.0, 66.0, 44.0])
    with pytest.raises(DecisionError, match=r"the bounds allow 740\.00 to 1,460\.00 EUR"):
        asked(made, by=["channel", "period"], bounds=[0.5, 2.0], channels=limits, total=1500)


@pytest.mark.parametrize(
    ("share", "plan", "allowed"),
    [
        ([None, 0.6], (400, 300, 300), True),
        ([None, 0.6], (390, 300, 310), False),
        ([0.2, None], (800, 100, 100), True),
        ([0.2, None], (810, 90, 100), False),
        ([0.3, 0.5], (600, 200, 200), True),
        ([0.3, 0.5], (720, 180, 100), False),
    ],
)
def test_a_group_has_a_share_of_the_plan(share: list[float | None], plan: tuple[float, ...], allowed: bool) -> None:
    group = {"name": "digital", "channels": ["search", "social"], "share": share}
    rows = [row for row in asked(cells(), groups=[group]).rows if row.name.startswith("digital")]
    assert len(rows) == sum(end is not None for end in share)
    met = [row.low - 1e-9 <= row.weights @ np.array(plan, dtype=float) <= row.high + 1e-9 for row in rows]
    assert all(met) == allowed


def test_a_ramp_limits_the_step_from_week_to_week() -> None:
    problem = asked(cells(periods=3), by=["channel", "period"], ramp=0.2)
    rows = [row for row in problem.rows if "from week" in row.name]
    assert len(rows) == 3 * 2 * 2
    assert rows[0].name == "tv: at most 20 % more from week 0 to week 1"

    def kept(plan: list[float]) -> bool:
        money = np.tile(plan, 3)
        return all(row.low - 1e-9 <= row.weights @ money <= row.high + 1e-9 for row in rows)

    assert kept([100, 120, 96]) and not kept([100, 121, 110]) and not kept([100, 79, 80])


def test_a_ramp_is_of_the_money_per_period_where_the_last_cell_is_shorter() -> None:
    made = replace(cells(periods=2), length=np.tile([4.0, 1.0], 3))
    rows = [row for row in asked(made, by=["channel", "period"], ramp=0.2).rows if "from week" in row.name]

    def kept(plan: list[float]) -> bool:
        return all(row.weights @ np.tile(plan, 3) <= row.high + 1e-9 for row in rows)

    assert kept([400, 120]) and kept([400, 80]) and not kept([400, 130]) and not kept([400, 400])


def test_geos_have_shares_where_they_have_money() -> None:
    group = {"name": "north", "geos": ["north"], "share": [None, 0.4]}
    rows = asked(cells(geos=("north", "south")), by=["channel", "geo"], groups=[group]).rows
    assert rows[0].weights.tolist() == pytest.approx([0.6, -0.4] * 3)
    with pytest.raises(DecisionError, match=r"names north.*by: \[channel, geo\]"):
        asked(cells(), groups=[group])


def test_the_total_is_free_where_it_is_to_be_found() -> None:
    for keys in ({"goal": {"roas": 2}}, {"profit": True, "margin": 0.4}):
        assert asked(cells(), **keys).total is None


BAD: list[tuple[dict[str, Any], str]] = [
    ({"channels": {"radio": {"fixed": 1}}}, "names radio, which the plan does not have. It has search, social, tv"),
    ({"groups": [{"name": "g", "channels": ["tw"], "share": [None, 0.5]}]}, "budget.groups, g names tw"),
    ({"total": 9999}, "a total of 9,999.00 EUR cannot be reached: the bounds allow 500.00 to 2,000.00 EUR"),
]


@pytest.mark.parametrize(("keys", "said"), BAD)
def test_what_the_plan_does_not_have_is_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(DecisionError) as refused:
        asked(cells(), **keys)
    assert said in str(refused.value)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"total": 5, "goal": {"roas": 2}}, "total and goal all choose the total"),
    ({"profit": True}, "needs margin"),
    ({"goal": {"roas": 2, "cpa": 3}}, "a goal is one of"),
    ({"ramp": 0.1}, "it needs by"),
    ({"objective": "target"}, "goes with objective: target"),
    ({"objective": "beat", "goal": {"roas": 1}}, "is a probability"),
    ({"by": ["geo"]}, "by names channel"),
    ({"channels": {"tv": {"fixed": 1, "bounds": [0, 1]}}}, "fixed and bounds"),
    ({"groups": [{"name": "g", "channels": ["tv"], "share": [0.5, 0.2]}]}, "the other way round"),
    ({"groups": [{"name": "g", "share": [None, 0.2]}]}, "names no channels and no geos"),
    ({"scenarios": {"bold": {"boundz": [0, 3]}}}, "scenario 'bold': boundz"),
    ({"scenarios": {"bold": {"objective": "best"}}}, "scenario 'bold': objective"),
]


@pytest.mark.parametrize(("keys", "said"), WRONG)
def test_a_question_that_contradicts_itself_is_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_budget(keys)
    assert said in f"{refused.value} {[p.came for p in refused.value.problems]}"


def test_a_scenario_says_only_what_differs() -> None:
    settings = read_budget(
        {"total": 500, "horizon": 8, "scenarios": {"grow": {"goal": {"mroas": 1.0}}, "safe": {"objective": "cvar"}}}
    )
    grow, safe = settings.scenario("grow"), settings.scenario("safe")
    assert grow.total is None and grow.goal is not None and grow.horizon == 8
    assert (safe.total, safe.objective) == (500.0, "cvar")


QUESTIONS: dict[str, dict[str, Any]] = {
    "worst draws": {"objective": "cvar", "level": 0.2},
    "regret": {"objective": "regret"},
    "less variance": {"objective": "mean_sd", "risk": 0.5},
    "better than now": {"objective": "beat"},
    "weeks": {"by": ("channel", "period"), "every": 2, "ramp": 0.3, "bounds": (0.0, 5.0)},
    "steps": {"channels": {"tv": {"step": 5.0}, "search": {"minimum": 40.0}}},
    "profit": {"profit": True, "margin": 0.8, "bounds": (0.2, 3.0)},
    "marginal return": {"goal": {"mroas": 0.8}, "bounds": (0.2, 3.0)},
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_has_an_answer_that_keeps_to_it(name: str, national_fit: Fit) -> None:
    plan = recommend(national_fit, horizon=8, **QUICK, **QUESTIONS[name])
    spent = sum(c.recommended_spend for c in plan.channels.values())
    assert spent == pytest.approx(plan.total, rel=1e-9)
    for channel in plan.channels.values():
        assert channel.low * (1 - 1e-9) <= channel.recommended_spend <= channel.high * (1 + 1e-9)
        assert min(channel.at_bounds) >= 0 and max(channel.at_bounds) <= 1
    assert sum(c.extra.mean for c in plan.channels.values()) == pytest.approx(plan.gain.mean, rel=1e-6, abs=1e-6 * plan.total)
    assert sum(c.net for c in plan.channels.values()) == pytest.approx(plan.gain.mean, rel=1e-6, abs=1e-6 * plan.total)
    seal = plan.certificate
    if name in ("less variance", "better than now"):
        assert not seal.certified and seal.reason
    elif name != "weeks":
        assert seal.certified, seal
    assert seal.bound is None or seal.bound >= seal.value
    if name == "weeks":
        money = {(c.channel, c.start): c.recommended for c in plan.cells}
        starts = sorted({start for _, start in money})
        for channel in plan.channels:
            pairs = np.array([[money[channel, starts[k]], money[channel, starts[k + 1]]] for k in (0, 2, 4, 6)]).sum(axis=1)
            assert (pairs[1:] <= 1.3 * pairs[:-1] * (1 + 1e-6)).all() and (pairs[1:] >= 0.7 * pairs[:-1] * (1 - 1e-6)).all()
    if name == "steps":
        assert plan.channels["tv"].recommended_spend / 5.0 == pytest.approx(round(plan.channels["tv"].recommended_spend / 5.0))
        assert plan.remainder + plan.total == pytest.approx(plan.current_total)


def test_money_that_may_move_in_time_brings_no_less(national_fit: Fit) -> None:
    still = recommend(national_fit, horizon=8, **QUICK)
    moving = recommend(national_fit, horizon=8, by=("channel", "period"), every=2, **QUICK)
    assert moving.certificate.certified
    assert moving.certificate.value >= still.certificate.value * (1 - 1e-9)
    for name, channel in moving.channels.items():
        assert (channel.low, channel.high) == pytest.approx((still.channels[name].low, still.channels[name].high))
        held = {"lower bound": channel.low, "upper bound": channel.high}
        near = [end for end, money in held.items() if channel.recommended_spend == pytest.approx(money, rel=1e-6)]
        assert channel.binding in near if near else channel.binding not in held
        assert channel.low * (1 - 1e-6) <= channel.optimum.q05 and channel.optimum.q95 <= channel.high * (1 + 1e-6)


def test_geos_scenarios_frontier_and_tests_of_a_geo_panel(geo_fit: Fit) -> None:
    scenarios = {"bold": {"bounds": [0, 3]}, "careful": {"objective": "cvar", "max_change": 0.1}}
    plan = recommend(geo_fit, horizon=8, by=("channel", "geo"), scenarios=scenarios, frontier=(1.0, 0.2))
    assert plan.certificate.certified
    assert [s.name for s in plan.scenarios] == ["asked", "bold", "careful"]
    asked, bold, careful = plan.scenarios
    assert bold.gain.mean >= asked.gain.mean - 2 * plan.certificate.gap >= careful.gain.mean - 3 * plan.certificate.gap
    assert plan.frontier[1].worst >= plan.frontier[0].worst - 1e-6 * plan.total
    assert plan.tests and plan.tests[0].information >= plan.tests[-1].information
    by_geo = {(c.channel, c.geo) for c in plan.cells}
    assert len(by_geo) == 4 * 3
    assert not any("moves all geos alike" in text for text in plan.unknowns)


def test_a_conflict_names_the_smallest_set(national_fit: Fit) -> None:
    groups = [{"name": "few", "channels": ["tv", "search"], "share": [None, 0.3]}]
    groups += [{"name": "many", "channels": ["tv"], "share": [0.5, None]}]
    with pytest.raises(DecisionError) as refused:
        recommend(national_fit, horizon=8, bounds=(0.0, 10.0), groups=groups, **QUICK)
    assert "few at most 30 % of the plan" in str(refused.value) and "many at least 50 % of the plan" in str(refused.value)


def test_a_conflict_says_the_total_once(national_fit: Fit) -> None:
    groups = [
        {"name": name, "channels": channels, "share": [0.6, None]} for name, channels in (("a", ["tv"]), ("b", ["search"]))
    ]
    with pytest.raises(DecisionError, match=r"total budget = [\d,]+ EUR[;.]") as refused:
        recommend(national_fit, total=500, horizon=8, bounds=(0.0, 10.0), groups=groups, **QUICK)
    assert "EUR of" not in str(refused.value)


def test_channels_that_multiply_have_a_certified_plan_whose_parts_add_up() -> None:
    config = shop_config({"model": {"likelihood": "lognormal"}, "gate": OPEN_GATE})
    plan = recommend(fit(shop_panel(1), config.spec, seed=1), horizon=8, **QUICK)
    assert plan.certificate.certified and plan.gain.mean > 0
    assert sum(c.extra.mean for c in plan.channels.values()) == pytest.approx(plan.gain.mean, rel=1e-6)
    assert any("multiply" in text for text in plan.unknowns)


def test_a_money_kpi_has_no_cost_per_unit(geo_fit: Fit) -> None:
    with pytest.raises(DecisionError, match="target_kind: count"):
        recommend(geo_fit, horizon=8, goal={"cpa": 3.0}, **QUICK)


def test_a_cost_per_unit_is_the_largest_total_that_keeps_it(national_fit: Fit) -> None:
    """Counted in conversions, of a KPI whose unit is worth the mean of the window; every number of the answer is money."""
    posterior, free = national_fit.posterior, {"bounds": (0.1, 6.0), "horizon": 8, **QUICK}
    window = posterior.reference(8)
    worth = float((window.money / posterior.size).mean())
    now = recommend(national_fit, **free)
    conversions = (now.nothing.mean + now.gain.mean) / worth
    target = 1.1 * now.total / conversions
    plan = recommend(national_fit, goal={"cpa": target}, **free)
    brought = plan.nothing.mean + plan.gain.mean
    assert plan.goal == f"largest total with a cost per unit of at most {target:.6g}"
    assert plan.total * worth / brought == pytest.approx(target, rel=2e-4) and plan.total * worth / brought <= target
    assert plan.certificate.value == pytest.approx(brought) and plan.shadow_price == pytest.approx(
        max(c.mroas_recommended.mean for c in plan.channels.values() if not c.binding), rel=0.02
    )
    more = recommend(national_fit, total=1.01 * plan.total, **free)
    assert more.total * worth / (more.nothing.mean + more.gain.mean) > target
    same = recommend(national_fit, goal={"roas": worth / target}, **free)
    assert same.total == pytest.approx(plan.total, rel=1e-9)


def test_a_cost_per_unit_that_no_total_reaches_is_refused_in_its_own_words(national_fit: Fit) -> None:
    with pytest.raises(DecisionError, match=r"a cost of 0\.001 per unit of the KPI, worth .*: no total reaches"):
        recommend(national_fit, horizon=8, goal={"cpa": 0.001}, **QUICK)
