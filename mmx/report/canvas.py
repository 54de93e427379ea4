"""The look of every figure: size, palette, text, and PNG files whose bytes depend on the numbers alone.

Figures are made through matplotlib's object interface on the Agg canvas; no state of pyplot and no user style is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmx.report import format as fmt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Okabe and Ito (2008): told apart with every common colour vision deficiency.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
INK = "#222222"
GREY = "#8C8C8C"
PALE = "#D9D9D9"
BLUE = PALETTE[0]
ORANGE = PALETTE[5]
ALARM = "#B00020"
DPI = 100
NAME_WIDTH = 24
_STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.titlelocation": "left",
    "axes.labelsize": 10.0,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "legend.fontsize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#ECECEC",
    "grid.linewidth": 0.8,
    "text.color": INK,
    "text.parse_math": False,
    "axes.unicode_minus": False,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
}


@contextmanager
def style() -> Iterator[None]:
    """Use matplotlib's defaults with the report's style, whatever the user's own settings are."""
    import matplotlib.style

    with matplotlib.style.context(["default", _STYLE]):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of ``width`` x ``height`` inches with a layout that keeps texts apart."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def warm_up() -> None:
    """Import and draw ahead of time what every figure needs."""
    import matplotlib.dates  # noqa: F401
    from PIL import PngImagePlugin  # noqa: F401

    with style():
        figure = new_figure(2, 2)
        figure.subplots().set_title(name("0"))
        figure.canvas.draw()


def save(figure: Figure, path: Path) -> None:
    """Write a PNG without software name or time, so that the same numbers give the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    agg = figure.canvas
    assert isinstance(agg, FigureCanvasAgg)
    agg.draw()  # type: ignore[no-untyped-call]
    pixels = agg.buffer_rgba()  # type: ignore[no-untyped-call]
    image = Image.frombuffer("RGBA", agg.get_width_height(), pixels).convert("RGB")
    # 255 colours are enough for flat areas and halve the file
    flat = image.quantize(colors=255, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    flat.save(path, format="PNG", compress_level=6)


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())


def name(text: str, width: int = NAME_WIDTH) -> str:
    """Return a label that fits: characters that the font lacks become ``?``, long names are cut in the middle."""
    known = _glyphs()
    return fmt.shorten("".join(c if ord(c) in known else "?" for c in " ".join(text.split())), width)


def short_ticks(axis: Axis, unit: str = "") -> None:
    """Label an axis with ``1.2M`` in place of offsets and powers of ten."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value) + unit))


def tick_text(value: float) -> str:
    """Return the label of a tick: as ``short``, without trailing zeros."""
    text = fmt.short(value)
    digits, suffix = (text[:-1], text[-1]) if text[-1].isalpha() else (text, "")
    return (digits.rstrip("0").rstrip(".") if "." in digits else digits) + suffix


def date_ticks(axes: Axes) -> None:
    """Label a time axis in few words."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def heading(figure: Figure, title: str, alarm: str = "") -> None:
    """Put a title on the figure, under a red line if there is an alarm; what would not fit the width is cut."""
    title = name(title, int(9.5 * figure.get_figwidth()))
    if alarm:
        figure.suptitle(f"{alarm}\n{title}", x=0.01, ha="left", color=ALARM, fontsize=11.5, fontweight="bold")
    else:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11.5, fontweight="bold")
