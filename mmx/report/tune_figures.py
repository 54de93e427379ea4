"""Figures of a tuning: the front or the best so far, slices, importances, and tuned minus defaults on the hold-out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmx.report import canvas
from mmx.report import format as fmt
from mmx.tune.rule_evidence import Difference

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mmx.rules.parameters import Parameter
    from mmx.tune.problem import Floats
    from mmx.tune.rule_tuning import RuleTuning

SLICES = 12  # Parameters with a panel of their own.
BARS = 20
PANELS = 3  # Pairs of objectives beside each other.
BINS = 30
TRIM = 0.02  # Share of the worst trials that may lie outside an axis of scores.


def front_figure(made: RuleTuning, path: Path) -> None:
    """Write the front of the objectives, or the best trial so far where one value was searched."""
    if made.tuning.search.goals.multi:
        _front(made, path)
    else:
        _history(made, path)


def _front(made: RuleTuning, path: Path) -> None:
    tuning, trials = made.tuning, made.tuning.trials
    goals = tuning.search.goals
    values = np.column_stack([made.reported(n, v) for n, v in zip(goals.names, goals.each(trials.by_fold).T, strict=True)])
    base = [made.reported(n, v) for n, v in zip(goals.names, goals.default, strict=True)]
    pairs = [(0, k) for k in range(1, len(goals.names))][:PANELS]
    kept = trials.violation <= 0.0
    with canvas.style():
        figure = canvas.new_figure(5.6 * len(pairs) if len(pairs) > 1 else 8, 5)
        panels = np.atleast_1d(figure.subplots(1, len(pairs)))
        for axes, (x, y) in zip(panels, pairs, strict=True):
            axes.scatter(values[kept, x], values[kept, y], s=12, color=canvas.PALE, label="trials")
            if (~kept).any():
                style: dict[str, Any] = {"marker": "x", "color": canvas.PALE, "linewidth": 0.8, "label": "break a constraint"}
                axes.scatter(values[~kept, x], values[~kept, y], s=12, **style)
            order = tuning.front[np.argsort(values[tuning.front, x])]
            line = "-" if len(goals.names) == 2 else "none"
            axes.plot(values[order, x], values[order, y], linestyle=line, marker="o", color=canvas.BLUE, ms=5, label="front")
            for row, mark, name in ((tuning.knee, "D", "knee"), (tuning.winner, "*", "winner")):
                size = 15 if mark == "*" else 9
                axes.plot(*values[row, [x, y]], mark, color=canvas.ORANGE, ms=size, mec="white", label=name, linestyle="none")
            axes.plot(base[x], base[y], "s", color=canvas.INK, ms=8, mfc="white", label="defaults", linestyle="none")
            axes.set_xlabel(fmt.header(goals.names[x], made.unit(goals.names[x])))
            axes.set_ylabel(fmt.header(goals.names[y], made.unit(goals.names[y])))
            _window(axes, np.vstack([values[kept] if kept.any() else values, base]), x, y)
        panels[0].legend(loc="best")
        canvas.heading(
            figure, f"{made.name}: front of {len(trials):,} trials, means over the folds that tuning used", _alarm(made)
        )
        canvas.save(figure, path)


def _window(axes: Axes, values: Floats, x: int, y: int) -> None:
    """Leave the worst trials outside, which would press all others into a corner; the last of the values, the defaults, is in."""
    for column, limit in ((x, axes.set_xlim), (y, axes.set_ylim)):
        low = min(float(np.quantile(values[:, column], TRIM)), float(values[-1, column]))
        high = float(values[:, column].max())
        room = 0.08 * (high - low)
        if room > 0.0:
            limit(low - room, high + room)


def _history(made: RuleTuning, path: Path) -> None:
    trials, goals = made.tuning.trials, made.tuning.search.goals
    gain = 100.0 * goals.weighted(trials.by_fold).mean(axis=1) / goals.weights.sum()
    kept = trials.violation <= 0.0
    order = np.arange(1, len(trials) + 1)
    best = np.maximum.accumulate(np.where(kept, gain, -np.inf))
    with canvas.style():
        figure = canvas.new_figure(9, 4.6)
        axes = figure.subplots()
        axes.axhline(0.0, color=canvas.INK, linewidth=0.9, label="defaults")
        axes.scatter(order[kept], gain[kept], s=12, color=canvas.GREY, label="trials")
        if (~kept).any():
            axes.scatter(order[~kept], gain[~kept], s=14, marker="x", color=canvas.PALE, label="break a constraint")
        axes.step(order, np.where(np.isfinite(best), best, np.nan), where="post", color=canvas.BLUE, label="best so far")
        row = made.tuning.winner
        axes.plot(order[row], gain[row], "*", color=canvas.ORANGE, ms=15, mec="white", label="winner", linestyle="none")
        if len(gain) > 10:
            low = min(float(np.quantile(gain, 5 * TRIM)), 0.0)
            axes.set_ylim(low - 0.1 * (gain.max() - low), max(gain.max(), 0.0) + 0.1 * (gain.max() - low))
        axes.set_xlabel("trial")
        axes.set_title(f"Gain over the defaults in {_aim(made)} (%), mean over the folds that tuning used")
        axes.legend(loc="lower right", ncols=2)
        canvas.short_ticks(axes.xaxis)
        canvas.heading(figure, f"{made.name}: {len(trials):,} trials of {made.engine}", _alarm(made))
        canvas.save(figure, path)


def _alarm(made: RuleTuning) -> str:
    return made.evidence.alarm.strip()


def _aim(made: RuleTuning) -> str:
    names = made.tuning.search.goals.names
    return names[0] if len(names) == 1 else "the weighted sum"


def slices_figure(made: RuleTuning, path: Path) -> None:
    """Write the weighted gain of every trial against each of the most important searched parameters."""
    from matplotlib.colors import LinearSegmentedColormap

    tuning, trials = made.tuning, made.tuning.trials
    space, goals = tuning.search.problem.space, tuning.search.goals
    names = list(tuning.importances)[:SLICES]
    gain = 100.0 * goals.weighted(trials.by_fold).mean(axis=1) / goals.weights.sum()
    kept = np.flatnonzero(trials.violation <= 0.0)
    kept = kept if len(kept) else np.arange(len(trials))
    rows = -(-len(names) // 4)
    with canvas.style():
        figure = canvas.new_figure(12, 1.0 + 2.5 * rows)
        panels = np.atleast_2d(figure.subplots(rows, 4, sharey=True, squeeze=False))
        for axes in panels.flat[len(names) :]:
            axes.set_visible(False)
        dots, shades = None, LinearSegmentedColormap.from_list("trials", ["#C9DCEB", canvas.BLUE])
        for axes, name in zip(panels.flat, names, strict=False):
            place = space.index(name)
            parameter = space.parameters[place]
            values = trials.vectors[:, place]
            dots = axes.scatter(values[kept], gain[kept], c=kept + 1, cmap=shades, s=10)
            axes.axvline(parameter.default, color=canvas.INK, linewidth=0.9, linestyle="--")
            axes.plot(values[tuning.winner], gain[tuning.winner], "*", color=canvas.ORANGE, ms=13, mec="white")
            _ticks(axes, parameter)
            axes.set_title(canvas.name(name, 36), fontsize=9)
            axes.set_xlabel(parameter.unit, fontsize=8)
        if len(gain) > 10:
            low = float(np.quantile(gain[kept], 5 * TRIM))
            panels[0, 0].set_ylim(low - 0.1 * (gain[kept].max() - low), gain[kept].max() + 0.1 * (gain[kept].max() - low))
        if dots is not None:
            figure.colorbar(dots, ax=panels, label="trial", shrink=0.7)
        title = "gain over the defaults (%) against parameters; star: winner, dashes: default"
        canvas.heading(figure, f"{made.name}: {title}", _alarm(made))
        canvas.save(figure, path)


def _ticks(axes: Axes, parameter: Parameter) -> None:
    """Few labels, also on a log scale."""
    if parameter.scale == "log":
        from matplotlib.ticker import FixedLocator, NullLocator

        axes.set_xscale("log")
        low, high = np.log(axes.get_xlim())
        axes.xaxis.set_major_locator(FixedLocator(np.exp(low + (high - low) * np.array([0.1, 0.5, 0.9])).tolist()))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        from matplotlib.ticker import MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.2g}")


def importances_figure(made: RuleTuning, path: Path) -> None:
    """Write what sets the best trials apart from all, and what screening found of every parameter's effect."""
    tuning = made.tuning
    found = list(tuning.importances.items())[:BARS]
    screened = list(zip(tuning.screening.names, tuning.screening.share, strict=True))[:BARS]
    ranked = [("among the best trials (PED-ANOVA)", found)]
    if tuning.screening.method != "off":
        ranked.append((f"in screening ({tuning.screening.method}), all parameters", screened))
    with canvas.style():
        figure = canvas.new_figure(6.5 * len(ranked), 1.2 + 0.27 * max(len(pairs) for _, pairs in ranked))
        for axes, (title, pairs) in zip(np.atleast_1d(figure.subplots(1, len(ranked))), ranked, strict=True):
            place = np.arange(len(pairs))
            searched = [name in tuning.search.names for name, _ in pairs]
            colours = [canvas.BLUE if one else canvas.PALE for one in searched]
            axes.barh(place, [100.0 * share for _, share in pairs], color=colours, height=0.7)
            axes.set_yticks(place, [canvas.name(name, 40) for name, _ in pairs])
            axes.set_ylim(len(pairs) - 0.4, -0.6)
            axes.grid(visible=False, axis="y")
            axes.set_xlabel("share (%)")
            axes.set_title(title)
        canvas.heading(figure, f"{made.name}: importance of parameters; pale ones were not searched", _alarm(made))
        canvas.save(figure, path)


