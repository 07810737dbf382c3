import collections
import dataclasses
import os
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbg.core.addresses import MAGIC_HOUR_URL, check_host, is_loopback
from batchbg.core.budget import Caps
from batchbg.core.pairing import Tolerance
from batchbg.errors import ConfigError, ExitCode
from batchbg.settings import BY_KEY, KEY_VARIABLE, LIMITING, SETTINGS, Settings, api_key, duration_s, load
from batchbg.settings.example import example_toml

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def config(text: str, name: str = "config.toml") -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


# Precedence

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


@pytest.mark.parametrize("variable", [variable for key in sorted(LIMITING) for variable in BY_KEY[key].variables])
@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_limit_is_no_limit_and_therefore_an_error(variable, value):
    """Whatever was to stand there: nothing is spent without it. A flag does not make up for it."""
    for flags in ({}, {"max_credits": 5}, {"sandbox": True}):
        with pytest.raises(ConfigError, match=variable) as caught:
            load(flags, {variable: value})
        assert caught.value.exit_code is ExitCode.USAGE


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
        "format": "png",
        "quality": 90,
        "flatten": None,
        "keep_received": False,
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
    """And no two of them answer to one name."""
    fields = [field.name for field in dataclasses.fields(Settings)]
    assert sorted(fields) == sorted(setting.field for setting in SETTINGS)
    flags = [flag for setting in SETTINGS for flag in setting.flags]
    variables = [variable for setting in SETTINGS for variable in setting.variables]
    assert len(flags) == len(set(flags))
    assert len(variables) == len(set(variables))


# The file


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
    with pytest.raises(ConfigError, match=f"{variable} is no setting; did you mean {meant}") as caught:
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


# Values

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


@pytest.mark.parametrize("zone", ["Mars/Base", "../etc/passwd", "/etc/localtime", "Europe", "a" * 300])
def test_a_zone_that_is_not_known_is_refused(zone):
    """Before anything is spent in the wrong day."""
    with pytest.raises(ConfigError, match="timezone"):
        load({}, {"BATCHBG_TIMEZONE": zone})


def test_a_zone_is_found_by_its_name():
    """As the system's database has it."""
    assert str(load({}, {"BATCHBG_TIMEZONE": "Europe/Berlin"}).zone) == "Europe/Berlin"


@pytest.mark.parametrize("field", ["max_credits", "per_day"])
def test_a_number_that_no_ledger_can_hold_is_refused(field):
    """It is a slip of the hand, not a bug here."""
    with pytest.raises(ConfigError):
        load({}, {f"BATCHBG_{field.upper()}": "9" * 30})


# Addresses


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


def test_loopback_is_this_machine_only():
    """By address, not by how a name looks."""
    assert [host for host in ("127.0.0.1", "::1", "localhost", "127.0.0.1.nip.io", "example") if is_loopback(host)] == [
        "127.0.0.1",
        "::1",
        "localhost",
    ]


# The key


def key_file(mode: int, content: str = "secret-key\n") -> Path:
    path = Path("key")
    path.write_text(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_key_file_that_only_its_owner_reads_is_taken(mode):
    """The environment wins over it."""
    found = load({}, {"BATCHBG_API_KEY_FILE": str(key_file(mode))})
    assert api_key(found, {}) == "secret-key"
    assert api_key(found, {KEY_VARIABLE: " other "}) == "other"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o602, 0o610, 0o777])
def test_a_key_file_that_others_can_use_is_refused(mode):
    """With the command that mends it, and without the key."""
    found = load({}, {"BATCHBG_API_KEY_FILE": str(key_file(mode))})
    with pytest.raises(ConfigError, match="chmod 600") as caught:
        api_key(found, {})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("content", ["", " \n", "two words", "schlüssel", "a\nb"])
def test_a_key_that_can_be_none_is_refused(content):
    """An empty file, a sentence: said before a request leaves, and not repeated."""
    found = load({}, {"BATCHBG_API_KEY_FILE": str(key_file(0o600, content))})
    with pytest.raises(ConfigError, match="key") as caught:
        api_key(found, {})
    assert content.strip() == "" or content not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "hvs.CAESIJ0123456789",
        "ghp_0123456789abcdefghij",
        "sk-proj-0123456789",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.e30.abc",
        "-----BEGIN",
        "PASSWORD=hunter2",
        "mhk_live_abc\nmhk_live_def",
        "x" * 5000,
    ],
)
def test_a_file_that_holds_another_secret_is_not_sent(content):
    """Of another service, of several lines, or far too long for a key."""
    found = load({}, {"BATCHBG_API_KEY_FILE": str(key_file(0o600, content))})
    with pytest.raises(ConfigError, match="api_key_file key") as caught:
        api_key(found, {})
    assert content[:20] not in str(caught.value)


