from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.transforms import Bbox
from PIL import Image

from mmx.report import canvas, figures
from mmx.report.plan_page import CURVES, FLIGHTING, FRONTIER, MOVES, OPTIMUM, PLAN, SCENARIOS

from .conftest import Drawn, Written, record_figures
from .examples import six

PARTS = ("fit", "plan")
FIT = ("fit.png", "contributions.png", "response_curves.png", "truth.png")
PNGS = (*FIT, PLAN, MOVES, OPTIMUM, CURVES, FLIGHTING, FRONTIER, SCENARIOS)
LARGEST = 120_000
SLACK = 3


def drawn_names(written: Written) -> list[str]:
    """The figures of an example: those of choices only where there are any."""
    rec = written.example.rec
    left_out = {CURVES: not rec.curves, FRONTIER: not rec.frontier, SCENARIOS: not rec.scenarios}
    return [name for name in PNGS if not left_out.get(name)]


def test_only_figures_with_something_to_show_are_drawn(written: Written) -> None:
    assert {p.name for p in written.folder.glob("*.png")} == set(drawn_names(written)) == set(written.figures)


def test_texts_lie_inside_and_apart(written: Written) -> None:
    for name in drawn_names(written):
        drawn = written.figures[name]
        width, height = drawn.figure.bbox.width, drawn.figure.bbox.height
        assert len(drawn.texts) > 8, name
        for text, box in drawn.texts:
            inside = box.x0 > -SLACK and box.y0 > -SLACK and box.x1 < width + SLACK and box.y1 < height + SLACK
            assert inside, (name, text)
        for (a, one), (b, two) in itertools.combinations(drawn.texts, 2):
            both = Bbox.intersection(one, two)
            assert both is None or min(both.width, both.height) < SLACK, (name, a, b)


def test_pictures_are_light_and_large_enough(written: Written) -> None:
    for name in drawn_names(written):
        assert (written.folder / name).stat().st_size < LARGEST, name
        with Image.open(written.folder / name) as image:
            assert image.format == "PNG"
            assert image.width >= 800, name
            assert not set(image.info) & {"Software", "Creation Time", "date"}


def test_contributions_line_is_the_sum_of_everything(written: Written) -> None:
    tables = written.example.tables
    (total,) = [line for line in written.figures["contributions.png"].figure.axes[0].lines if line.get_label() == "sum"]
    base = tables.baseline[tables.baseline["component"].isin(["baseline", "carry_in"])]
    expected = tables.contributions.groupby("date")["mean"].sum() + base.groupby("date")["mean"].sum()
    np.testing.assert_allclose(total.get_ydata(), expected.to_numpy(), rtol=1e-12)


def test_shares_account_for_every_channel(written: Written) -> None:
    bars = [p.get_width() for p in written.figures["contributions.png"].figure.axes[1].patches]
    assert sum(bars) == pytest.approx(100 * written.example.tables.channels["contribution_share_mean"].sum())


def test_figures_of_an_unconverged_fit_are_loud(written: Written) -> None:
    for name in drawn_names(written):
        if name == "truth.png":
            continue
        assert ("NOT CONVERGED" in written.figures[name].figure.get_suptitle()) == (not written.example.rec.converged)


def test_the_waterfall_ends_at_the_gain(written: Written) -> None:
    bars = written.figures[MOVES].figure.axes[0].patches
    *steps, gain = bars
    assert gain.get_width() == pytest.approx(written.example.rec.gain.mean)
    assert steps[-1].get_x() + steps[-1].get_width() == pytest.approx(gain.get_width(), abs=1e-6 * gain.get_width() ** 2)
    ends = [bar.get_x() + bar.get_width() for bar in steps]
    assert [bar.get_x() for bar in steps[1:]] == pytest.approx(ends[:-1], rel=1e-6, abs=1e-9 * max(map(abs, ends)))


def test_bars_over_time_add_up_to_the_cells(written: Written) -> None:
    rec = written.example.rec
    for axes, which in zip(written.figures[FLIGHTING].figure.axes, ("current", "recommended"), strict=True):
        height = sum(bar.get_height() for bar in axes.patches)
        assert height == pytest.approx(sum(getattr(cell, which) for cell in rec.cells), rel=1e-9)


def test_response_curves_are_those_of_the_recommendation(written: Written) -> None:
    rec = written.example.rec
    if not rec.curves:
        return
    panels = [axes for axes in written.figures[CURVES].figure.axes if axes.get_visible()]
    shown = sorted(rec.curves, key=lambda c: -c.recommended)[:15]
    shown = [curve for curve in rec.curves if curve in shown]
    for axes, curve in zip(panels, shown, strict=True):
        inside, beyond, current, recommended, *_ = axes.lines
        drawn = [*inside.get_xydata(), *beyond.get_xydata()[bool(len(inside.get_xdata())) :]]
        np.testing.assert_array_equal(drawn, [(p.spend, p.value.mean) for p in curve.points])
        assert (inside.get_xdata() <= curve.observed).all() and (beyond.get_xdata()[1:] > curve.observed).all()
        value = {p.spend: p.value.mean for p in curve.points}
        for line, spend in ((current, curve.current), (recommended, curve.recommended)):
            assert line.get_xydata().tolist() == [[spend, value[spend]]]


@pytest.mark.parametrize("name", ["six", "forty"])
def test_scenarios_spend_what_they_say(write_once: Callable[[str], Written], name: str) -> None:
    written = write_once(name)
    scenarios = written.example.rec.scenarios
    bars = written.figures[SCENARIOS].figure.axes[0].containers
    assert len(bars) == min(len(scenarios), 7)
    for scenario, drawn in zip(scenarios, bars, strict=False):
        assert sum(bar.get_width() for bar in drawn) == pytest.approx(scenario.total, rel=1e-9)


def test_panels_show_every_medium_or_say_that_they_do_not(written: Written) -> None:
    figure = written.figures["response_curves.png"].figure
    panels = sum(axes.get_visible() for axes in figure.axes)
    media = written.example.tables.curves["channel"].nunique()
    assert panels == media or (panels == 20 and f"of {media}" in figure.get_suptitle())


def test_truth_title_counts_the_intervals(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    paid = six().tables.channels.query("kind == 'paid'")
    truth = dict(zip(paid["channel"], paid["roas_mean"], strict=True))
    truth["tv"] = float(paid["roas_q95"].iloc[0]) * 2
    del truth["radio"]
    kept: dict[str, Drawn] = {}
    record_figures(monkeypatch, kept)
    figures.truth_figure(six().tables.channels, truth, tmp_path / "truth.png")
    assert kept["truth.png"].figure.get_suptitle() == "ROAS: 4 of 5 intervals hold the truth"


def test_labels_have_only_glyphs_that_the_font_has() -> None:
    assert canvas.name("tv \u5e7f\u544a") == "tv ??"
    assert canvas.name("a" * 60 + "z", 11) == "aaaaa…aaaaz"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1e6, "1M"), (1.5e6, "1.5M"), (250_000, "250k"), (-400_000, "-400k"), (0.5, "0.5"), (120, "120")],
)
def test_tick_text(value: float, text: str) -> None:
    assert canvas.tick_text(value) == text
