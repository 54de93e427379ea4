"""Fit a marketing-mix model from Python, step by step. Copy this file and change what you need.

    python experiments/fit_mmm.py configs/demo.yaml --data clean.csv
    python experiments/fit_mmm.py configs/demo.yaml --data clean.csv --out fits/demo sampler.draws=2000 model.drift=false

Without ``--out`` nothing is written: a quick look. With it, the folder of ``mmx fit`` is written and the run logged to MLflow.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import mmx
from mmx.data.checks import precheck
from mmx.workflows.fit import run_fit


def main(arguments: Sequence[str] | None = None) -> mmx.Fit:
    """Run the steps and return the fit, for a notebook to go on with."""
    args = parse(arguments)

    # 1. The settings: configs/default.yaml, the named file, then the key.path=value of the command line.
    config = mmx.read_config(args.config, overrides=args.overrides)

    # 2. The data, held against the data contract; a table that breaks it ends here with every problem listed.
    panel = mmx.load(config, args.data)
    config = mmx.with_lift_tests(config, panel)
    print(f"{panel.source}: {panel.describe()}")
    for result in precheck(panel, config):
        verdict = {True: "fine", False: "look at", None: "note"}[result.passed]
        print(f"  {verdict:<8}{result.name}: {result.text}")

    # 3. The fit is a value: the same panel, specification and seed give the same draws.
    if args.out is None:
        fit = mmx.fit(panel, config.spec, seed=config.seed, progress=show, say=print)
    else:
        fit = run_fit(config, data=args.data, out=args.out, force=args.force).fit

    # 4. Look before you believe: did it converge, what does each channel bring, how well does the model follow the KPI?
    print(f"\nconverged: {fit.converged} {'; '.join(fit.gate.reasons)}")
    channels = fit.tables.channels.set_index("channel")
    columns = [
        c for q in ("spend", "contribution_share", "roas", "mroas") for c in channels if c == q or c.startswith(f"{q}_q")
    ]
    print(channels[columns].dropna(axis="columns", how="all").round(3).to_string())
    print({name: round(value, 3) for name, value in fit.tables.fit.items() if value is not None})

    # 5. Everything else is computed from the draws: here, how strongly each channel's effect carries over to the next period.
    if "alpha" in fit.posterior.params:
        parameters = fit.tables.parameters
        print(
            parameters[parameters["name"].str.startswith("alpha")][["name", "mean", "q05", "q95"]]
            .round(2)
            .to_string(index=False)
        )
    return fit


def show(done: int, total: int, divergences: int) -> None:
    """Draws so far, over all chains and tuning included, on one line."""
    print(f"\r{done:,} of {total:,} draws, {divergences} divergent", end="\n" if done == total else "", flush=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Fit a marketing-mix model, step by step.")
    parser.add_argument("config", help="a YAML file, or the name of one in configs/")
    parser.add_argument("overrides", nargs="*", metavar="KEY.PATH=VALUE", help="settings that replace the file's")
    parser.add_argument("--data", metavar="FILE", help="table to use instead of data.path")
    parser.add_argument("--out", metavar="DIR", help="write the output folder there and log the run")
    parser.add_argument("--force", action="store_true", help="replace an existing output folder")
    return parser.parse_intermixed_args(arguments)


if __name__ == "__main__":
    main()
