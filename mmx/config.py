"""Read configurations: YAML layers merged, overridden by ``key.path=value``, validated.

Layers, lowest first: the shipped ``default.yaml``, ``configs/default.yaml`` of the working folder, ``configs/CUSTOMER.yaml``
where a customer is given, the named file, the overrides. Mappings merge; lists and scalars replace.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from mmx.errors import ConfigError, Problem
from mmx.schema import Config

__all__ = ["Config", "default_text", "merge", "read_config"]

RESERVED = {
    "model.lift_tests": "experiments as evidence are not part of this version",
    "model.hierarchy": "a second level above geo is not part of this version",
    "model.holidays": "holiday calendars are not part of this version; list them under data.events",
    "backtest": "backtests are not part of this version",
    "tune": "tuning is not part of this version",
    "ads": "ad-level tables are not part of this version",
    "rules": "budget rules are not part of this version",
}
LATER_VALUES = {
    ("sampler.name", "pathfinder"): "Pathfinder is not part of this version; use nutpie",
    ("sampler.name", "laplace"): "the Laplace approximation is not part of this version; use nutpie",
}


def default_text() -> str:
    """Text of the shipped ``default.yaml``."""
    packaged = resources.files("mmx") / "default.yaml"
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[1] / "configs" / "default.yaml").read_text(encoding="utf-8")


def read_config(
    source: str | Path | Mapping[str, Any] | None = None,
    *,
    overrides: Sequence[str] = (),
    customer: str | None = None,
    platform: str | None = None,
) -> Config:
    """Read and validate one configuration.

    Parameters
    ----------
    source : path or mapping, optional
        A YAML file, the name of one in ``configs/``, or the settings themselves.
    overrides : sequence of str
        ``key.path=value`` with the value in YAML.
    customer, platform : str, optional
        Instead of ``source``: ``configs/CUSTOMER/PLATFORM.yaml``, preceded by ``configs/CUSTOMER.yaml`` if it exists.

    Raises
    ------
    ConfigError
        With every problem listed: unreadable file, unknown key (the nearest known key is offered), wrong value.
    """
    layers = [_parse(default_text(), "default.yaml")]
    local = Path("configs/default.yaml")
    if local.is_file():
        layers.append(_read(local))
    folder: Path | None = None
    if source is None:
        if customer is None or platform is None:
            raise ConfigError("no configuration was named: give a file, or --customer together with --platform")
        above = Path("configs") / f"{customer}.yaml"
        named = Path("configs") / customer / f"{platform}.yaml"
        layers += [_read(p) for p in (above, named) if p == named or p.is_file()]
        folder = named.parent
    elif isinstance(source, Mapping):
        layers.append(dict(source))
    else:
        if customer is not None or platform is not None:
            raise ConfigError(f"give either the file {source} or --customer and --platform, not both")
        named = _locate(Path(source))
        layers.append(_read(named))
        folder = named.parent
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = merge(merged, layer)
    for text in overrides:
        merged = merge(merged, _override(text))
    merged.setdefault("name", "mmx")
    name = str(source) if isinstance(source, str | Path) else "the configuration"
    return _validate(_anchored(merged, folder), name)


def merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """Lay ``high`` over ``low``: mappings merge, everything else replaces."""
    merged = dict(low)
    for key, value in high.items():
        under = merged.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            merged[key] = (
                {k: under[k] for k in ("kind",) if k in under} | dict(value) if _restated(under, value) else merge(under, value)
            )
        else:
            merged[key] = value
    return merged


def _restated(under: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    """Whether ``value`` states a prior anew, so that parameters of the one below must not linger."""
    return "family" in value and "family" in under and len(set(value) - {"kind", "family"}) > 0


def _anchored(merged: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    """Make a data path that exists beside the configuration absolute, so that the working folder does not matter."""
    data = merged.get("data")
    if folder is not None and isinstance(data, dict) and isinstance(data.get("path"), str):
        beside = folder / data["path"]
        if beside.is_file():
            return merge(merged, {"data": {"path": str(beside.resolve())}})
    return merged


def _locate(path: Path) -> Path:
    for candidate in (path, Path("configs") / path, Path("configs") / f"{path}.yaml"):
        if candidate.is_file():
            return candidate
    known = sorted(str(p) for p in Path("configs").rglob("*.yaml"))
    near = difflib.get_close_matches(str(path), known, n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]}?" if near else "Check the path."
    raise ConfigError(f"there is no configuration file {path}. {hint}")


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration {path} cannot be read: {error}") from error
    return _parse(text, str(path))


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{name} is not valid YAML: {error}") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{name} must be a mapping of settings (key: value); it is a {type(value).__name__}")
    return value


def _override(text: str) -> dict[str, Any]:
    path, equals, value = text.partition("=")
    keys = path.split(".")
    if not equals or not all(keys):
        raise ConfigError(f"the override {text!r} is not of the form key.path=value, such as sampler.draws=2000")
    try:
        nested: Any = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"the value in {text!r} is not valid YAML: {error}") from error
    for key in reversed(keys[1:]):
        nested = {key: nested}
    return {keys[0]: nested}


def _validate(merged: dict[str, Any], name: str) -> Config:
    problems = _reserved(merged)
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        seen = {p.where for p in problems}
        details: list[Any] = list(error.errors())
        problems += [p for d in details if (p := _problem(d)).where not in seen]
    if problems:
        raise ConfigError(f"{name} cannot be used", problems)
    return config


def _reserved(merged: Mapping[str, Any]) -> list[Problem]:
    found = []
    for path, why in RESERVED.items():
        node: Any = merged
        for key in path.split("."):
            node = node.get(key, ...) if isinstance(node, Mapping) else ...
        if node is not ...:
            found.append(Problem(path, "this key is reserved for a later version", "no such key yet", f"Take it out: {why}."))
    for (path, value), why in LATER_VALUES.items():
        section, _, key = path.partition(".")
        part = merged.get(section)
        if isinstance(part, Mapping) and part.get(key) == value:
            found.append(Problem(path, f"{value!r} is reserved for a later version", "a value of this version", f"{why}."))
    return found


def _problem(detail: Mapping[str, Any]) -> Problem:
    loc = tuple(detail["loc"])
    where = ".".join(str(k) for k in loc if not _is_branch(k)) or "the configuration"
    kind, message = detail["type"], str(detail["msg"])
    if kind == "extra_forbidden":
        known = _known_keys(loc[:-1])
        near = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.5)
        remedy = f"Did you mean {near[0]!r}?" if near else f"Known keys here: {', '.join(known)}."
        return Problem(where, "unknown key", "a known key", remedy)
    if kind == "missing":
        return Problem(where, "this setting is missing", "a value", "Add it to the file.")
    if kind == "value_error":
        return Problem(where, message.removeprefix("Value error, "), "consistent settings", "Change one of them.")
    return Problem(where, f"it is {detail['input']!r}", _sentence(message), "Change the value.")


def _sentence(message: str) -> str:
    for prefix in ("Input should be ", "Value should have ", "Input should have "):
        message = message.removeprefix(prefix)
    return message


def _is_branch(key: Any) -> bool:
    """Whether a location part is pydantic's name of a union member instead of a key of the file."""
    return isinstance(key, str) and (key in {"str", "float", "EventColumn"} or key.startswith(("tuple[", "constrained-")))


def _known_keys(loc: Sequence[Any]) -> list[str]:
    """Return the field names of the model that sits at a location of the configuration."""
    models: list[type[BaseModel]] = [Config]
    for key in loc:
        if isinstance(key, str) and _is_branch(key):
            models = [m for m in models if m.__name__ == key] or models
            continue
        inner = [m for model in models for m in _models_in(_step(model, key))]
        models = inner or models
    return sorted({name for model in models for name in model.model_fields})


def _step(model: type[BaseModel], key: Any) -> Any:
    field = model.model_fields.get(str(key))
    return field.annotation if field is not None else None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is not None:
        return [m for part in typing.get_args(annotation) for m in _models_in(part)]
    return []
