import re
import tomllib
from pathlib import Path

from batchbg.settings import BY_KEY, load
from batchbg.settings.example import example_toml
from tests.settings.support import config

ROOT = Path(__file__).parents[2]


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
    assert set(BY_KEY) - shown <= {"dry_run", "files", "plan", "files_from", "null"}


def test_values_the_example_calls_defaults_are_the_defaults():
    """A line without the remark "default: none" changes nothing when it is switched on."""
    lines = example_toml().splitlines()
    of_defaults = [
        line.removeprefix("#") for line in lines if re.match(r"#[a-z_]+ = ", line) and "default: none" not in line
    ]
    config("\n".join(of_defaults))
    assert load({}, {}) == load({}, {}, config("", "empty.toml"))
