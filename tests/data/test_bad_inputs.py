from __future__ import annotations

from pathlib import Path

import pytest
from bad_inputs import BAD
from bad_tables import Bad


@pytest.mark.parametrize("bad", BAD, ids=[b.name for b in BAD])
def test_a_bad_input_is_refused_with_place_and_remedy(bad: Bad, tmp_path: Path) -> None:
    message = bad.message(tmp_path)
    assert message, "the table was accepted"
    for text in bad.says:
        assert text in message, f"{text!r} is missing from:\n{message}"


def test_names_are_unique() -> None:
    assert len({b.name for b in BAD}) == len(BAD)
