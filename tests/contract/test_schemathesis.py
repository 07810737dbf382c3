"""The running sandbox against requests that schemathesis makes up from the published description."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from batchbg.sandbox import SandboxConfig, SandboxServer
from tests.contract.description import Description

pytestmark = [pytest.mark.contract, pytest.mark.timeout(900)]

KEY = "contract-key"

UNPROMISED = "positive_data_acceptance"
"""The one check left out: that a request which fits the schema is accepted. The API promises the opposite, 422 for
values that the schema allows, such as an extension of the wrong kind or the path of nothing."""


def linked(published: Description, folder: Path) -> Path:
    """Return a copy of the description that says where project ids come from, without which none would be found."""
    content = json.loads(published.file.read_text())
    project = content["paths"]["/v1/image-projects/{id}"]
    links = {}
    for method in ("get", "delete"):
        operation = project[method]["operationId"]
        links[method] = {"operationId": operation, "parameters": {"id": "$response.body#/id"}}
    content["paths"]["/v1/image-background-remover"]["post"]["responses"]["200"]["links"] = links
    copy = folder / "openapi.json"
    copy.write_text(json.dumps(content))
    return copy


@pytest.mark.parametrize("unknown_asset", ["refuse", "job_error"])
def test_no_made_up_request_breaks_the_sandbox_or_its_promises(published: Description, tmp_path: Path, unknown_asset):
    """No 5xx, no answer off the schema, no undeclared status or type, no way around the key; and the books balance."""
    assert find_spec("schemathesis"), "pip install 'batchbg[contract]'"
    config = SandboxConfig(
        background_cutout="fast",
        render_s=0.0,
        unknown_asset=unknown_asset,
        after_delete="not_found",  # a deleted project may also answer with "enabled": false, which looks like a flaw
        api_key=KEY,
        credits=1_000_000,
    )
    with SandboxServer(config) as sandbox:
        tested = subprocess.run(
            [
                Path(sys.executable).with_name("schemathesis"),
                *("run", linked(published, tmp_path), "--url", sandbox.url, "-H", f"Authorization: Bearer {KEY}"),
                *("--exclude-checks", UNPROMISED, "--max-examples", "100", "--seed", "1", "--no-color"),
                *("--suppress-health-check", "all", "--request-timeout", "100"),  # how fast it goes is no matter
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert tested.returncode == 0, tested.stdout + tested.stderr
        (generated,) = re.findall(r"(\d+) generated", tested.stdout)
        assert int(generated) > 500, tested.stdout
        print(f"\n{unknown_asset}: {generated} requests made up")
        books = sandbox.books
        assert books.requests("delete") > 0
        assert books.balance == 1_000_000 - books.charged + books.refunded
        assert bool(books.creates()) == (unknown_asset == "job_error")