def hold_out_figure(made: RuleTuning, path: Path) -> None:
    """Write tuned minus defaults on the hold-out as judged, against what the model that tuning used claims."""
    differences = made.evidence.differences
    shown = differences[: 1 + 2]
    mass = made.evidence.verdict.mass
    with canvas.style():
        figure = canvas.new_figure(5.2 * len(shown), 4.2)
        panels = np.atleast_1d(figure.subplots(1, len(shown)))
        for axes, one in zip(panels, shown, strict=True):
            _paired(axes, one, mass)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=2)
        first = "rests on the prior" if made.evidence.on_prior else "model-based"
        decided = "adopt" if made.evidence.verdict.adopt else "keep the defaults"
        title = f"{made.name}: tuned minus defaults on days that no trial has seen ({first}): {decided}"
        canvas.heading(figure, title, _alarm(made))
        canvas.save(figure, path)


def _paired(axes: Axes, one: Difference, mass: float) -> None:
    mean, low, high = one.interval(mass)
    ends = np.quantile(np.concatenate([one.judged, one.claimed]), [0.002, 0.998])
    room = max(float(ends[1] - ends[0]), 1e-9)
    bins = np.linspace(min(ends[0], 0.0) - 0.05 * room, max(ends[1], 0.0) + 0.05 * room, BINS).tolist()
    axes.hist(one.judged, bins=bins, density=True, color=canvas.BLUE, alpha=0.35)
    top = axes.get_ylim()[1]
    tail = (1.0 - mass) / 2.0
    claim = (float(one.claimed.mean()), *np.quantile(one.claimed, [tail, 1.0 - tail]))
    label = f"{100 * mass:.0f} % interval"
    rows = (
        (1.22, (mean, low, high), canvas.BLUE, f"judged on the hold-out, {label}"),
        (1.08, claim, canvas.ORANGE, f"claimed by tuning's model, {label}"),
    )
    for height, (middle, left, right), colour, name in rows:
        axes.plot([left, right], [height * top] * 2, color=colour, linewidth=3.0, label=name)
        axes.plot(middle, height * top, "o", color=colour, ms=7)
    axes.axvline(0.0, color=canvas.INK, linewidth=1.0)
    axes.set_ylim(0.0, top * 1.3)
    axes.set_yticks([])
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(one.unit)
    axes.set_title(one.name)
    canvas.short_ticks(axes.xaxis)
