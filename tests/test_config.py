from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import mmx
from mmx.config import default_text, merge
from mmx.errors import ConfigError

ROOT = Path(__file__).parents[1]
BASE: dict[str, Any] = {"data": {"date": "week", "target": "sales", "channels": {"tv": {"spend": "tv_cost"}}}}
JSON = st.recursive(
    st.none() | st.integers() | st.text("ab", max_size=2) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
MAPPINGS = st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4)


def refusal(layer: dict[str, Any] | None = None, **settings: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        mmx.read_config(merge(BASE, layer or {}), **settings)
    return str(caught.value)


def write(path: Path, settings: dict[str, Any] | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(settings if isinstance(settings, str) else yaml.safe_dump(settings, sort_keys=False))
    return path


def test_the_shipped_default_is_the_file_in_configs() -> None:
    assert default_text() == (ROOT / "configs/default.yaml").read_text()
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {"configs/default.yaml": "mmx/default.yaml"}


def test_defaults_fill_what_a_file_does_not_say() -> None:
    default = yaml.safe_load(default_text())
    config = mmx.read_config(BASE).as_mapping()
    for section in ("sampler", "gate", "budget", "checks", "rules", "tune", "pool", "tracking", "output"):
        assert config[section] == default[section]
    assert config["data"]["policies"] == default["data"]["policies"]


def test_a_configuration_survives_its_own_yaml() -> None:
    window = {"start": "2021-01-04", "end": None}
    events = [{"name": "fair", "start": "2021-02-01", "end": "2021-02-07"}]
    config = mmx.read_config(merge(BASE, {"data": {"window": window, "events": events}}))
    assert mmx.read_config(yaml.safe_load(yaml.safe_dump(config.as_mapping()))) == config


@given(MAPPINGS, MAPPINGS, MAPPINGS)
def test_merging_is_associative_and_empty_layers_change_nothing(
    a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]
) -> None:
    assert merge(merge(a, b), c) == merge(a, merge(b, c)) or _replaced_mapping(a, b, c)
    assert merge(a, {}) == a == merge({}, a)


def _replaced_mapping(a: Any, b: Any, c: Any) -> bool:
    """Where a scalar stands between two mappings, the order of merging matters by design."""
    if isinstance(a, dict) and isinstance(c, dict):
        if not isinstance(b, dict):
            return True
        return any(_replaced_mapping(a[k], b[k], c[k]) for k in a.keys() & b.keys() & c.keys())
    return False


def test_mappings_merge_and_lists_replace() -> None:
    low = {"data": {"controls": ["a", "b"], "policies": {"missing_spend": "zero"}}}
    config = mmx.read_config(merge(merge(BASE, low), {"data": {"controls": ["c"], "policies": {"duplicates": "sum"}}}))
    assert config.data.controls == ("c",)
    assert (config.data.policies.missing_spend, config.data.policies.duplicates) == ("zero", "sum")


def test_a_prior_stated_anew_drops_the_parameters_below_it() -> None:
    config = mmx.read_config(merge(BASE, {"model": {"priors": {"family": "normal", "mean": 1.0, "sd": 0.5}}}))
    assert config.model.priors.kind == "roas"
    assert (config.model.priors.mean, config.model.priors.median) == (1.0, None)
    assert mmx.read_config(BASE, overrides=["model.priors.median=2"]).model.priors.q90 == 3.9


def test_overrides_come_last_and_are_yaml() -> None:
    config = mmx.read_config(
        BASE, overrides=["sampler.draws=2000", "budget.bounds=[0, 3]", "data.currency=EUR", "sampler.draws=700"]
    )
    assert (config.sampler.draws, config.budget.bounds, config.data.currency) == (700, (0.0, 3.0), "EUR")


@pytest.mark.parametrize("text", ["sampler.draws", "=3", "sampler..draws=3", "sampler.draws=["])
def test_a_malformed_override_is_refused(text: str) -> None:
    assert text in refusal(overrides=[text])


def test_files_are_found_beside_and_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    elsewhere.mkdir()
    file = write(project / "configs/shop.yaml", merge(BASE, {"data": {"path": "shop.csv"}}))
    write(project / "configs/shop.csv", "week,sales\n")
    monkeypatch.chdir(elsewhere)
    config = mmx.read_config(file)
    assert config.name == "shop"
    assert Path(config.data.path or "") == (project / "configs/shop.csv").resolve()
    monkeypatch.chdir(project)
    assert mmx.read_config("shop") == mmx.read_config("shop.yaml") == mmx.read_config("configs/shop.yaml") == config
    with pytest.raises(ConfigError, match=r"there is no configuration file shopp\. Did you mean configs/shop\.yaml\?"):
        mmx.read_config("shopp")


def test_the_working_folders_default_lies_over_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "configs/default.yaml", {"sampler": {"chains": 7}, "seed": 11})
    write(tmp_path / "configs/shop.yaml", merge(BASE, {"seed": 12}))
    monkeypatch.chdir(tmp_path)
    config = mmx.read_config("shop")
    assert (config.sampler.chains, config.seed, config.sampler.draws) == (7, 12, mmx.read_config(BASE).sampler.draws)


