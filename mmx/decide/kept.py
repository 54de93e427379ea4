"""A response that remembers: frontier, scenarios and what would change the advice ask for the same plans again."""

from __future__ import annotations

from collections import OrderedDict

from mmx.data.panel import Floats
from mmx.decide.problem import Enveloped, Index, Response

BYTES = 250_000_000  # Kept at most; the oldest are forgotten first.
SUBSETS = 4  # Sets of draws that are kept, each with a memory of its own.


class Kept:
    """A response with the values and slopes of the plans that it was asked for last.

    Parameters
    ----------
    inner : Response
    """

    def __init__(self, inner: Response) -> None:
        self.inner = inner
        self.blocks = inner.blocks
        self.samples = inner.samples
        self._found: OrderedDict[bytes, tuple[Floats, Floats | None]] = OrderedDict()
        self._some: OrderedDict[bytes, Kept] = OrderedDict()
        self._size = 0

    def value(self, money: Floats) -> Floats:
        """KPI money (sample, block) of a plan (cell,)."""
        found = self._found.get(money.tobytes())
        if found is None:
            found = (self.inner.value(money), None)
            self._keep(money, found)
        return found[0].copy()

    def value_and_slope(self, money: Floats) -> tuple[Floats, Floats]:
        """KPI money (sample, block), and slopes (sample, cell)."""
        value, slope = self._found.get(money.tobytes(), (None, None))
        if value is None or slope is None:
            value, slope = self.inner.value_and_slope(money)
            self._keep(money, (value, slope))
        return value.copy(), slope.copy()

    def thinned(self, draws: Index) -> Kept:
        """The same response of some of the draws; the same draws have the same memory."""
        key = draws.tobytes()
        if key not in self._some:
            self._some[key] = Kept(self.inner.thinned(draws))
        self._some.move_to_end(key)
        while len(self._some) > SUBSETS:
            self._some.popitem(last=False)
        return self._some[key]

    def envelope(self) -> Kept | None:
        """A concave response, nowhere below this one; None if it is not known."""
        above = self.inner.envelope() if isinstance(self.inner, Enveloped) else None
        return None if above is None else Kept(above)

    def _keep(self, money: Floats, found: tuple[Floats, Floats | None]) -> None:
        self._size += _bytes(found)
        if (old := self._found.pop(money.tobytes(), None)) is not None:
            self._size -= _bytes(old)
        self._found[money.tobytes()] = found
        while self._size > BYTES and len(self._found) > 1:
            self._size -= _bytes(self._found.popitem(last=False)[1])


def _bytes(found: tuple[Floats, Floats | None]) -> int:
    return found[0].nbytes + (0 if found[1] is None else found[1].nbytes)
