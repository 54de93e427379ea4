import copy
from dataclasses import replace

import pytest

from mmx.config import read_config
from mmx.decide.certificate import Certificate
from mmx.decide.recommendation import Cell, ChannelPlan, Interval, Recommendation
from mmx.track.content import fit_note, fit_record, recommendation_note, recommendation_record, settings
from mmx.track.entries import TAG_LENGTH, accepted_metrics, accepted_params, clean_name
from mmx.track.view import METRICS, PARAMS

CONFIG = {
    "name": "shop",
    "data": {
        "path": "/somewhere/shop.csv",
        "date": "day",
        "target": "revenue",
        "currency": "EUR",
        "channels": {"tv": {"spend": "tv_S"}, "search": {"spend": "search_S", "exposure": "search_C"}},
        "organic": {"news": {"exposure": "mails"}},
    },
}


def stats(mean):
    return {"mean": mean, "median": mean * 0.99, "q05": mean * 0.5, "q95": mean * 1.7}


@pytest.fixture
def summary():
    paid = {q: stats(i + 1.25) for i, q in enumerate(("roas", "mroas", "roas_long", "mroas_long", "contribution"))}
    return {
        "format": 1,
        "converged": True,
        "reasons": [],
        "gate": {"passed": True, "reasons": [], "max_rhat": 1.004, "min_ess_bulk": 900.0, "divergences": 0, "min_ebfmi": 0.8},
        "sampler": {"name": "nutpie"},
        "seconds": {"compile": 1.0, "sample": 0.5, "total": 2.5},
        "min_ess": 812.0,
        "max_rhat": 1.004,
        "divergences": 0,
        "channels": {
            "tv": {"kind": "paid", "spend": 1234567.0, **paid, "contribution_share": stats(0.12)},
            "search": {"kind": "paid", "spend": 50.0, **paid, "contribution_share": stats(0.05)},
            "news": {"kind": "organic", "contribution": stats(3e5), "contribution_share": stats(0.02)},
        },
        "fit": {"r2": 0.93, "mape": None, "wape": 0.06, "crps": 1200.0, "coverage90": 0.91},
        "data_sha256": "a" * 64,
        "config_sha256": "b" * 64,
        "seed": 1,
        "versions": {"mmx": "0.1.0", "python": "3.13.0"},
        "mlflow_run_id": None,
    }


@pytest.fixture
def plan():
    both = {"outside": 1.2, "at_bounds": (0.0, 0.4)}
    line = ChannelPlan(
        current_spend=100.0, recommended_spend=150.0, multiplier=1.5, low=50.0, high=150.0, extra=Interval(9, -1, 20), net=4.0,
        mroas_current=Interval(1.2, 1, 2), mroas_recommended=Interval(0.9, 0.5, 1.5), optimum=Interval(140, 90, 150),
        binding="upper bound", outside_observed=True, **both,
    )  # fmt: skip
    other = ChannelPlan(
        current_spend=80.0, recommended_spend=30.0, multiplier=0.375, low=20.0, high=160.0, extra=Interval(-3, -9, 1), net=2.0,
        mroas_current=Interval(0.5, 0.1, 1), mroas_recommended=Interval(0.8, 0.2, 1), optimum=Interval(40, 20, 90),
        binding="", outside_observed=False, **both,
    )  # fmt: skip
    return Recommendation(
        objective="mean",
        goal="fixed total",
        certificate=Certificate(True, 320.0, 320.5, 0.5, 0.0015, "convex program"),
        total=180.0,
        remainder=0.0,
        current_total=180.0,
        shadow_price=0.95,
        horizon=13,
        start="2024-01-01",
        end="2024-03-25",
        reference="last",
        money="EUR",
        converged=True,
        gate_reasons=(),
        gain=Interval(6.0, -2.0, 15.0),
        nothing=Interval(314.0, 200.0, 400.0),
        probability_better=0.87,
        channels={"tv": line, "search": other},
        cells=(Cell("tv", "national", "2024-01-01", "2024-01-07", 100.0, 150.0),),
        draws=4000,
        constraints=(),
        flips=(),
        modes="",
        frontier=(),
        scenarios=(),
        tests=(),
        unknowns=("tv: 3 of 13 weeks lie above the largest observed spend.",),
        notes=(),
        fit_name="shop",
    )


def changed(before, after):
    return {key for key in before | after if before.get(key) != after.get(key)}