def test_customer_and_platform_name_two_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "configs/acme.yaml", {"data": {"currency": "EUR"}, "seed": 3})
    write(tmp_path / "configs/acme/meta.yaml", merge(BASE, {"seed": 4}))
    write(tmp_path / "configs/other/meta.yaml", BASE)
    monkeypatch.chdir(tmp_path)
    both = mmx.read_config(customer="acme", platform="meta")
    assert (both.name, both.data.currency, both.seed) == ("acme_meta", "EUR", 4)
    assert mmx.read_config(customer="other", platform="meta").data.currency is None
    with pytest.raises(ConfigError, match=r"configs/acme/tiktok\.yaml cannot be read"):
        mmx.read_config(customer="acme", platform="tiktok")
    with pytest.raises(ConfigError, match="--customer together with --platform"):
        mmx.read_config(customer="acme")
    with pytest.raises(ConfigError, match="not both"):
        mmx.read_config("configs/acme.yaml", customer="acme", platform="meta")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("sampeler", "sampeler: unknown key. Expected a known key. Did you mean 'sampler'?"),
        ("sampler.chain", "Did you mean 'chains'?"),
        ("data.chanels", "Did you mean 'channels'?"),
        ("data.channels.tv.spent", "Did you mean 'spend'?"),
        ("model.priors.medain", "Did you mean 'median'?"),
        ("model.shapes.alpha.fam", "Did you mean 'family'?"),
        ("data.policies.zzz", "Known keys here: duplicates, low_frequency"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(path: str, message: str) -> None:
    text = refusal(overrides=[f"{path}=1"])
    assert path in text
    assert message in text


@pytest.mark.parametrize("path", ["model.hierarchy", "model.holidays", "backtest"])
def test_reserved_keys_are_refused_with_a_sentence(path: str) -> None:
    text = refusal(overrides=[f"{path}={{}}"])
    assert f"{path}: this key is reserved for a later version" in text
    assert "Take it out: " in text
    assert "unknown key" not in text


def test_all_problems_are_listed_at_once() -> None:
    text = refusal({"seed": -1, "sampler": {"chain": 3}, "backtest": {}, "data": {"controls": "price"}})
    for number, place in enumerate(("backtest", "seed", "data.controls", "sampler.chain"), 1):
        assert f"  {number}. {place}: " in text


EVENTS = "data.events"
TV = "data.channels.tv"
CASES: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"data": {"events": {"colum": "e"}}}, (f"{EVENTS}.column: this setting is missing", "Did you mean 'column'?")),
    ({"data": {"events": {"column": "e", "none": ["na", False]}}}, (f"{EVENTS}.none.1: it is False", "Put it in quotes")),
    ({"data": {"events": [{"name": "x", "start": "01/02/2020", "end": "2020-02-03"}]}}, (f"{EVENTS}.0.start", "YYYY-MM-DD")),
    ({"data": {"events": [{"name": "x", "start": "2020-02-01"}]}}, (f"{EVENTS}.0.end: this setting is missing",)),
    ({"data": {"events": [{"name": "x", "start": "2020-02-05", "end": "2020-02-03"}]}}, ("before it starts (2020-02-05)",)),
    ({"data": {"events": "fair"}}, (f"{EVENTS}: it is 'fair'", "a mapping {column: COLUMN", "or a list of {name: NAME")),
    ({"data": {"events": ["fair"]}}, (f"{EVENTS}.0: it is 'fair'", "keys such as end, name, shape, start, width")),
    (
        {"data": {"channels": {"tv": {"priors": {"family": "normal", "mean": 1, "sd": 1}}}}},
        (f"{TV}.priors.kind", "Add kind: roas"),
    ),
    ({"data": {"channels": {"tv": {"priors": {"kind": "roas", "median": 2, "q90": 3}}}}}, (f"{TV}.priors.family", "lognormal")),
    ({"data": {"channels": {"tv": "tv_cost"}}}, (f"{TV}: it is 'tv_cost'", "Write tv: {spend: tv_cost}.")),
    ({"data": {"channels": {}, "target": 7}}, ("data.target: it is 7. Expected text. Put it in quotes.",)),
    ({"data": {"controls": "price"}}, ("data.controls: it is 'price'. Expected a list. Write [price].",)),
    ({"data": {"window": {"start": "2020-13-01"}}}, ("data.window.start: it is '2020-13-01'", "a date such as 2024-01-31")),
    ({"data": {"window": {"start": "2021-01-01", "end": "2020-01-01"}}}, ("data.window: the window ends (2020-01-01) before",)),
    ({"data": {"target_kind": "count", "unit_value": -3}}, ("data.unit_value: it is -3. Expected greater than 0",)),
    ({"data": {"target_kind": "count", "unit_value": [3]}}, ("data.unit_value: it is [3]. Expected a column of the table or",)),
    ({"data": {"target_kind": "count"}}, ("target_kind: count needs unit_value",)),
    ({"data": {"unit_value": 3.0}}, ("take unit_value out",)),
    ({"data": {"population": "people"}}, ("population needs geo",)),
    ({"data": {"treatments": ["tv"]}}, ("tv is the name of a medium and of a treatment",)),
    ({"data": {"organic": {"tv": {"exposure": "x"}}}}, ("tv stands under both channels and organic",)),
    ({"data": {"target_kind": "index"}}, ("a prior of kind roas or mroas means nothing (model.priors)", "kind: contribution")),
    (
        {"model": {"priors": {"kind": "roi"}}},
        ("model.priors.kind: it is 'roi'. Expected 'roas', 'mroas', 'contribution' or 'coefficient'",),
    ),
    ({"model": {"priors": {"mu": 0.1, "sigma": 1}}}, ("was given median, mu, q90, sigma", "write family beside the new ones")),
    ({"model": {"priors": {"median": 5}}}, ("q90 (3.9) must be above the median (5)",)),
    ({"model": {"shapes": {"alpha": {"family": "normal", "mean": 0, "sd": 1}}}}, ("alpha lies between 0 and 1",)),
    ({"model": 3}, ("model: it is 3. Expected a mapping with keys such as adstock",)),
    ({"budget": {"bounds": [2, 0.5]}}, ("is the other way round",)),
    ({"budget": {"bounds": [2]}}, ("budget.bounds: value 2 of the list is missing",)),
]


