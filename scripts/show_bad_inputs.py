"""Print every bad input of the data contract's tests with the message that it gets, as Markdown."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests" / "data"


def main() -> int:
    """Write one section per bad input to standard output; exit 1 where one was accepted."""
    sys.path.insert(0, str(TESTS))
    from bad_inputs import BAD

    accepted = 0
    print(f"# {len(BAD)} bad inputs and what mmx says\n")
    for bad in BAD:
        with tempfile.TemporaryDirectory() as folder:
            message = bad.message(Path(folder)).replace(f"{folder}/", "")
        accepted += not message
        print(f"## {bad.name}\n\n```text\n{message or 'ACCEPTED'}\n```\n")
    return 1 if accepted else 0


if __name__ == "__main__":
    sys.exit(main())