def test_comparing_two_runs_shows_what_was_changed():
    usual = settings(read_config(CONFIG))
    for override, expected in (
        ("model.saturation=logistic", {"model.saturation": "logistic"}),
        ("model.shapes.slope={family: lognormal, mu: 0, sigma: 1}", {"model.shapes.slope": "lognormal(mu=0, sigma=1)"}),
        ("model.priors.median=2", {"model.priors": "roas lognormal(median=2, q90=3.9)"}),
        ("data.channels.tv.adstock=delayed", {"data.channels.tv.adstock": "delayed"}),
        ("data.policies.missing_spend=zero", {"data.policies.missing_spend": "zero"}),
        ("data.controls=[price, rain]", {"data.controls": "price, rain"}),
        ("gate.min_ess=200", {"gate.min_ess": 200.0}),
    ):
        given = settings(read_config(CONFIG, overrides=[override]))
        assert changed(usual, given) == set(expected)
        assert {key: given[key] for key in expected} == expected


def test_where_things_go_is_no_setting():
    usual = settings(read_config(CONFIG))
    for override in ("tracking.experiment=other", "output.dir=/elsewhere", "data.path=/other/shop.csv"):
        assert settings(read_config(CONFIG, overrides=[override])) == usual


def test_settings_are_few_short_and_in_words():
    given = settings(read_config(CONFIG))
    assert given["data.channels.search"] == "search_S, search_C"
    assert given["data.organic.news"] == "mails"
    assert given["model.priors"] == "roas lognormal(median=1.2, q90=3.9)"
    assert given["data.path"] == "shop.csv"
    assert len(given) < 30
    assert all(len(text) < 60 for text in accepted_params(given).values())


def test_dated_events_become_one_text():
    config = read_config(CONFIG, overrides=["data.events=[{name: sale, start: 2024-01-01, end: 2024-01-07}]"])
    assert (
        settings(config)["data.events"]
        == '[{"name": "sale", "start": "2024-01-01", "end": "2024-01-07", "shape": "flat", "width": null}]'
    )


def test_a_fit_logs_the_numbers_of_its_summary(summary):
    params, metrics, tags = fit_record(summary, read_config(CONFIG))
    for name, channel in summary["channels"].items():
        for quantity in ("roas", "mroas", "contribution_share"):
            if quantity in channel:
                assert metrics[f"{quantity}/{name}"] == channel[quantity]["mean"]
                assert metrics[f"{quantity}_q05/{name}"] == channel[quantity]["q05"]
                assert metrics[f"{quantity}_q95/{name}"] == channel[quantity]["q95"]
            else:
                assert f"{quantity}/{name}" not in metrics
    expected = {"converged": 1.0, "min_ess": 812.0, "max_rhat": 1.004, "divergences": 0.0, "fit/r2": 0.93, "seconds/total": 2.5}
    assert {key: metrics[key] for key in expected} == expected
    assert metrics["gate/min_ebfmi"] == 0.8
    assert "gate/divergences" not in metrics
    assert tags["data_sha256"] == "a" * 64
    assert tags["config_sha256"] == "b" * 64
    assert tags["version.python"] == "3.13.0"
    assert tags["mmx.converged"] == "yes"
    assert "mmx.decisions" not in tags
    told = fit_record(summary | {"notes": ["spend was set to 0"], "decisions": ["sampled again"]}, read_config(CONFIG))[2]
    assert told["mmx.decisions"] == "spend was set to 0; sampled again"
    assert params["seed"] == 1


def test_every_name_is_one_that_mlflow_takes_and_every_number_finite(summary, plan):
    for params, metrics, tags in (fit_record(summary, read_config(CONFIG)), recommendation_record(plan)):
        for name in (*params, *metrics, *tags):
            assert clean_name(name) == name
        assert accepted_metrics(metrics) == (metrics, [])
        assert all(isinstance(text, str) and text for text in tags.values())


def test_columns_of_the_table_of_runs_exist(summary, plan):
    fit, rec = fit_record(summary, read_config(CONFIG)), recommendation_record(plan)
    assert set(METRICS) <= set(fit[1]) | set(rec[1])
    assert set(PARAMS) <= set(fit[0]) | set(rec[0])


def test_a_fit_that_failed_its_gate_says_so_everywhere(summary):
    summary |= {"converged": False, "reasons": ["R-hat above 1.01", "3 divergent draws"]}
    _, metrics, tags = fit_record(summary, read_config(CONFIG))
    assert metrics["converged"] == 0
    assert tags["mmx.converged"] == "no"
    assert tags["mmx.reasons"] == "R-hat above 1.01; 3 divergent draws"
    assert tags["mlflow.note.content"].startswith("NOT CONVERGED: R-hat above 1.01; 3 divergent draws.")