@pytest.mark.parametrize(("layer", "says"), CASES, ids=[c[1][0][:40] for c in CASES])
def test_a_wrong_value_is_refused_once_and_in_plain_words(layer: dict[str, Any], says: tuple[str, ...]) -> None:
    text = refusal(layer)
    for part in says:
        assert part in text, text
    for jargon in ("instance of", "dictionary", "tuple", "Value error", "string_type", "None."):
        assert jargon not in text, text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seed: [1", "is not valid YAML"),
        ("- seed", "must be a mapping of settings (key: value); it is a list"),
        ("seed: 1\nseed: 2\n", "the key 'seed' stands 2 times: keep one"),
        ("data: {window: {start: 2020-02-30}}", "data.window.start: it is '2020-02-30'"),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    path = write(tmp_path / "shop.yaml", text)
    with pytest.raises(ConfigError) as caught:
        mmx.read_config(path)
    assert str(path) in str(caught.value)
    assert says in str(caught.value)


def test_dates_in_yaml_need_no_quotes(tmp_path: Path) -> None:
    path = write(tmp_path / "shop.yaml", yaml.safe_dump(BASE).replace("data:", "data:\n  window: {start: 2021-01-04}", 1))
    assert str(mmx.read_config(path).data.window.start) == "2021-01-04"


@pytest.mark.parametrize("exists", [True, False], ids=["not UTF-8", "missing"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, exists: bool) -> None:
    path = tmp_path / "shop.yaml"
    if exists:
        path.write_bytes("name: Köln".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"shop\.yaml"):
        mmx.read_config(path)


def test_a_channel_overrides_the_model() -> None:
    settings = merge(
        BASE, {"data": {"channels": {"tv": {"adstock": "delayed"}, "radio": {"spend": "r", "saturation": "logistic"}}}}
    )
    spec = mmx.read_config(settings).spec
    assert (spec.channels["tv"].adstock, spec.channels["radio"].adstock) == ("delayed", "two_stage")
    assert (spec.channels["tv"].saturation, spec.channels["radio"].saturation) == ("hill", "logistic")
    assert not spec.channels["tv"].own_prior
    assert spec.constants is None
