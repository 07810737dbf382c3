"""Options from Python: the settings by their names, typed, and no others."""

import typing
from pathlib import Path

import pytest

import batchbg
from batchbg import Batch, ConfigError, Options
from batchbg.library.options import OF_THE_COMMAND_LINE, settings_of
from batchbg.settings import SETTINGS, Settings

FIELDS = {setting.field for setting in SETTINGS} - OF_THE_COMMAND_LINE - {"photos"}


def test_every_setting_is_an_option_but_for_those_of_the_command_line():
    assert set(typing.get_type_hints(Options)) == FIELDS


@pytest.mark.parametrize("setting", [one for one in SETTINGS if one.kind.choices], ids=lambda one: one.key)
def test_choices_are_typed_as_they_are(setting):
    if setting.field in FIELDS:
        literal, _none = typing.get_args(typing.get_type_hints(Options)[setting.field])
        assert typing.get_args(literal) == setting.kind.choices


def test_every_setting_is_read_as_on_the_command_line(tmp_path: Path):
    found = settings_of(
        "photos", None, {"max_duration": "2h", "retry_lock": 5, "flatten": "white", "include": ["*.jpg"]}
    )
    assert (found.max_duration, found.retry_lock, found.flatten) == (7200.0, 5.0, (255, 255, 255))
    assert found.include == ("*.jpg",)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_credit": 5}, "did you mean 'max_credits'"),
        ({"max_credits": -1}, "max_credits must be a whole number"),
        ({"max_credits": True}, "max_credits must be a whole number"),
        ({"include": "*.jpg"}, "include must be an array of strings"),
        ({"json": True}, "json is for the command line"),
        ({"files_from": "-"}, "files_from must name a file"),
        ({"ledger": "mysql://host/db"}, "not supported"),
        ({"base_url": "http://example.com"}, "base_url"),
    ],
)
def test_what_is_wrong_is_named(options, words):
    with pytest.raises(ConfigError, match=words):
        Batch("photos", **options)


def test_arguments_win_over_the_file_and_none_is_not_given(tmp_path: Path):
    config = tmp_path / "config.toml"
    config.write_text('photos = "a"\nyes = true\nmax_credits = 5\n[budget]\nper_day = 7\n')
    found = settings_of(None, config, {"yes": False, "max_credits": None})
    assert (found.yes, found.max_credits, found.per_day) == (False, 5, 7)
    assert found.photos == tmp_path / "a"
    assert found.ledger == f"sqlite:///{tmp_path / 'batchbg.db'}"
    config.write_text('files_from = "-"\n')
    with pytest.raises(ConfigError, match="files_from"):
        settings_of("photos", config, {})


def test_neither_the_environment_nor_a_file_that_nobody_named_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_settings: Path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATCHBG_MAX_CREDITS", "5")
    Path("config.toml").write_text("max_files = 3\n")
    own_settings.mkdir(parents=True)
    (own_settings / "config.toml").write_text("max_files = 4\n")
    found: Settings = settings_of("photos", None, {})
    assert (found.max_credits, found.max_files) == (None, None)


def test_a_later_change_of_the_folder_leads_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    found = settings_of("photos", None, {"files_from": "names.txt", "report": "page.html"})
    here = str(tmp_path)
    assert (found.photos, found.report) == (tmp_path / "photos", tmp_path / "page.html")
    assert (found.output, found.files_from) == (tmp_path / "output", f"{here}/names.txt")
    assert found.ledger == f"sqlite:///{here}/batchbg.db"


def test_files_are_named_instead_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    found = settings_of(None, None, {"files": [Path("new/a.jpg"), "b.jpg"]})
    assert found.files == (tmp_path / "new" / "a.jpg", tmp_path / "b.jpg")
    assert found.photos == tmp_path


def test_every_name_of_the_package_is_there():
    for name in batchbg.__all__:
        assert getattr(batchbg, name) is not None
    assert set(batchbg.__all__) <= set(dir(batchbg))
    with pytest.raises(AttributeError, match="Batches"):
        _ = batchbg.Batches  # type: ignore[attr-defined]
