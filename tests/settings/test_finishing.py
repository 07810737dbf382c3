import re
from pathlib import Path

import pytest

from batchbg.core.finish_profiles import BUILT_IN
from batchbg.core.finishing import Canvas
from batchbg.errors import ConfigError, ExitCode
from batchbg.settings import load
from batchbg.settings.example import example_toml
from batchbg.settings.finishing import KEYS
from tests.settings.support import config


def profiles(text: str):
    return load({}, {}, config(text)).profiles


def test_without_a_table_there_are_the_built_in_profiles():
    assert load({}, {}).profiles == BUILT_IN


def test_a_table_is_a_profile_that_is_read_like_any_setting():
    found = profiles(
        '[finishing.web]\ncanvas = "4:5"\nlongest = 1600\nmargin = 2.5\nbackground = "#f5f5f5"\nshadow = true\n'
        'format = "webp"\nquality = 80\nmax_bytes = 300000\nnames = "{sku}-{n}"\noutput = "shop"\ntrim = false\n'
    )["web"]
    assert (found.name, found.rule, found.trim) == ("web", None, False)
    assert found.canvas == Canvas(4, 5, exact=False)
    assert (found.longest, found.margin, found.background, found.shadow) == (1600, 2.5, (245, 245, 245), 40.0)
    assert (found.format, found.quality, found.max_bytes, found.names) == ("webp", 80, 300_000, "{sku}-{n}")
    assert found.output == Path("shop")


def test_a_profile_may_begin_as_another_one():
    """As a built-in one, by its name alone too, or as another of the file; its rule goes along, its folder does not."""
    found = profiles(
        '[finishing.big]\nlike = "small"\nlongest = 3000\n[finishing.small]\nlike = "amazon"\nmargin = 3\noutput = "x"\n'
        "[finishing.ebay]\nquality = 70\n"
    )
    assert (found["big"].margin, found["big"].longest, found["big"].rule) == (3, 3000, BUILT_IN["amazon"].rule)
    assert found["big"].output is None
    assert (found["ebay"].quality, found["ebay"].rule) == (70, BUILT_IN["ebay"].rule)
    assert found["amazon"] == BUILT_IN["amazon"]


def test_the_nearer_file_wins_and_others_add_to_it(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "own"))
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "own")}
    own = config("[finishing.a]\nmargin = 1\n[finishing.b]\nmargin = 2\n", str(tmp_path / "own/batchbg/config.toml"))
    own.chmod(0o600)
    found = load({}, environ, config("[finishing.b]\nmargin = 3\n", "near.toml")).profiles
    assert (found["a"].margin, found["b"].margin) == (1, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[finishing.web]\nmargn = 3", "[finishing.web] has no 'margn'; did you mean 'margin'?"),
        ("[finishing.web]\nmargin = 50", "[finishing.web] margin must be a number from 0 to 40"),
        ("[finishing.web]\nmargin = true", "margin must be"),
        ('[finishing.web]\ncanvas = "1/1"', "canvas must be a ratio"),
        ('[finishing.web]\ncanvas = "9000x9000"', "canvas must be a ratio"),
        ('[finishing.web]\ncanvas = "1:30"', "canvas must be a ratio"),
        ('[finishing.web]\nnames = "x"', "names: all pictures would have one name"),
        ('[finishing.web]\nlike = "amazn"', "no profile 'amazn'; did you mean 'amazon'"),
        ("[finishing.web]\nlike = []", "like must be some text"),
        ('[finishing.a]\nlike = "b"\n[finishing.b]\nlike = "a"', "based on itself"),
        ('[finishing.web]\nlike = "web"', "no profile 'web'"),
        ('[finishing.web]\nbackground = "transparent"', "a JPEG is never transparent"),
        ('[finishing.web]\nbackground = "blu"', "background must be a colour"),
        ("[finishing.web]\nshadow = true\nmargin = 0", "there is no room for one"),
        ("[finishing.web]\nat_least = 900", "nothing is enlarged"),
        ("[finishing.web]\nat_least = 900\nenlarge = 2\nlongest = 800", "more than longest"),
        ("[finishing.web]\nenlarge = 9", "enlarge must be a number from 1 to 4"),
        ("[finishing.Web]\nmargin = 1", "name it in small letters"),
        ("[finishing.sandbox]\nmargin = 1", "name it in small letters"),
        ('[finishing."../x"]\nmargin = 1', "name it in small letters"),
        ("[finishing]\nweb = 3", "profiles are tables"),
        ("finishing = 3", "no setting 'finishing'"),
        ("[finish.web]\nmargin = 3", "a profile is a table [finishing.web]"),
        ('finish = ["amazn"]', "no profile 'amazn'; did you mean 'amazon'"),
    ],
)
def test_what_is_wrong_is_named_with_what_was_meant(text, said):
    """An unknown key would be a wish that nobody hears."""
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        load({}, {}, config(text))
    assert caught.value.exit_code is ExitCode.USAGE


def test_which_to_make_after_a_run_may_be_said_anywhere():
    own = "[finishing.web]\nmargin = 1\n"
    assert load({}, {}, config('finish = ["web", "amazon"]\n' + own)).finish == ("web", "amazon")
    assert load({}, {"BATCHBG_FINISH": "ebay:etsy"}).finish == ("ebay", "etsy")
    assert load({"finish": ("shopify",)}, {}, config('finish = ["web"]\n' + own)).finish == ("shopify",)


def test_a_folder_elsewhere_counts_only_in_a_file_that_is_trusted():
    """Somebody else may have put ./config.toml there."""
    config('[finishing.web]\noutput = "../elsewhere"\n')
    with pytest.raises(ConfigError, match=r"finishing\.web\.output leads out of the file's folder"):
        load({}, {})
    config('[finishing.web]\noutput = "shop"\n')
    assert load({}, {}).profiles["web"].output == Path("shop")


def test_the_example_of_a_profile_is_valid_and_shows_every_key():
    """Without its marks; it makes what it says."""
    lines = example_toml().partition("# [finishing.web]\n")[2].splitlines()
    table = "\n".join(line.removeprefix("# ") for line in lines)
    assert set(re.findall(r"(?m)^(\w+) = ", table)) == set(KEYS)
    found = profiles("[finishing.web]\n" + table.replace("enlarge = 1.0", "enlarge = 1.5"))["web"]
    assert found.names == "{sku}-{n}"
