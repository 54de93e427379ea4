"""How rules are looked for, a condition that was judged, and all that was found: values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmx.rules.discovery.terms import Condition


@dataclass(frozen=True)
class Discovering:
    """How rules are looked for.

    Attributes
    ----------
    days : int
        Length of an outcome.
    embargo : int
        Days between the parts beside those of an outcome and of attribution.
    grown : float
        Share of the past that trees grow on.
    trees, depth, candidates : int
        Trees, splits of a path, and conditions that are judged.
    least_share : float
        Least share of the expected revenue in a node.
    least_days, least_ad_sets : int
        Ad-set-days and ad sets of the later part below which a condition is not judged.
    level : float
        Largest adjusted p-value of a finding.
    mass : float
        Of intervals.
    flips : int
        Random signs of the evidence.
    """

    days: int = 7
    embargo: int = 7
    grown: float = 0.5
    trees: int = 40
    depth: int = 3
    candidates: int = 12
    least_share: float = 0.06
    least_days: int = 100
    least_ad_sets: int = 6
    level: float = 0.05
    mass: float = 0.9
    flips: int = 4999


@dataclass(frozen=True)
class Candidate:
    """A condition that was judged.

    Attributes
    ----------
    conditions : tuple of Condition
    days, ad_sets : int
        Support in the later part: ad-set-days, and ad sets.
    effect, low, high : float
        On the ROAS of the week after, as a share (-0.1: a tenth less), and its interval.
    p, adjusted : float
        p-value alone, and among all conditions that were judged.
    found : bool
        Whether the evidence holds.
    raises : bool
        Whether the proposal is a raise or a cut.
    share : float
        Of the budget, by which it is to be moved.
    overlaps : str
        The existing rule whose conditions hold on the most similar ad-set-days, among those that hold on at most half.
    overlap : float
        Ad-set-days in common over those of either.
    repeats : str
        The surer finding that this one has at least half of the smaller one's ad-set-days in common with; empty where none.
    """

    conditions: tuple[Condition, ...]
    days: int
    ad_sets: int
    effect: float
    low: float
    high: float
    p: float
    adjusted: float
    found: bool
    raises: bool
    share: float
    overlaps: str
    overlap: float
    repeats: str = ""

    @property
    def words(self) -> str:
        """The condition in words."""
        return " and ".join(condition.words for condition in self.conditions)

    def sentence(self, mass: float) -> str:
        """What was found, with its evidence."""
        return (
            f"Where {self.words}: ROAS of the next week {self.effect:+.1%} ({mass:.0%} interval {self.low:+.1%} to "
            f"{self.high:+.1%}), p {self.p:.3g}, adjusted {self.adjusted:.3g}; {self.days} ad-set-days of {self.ad_sets} "
            f"ad sets; nearest rule: {self.overlaps} ({self.overlap:.0%} of ad-set-days in common)"
        )


@dataclass(frozen=True)
class Discovery:
    """What was looked for and found.

    Attributes
    ----------
    candidates : tuple of Candidate
        All conditions that were judged, the surest first; of those that are as sure, the one of the larger effect.
    grown, judged : tuple of (datetime64, datetime64)
        First and last day of decisions in both parts.
    proposed : int
        Distinct conditions of all trees.
    note : str
        What was found, in a sentence, or why nothing could be.
    entry : str
        Text of a library file with the rules that were found and repeat no other; empty where none was.
    """

    candidates: tuple[Candidate, ...]
    grown: tuple[Any, Any] | None
    judged: tuple[Any, Any] | None
    proposed: int
    note: str
    entry: str

    @property
    def found(self) -> tuple[Candidate, ...]:
        """Conditions whose evidence holds."""
        return tuple(candidate for candidate in self.candidates if candidate.found)

    def table(self) -> list[dict[str, Any]]:
        """One dictionary per condition that was judged, for tables and JSON."""
        plain = (
            "days",
            "ad_sets",
            "effect",
            "low",
            "high",
            "p",
            "adjusted",
            "found",
            "share",
            "overlaps",
            "overlap",
            "repeats",
        )
        return [
            {"where": candidate.words, "move": "raise" if candidate.raises else "cut"}
            | {name: getattr(candidate, name) for name in plain}
            for candidate in self.candidates
        ]
