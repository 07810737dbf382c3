import collections
import os
from pathlib import Path

import pytest

from batchbg.errors import ConfigError, ExitCode
from batchbg.settings import BY_KEY, KEY_VARIABLE, SETTINGS, api_key, load


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