def test_a_key_file_may_begin_with_a_mark_of_its_encoding():
    """As some editors write it."""
    found = load({}, {"BATCHBG_API_KEY_FILE": str(key_file(0o600, "\ufeffmhk_live_abc\r\n"))})
    assert api_key(found, {}) == "mhk_live_abc"


@pytest.mark.parametrize(
    ("mode", "is_taken"), [(0o444, True), (0o440, True), (0o644, True), (0o664, False), (0o666, False)]
)
def test_a_container_s_secret_may_be_readable_to_all_there(monkeypatch, mode, is_taken):
    """It lies on a file system that nobody can write, and that is the container's alone."""
    flags = collections.namedtuple("flags", "f_flag")
    monkeypatch.setattr(os, "fstatvfs", lambda _: flags(os.ST_RDONLY))
    found = load({}, {"BATCHBG_API_KEY_FILE": str(key_file(mode))})
    if is_taken:
        assert api_key(found, {}) == "secret-key"
    else:
        with pytest.raises(ConfigError, match="chmod 600"):
            api_key(found, {})


def test_a_key_file_of_another_user_is_not_taken(monkeypatch):
    """Whose credits these are is not for others to say. Root may read what it was given."""
    path = key_file(0o600)
    owner = path.stat().st_uid
    found = load({}, {"BATCHBG_API_KEY_FILE": str(path)})
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner:
        with pytest.raises(ConfigError, match="belongs to another user"):
            api_key(found, {})
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert api_key(found, {}) == "secret-key"


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(here):
    """Nobody may ever write into it."""
    os.mkfifo(here / "key", 0o600)
    with pytest.raises(ConfigError, match="not a file"):
        api_key(load({}, {"BATCHBG_API_KEY_FILE": "key"}), {})
    os.mkfifo(here / "config.toml", 0o600)
    with pytest.raises(ConfigError, match="not a file"):
        load({}, {})


def test_a_key_file_that_is_not_there_is_said(here):
    """Or is a folder."""
    (here / "folder").mkdir(mode=0o700)
    for name in ("missing", "folder"):
        with pytest.raises(ConfigError, match=name):
            api_key(load({}, {"BATCHBG_API_KEY_FILE": name}), {})


def test_no_key_is_exit_code_2_and_says_what_to_do():
    """The sandbox needs none."""
    with pytest.raises(ConfigError, match=KEY_VARIABLE) as caught:
        api_key(load({}, {}), {})
    assert caught.value.exit_code is ExitCode.USAGE
    assert api_key(load({"sandbox": True}, {}), {})


def test_the_key_is_no_setting():
    """It can be given neither as a flag nor in the file."""
    assert "api_key" not in BY_KEY
    assert not [flag for setting in SETTINGS for flag in setting.flags if "key" in flag]


# Rehearsals


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


# The example


def test_the_example_in_the_repository_is_the_one_that_init_writes():
    """Written from the settings' own definitions."""
    assert (ROOT / "config.example.toml").read_text(encoding="utf-8") == example_toml()


def test_the_example_sets_nothing():
    """Every line shows a default, behind a "#"."""
    assert tomllib.loads(example_toml()) == {"budget": {}}
    config(example_toml())
    assert load({}, {}) == load({}, {}, config("", "empty.toml"))


def uncommented() -> str:
    """The example with every entry switched on, and none of the remarks."""
    return re.sub(r"(?m)^#(?=[a-z_]+ = )", "", example_toml())


def test_the_example_is_valid_with_every_line_switched_on():
    """Each name is known, and each value shown is a good one."""
    table = tomllib.loads(uncommented())
    shown = {key for key in table if key != "budget"} | {f"budget.{key}" for key in table["budget"]}
    assert {"photos", "max_credits", "max_distortion", "budget.per_day", "api_key_file"} <= shown
    assert shown <= set(BY_KEY)
    assert load({}, {}, config(uncommented())).max_credits == 500


def test_the_example_shows_every_setting_of_the_file():
    """A new setting is not forgotten; what makes sense on the command line alone is left out."""
    table = tomllib.loads(uncommented())
    shown = {key for key in table if key != "budget"} | {f"budget.{key}" for key in table["budget"]}
    assert set(BY_KEY) - shown <= {"dry_run", "plan", "files_from", "null"}


def test_values_the_example_calls_defaults_are_the_defaults():
    """A line without the remark "default: none" changes nothing when it is switched on."""
    lines = example_toml().splitlines()
    of_defaults = [
        line.removeprefix("#") for line in lines if re.match(r"#[a-z_]+ = ", line) and "default: none" not in line
    ]
    config("\n".join(of_defaults))
    assert load({}, {}) == load({}, {}, config("", "empty.toml"))
