"""The ``mmx`` command line: parses, calls one workflow, prints. Heavy imports wait until a command needs them."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmx import cli_rules, cli_tune
from mmx.cli_options import (
    ConfigArgument,
    CustomerOption,
    DataOption,
    ForceOption,
    OutOption,
    Overrides,
    PlatformOption,
    SeedOption,
    configured,
)
from mmx.errors import InputError, MmxError

if TYPE_CHECKING:
    pass

app = typer.Typer(
    help="Bayesian marketing-mix models that end in a budget recommendation with its uncertainty.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.add_typer(cli_rules.app, name="rules")
INTERRUPTED = 130
StartOption = Annotated[
    Path | None, typer.Option("--start", metavar="DIR", help="Output folder of an earlier fit to start the chains from.")
]
AllowOption = Annotated[bool, typer.Option("--allow-unconverged", help="Go on although the fit failed its gate.")]


def main() -> None:
    """Run the command line; errors of mmx end with a message and their exit code."""
    try:
        app(prog_name="mmx")
    except MmxError as error:
        if isinstance(error, InputError) and error.problems:
            from mmx.report.terminal import print_problems

            print_problems(error)
        else:
            print(f"Error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:  # Typer's answer to Ctrl-C, which is silent
            print("Interrupted: an output folder is there only if it is complete.", file=sys.stderr)
        raise


def _bounds(text: str | None) -> list[float] | None:
    """Read ``LOW,HIGH``."""
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low, high = 1.0, 0.0
    if not 0 <= low <= high:
        raise MmxError(f"--bounds takes LOW,HIGH with 0 <= LOW <= HIGH, such as 0.5,2; it was given {text!r}")
    return [low, high]


def _goal(text: str | None) -> dict[str, float] | None:
    """Read ``roas=3``."""
    if text is None:
        return None
    name, _, amount = text.partition("=")
    try:
        return {name.strip(): float(amount)}
    except ValueError:
        raise MmxError(f"--goal takes roas=X, mroas=X or cpa=X, such as roas=3; it was given {text!r}") from None


@app.command()
def check(
    config: ConfigArgument = None,
    overrides: Overrides = None,
    data: DataOption = None,
    against: Annotated[str | None, typer.Option("--against", metavar="RUN", help="Earlier fit: its folder or run id.")] = None,
    customer: CustomerOption = None,
    platform: PlatformOption = None,
) -> None:
    """Check a table against the data contract, and what the model will see."""
    settings = configured(config, overrides, customer, platform)
    from mmx.report.terminal import print_checks
    from mmx.workflows.check import run_check

    print_checks(run_check(settings, data=data, against=against))


@app.command()
def fit(
    config: ConfigArgument = None,
    overrides: Overrides = None,
    data: DataOption = None,
    out: OutOption = None,
    start: StartOption = None,
    force: ForceOption = False,
    seed: SeedOption = None,
    customer: CustomerOption = None,
    platform: PlatformOption = None,
) -> None:
    """Fit a marketing-mix model and write its posterior, tables, figures and report."""
    settings = configured(config, overrides, customer, platform, seed)
    from mmx.report.terminal import print_fit
    from mmx.track.server import ui_command
    from mmx.workflows.fit import run_fit

    done = run_fit(settings, data=data, out=out, start=start, force=force)
    print_fit(
        done.summary,
        done.fit.tables,
        done.folder,
        currency=done.fit.panel.currency,
        target_kind=done.fit.panel.target_kind,
        ui_command=ui_command(settings.tracking),
    )


@app.command()
def recommend(
    source: Annotated[str, typer.Argument(metavar="DIR_OR_RUN", help="Output folder of mmx fit, or its MLflow run id.")],
    budget: Annotated[float | None, typer.Option(metavar="X", help="Total over the horizon; the current plan's.")] = None,
    horizon: Annotated[int | None, typer.Option(metavar="PERIODS", help="Periods to plan.")] = None,
    bounds: Annotated[str | None, typer.Option(metavar="LOW,HIGH", help="Bounds on each channel's multiplier.")] = None,
    reference: Annotated[str | None, typer.Option(help="Current plan: last, last_year or planned.")] = None,
    by: Annotated[
        str | None, typer.Option(metavar="A,B", help="What has money of its own: channel,geo or channel,period.")
    ] = None,
    objective: Annotated[str | None, typer.Option(help="mean, cvar, regret, mean_sd, beat or target.")] = None,
    goal: Annotated[str | None, typer.Option(metavar="roas=X", help="Largest total with such a roas, mroas or cpa.")] = None,
    since: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Earlier recommendation.json: what moves, what keeping it would lose.")
    ] = None,
    overrides: Overrides = None,
    out: OutOption = None,
    force: ForceOption = False,
    allow_unconverged: AllowOption = False,
) -> None:
    """Recommend next periods' budget from a fit, with its gain, interval and reasons.

    Groups, ramps, commitments and scenarios are settings, such as budget.max_change=0.3: see configs/default.yaml.
    """
    from mmx.report.plan_terminal import print_recommendation
    from mmx.track.server import ui_command
    from mmx.workflows.recommend import run_recommend

    asked: dict[str, object] = {
        "total": budget,
        "horizon": horizon,
        "reference": reference,
        "bounds": _bounds(bounds),
        "objective": objective,
    }
    asked |= {"by": None if by is None else by.split(","), "goal": _goal(goal)}
    settings = [*(overrides or ()), *(f"budget.{key}={value}" for key, value in asked.items() if value is not None)]
    done = run_recommend(
        source, overrides=tuple(settings), out=out, force=force, allow_unconverged=allow_unconverged, since=since
    )
    print_recommendation(done.recommendation, done.folder, ui_command=ui_command(done.config.tracking))


@app.command()
def simulate(
    world: Annotated[
        str | None, typer.Argument(metavar="WORLD", help="clean, geo, confounded, zero, ...; account: daily ads.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Table to write, .csv or .parquet.")] = None,
    like: Annotated[str | None, typer.Option("--like", metavar="CONFIG", help="A stand-in with this file's columns.")] = None,
    variant: Annotated[
        str, typer.Option("--variant", help="named, or as the study of recovery draws worlds: inside or outside the model.")
    ] = "named",
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0)] = 1,
    force: ForceOption = False,
) -> None:
    """Simulate a world with known truth: a table, its truth as JSON, and a configuration that fits it."""
    if (world is None) == (like is None):
        raise typer.BadParameter("name a world, or give --like CONFIG: one of the two")
    if (like is not None or (world or "").startswith("account")) and variant != "named":
        raise typer.BadParameter("--variant is for the named worlds of weeks, not for accounts and --like")
    if out is None:
        raise typer.BadParameter("give --out FILE, ending in .csv or .parquet")
    from mmx import worlds

    made: worlds.Simulated | worlds.SimulatedAccount
    if like is not None:
        from mmx.config import read_config

        made = worlds.like(read_config(like), seed=seed)
    elif world in worlds.ACCOUNTS:
        made = worlds.simulate_account(world, seed=seed)
    else:
        made = worlds.simulate(str(world), seed=seed, variant=variant)
    for what, path in zip(("table", "truth", "configuration"), worlds.write(made, out, force=force), strict=True):
        print(f"{what + ':':<15}{path}")


@app.command()
def lift(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="CSV or Parquet, one row per date and geo.")],
    date: Annotated[str, typer.Option(metavar="COLUMN", help="Column of dates.")],
    geo: Annotated[str, typer.Option(metavar="COLUMN", help="Column of geos.")],
    kpi: Annotated[str, typer.Option(metavar="COLUMN", help="Column of the KPI.")],
    treated: Annotated[str, typer.Option(metavar="A,B", help="Geos with the test.")],
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day of the test.")],
    end: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day of the test, inclusive.")],
    overrides: Overrides = None,
    channel: Annotated[str | None, typer.Option(metavar="NAME", help="What was tested.")] = None,
    spend: Annotated[
        float | None, typer.Option(metavar="X", help="Spend that the test added; negative where it took spend away.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="TEST", help="Name of the test; channel and first day.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Table of lift tests to append to.")] = None,
) -> None:
    """Estimate what an experiment on geos brought, and keep it as a lift test for a model."""
    from mmx.report.lift_terminal import print_lift
    from mmx.workflows.lift import run_lift

    geos = [part.strip() for part in treated.split(",") if part.strip()]
    done = run_lift(
        table,
        date=date,
        geo=geo,
        kpi=kpi,
        treated=geos,
        start=start.date(),
        end=end.date(),
        channel=channel,
        spend=spend,
        test=name,
        out=out,
        overrides=overrides or (),
    )
    print_lift(done.estimate, done.settings, spend=spend, notes=done.notes, out=done.out)


@app.command()
def features(
    config: ConfigArgument = None,
    overrides: Overrides = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Output folder, brought up to date; NAME-features in output.dir."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Compute every month, also those whose input did not change.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Print every feature with its meaning, and nothing else.")] = False,
    customer: CustomerOption = None,
    platform: PlatformOption = None,
) -> None:
    """Compute features of ads, ad sets, campaigns and accounts from daily tables, by month."""
    from mmx.report.features_terminal import print_feature_list, print_features

    if listing:
        from mmx.data.ads.definitions import FEATURES

        print_feature_list(FEATURES)
        return
    settings = configured(config, overrides, customer, platform)
    from mmx.workflows.features import run_features

    done = run_features(settings, out=out, force=force)
    print_features(done.summary, done.folder)


@app.command()
def demo(
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0)] = 1,
    overrides: Overrides = None,
) -> None:
    """Simulate, fit, check, recommend and log: the whole way in under a minute."""
    from mmx.report.terminal import print_demo
    from mmx.track.server import ui_command
    from mmx.workflows.demo import run_demo

    done = run_demo(seed=seed, overrides=tuple(overrides or ()))
    print_demo(
        done.fit.summary,
        done.fit.fit.tables,
        done.recommendation.recommendation,
        done.truth["roas"],
        folders={"world": done.folder / "world", "fit": done.fit.folder, "recommendation": done.recommendation.folder},
        ui_command=ui_command(done.fit.config.tracking),
        did=(
            f"simulated {done.truth['periods']} weeks of {len(done.truth['roas'])} channels, seed {seed}",
            "fitted a marketing-mix model with its default priors, which do not know the truth",
            "judged its convergence, recommended next quarter's budget, logged both runs to MLflow",
        ),
    )


@app.command()
def ui(
    overrides: Overrides = None,
    host: Annotated[str, typer.Option(help="Address to serve on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 5000,
) -> None:
    """Start the MLflow server on the project's runs."""
    from mmx.config import read_tracking
    from mmx.track.server import serve

    serve(read_tracking(overrides or []), host=host, port=port)


app.command()(cli_tune.tune)
app.command()(cli_tune.pool)