def test_a_summary_without_roas_has_a_table_without_roas(summary):
    for channel in summary["channels"].values():
        for quantity in ("roas", "mroas", "roas_long", "mroas_long"):
            channel.pop(quantity, None)
    _, metrics, tags = fit_record(summary, read_config(CONFIG))
    assert not [name for name in metrics if "roas" in name]
    assert "ROAS" not in tags["mlflow.note.content"]


def rows(note):
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in note.splitlines() if line.startswith("| ")]


def test_the_page_of_a_fit_has_a_table_of_channels(summary):
    note = fit_note(summary, read_config(CONFIG))
    assert note.startswith("Converged. R2 0.930, smallest ESS 812, largest R-hat 1.004, 0 divergences.\n")
    header, rule, tv, _, news = rows(note)
    assert header == ["Channel", "Spend (EUR)", "Share of KPI", "ROAS", "mROAS"]
    assert set(map(len, (header, rule, tv, news))) == {5}
    assert tv[:4] == ["tv", "1,234,567", "12.0 % [6.0, 20.4]", "1.25 [0.62, 2.12]"]
    assert news == ["news", "-", "2.0 % [1.0, 3.4]", "-", "-"]


def test_the_page_of_a_fit_with_many_channels_fits_and_says_what_it_leaves_out(summary):
    one = summary["channels"]["tv"]
    summary["channels"] = {f"channel_with_quite_a_long_name_{i}": copy.deepcopy(one) for i in range(70)}
    note = fit_note(summary, read_config(CONFIG))
    assert len(note) < TAG_LENGTH
    assert "and 40 more, see the artifacts." in note


def test_a_recommendation_logs_the_numbers_of_its_plan(plan):
    params, metrics, tags = recommendation_record(plan)
    assert params["budget.total"] == 180.0
    assert params["bounds.tv"] == "50 to 150"
    assert (params["objective"], params["goal"]) == ("mean", "fixed total")
    certificate = {"certified": 1.0, "gap": 0.5, "relative_gap": 0.0015, "objective_value": 320.0, "shadow_price": 0.95}
    assert {key: metrics[key] for key in certificate} == certificate
    expected = {
        "gain": 6.0,
        "nothing": 314.0,
        "net/tv": 4.0,
        "gain_q05": -2.0,
        "gain_q95": 15.0,
        "probability_better": 0.87,
        "total": 180.0,
    }
    expected |= {"recommended/tv": 150.0, "current/tv": 100.0, "multiplier/search": 0.375, "extra/search": -3.0}
    assert {key: metrics[key] for key in expected} == expected
    assert sum(metrics[f"recommended/{name}"] for name in plan.channels) == metrics["total"]
    assert tags["mmx.binding"] == "tv (upper bound)"
    assert tags["mmx.outside_observed"] == "tv"
    assert tags["mmx.certificate"].startswith("No allowed plan can beat this one by more than 0.15 %")


def test_what_is_not_known_of_a_plan_is_no_metric(plan):
    unknown = Certificate(False, 0.8, None, None, None, "best of 30 random starts", "a probability is not concave in the plan")
    _, metrics, tags = recommendation_record(replace(plan, certificate=unknown, shadow_price=None))
    assert metrics["certified"] == 0.0
    assert not {"gap", "relative_gap", "shadow_price"} & set(metrics)
    assert "because" not in tags["mmx.certificate"] and unknown.reason in tags["mmx.certificate"]


def test_the_page_of_a_recommendation_has_gain_table_and_unknowns(plan):
    note = recommendation_note(plan)
    assert "+6.00 [-2.00, 15.00] EUR" in note
    assert "P(gain > 0) is 87 %" in note
    assert "0.15 % of what it brings (certified on all 4,000 posterior draws)" in note
    assert "Doing nothing: the current plan brings 314 [200, 400] EUR of KPI money" in note
    header, _, tv, search = rows(note)
    assert tv == ["tv", "100", "150", "+50.0 %", "1.20", "0.90", "upper bound, outside the observed range"]
    assert search[:4] == ["search", "80", "30", "-62.5 %"]
    assert len(header) == len(tv)
    assert "- tv: 3 of 13 weeks" in note
