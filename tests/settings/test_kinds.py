import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbg.errors import ConfigError
from batchbg.settings import BY_KEY, duration_s, load
from tests.settings.support import config

BAD = {
    "max_credits": ["-1", "five", "1.5", "1e3"],
    "max_in_flight": ["0", "-3", "x"],
    "max_depth": ["0"],
    "requests_per_second": ["0", "-1", "nan", "inf", "fast"],
    "max_distortion": ["-0.1", "nan"],
    "max_duration": ["soon", "-5m", "5 parsecs", "inf"],
    "on_mismatch": ["FIT", "stretch"],
    "log_format": ["xml"],
    "sandbox": ["maybe", "2"],
    "confirm_batch_over": ["-2"],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in BAD.items() for value in values])
def test_a_bad_value_names_where_it_stands_and_what_would_do(key, value):
    """The variable, the file and key, or the flag."""
    with pytest.raises(ConfigError, match=f"BATCHBG_{key.upper()} must be .*{re.escape(repr(value))}"):
        load({}, {f"BATCHBG_{key.upper()}": value})
    config(f'{key} = "{value}"')
    with pytest.raises(ConfigError, match=rf"config\.toml: {key} must be "):
        load({}, {})
    Path("config.toml").unlink()
    flag = BY_KEY[key].flags[-1] if BY_KEY[key].flags else key.upper()
    with pytest.raises(ConfigError, match=f"^{flag} must be "):
        load({key: value}, {})


@pytest.mark.parametrize(
    "text",
    [
        'include = "*.jpg"',
        "include = [1]",
        "max_credits = true",
        "max_credits = 5.0",
        "max_credits = [5]",
        "max_credits = {a = 1}",
        "output = 5",
        'output = ""',
        "sandbox = 1",
        "requests_per_second = true",
        "max_duration = false",
        "verbose = -1",
        "budget = 5",
        "on_mismatch = 1",
        "timezone = 1",
    ],
)
def test_a_value_of_the_wrong_type_is_refused(text):
    """TOML has types; none is bent into another."""
    config(text)
    with pytest.raises(ConfigError, match=text.split()[0]):
        load({}, {})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("5m", 300),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("1d", 86400),
    ],
)
def test_durations_are_written_as_people_do(text, seconds):
    """Also as plain numbers of seconds, in TOML without quotes."""
    assert duration_s(text) == seconds
    assert duration_s(f" {text.upper()} ") == seconds
    assert duration_s(90) == 90
    assert duration_s(0.5) == 0.5


@given(st.text("0123456789.smhd -e", max_size=8))
def test_a_duration_is_finite_or_refused(text):
    """Whatever is typed."""
    try:
        seconds = duration_s(text)
    except ValueError:
        return
    assert 0 <= seconds < float("inf")


@pytest.mark.parametrize("field", ["max_credits", "per_day"])
def test_a_number_that_no_ledger_can_hold_is_refused(field):
    """It is a slip of the hand, not a bug here."""
    with pytest.raises(ConfigError):
        load({}, {f"BATCHBG_{field.upper()}": "9" * 30})
