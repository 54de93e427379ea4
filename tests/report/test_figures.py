from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from matplotlib.transforms import Bbox
from PIL import Image

from mmx.report import canvas, figures

from .conftest import Drawn, Written, record_figures
from .examples import six

PNGS = ("fit.png", "contributions.png", "response_curves.png", "recommendation.png", "truth.png")
LARGEST = 120_000
SLACK = 3


@pytest.mark.parametrize("name", PNGS)
def test_texts_lie_inside_and_apart(written: Written, name: str) -> None:
    drawn = written.figures[name]
    width, height = drawn.figure.bbox.width, drawn.figure.bbox.height
    assert len(drawn.texts) > 8
    for text, box in drawn.texts:
        assert box.x0 > -SLACK and box.y0 > -SLACK and box.x1 < width + SLACK and box.y1 < height + SLACK, text
    for (a, one), (b, two) in itertools.combinations(drawn.texts, 2):
        both = Bbox.intersection(one, two)
        assert both is None or min(both.width, both.height) < SLACK, (a, b)


@pytest.mark.parametrize("name", PNGS)
def test_pictures_are_light_and_large_enough(written: Written, name: str) -> None:
    assert (written.folder / name).stat().st_size < LARGEST
    with Image.open(written.folder / name) as image:
        assert image.format == "PNG"
        assert image.width >= 800
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
    for name in PNGS[:-1]:
        assert ("NOT CONVERGED" in written.figures[name].figure.get_suptitle()) == (not written.example.rec.converged)


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
