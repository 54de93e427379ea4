"""Put the demo's figure and printed table into the README, from the output of `mmx demo` in mlruns/outputs/demo.

    make readme

Runs the demo, so that what the README shows is what a reader gets.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
README, FIGURE = ROOT / "README.md", ROOT / "experiments" / "truth.png"
WIDTH = "100"


def main() -> None:
    """Run the demo in a folder of its own and copy what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(ROOT / ".venv" / "bin" / "mmx"), "demo", "tracking.uri=null"]
        shown = subprocess.run(
            command, cwd=folder, env={**os.environ, "COLUMNS": WIDTH}, stdout=subprocess.PIPE, text=True, check=True
        )
        shutil.copy(Path(folder) / "mlruns" / "outputs" / "demo" / "truth.png", FIGURE)
    README.write_text(with_table(README.read_text(encoding="utf-8"), shown.stdout), encoding="utf-8")


def with_table(readme: str, printed: str) -> str:
    """Replace the README's printed block by the demo's lines from the verdict to the gain.

    Raises
    ------
    ValueError
        If the demo printed something else, or the README has no such block.
    """
    found = re.search(r"^(?:Converged|NOT CONVERGED).*?P\(gain > 0\) is\s+\S+ %\.$", printed, flags=re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"the demo printed no table with a gain:\n{printed}")
    table = "\n".join(line.rstrip() for line in found[0].splitlines())
    replaced, count = re.subn(r"```text\n.*?\n```", lambda _: f"```text\n{table}\n```", readme, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"the README has {count} blocks of printed text; expected one, marked text")
    return replaced


if __name__ == "__main__":
    main()
