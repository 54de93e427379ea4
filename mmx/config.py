"""Read configurations: YAML layers merged, overridden by ``key.path=value``, validated.

Layers, lowest first: the shipped ``default.yaml``, ``configs/default.yaml`` of the working folder, ``configs/CUSTOMER.yaml``
where a customer is given, the named file, the overrides. Mappings merge; lists and scalars replace.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from mmx.budget_settings import BudgetSettings
from mmx.errors import ConfigError, Problem
from mmx.schema import Config, TrackingSettings

__all__ = ["Config", "default_text", "merge", "read_config", "read_tracking"]

RESERVED = {
    "model.hierarchy": "a second level above geo is not part of this version",
    "model.holidays": "holiday calendars are not part of this version; list them under data.events",
    "backtest": "backtests are not part of this version",
}
PATHS = (("data", "path"), ("model", "lift_tests"))  # Settings that name files.
_ALTERNATIVES = {
    "data.events": "a mapping {column: COLUMN, none: [LEVELS]} or a list of {name: NAME, start: DATE, end: DATE}",
    "data.unit_value": "a column of the table or a number above 0",
    "model.lift_tests": "a CSV file or a list of {test: NAME, channel: NAME, start: DATE, end: DATE, metric: kpi, ...}",
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

    Returns
    -------
    Config
        Validated and frozen; ``config.spec`` is what `mmx.fit` takes.

    Raises
    ------
    ConfigError
        With every problem listed: unreadable file, unknown key (the nearest known key is offered), wrong value.
    """
    layers = [_parse(default_text(), "default.yaml")]
    local = Path("configs/default.yaml")
    if local.is_file():
        layers.append(_read(local))
    defaults = len(layers)
    named: Path | None = None
    if source is None:
        if customer is None or platform is None:
            raise ConfigError("no configuration was named: give a file, or --customer together with --platform")
        above = Path("configs") / f"{customer}.yaml"
        named = Path("configs") / customer / f"{platform}.yaml"
        layers += [_read(p) for p in (above, named) if p == named or p.is_file()]
    elif isinstance(source, Mapping):
        layers.append(dict(source))
    else:
        if customer is not None or platform is not None:
            raise ConfigError(f"give either the file {source} or --customer and --platform, not both")
        named = _locate(Path(source))
        layers.append(_read(named))
    layers += [_override(text) for text in overrides]
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = merge(merged, layer)
    stated = {key for layer in layers[defaults:] for key in layer}
    if "ads" in stated and "data" not in stated:  # The defaults of a table that is not there say nothing.
        merged["data"] = None
    merged.setdefault("name", "mmx" if named is None else named.stem if customer is None else f"{customer}_{platform}")
    name = "the configuration" if named is None else str(named)
    return _validate(_anchored(merged, None if named is None else named.parent), name)


ANY_DATA = {"date": "date", "target": "target", "channels": {"channel": {"spend": "spend"}}}


def read_tracking(overrides: Sequence[str] = ()) -> TrackingSettings:
    """Return the tracking settings of the working folder, without any data configuration."""
    return read_config({"data": ANY_DATA}, overrides=overrides).tracking


def read_budget(keys: Mapping[str, Any]) -> BudgetSettings:
    """Return the budget settings of the working folder with some keys replaced, without any data configuration."""
    return read_config({"data": ANY_DATA, "budget": dict(keys)}).budget


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
    """Make paths of files that exist beside the configuration absolute, so that the working folder does not matter."""
    for section, key in () if folder is None else PATHS:
        part = merged.get(section)
        if isinstance(part, dict) and isinstance(part.get(key), str) and (folder / part[key]).is_file():
            merged = merge(merged, {section: {key: str((folder / part[key]).resolve())}})
    ads = merged.get("ads")
    if folder is not None and isinstance(ads, dict):
        given = {key: _beside(ads[key], folder) for key in ("files", "tables") if key in ads}
        if isinstance(ads.get("orders"), dict) and "files" in ads["orders"]:
            given["orders"] = {"files": _beside(ads["orders"]["files"], folder)}
        merged = merge(merged, {"ads": given})
    return merged


