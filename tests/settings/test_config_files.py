import re
from pathlib import Path

import pytest

from batchbg.errors import ConfigError, ExitCode
from batchbg.settings import load
from tests.settings.support import config


def test_paths_in_the_file_are_relative_to_it():
    """Wherever the command runs; those of flags and environment are relative to the current folder."""
    path = config('photos = "in"\nbackgrounds = "/abs"\nreport = "r.html"\napi_key_file = "key"\n', "shop/batch.toml")
    found = load({"output": Path("out")}, {}, path)
    assert found.photos == Path("shop/in")
    assert found.backgrounds == Path("/abs")
    assert found.report == Path("shop/r.html")
    assert found.api_key_file == Path("shop/key")
    assert found.output == Path("out")
    assert load({}, {"BATCHBG_PHOTOS": "here"}, path).photos == Path("here")


def test_config_can_be_named_by_flag_or_environment():
    """The flag wins; a named file has to be there, ./config.toml need not be."""
    one, other = config("max_files = 1", "one.toml"), config("max_files = 2", "other.toml")
    assert load({}, {"BATCHBG_CONFIG": str(one)}).max_files == 1
    assert load({}, {"BATCHBG_CONFIG": str(one)}, other).max_files == 2
    for missing in ({}, {"BATCHBG_CONFIG": "missing.toml"}):
        with pytest.raises(ConfigError, match=r"missing\.toml: no such file"):
            load({}, missing, None if missing else Path("missing.toml"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_credit = 5", "'max_credit'; did you mean 'max_credits'"),
        ("requests_per_secnd = 5", "did you mean 'requests_per_second'"),
        ("[budget]\nper_dya = 5", "'budget.per_dya'; did you mean 'budget.per_day'"),
        ("per_day = 5", "did you mean 'budget.per_day'"),
        ("[budgets]\nx = 5", "'budgets.x'"),
        ("api_key = 'secret'", "'api_key'"),
        ("zzz = 1", "'zzz'"),
    ],
)
def test_an_unknown_key_is_an_error_with_a_suggestion(text, said):
    """A cap that is misspelt would be no cap."""
    config(text)
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        load({}, {})
    assert caught.value.exit_code is ExitCode.USAGE
    assert "config.toml" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("content", [b"max_credits = ", b"= 1", b"\xff\xfe", b"a = 1\na = 2"])
def test_a_file_that_is_no_toml_is_said(content):
    """With its name."""
    Path("config.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"config\.toml"):
        load({}, {})


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("", "sqlite:///shop/batchbg.db"),
        ('ledger = "sqlite:///mine.db"', "sqlite:///shop/mine.db"),
        ('ledger = "mine.db"', "sqlite:///shop/mine.db"),
        ('ledger = "sqlite:////abs/mine.db"', "sqlite:////abs/mine.db"),
        ('ledger = "postgresql+psycopg://host/db"', "postgresql+psycopg://host/db"),
    ],
)
def test_the_ledger_lies_beside_the_file(entry, url):
    """So that the same config.toml always means the same ledger."""
    assert load({}, {}, config(entry, "shop/config.toml")).ledger == url


def test_the_ledger_lies_in_the_current_folder_without_a_file():
    """Or where a flag or the environment says."""
    assert load({}, {}).ledger == "sqlite:///batchbg.db"
    assert load({"ledger": "x.db"}, {}).ledger == "sqlite:///x.db"
    assert load({}, {"BATCHBG_LEDGER": "sqlite:////abs/x.db"}).ledger == "sqlite:////abs/x.db"
