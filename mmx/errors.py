"""The exception tree: every error a user can cause says what was expected, what came, and what to do.

``MmxError`` carries the exit code of the command line: 2 for bad input, 3 for a posterior that has not converged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the user's input.

    Attributes
    ----------
    where : str
        The place: ``column 'tv_S'``, ``model.adstock``, ``rows 12, 40``.
    came : str
        What was found there.
    expected : str
        What would have been right.
    remedy : str
        What the user can do next.
    """

    where: str
    came: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.came}. Expected {self.expected}. {self.remedy}"


class MmxError(Exception):
    """Base of all errors that end a command with a message instead of a traceback."""

    exit_code = 2


class InputError(MmxError):
    """Bad input with all its problems listed at once.

    Parameters
    ----------
    what : str
        One line that names the input, for example ``the table shop.csv cannot be used``.
    problems : sequence of Problem
    """

    def __init__(self, what: str, problems: Sequence[Problem] = ()) -> None:
        self.what = what
        self.problems = tuple(problems)
        lines = [what] + [f"  {i}. {p}" for i, p in enumerate(self.problems, 1)]
        super().__init__("\n".join(lines))


class ConfigError(InputError):
    """A configuration file or override that cannot be used."""


class DataError(InputError):
    """A table that breaks the data contract."""


class OutputError(MmxError):
    """An output folder or file that cannot be written."""


class DecisionError(MmxError):
    """A budget question that has no answer, such as a total outside the bounds."""


class ConflictError(DecisionError):
    """Constraints of a budget question that cannot hold together.

    Parameters
    ----------
    message : str
    conflict : tuple of str
        The constraints, in words.
    """

    def __init__(self, message: str, conflict: tuple[str, ...]) -> None:
        super().__init__(message)
        self.conflict = conflict


class NotConvergedError(MmxError):
    """A posterior failed its gate and the caller did not allow that."""

    exit_code = 3
