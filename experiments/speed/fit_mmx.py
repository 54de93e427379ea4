"""Fit a case with mmx in a process of its own, and report as the peers do (experiments/peers/README.md).

python experiments/speed/fit_mmx.py FOLDER RESULT.json [--options '{"overrides": ["model.drift=false"], "seed": 3}']
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PACKAGES = ("mmx", "nutpie", "numba", "numpy", "jax")
LISTED = ("alpha", "theta", "stage", "half_saturation", "slope", "lam", "noise")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, fit, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--options", default="{}")
    args = parser.parse_args(arguments)
    options = {"overrides": [], "seed": 1, "chains": 4, "draws": 1000, "cores": 2, "save": False} | json.loads(args.options)
    began = time.perf_counter()
    from mmx import fit, load, read_config

    imported = time.perf_counter() - began
    settings = [f"sampler.chains={options['chains']}", f"sampler.draws={options['draws']}", *options["overrides"]]
    config = read_config(args.folder / "mmx.yaml", overrides=settings)
    panel = load(config)
    processor = _processor()
    began = time.perf_counter()
    fitted = fit(panel, config.spec, seed=options["seed"], cores=options["cores"])
    seconds = {"import": imported, "all_in": time.perf_counter() - began, "cpu": _processor() - processor}
    sys.path.insert(0, str(Path(__file__).parents[1] / "peers"))
    import case

    seconds |= {"sample": fitted.seconds["sample"], "compile": fitted.seconds["compile"], "process": case.process_seconds()}
    result = report(fitted, seconds, options, args.folder.name)
    args.result.write_text(json.dumps(case.finite(result), indent=1) + "\n", encoding="utf-8")


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def quantities(fitted: Any) -> dict[str, Any]:
    """Return the list that every tool is judged by: ROAS of paid channels, carryover and saturation, noise, (chain, draw)."""
    from mmx.mmm.quantities import roas_draws
    from mmx.mmm.target import coordinate_names

    posterior = fitted.posterior
    values = {k: v for k, v in roas_draws(posterior, fitted.effects).items() if k.startswith("roas[")}
    paid = {f"{name}[{channel}]" for name in LISTED for channel in posterior.panel.names("channel")} | {"noise"}
    for block in posterior.structure.blocks:
        place = posterior.structure.slices[block.name]
        labels = coordinate_names(posterior.structure, posterior.media)[place]
        for i, label in enumerate(labels):
            if label in paid:
                values[label] = posterior.split_chains(posterior.params[block.name][:, i])
    return values


def report(fitted: Any, seconds: dict[str, float], options: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the result as plain numbers."""
    from importlib.metadata import version

    import diagnostics

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    values = quantities(fitted)
    chains, draws = next(iter(values.values())).shape
    return {
        "format": 1,
        "peer": "mmx",
        "case": name,
        "versions": {
            "python": platform.python_version(),
            **{p: version(p) for p in ("mmx", "nutpie", "numba", "numpy", "jax")},
        },
        "settings": {"options": options, "sampler": fitted.draws.settings, "decisions": list(fitted.decisions)},
        "seconds": seconds,
        "peak_rss_mb": peak,
        "saved_mb": saved_mb(fitted) if options["save"] else None,
        "chains": chains,
        "draws": draws,
        "divergences": int(fitted.draws.stats["diverging"].sum()),
        "gate": fitted.gate.as_mapping(),
        "diagnostics": diagnostics.judge(values),
        "roas": {k[5:-1]: diagnostics.summarise(v) for k, v in values.items() if k.startswith("roas[")},
    }


def saved_mb(fitted: Any) -> float:
    """Size of the file that a fit is saved to, MiB."""
    from mmx.mmm.store import save

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fit.nc"
        save(fitted, path)
        return path.stat().st_size / 2**20


if __name__ == "__main__":
    main()
