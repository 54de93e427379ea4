"""Options that several commands share, and how a command reads its configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mmx.schema import Config

ConfigArgument = Annotated[
    str | None, typer.Argument(metavar="CONFIG", help="A YAML file, or the name of one in configs/.", show_default=False)
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY.PATH=VALUE", help="Settings that replace the file's.", show_default=False),
]
DataOption = Annotated[Path | None, typer.Option("--data", metavar="FILE", help="Table to use instead of data.path.")]
OutOption = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Output folder; a new one under output.dir.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace an existing output.")]
CustomerOption = Annotated[str | None, typer.Option(help="With --platform: configs/CUSTOMER/PLATFORM.yaml.")]
PlatformOption = Annotated[str | None, typer.Option(help="See --customer.")]
SeedOption = Annotated[int | None, typer.Option("--seed", metavar="N", min=0, help="Seed instead of the configuration's.")]


def configured(
    name: str | None, overrides: list[str] | None, customer: str | None, platform: str | None, seed: int | None = None
) -> Config:
    """Read the configuration that a command was given."""
    from mmx.config import read_config

    settings = list(overrides or [])
    if name is not None and customer is not None and "=" in name:
        settings.insert(0, name)
        name = None
    if seed is not None:
        settings.append(f"seed={seed}")
    return read_config(name, overrides=settings, customer=customer, platform=platform)
