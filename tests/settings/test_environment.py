import pytest

from batchbg.errors import ConfigError, ExitCode
from batchbg.settings import BY_KEY, LIMITING, load


@pytest.mark.parametrize("variable", [variable for key in sorted(LIMITING) for variable in BY_KEY[key].variables])
@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_limit_is_no_limit_and_therefore_an_error(variable, value):
    """Whatever was to stand there: nothing is spent without it. A flag does not make up for it."""
    for flags in ({}, {"max_credits": 5}, {"sandbox": True}):
        with pytest.raises(ConfigError, match=variable) as caught:
            load(flags, {variable: value})
        assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("BATCHBG_MAX_CREDIT", "BATCHBG_MAX_CREDITS"),
        ("BATCHBG_MAXCREDITS", "BATCHBG_MAX_CREDITS"),
        ("BATCHBG_CREDITS", "BATCHBG_MAX_CREDITS"),
        ("batchbg_max_credits", "BATCHBG_MAX_CREDITS"),
        ("Batchbg_Max_Credits", "BATCHBG_MAX_CREDITS"),
        ("BATCH_BG_MAX_CREDITS", "BATCHBG_MAX_CREDITS"),
        ("BATCHBG__MAX_CREDITS", "BATCHBG_MAX_CREDITS"),
        ("BATCHBG_BUDGET_PER_DAYS", "BATCHBG_BUDGET_PER_DAY"),
        ("BATCHBG_BUDGET_DAY", "BATCHBG_BUDGET_PER_DAY"),
        ("BATCHBG_DAILY_BUDGET", "BATCHBG_"),
        ("BATCHBG_PERDAY", "BATCHBG_PER_DAY"),
        ("BATCHBG_MAX_FILE", "BATCHBG_MAX_FILES"),
        ("BATCHBG_KEEP_BALANCES", "BATCHBG_KEEP_BALANCE"),
        ("BATCHBG_SPEND_LIMIT", "BATCHBG_"),
        ("BATCHBG_DRYRUN", "BATCHBG_DRY_RUN"),
        ("BATCHBG_SANBOX", "BATCHBG_SANDBOX"),
        ("BATCHBG_OUTPT", "BATCHBG_OUTPUT"),
        ("BATCHBG_BASEURL", "BATCHBG_BASE_URL"),
        ("BATCHBG_CONFIGS", "BATCHBG_CONFIG"),
    ],
)
def test_a_misspelt_variable_is_an_error_like_a_misspelt_key(variable, meant):
    """A cap that is misspelt would be no cap."""
    with pytest.raises(ConfigError, match=f"{variable} is not a setting; did you mean {meant}") as caught:
        load({}, {variable: "5"})
    assert caught.value.exit_code is ExitCode.USAGE


def test_two_names_of_one_limit_may_not_disagree():
    """Whichever was meant, the other would be ignored."""
    environ = {"BATCHBG_PER_DAY": "10", "BATCHBG_BUDGET_PER_DAY": "10"}
    assert load({}, environ).caps.day == 10
    with pytest.raises(ConfigError, match="BATCHBG_PER_DAY and BATCHBG_BUDGET_PER_DAY"):
        load({}, environ | {"BATCHBG_PER_DAY": "1000"})


@pytest.mark.parametrize(
    "name", ["BATCHBG_BIN", "BATCHBG_HOME", "BATCHBG_API_SPEC", "_BATCHBG_COMPLETE", "BATCHBG", "X"]
)
def test_a_variable_that_is_meant_for_somebody_else_is_left_alone(name):
    """The environment is everybody's."""
    assert load({}, {name: "5"}) == load({}, {})
