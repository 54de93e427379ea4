"""Spellings of one name brought together, conservatively.

Two steps. Spellings that differ in case, punctuation, separators, spaces or in ``&`` for ``and`` are one name. Then a rare
spelling that is a frequent name with one letter lost or added is a slip. Names whose digits differ are never one, nor those
of which one has a word more, nor those that differ by another letter (``Modal``, ``Medal``): they are shown, and a mapping of
the settings decides. The steps repeat until nothing changes, so that unified names stay as they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

CONNECTORS = frozenset({"and"})
SHORT_WORD = 3
Together = Callable[[Sequence[str], Sequence[str]], bool]


def _never(_slip: Sequence[str], _name: Sequence[str]) -> bool:
    """Say of all names that they never stand on one day."""
    return False


_WORDS = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Spelling:
    """What became of one spelling.

    Attributes
    ----------
    spelling, name : str
        In the file, and what it is taken for.
    rows : int
    how : str
        ``same``, ``mapping``, ``spelling`` (case, separators) or ``slip`` (one letter).
    """

    spelling: str
    name: str
    rows: int
    how: str


@dataclass(frozen=True)
class Unified:
    """Names after unification.

    Attributes
    ----------
    spellings : tuple of Spelling
        In order of their names, then of their rows.
    ambiguous : tuple of (str, tuple of str)
        Spellings that are a slip of several names, with these.
    apart : tuple of (str, str, str)
        Pairs that look alike and were kept apart, with the reason.
    """

    spellings: tuple[Spelling, ...]
    ambiguous: tuple[tuple[str, tuple[str, ...]], ...]
    apart: tuple[tuple[str, str, str], ...]

    @property
    def mapping(self) -> dict[str, str]:
        """From spelling to name."""
        return {s.spelling: s.name for s in self.spellings}

    @property
    def names(self) -> tuple[str, ...]:
        """Names, sorted."""
        return tuple(sorted({s.name for s in self.spellings}))


def words_of(name: str) -> tuple[str, ...]:
    """Words of a name without case, accents' forms, punctuation and connecting words."""
    text = unicodedata.normalize("NFKC", name).casefold()
    words = tuple(w for w in _WORDS.findall(text) if w not in CONNECTORS)
    return words or (text.strip(),)


def digits_of(name: str) -> tuple[str, ...]:
    """Runs of digits of a name, in order."""
    return tuple(re.findall(r"\d+", unicodedata.normalize("NFKC", name)))


def unify(
    rows: Mapping[str, int],
    mapping: Mapping[str, str] | None = None,
    *,
    rare: float = 0.05,
    shortest: int = 8,
    together: Together = _never,
) -> Unified:
    """Bring spellings together.

    Parameters
    ----------
    rows : mapping of str to int
        Spellings with their numbers of rows, > 0.
    mapping : mapping of str to str, optional
        Spellings whose name is said; neither these names nor these spellings are compared with others.
    rare : float
        Largest share of a name's rows that a slip of it may have.
    shortest : int
        Letters below which no slip is recognised.
    together : callable
        Whether spellings of one name and of another stand on one day in the same place, which makes them two names.

    Returns
    -------
    Unified
    """
    said = {s: n for s, n in (mapping or {}).items() if s in rows}
    pinned = set(said.values())
    groups = _same_words({s: n for s, n in rows.items() if s not in said and s not in pinned})
    how = {s: "same" if s == name else "spelling" for name, members in groups.items() for s in members}
    while True:
        counts = {name: sum(rows[s] for s in members) for name, members in groups.items()}
        moves, ambiguous, apart = _slips(groups, counts, rare, shortest, together)
        if not moves:
            break
        for slip, name in moves.items():
            for spelling in groups[slip]:
                how[spelling] = "slip"
            groups[name] = [*groups[name], *groups.pop(slip)]
    named = {s: name for name, members in groups.items() for s in members}
    named |= {s: s for s in pinned if s in rows and s not in said} | said
    how |= dict.fromkeys(said, "mapping") | {s: "same" for s in pinned if s in rows and s not in said}
    found = (Spelling(s, named[s], count, how[s]) for s, count in rows.items())
    ordered = sorted(found, key=lambda s: (s.name, s.spelling != s.name, -s.rows, s.spelling))
    return Unified(
        tuple(ordered), tuple(sorted(ambiguous.items())), tuple((a, b, why) for (a, b), why in sorted(apart.items()))
    )


def _same_words(rows: Mapping[str, int]) -> dict[str, list[str]]:
    """Group spellings with the same letters and digits, spaces aside, by the one with most rows.

    Spaces count where digits meet: ``Set 1 2`` is not ``Set 12``.
    """
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for name in rows:
        groups["".join(words_of(name)), digits_of(name)].append(name)
    return {min(members, key=lambda s: (-rows[s], s)): sorted(members) for members in groups.values()}


def _slips(
    groups: Mapping[str, Sequence[str]], rows: Mapping[str, int], rare: float, shortest: int, together: Together
) -> tuple[dict[str, str], dict[str, tuple[str, ...]], dict[tuple[str, str], str]]:
    """Names that are a slip of exactly one other, which is no slip itself; those of several; pairs that stay apart."""
    apart: dict[tuple[str, str], str] = {}
    candidates: dict[str, list[str]] = {}
    for slip, others in _neighbours(rows).items():
        for name in sorted(others):
            if rows[slip] > rare * rows[name]:
                continue
            why = _reason_apart(slip, name, shortest)
            if why is None and together(groups[slip], groups[name]):
                why = "both have rows on one day"
            if why is None:
                candidates.setdefault(slip, []).append(name)
            else:
                apart[slip, name] = why
    moves = {slip: names[0] for slip, names in candidates.items() if len(names) == 1 and names[0] not in candidates}
    return moves, {slip: tuple(names) for slip, names in candidates.items() if len(names) > 1}, apart


def _neighbours(names: Mapping[str, int]) -> dict[str, set[str]]:
    """Pairs that one lost, added or changed letter tells apart, digits being the same."""
    holes: dict[tuple[str, tuple[str, ...]], set[str]] = defaultdict(set)
    for name in names:
        text, digits = "".join(words_of(name)), digits_of(name)
        for key in {text, *(text[:i] + text[i + 1 :] for i in range(len(text)))}:
            holes[key, digits].add(name)
    near: dict[str, set[str]] = defaultdict(set)
    for members in holes.values():
        for name in members if len(members) > 1 else ():
            near[name] |= members - {name}
    return near


def _reason_apart(slip: str, name: str, shortest: int) -> str | None:
    """Why a spelling is not a name with one letter lost or added; None where it is."""
    short, long = sorted(("".join(words_of(slip)), "".join(words_of(name))), key=len)
    if len(long) - len(short) != 1 or not any(long[:i] + long[i + 1 :] == short for i in range(len(long))):
        return "another letter"
    if len(short) < shortest:
        return "too short to tell"
    words, longer = (Counter(words_of(n)) for n in sorted((slip, name), key=lambda n: len("".join(words_of(n)))))
    if words <= longer:
        return "a word more"
    if sum(len(word) for word in (longer - words).elements()) < SHORT_WORD:
        return "a short word differs"
    return None
