"""Print the lowest versions that pyproject.toml declares, as constraints for pip.

python -m tests.tools.floors > floors.txt && pip install -e '.[dev]' -c floors.txt
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PYPROJECT: Final = Path(__file__).resolve().parents[2] / "pyproject.toml"

REQUIREMENT: Final = re.compile(r"(?P<name>[\w.-]+)(\[[\w,-]+\])?(>=(?P<floor>[\w.]+))?")


def floors(text: str) -> Iterator[tuple[str, str]]:
    """Yield (name, lowest version) of what users and developers install; a version of "" is any."""
    project = tomllib.loads(text)["project"]
    extras = project["optional-dependencies"]
    for requirement in (
        *project["dependencies"],
        *extras["fast"],
        *extras["sandbox"],
        *extras["watch"],
        *extras["dev"],
    ):
        found = REQUIREMENT.match(requirement)
        assert found is not None, requirement
        if found["name"] != project["name"]:
            yield found["name"], found["floor"] or ""


if __name__ == "__main__":
    for name, floor in floors(PYPROJECT.read_text(encoding="utf-8")):
        if floor:
            print(f"{name}=={floor}")
