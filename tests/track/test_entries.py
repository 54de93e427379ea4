import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmx.track.client import calm
from mmx.track.entries import (
    NAME_LENGTH,
    NOT_FINITE,
    PARAM_LENGTH,
    accepted_metrics,
    accepted_params,
    accepted_tags,
    clean_name,
    cut,
    unique_names,
)


@pytest.fixture(scope="module")
def refused():
    """MLflow's own check of names."""
    with calm(1):
        from mlflow.exceptions import MlflowException
        from mlflow.utils.validation import _validate_metric_name, _validate_param_name, _validate_tag_name

    def check(name):
        try:
            for validate in (_validate_metric_name, _validate_param_name, _validate_tag_name):
                validate(name)
        except MlflowException as error:
            return str(error)
        return None

    return check


@pytest.mark.parametrize("name", ["roas/tv", "fit/r2", "data.channels.tv", "a b", "größe/tv", "budget: total"])
def test_good_names_stay(name, refused):
    assert clean_name(name) == name
    assert refused(name) is None


@pytest.mark.parametrize("name", ["roas/tv[1]", "a=b", "", ".", "..", "/a", "a//b", "a/../b", "../..", "a/", "a%b", "a\nb"])
def test_bad_names_are_refused_by_mlflow_and_become_good(name, refused):
    assert refused(name) is not None
    assert refused(clean_name(name)) is None


@given(st.lists(st.text(max_size=300), unique=True, max_size=8))
def test_every_name_becomes_acceptable_and_stays_distinct(refused, names):
    out = unique_names(names)
    assert len(set(out.values())) == len(names)
    for name in out.values():
        assert refused(name) is None
        assert 0 < len(name) <= NAME_LENGTH


def test_long_params_are_cut_with_a_marker():
    value = accepted_params({"a": "x" * 700})["a"]
    assert len(value) == PARAM_LENGTH
    assert value.endswith("... [cut, 700 characters]")
    assert cut("short", 10) == "short"


def test_params_read_as_in_the_configuration():
    given = {"a": True, "b": None, "c": 0.1, "d": 3, "e": 12345678.9}
    assert accepted_params(given) == {"a": "true", "b": "null", "c": "0.1", "d": "3", "e": "12345678.9"}


def test_metrics_that_are_no_finite_numbers_are_left_out_and_named():
    given = {"good": 1, "inf": math.inf, "nan": math.nan, "none": None, "text": "x", "flag": True}
    finite, skipped = accepted_metrics(given)
    assert finite == {"good": 1.0, "flag": 1.0}
    assert skipped == ["inf", "nan", "none", "text"]
    assert accepted_tags({"a": 1, "b": None}, skipped) == {"a": "1", NOT_FINITE: "inf, nan, none, text"}
    assert NOT_FINITE not in accepted_tags({}, [])