def _beside(named: Any, folder: Path) -> Any:
    """Anchor the files of a list or mapping that lie, or whose pattern finds something, beside the configuration."""
    if isinstance(named, Mapping):
        return {key: _beside(value, folder) for key, value in named.items()}
    if isinstance(named, list | tuple):
        return [_beside(value, folder) for value in named]
    if isinstance(named, str) and not Path(named).is_absolute() and any(folder.glob(named)):
        return str(folder.resolve() / named)
    return named


def _locate(path: Path) -> Path:
    for candidate in (path, Path("configs") / path, Path("configs") / f"{path}.yaml"):
        if candidate.is_file():
            return candidate
    files = sorted(Path("configs").rglob("*.yaml"))
    known = {name: str(p) for p in files for name in (str(p.relative_to("configs").with_suffix("")), p.stem, p.name, str(p))}
    near = difflib.get_close_matches(str(path), known, n=1, cutoff=0.5)
    hint = f"Did you mean {known[near[0]]}?" if near else "Check the path."
    raise ConfigError(f"there is no configuration file {path}. {hint}")


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration {path} cannot be read: {error}") from error
    return _parse(text, str(path))


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        value = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{name} is not valid YAML: {error}") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{name} must be a mapping of settings (key: value); it is a {type(value).__name__}")
    return value


class _Loader(yaml.SafeLoader):
    """Safe YAML that leaves dates to the validation, which can say where a wrong one stands, and refuses a key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key, _ in node.value:
            if keys.count(key.value) > 1:
                problem = f"the key {key.value!r} stands {keys.count(key.value)} times: keep one"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _override(text: str) -> dict[str, Any]:
    path, equals, value = text.partition("=")
    keys = path.split(".")
    if not equals or not all(keys):
        raise ConfigError(f"the override {text!r} is not of the form key.path=value, such as sampler.draws=2000")
    try:
        nested: Any = yaml.load(value, _Loader)
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
        problems += [p for p in problems_of(error, merged) if p.where not in seen]
    if problems:
        raise ConfigError(f"{name} cannot be used", problems)
    return config


def problems_of(error: ValidationError, given: Mapping[str, Any], at: Sequence[Any] = ()) -> list[Problem]:
    """Return what is wrong, in the words of the configuration.

    Parameters
    ----------
    error : ValidationError
        Of the configuration, or of the part of it at ``at``.
    given : mapping
        What was validated.
    at : sequence, optional
        Location of the part in the configuration; the places of the problems are within it.
    """
    details: list[Any] = _untangled(list(error.errors()), given)
    located = [_problem({**detail, "loc": (*at, *detail["loc"])}) for detail in details]
    prefix = "".join(f"{key}." for key in at)
    return [replace(p, where=f"{p.where}.".removeprefix(prefix).rstrip(".")) for p in located]


def _reserved(merged: Mapping[str, Any]) -> list[Problem]:
    found = []
    for path, why in RESERVED.items():
        node: Any = merged
        for key in path.split("."):
            node = node.get(key, ...) if isinstance(node, Mapping) else ...
        if node is not ...:
            found.append(Problem(path, "this key is reserved for a later version", "no such key yet", f"Take it out: {why}."))
    return found


def _untangled(details: Sequence[Mapping[str, Any]], merged: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Keep of each alternative (``A | B``) the errors of the one that the user meant, by the form of what was given."""
    kept: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    unions: dict[tuple[Any, ...], Any] = {}
    for detail in details:
        loc = tuple(detail["loc"])
        at = next((i for i, key in enumerate(loc) if _is_branch(key)), None)
        if at is not None:
            unions[loc[:at]] = _at(merged, loc[:at])
        if at is None or str(loc[at]).startswith(_branch_of(unions[loc[:at]])):
            kept[loc] = detail
    for loc, given in unions.items():
        if not any(known[: len(loc)] == loc for known in kept):
            message = _ALTERNATIVES.get(".".join(str(k) for k in loc), "another value")
            kept[loc] = {"loc": loc, "type": "alternatives", "msg": message, "input": given}
    return list(kept.values())


