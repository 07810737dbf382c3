import dataclasses
import os
from pathlib import Path

import pytest

from batchbg.core.addresses import MAGIC_HOUR_URL, check_host
from batchbg.core.budget import Caps
from batchbg.core.pairing import Tolerance
from batchbg.errors import ConfigError, ExitCode
from batchbg.settings import SETTINGS, Settings, load
from tests.settings.support import config

LAYERS = {
    "max_credits": ("max_credits", 1, "2", "3", None),
    "max_in_flight": ("max_in_flight", 1, "2", "3", 8),
    "requests_per_second": ("requests_per_second", 1.5, "2.5", "3.5", 10.0),
    "output": ("output", Path("flag"), "env", '"file"', Path("output")),
    "include": ("include", ("flag",), "env", '["file", "too"]', ()),
    "on_mismatch": ("on_mismatch", "skip", "accept", '"transparent"', "fit"),
    "max_duration": ("max_duration", "1m", "2m", '"3m"', None),
    "background_policy": ("background_policy", "spread", "x.jpg", '"y.jpg"', "best"),
    "format": ("format", "jpeg", "webp", '"avif"', "png"),
    "flatten": ("flatten", "white", "#010203", '"rgb(4, 5, 6)"', None),
}
"""By key: field, value of the flag, of the environment, in config.toml, and the default."""


READ = {
    "max_credits": (1, 2, 3),
    "max_in_flight": (1, 2, 3),
    "requests_per_second": (1.5, 2.5, 3.5),
    "output": (Path("flag"), Path("env"), Path("file")),
    "include": (("flag",), ("env",), ("file", "too")),
    "on_mismatch": ("skip", "accept", "transparent"),
    "max_duration": (60.0, 120.0, 180.0),
    "background_policy": ("spread", "x.jpg", "y.jpg"),
    "format": ("jpeg", "webp", "avif"),
    "flatten": ((255, 255, 255), (1, 2, 3), (4, 5, 6)),
}


@pytest.mark.parametrize("key", LAYERS)
def test_flags_win_over_the_environment_over_config_over_defaults(key):
    """Every layer alone, and every one over those below it."""
    field, flag, variable, entry, default = LAYERS[key]
    from_flag, from_environment, from_file = READ[key]
    flags, environ = {field: flag}, {f"BATCHBG_{field.upper()}": variable}
    assert getattr(load({}, {}), field) == default
    assert getattr(load({}, environ), field) == from_environment
    assert getattr(load(flags, environ), field) == from_flag
    config(f"{key} = {entry}")
    assert getattr(load({}, {}), field) == from_file
    assert getattr(load({}, environ), field) == from_environment
    assert getattr(load(flags, environ), field) == from_flag
    assert getattr(load(flags, {}), field) == from_flag


def test_a_switch_can_be_turned_off_by_the_environment():
    """config.toml says yes, the environment says no, a flag says yes again."""
    config("force = true")
    assert load({}, {}).force is True
    assert load({"force": False}, {}).force is True
    assert load({}, {"BATCHBG_FORCE": "0"}).force is False
    assert load({"force": True}, {"BATCHBG_FORCE": "no"}).force is True


def test_settings_of_a_section_come_from_config_and_environment():
    """[budget] in the file; BATCHBG_PER_DAY and BATCHBG_BUDGET_PER_DAY outside it."""
    config("[budget]\nper_day = 10\nper_month = 20\ntotal = 30\nkeep_balance = 40\nprice_per_credit = 0.5\n")
    found = load({"max_credits": 5}, {"BATCHBG_BUDGET_PER_MONTH": "21", "BATCHBG_TOTAL": "31"})
    assert found.caps == Caps(run=5, day=10, month=21, total=31, keep_balance=40)
    assert (found.price_per_credit, found.is_capped) == (0.5, True)


def test_several_values_in_one_variable():
    """Separated as in PATH."""
    assert load({}, {"BATCHBG_EXCLUDE": os.pathsep.join(["a/*", "b"])}).exclude == ("a/*", "b")


def test_an_empty_variable_sets_nothing():
    """As in a service file with NAME= and nothing behind it; but see what limits spending."""
    assert load({}, {"BATCHBG_OUTPUT": "", "BATCHBG_CONFIG": "", "BATCHBG_FORCE": ""}).output == Path("output")


def test_defaults_are_those_of_the_contract():
    """The table in the README says the same."""
    found = load({}, {})
    expected = {
        "photos": None,
        "backgrounds": None,
        "output": Path("output"),
        "ledger": "sqlite:///batchbg.db",
        "base_url": MAGIC_HOUR_URL,
        "sandbox": False,
        "max_credits": None,
        "max_files": None,
        "max_duration": None,
        "requests_per_second": 10.0,
        "max_in_flight": 8,
        "max_depth": None,
        "background_policy": "best",
        "on_mismatch": "fit",
        "force": False,
        "first_page": False,
        "allow_blank": False,
        "prefer": "jpeg",
        "format": "png",
        "quality": 90,
        "flatten": None,
        "keep_received": False,
        "delete_remote": False,
        "confirm_batch_over": 50,
        "log_format": "text",
        "retry_lock": 0.0,
        "strict": False,
        "report": None,
        "give_up_after": 600.0,
        "render_patience": 1800.0,
        "max_upload_bytes": 200_000_000,
        "timezone": None,
    }
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.tolerance == Tolerance(0.05, 0.4)
    assert found.caps == Caps()
    assert (found.is_capped, found.zone) == (False, None)


