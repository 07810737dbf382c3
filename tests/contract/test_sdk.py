"""The service's own Python client against the sandbox, unchanged; and batchbg with what that client made."""

import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from batchbg.sandbox import SandboxConfig, SandboxServer
from tests.support.client import picture
from tests.support.shop import Shop

pytestmark = pytest.mark.contract


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MAGIC_HOUR_POLL_INTERVAL", "0.01")


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    config = SandboxConfig(render_s=0.05, background_cutout="fast", credits=20, api_key="right")
    with SandboxServer(config) as server:
        yield server


@pytest.fixture
def sdk(sandbox: SandboxServer) -> Iterator[Any]:
    """The SDK's client, set up as its README says, but for the host."""
    magic_hour = import_module("magic_hour")  # not in the dev extra
    with httpx.Client(timeout=60) as http:
        yield magic_hour.Client(base_url=sandbox.url, token="right", httpx_client=http)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "mug.png"
    path.write_bytes(picture(64, 48, "navy"))
    return path


@pytest.fixture
def background(tmp_path: Path) -> Path:
    path = tmp_path / "wall.jpg"
    path.write_bytes(picture(64, 48, "green", "JPEG"))
    return path


def refused(ask: Any, *args: Any, **named: Any) -> tuple[int, str]:
    """Return status and code of what the SDK raises."""
    with pytest.raises(import_module("make_api_request").ApiError) as caught:
        ask(*args, **named)
    error: Any = caught.value
    return error.status_code, error.body["code"]


def test_generate_with_a_background(sdk, sandbox: SandboxServer, photo: Path, background: Path, tmp_path: Path):
    """Upload, create, poll and download in one call; the background has to be uploaded first (it promises otherwise)."""
    results = tmp_path / "results"
    results.mkdir()
    made = sdk.v1.image_background_remover.generate(
        assets={
            "image_file_path": str(photo),
            "background_image_file_path": sdk.v1.files.upload_file(str(background)),
        },
        name="a mug",
        download_directory=str(results),
    )
    assert (made.status, made.name, made.credits_charged) == ("complete", "a mug", 5)
    assert made.downloaded_paths == [str(results / "output.png")]
    with Image.open(results / "output.png") as result:
        assert result.size == (64, 48)
    (create,) = sandbox.books.creates()
    assert create.background_sha256 is not None
    assert sandbox.books.keys_at_storage == 0


def test_a_local_background_is_refused_as_the_sdk_does_not_upload_it(sdk, sandbox: SandboxServer, photo, background):
    """The literal path arrives, as at the service; nothing is charged."""
    assets = {"image_file_path": str(photo), "background_image_file_path": str(background)}
    assert refused(sdk.v1.image_background_remover.generate, assets=assets) == (422, "unprocessable_entity")
    assert sandbox.books.charged == 0


def test_create_get_and_delete(sdk, sandbox: SandboxServer, photo: Path):
    """Each by itself."""
    path = sdk.v1.files.upload_file(file=photo)
    assert path.startswith("api-assets/")
    created = sdk.v1.image_background_remover.create(assets={"image_file_path": path})
    assert (created.credits_charged, created.frame_cost) == (5, 5)
    project = sdk.v1.image_projects.get(id=created.id)
    assert project.status in ("queued", "rendering", "complete")
    assert project.downloads == [] or project.status == "complete"
    sandbox.advance(1)
    assert sdk.v1.image_projects.delete(id=created.id) is None
    assert sdk.v1.image_projects.get(id=created.id).enabled is False


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "AVIF"])
def test_upload_file_takes_paths_and_open_files(sdk, sandbox: SandboxServer, tmp_path: Path, kind: str):
    """Every kind that the SDK knows on any machine arrives byte for byte."""
    file = tmp_path / f"photo.{kind.lower()}"
    file.write_bytes(picture(32, 24, "teal", kind))
    sdk.v1.files.upload_file(file)
    with file.open("rb") as opened:
        path = sdk.v1.files.upload_file(opened)
    assert path.endswith(file.suffix)
    assert sandbox.books.transferred_bytes("upload") == 2 * file.stat().st_size


def test_the_account(sdk, sandbox: SandboxServer):
    """Which the SDK lists."""
    account = sdk.v1.account.list()
    assert (account.id, account.credits, account.tier) == (sandbox.account_id, 20, "creator")
    assert account.subscription is None


def test_a_job_that_ends_in_error_is_refunded(sdk, sandbox: SandboxServer, photo: Path):
    """The SDK does not raise, it returns the project with its error."""
    sandbox.faults.add("create", "job_error", code="invalid_image_file", message="not an image")
    failed = sdk.v1.image_background_remover.generate(assets={"image_file_path": str(photo)})
    assert (failed.status, failed.error.code, failed.credits_charged) == ("error", "invalid_image_file", 0)
    assert sdk.v1.account.list().credits == 20


def test_errors_carry_status_and_code(sdk, sandbox: SandboxServer, photo: Path):
    """401, 402, 404 and 422."""
    remover, projects = sdk.v1.image_background_remover, sdk.v1.image_projects
    path = sdk.v1.files.upload_file(photo)
    assert refused(projects.get, id="unknown") == (404, "not_found")
    assert refused(projects.delete, id="unknown") == (404, "not_found")
    assert refused(remover.create, assets={"image_file_path": "nowhere"}) == (422, "unprocessable_entity")
    sandbox.configure(credits=4)
    assert refused(remover.create, assets={"image_file_path": path}) == (402, "insufficient_credits")
    sandbox.configure(api_key="another")
    assert refused(sdk.v1.account.list) == (401, "unauthorized")
    assert refused(remover.create, assets={"image_file_path": path}) == (401, "unauthorized")


def test_batchbg_finishes_a_job_that_the_sdk_created(sdk, sandbox: SandboxServer, photo: Path, tmp_path: Path):
    """The create's answer was lost; a person made the project with the SDK under the job's name: nothing is paid twice."""
    sandbox.configure(api_key=None)
    (tmp_path / "shop").mkdir()
    shop = Shop(tmp_path / "shop", sandbox)
    shutil.copy(photo, shop.photos / "mug.png")
    sandbox.faults.add("create", "hang_up", times=1, commit=False)
    first = shop.run()
    assert first.code == 3, first.err
    (job,) = shop.jobs()
    assert job["state"] == "unresolved"

    path = sdk.v1.files.upload_file(photo)
    other = sdk.v1.image_background_remover.create(assets={"image_file_path": path}, name="something else")
    assert shop.do("resolve", job["id"], "--project-id", other.id).code == 2, "the name does not hold the job's id"
    name = job["name"]
    assert name == f"batchbg {job['id']}-{job['attempts']} mug.png"
    made = sdk.v1.image_background_remover.create(assets={"image_file_path": path}, name=name)
    settled = shop.do("resolve", job["id"], "--project-id", made.id)
    assert settled.code == 0, settled.err
    assert shop.resume().code == 0

    (done,) = shop.jobs()
    assert (done["state"], done["project_id"], done["credits"]) == ("done", made.id, 5)
    assert shop.outputs() == ["mug.png"]
    assert [create.name for create in shop.creates()] == ["something else", name]
    assert shop.run().code == 0
    assert len(shop.creates()) == 2
