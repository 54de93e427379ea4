"""What the compiled evaluation of draws is called with: the families' codes, the arrays and their layouts."""

from __future__ import annotations

from typing import Any, NamedTuple


class Data(NamedTuple):
    """What all draws share, as contiguous arrays."""

    codes: Any  # (4, media) adstock, window, saturation, and kernel_codes.order_codes
    direct: Any  # (media,) 1 where the effect is the coefficient
    numerator: Any  # (media,)
    x: Any  # (media + frequencies, time, geo)
    x_other: Any  # (media + frequencies, time, geo)
    counted: Any  # (media, 2) how often the effect counts x and x_other
    money: Any  # (time, geo) of training rows
    signed: Any  # (signed control, time, geo)
    y: Any  # (time, geo)
    w: Any  # (time, geo)
    z_cell: Any  # (time, geo, cell column)
    z_time: Any  # (time, column)
    zz: Any  # (column, column)
    local: Any  # (local column, time, geo)
    local_z: Any  # (local column, geo, column)
    local_w: Any  # (local column, geo)
    local_sd: Any  # (local column,)


_DATA = Data(
    codes="i2",
    direct="i1",
    numerator="f1",
    x="f3",
    x_other="f3",
    counted="f2",
    money="f2",
    signed="f3",
    y="f2",
    w="f2",
    z_cell="f3",
    z_time="f2",
    zz="f2",
    local="f3",
    local_z="f3",
    local_w="f2",
    local_sd="f1",
)
LAYOUTS: dict[str, tuple[Any, ...]] = {  # Arguments of each function: see ``mmx.machine.code.table_of``.
    "by_period": ("i2", "f3", "f3", "f3", "f2", "i0", "f3"),
    "by_group": ("i2", "f3", "f3", "f3", "f3", "f2", "i2", "f1", "f4"),
    "by_plan": ("i2", "f3", "f3", "f3", "f4", "f3", "f3", "i0", "i0", "f3", "i1", "f3", "f4"),
    "past_states": ("i2", "f3", "f3", "i0", "f4"),
    "coefficients": (_DATA, "f3", "f2", "f3", "f2", "f1", "f2", "f2", "f3", "f3", "f2", "f3"),
}
