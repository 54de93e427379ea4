"""Pool the rule parameters of several tuned customers from Python, step by step. Copy this file and change what you need.

    python experiments/pool_rules.py configs/acme.yaml configs/bolt.yaml      configurations whose rules were tuned
    python experiments/pool_rules.py tuned/acme tuned/bolt --out pooled       output folders of mmx tune
    mmx tune configs/new.yaml --pooled pooled                                 a new customer begins there

Without ``--out`` nothing is written. With it, the folder of ``mmx pool`` is written and the run is logged to MLflow.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmx.data.ads.read import read_history
from mmx.report.pool_terminal import print_pool
from mmx.rules.engine import Engine
from mmx.rules.pooling.place import common_parameters, place
from mmx.rules.pooling.pool import PooledParameters, pool
from mmx.rules.pooling.predict import predict, starting_points
from mmx.rules.pooling.traits import history_traits
from mmx.tune.customers import searched_optimum
from mmx.tune.overrides import yaml_diff
from mmx.workflows.pool import default_point, find_studies, read_customers, run_pool


def main(arguments: Sequence[str] | None = None) -> PooledParameters:
    """Run the steps and return the posterior, for a notebook to go on with."""
    args = parse(arguments)

    # 1. The customers: a configuration with its newest study under output.dir, or the study's folder.
    customers = read_customers(args.customers)
    config, space = customers[0][1], Engine().space
    settings = config.pool
    if args.out is not None:
        done = run_pool(customers, out=args.out, force=args.force, allow_unconverged=args.allow_unconverged)
        print_pool(done.summary, done.folder)
        return done.pooled
    studies = find_studies(customers)

    # 2. What is known of each customer before any search.
    traits = {name: history_traits(read_history(study.config.ads)) for name, study in studies.items()}

    # 3. Where each search has its optimum, and how well that is known: flat directions weigh nothing.
    found = {
        name: searched_optimum(name, study.trials, study.weights, space, settings.optimum, config.seed)
        for name, study in studies.items()
    }
    parameters = common_parameters([study.summary["search"]["importances"] for study in studies.values()], settings.common)
    default = default_point(space, parameters, settings.optimum.edge)
    optima = {name: place(one.optimum, one.searched, parameters, default) for name, one in found.items()}

    # 4. The hierarchy. Believe it only where it passed its gate.
    pooled = pool(space, parameters, optima, traits, settings, config.sampler, config.gate, seed=config.seed)
    print(f"passed the gate: {pooled.gate.passed} {'; '.join(pooled.gate.reasons)}")

    # 5. What it expects of a customer like the first one, before any search: where mmx tune --pooled begins.
    draws = predict(pooled, next(iter(traits.values())), np.random.default_rng(config.seed))
    print(yaml_diff(space, starting_points(pooled, space, draws, settings.starts)[0]))
    return pooled


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Pool the rule parameters of tuned customers, step by step.")
    parser.add_argument("customers", nargs="+", metavar="CONFIG", help="YAML files, folders of mmx tune, and KEY.PATH=VALUE")
    parser.add_argument("--out", metavar="DIR", type=Path, help="write the output folder there and log the run")
    parser.add_argument("--force", action="store_true", help="replace an existing output folder")
    parser.add_argument("--allow-unconverged", action="store_true", help="go on although the pool failed its gate")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
