"""Figures of fits and recommendations, one function per file; see ``canvas`` for their common look."""

from __future__ import annotations

from mmx.report.choice_figures import flighting_figure, frontier_figure, scenarios_figure
from mmx.report.curve_figure import response_curves_figure
from mmx.report.fit_figures import contributions_figure, fit_figure
from mmx.report.move_figures import moves_figure, optimum_figure
from mmx.report.plan_curve_figure import plan_curves_figure
from mmx.report.plan_figures import recommendation_figure, truth_figure

__all__ = [
    "contributions_figure",
    "fit_figure",
    "flighting_figure",
    "frontier_figure",
    "moves_figure",
    "optimum_figure",
    "plan_curves_figure",
    "recommendation_figure",
    "response_curves_figure",
    "scenarios_figure",
    "truth_figure",
]