def test_every_setting_has_its_field_and_every_field_its_setting():
    """And no two of them answer to one name. Profiles have tables of their own."""
    fields = [field.name for field in dataclasses.fields(Settings) if field.name != "profiles"]
    assert sorted(fields) == sorted(setting.field for setting in SETTINGS)
    flags = [flag for setting in SETTINGS for flag in setting.flags]
    variables = [variable for setting in SETTINGS for variable in setting.variables]
    assert len(flags) == len(set(flags))
    assert len(variables) == len(set(variables))


def test_a_tilde_is_the_home_folder(monkeypatch):
    """In the file, where no shell expands it."""
    monkeypatch.setenv("HOME", "/home/somebody")
    path = config('photos = "~/photos"')
    assert load({}, {}, path).photos == Path("/home/somebody/photos")


@pytest.mark.parametrize("where", ["file", "variable", "flag"])
def test_a_tilde_without_a_home_is_an_error_with_its_place(monkeypatch, where):
    """Services have none."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda _: (_ for _ in ()).throw(KeyError("no such user")))
    said = {
        "file": lambda: load({}, {}, config('photos = "~/photos"', "named.toml")),
        "variable": lambda: load({}, {"BATCHBG_PHOTOS": "~/photos"}),
        "flag": lambda: load({"backgrounds": "~/b"}, {}),
    }
    with pytest.raises(ConfigError, match="no home folder"):
        said[where]()
    assert load({}, {}).photos is None


@pytest.mark.parametrize("zone", ["Mars/Base", "../etc/passwd", "/etc/localtime", "Europe", "a" * 300])
def test_a_zone_that_is_not_known_is_refused(zone):
    """Before anything is spent in the wrong day."""
    with pytest.raises(ConfigError, match="timezone"):
        load({}, {"BATCHBG_TIMEZONE": zone})


def test_a_zone_is_found_by_its_name():
    """As the system's database has it."""
    assert str(load({}, {"BATCHBG_TIMEZONE": "Europe/Berlin"}).zone) == "Europe/Berlin"


@pytest.mark.parametrize(
    "url",
    [
        "https://api.magichour.ai",
        "https://proxy.example:8443/magic",
        "http://127.0.0.1:8000",
        "http://127.9.9.9",
        "http://localhost:1",
        "http://LOCALHOST",
        "http://[::1]:8000",
    ],
)
def test_https_and_loopback_are_taken(url):
    """The key crosses a network protected, or crosses none."""
    check_host(url, "base_url")
    assert load({"base_url": url}, {}).base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.magichour.ai",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://192.168.1.5:8000",
        "http://0.0.0.0",
        "http://[::]",
        "http://[fe80::1]",
        "http://2130706433",
        "HTTP://example.com",
        "ftp://127.0.0.1",
        "127.0.0.1:8000",
        "api.magichour.ai",
        "https://",
        "https://host:port",
        "https://host:99999",
        "http://[::1",
        "https://user:pass@host",
        "https://host?key=x",
        "https://host#x",
        "file:///etc/passwd",
    ],
)
def test_plain_http_and_nonsense_are_refused(url):
    """Nothing is sent to an address that would carry the key in the open."""
    with pytest.raises(ConfigError, match="base_url") as caught:
        load({"base_url": url}, {})
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_rehearsal_has_a_ledger_and_an_output_folder_of_its_own():
    """Beside those of the real runs; only flags say otherwise."""
    found = load({"sandbox": True}, {})
    assert (found.ledger, found.output) == ("sqlite:///batchbg-sandbox.db", Path("output-sandbox"))
    told = load({"sandbox": True, "output": Path("o"), "ledger": "l.db"}, {})
    assert (told.ledger, told.output) == ("sqlite:///l.db", Path("o"))
    environ = {"BATCHBG_LEDGER": "sqlite:///l.db", "BATCHBG_OUTPUT": "o"}
    by_variable = load({"sandbox": True}, environ)
    assert (by_variable.ledger, by_variable.output) == ("sqlite:///batchbg-sandbox.db", Path("o-sandbox"))
    for switch, path in (
        ({"sandbox": True}, config('output = "o"\nledger = "l.db"', "shop/config.toml")),
        ({}, config('sandbox = true\noutput = "o"\nledger = "l.db"', "shop/rehearse.toml")),
    ):
        by_file = load(switch, {}, path)
        assert (by_file.ledger, by_file.output) == ("sqlite:///shop/batchbg-sandbox.db", Path("shop/o-sandbox"))


@pytest.mark.parametrize("entry", [".", "..", "/", "a/..", "./", "/x/o/"])
def test_the_rehearsal_s_folder_is_beside_the_real_one_whatever_that_is_called(here, entry):
    """Never the real one, nor within it."""
    real = Path(os.path.realpath(here / "shop" / entry))
    found = Path(
        os.path.realpath(load({"sandbox": True}, {}, config(f'output = "{entry}"', "shop/config.toml")).output)
    )
    assert found.name.endswith("-sandbox")
    assert found.parent in (real.parent, real)
    assert found != real


def test_a_command_s_own_folders_stand_below_flags_alone(here):
    """`demo` has folders of its own, whatever config.toml says of the user's."""
    own = {"output": Path("demo/output"), "ledger": "sqlite:///demo/batchbg.db", "sandbox": True}
    config('output = "o"\nledger = "l.db"\nphotos = "p"\nmax_credits = 1')
    found = load({}, {"BATCHBG_OUTPUT": "e"}, None, own)
    assert (found.output, found.ledger) == (Path("demo/output"), "sqlite:///demo/batchbg.db")
    assert (found.photos, found.max_credits) == (None, None)
    assert load({"output": Path("o")}, {}, None, own).output == Path("o")
