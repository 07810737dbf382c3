"""A shop whose results are there, to be finished."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from batchbg.disk.finished import RECORD
from tests.support.shop import Result, Shop

CONFIG = """
[finishing.web]
margin = 10
canvas = "1:1"
longest = 64
format = "png"
background = "transparent"
names = "{sku}-{n}"
"""


@dataclasses.dataclass
class Finishing:
    shop: Shop

    def config(self, text: str = CONFIG) -> None:
        (self.shop.folder / "config.toml").write_text(text, encoding="utf-8")

    def finish(self, *arguments: str) -> Result:
        return self.shop.do("finish", *arguments, "-o", str(self.shop.output))

    def outcome(self, *arguments: str) -> dict[str, Any]:
        (found,) = self.finish(*arguments, "--json").json["profiles"]
        return dict(found)

    def folder(self, name: str) -> Path:
        return self.shop.folder / f"output-{name}"

    def pictures(self, name: str) -> dict[str, str]:
        """Return the digest of each picture by its path; whatever else lies there is named, too."""
        folder = self.folder(name)
        files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".batchbg-finished"))
        return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def masters(self) -> dict[str, bytes]:
        return {name: (self.shop.output / name).read_bytes() for name in self.shop.outputs()}

    def record(self, name: str) -> list[dict[str, Any]]:
        lines = (self.folder(name) / RECORD).read_text(encoding="ascii").splitlines()
        return [json.loads(line) for line in lines if line]