def _branch_of(given: Any) -> str:
    """Return the start of pydantic's name for the alternative that a value looks like."""
    if isinstance(given, Mapping):
        return "EventColumn"
    if isinstance(given, list | tuple):
        return "tuple["
    if isinstance(given, int | float) and not isinstance(given, bool):
        return "constrained-float"
    return "?"


def _at(node: Any, loc: Sequence[Any]) -> Any:
    for key in loc:
        node = node[key]
    return node


def _problem(detail: Mapping[str, Any]) -> Problem:
    loc = tuple(detail["loc"])
    where = ".".join(str(k) for k in loc if not _is_branch(k) and k != "[key]") or "the configuration"
    kind, message, given = detail["type"], str(detail["msg"]), detail["input"]
    if kind == "extra_forbidden":
        known = _known_keys(loc[:-1])
        near = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.5)
        remedy = f"Did you mean {near[0]!r}?" if near else f"Known keys here: {', '.join(known)}."
        return Problem(where, "unknown key", "a known key", remedy)
    if kind == "missing" and isinstance(loc[-1], int):
        return Problem(
            where.rsplit(".", 1)[0], f"value {loc[-1] + 1} of the list is missing", "more values", "Complete the list."
        )
    if kind == "missing":
        options = _options(loc)
        remedy = f"Add {loc[-1]}: {options[0]}, or another of these." if options else f"Add {loc[-1]!r} to the file."
        return Problem(where, "this setting is missing", f"one of {', '.join(options)}" if options else "a value", remedy)
    if kind == "value_error":
        return Problem(where, message.removeprefix("Value error, "), "consistent settings", "Change one of them.")
    if kind == "string_type":
        why = "YAML takes yes, no, on, off for truth values. " if isinstance(given, bool) else ""
        return Problem(where, f"it is {given!r}", "text", f"{why}Put it in quotes." if given is not None else "Give a name.")
    if kind in {"model_type", "dict_type", "model_attributes_type"}:
        keys = _known_keys(loc)
        expected = f"a mapping with keys such as {', '.join(keys[:6])}" if kind != "dict_type" else "a mapping, name: {...}"
        example = f"Write {loc[-1]}: {{spend: {given}}}." if "spend" in keys and isinstance(given, str) else "Change the value."
        return Problem(where, f"it is {given!r}", expected, example)
    if kind == "tuple_type":
        return Problem(
            where, f"it is {given!r}", "a list", f"Write [{given}]." if isinstance(given, str) else "Change the value."
        )
    if kind.startswith("date"):
        return Problem(where, f"it is {str(given)!r}", "a date such as 2024-01-31", "Write it as YYYY-MM-DD.")
    return Problem(where, f"it is {given!r}", _sentence(message), "Change the value.")


def _options(loc: Sequence[Any]) -> list[str]:
    """Return the values that a setting may take, where they are few and known."""
    found = [_step(model, loc[-1]) for model in _models_at(loc[:-1])]
    return [str(v) for a in found if typing.get_origin(a) is typing.Literal for v in typing.get_args(a)]


def _sentence(message: str) -> str:
    for prefix in ("Input should be ", "Value should have ", "Input should have "):
        message = message.removeprefix(prefix)
    return message


def _is_branch(key: Any) -> bool:
    """Whether a location part is pydantic's name of a union member instead of a key of the file."""
    return isinstance(key, str) and (key in {"str", "float", "EventColumn"} or key.startswith(("tuple[", "constrained-")))


def _known_keys(loc: Sequence[Any]) -> list[str]:
    """Return the field names of the model that sits at a location of the configuration."""
    return sorted({field.alias or name for model in _models_at(loc) for name, field in model.model_fields.items()})


def _models_at(loc: Sequence[Any]) -> list[type[BaseModel]]:
    models: list[type[BaseModel]] = [Config]
    for key in loc:
        if isinstance(key, str) and _is_branch(key):
            models = [m for m in models if m.__name__ in key] or models
            continue
        inner = [m for model in models for m in _models_in(_step(model, key))]
        models = inner or models
    return models


def _step(model: type[BaseModel], key: Any) -> Any:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    return fields[str(key)].annotation if str(key) in fields else None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is not None:
        return [m for part in typing.get_args(annotation) for m in _models_in(part)]
    return []
