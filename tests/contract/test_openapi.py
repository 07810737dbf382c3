"""Every answer of the sandbox and every request of batchbg, against the published description."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchbg.api.client import MagicHour
from batchbg.api.limiter import RateLimiter
from batchbg.api.storage import chunks_of
from batchbg.core.create_outcome import Created
from batchbg.errors import AccountRefused, ApiUnreachable, RequestRefused
from batchbg.sandbox import SandboxConfig
from tests.contract.description import Description
from tests.contract.listening import ListeningSandbox
from tests.support.client import Client, picture
from tests.support.shop import Shop

UPLOAD_URLS, CREATE = "/v1/files/upload-urls", "/v1/image-background-remover"
PROJECT, ACCOUNT = "/v1/image-projects/{id}", "/v1/account"


@contextlib.contextmanager
def listening(**settings: object) -> Iterator[tuple[ListeningSandbox, Client]]:
    """A sandbox that notes what is said, and a client that knows no shame."""
    config = SandboxConfig(**{"render_s": 0.0, "background_cutout": "fast", **settings})  # type: ignore[arg-type]
    with ListeningSandbox(config) as sandbox, contextlib.closing(Client(sandbox)) as client:
        yield sandbox, client


def heard(sandbox: ListeningSandbox, published: Description) -> set[tuple[str, str, int]]:
    """Check every answer and return which (METHOD, path template, status) there were."""
    for exchange in sandbox.heard:
        published.check_answer(exchange)
    return {(one.method, published.template(one.path) or "", one.status) for one in sandbox.heard}


def test_every_answer_that_is_published_is_given_and_looks_as_published(published: Description):
    """All of the description's operations and statuses, and no other."""
    with listening(api_key="key") as (sandbox, client):
        path = client.upload()
        ask_all(client, path)
        for operation in ("upload_urls", "create", "status", "delete", "account"):
            for nth, status in enumerate((400, 402, 404, 500) if operation != "account" else (500,), start=1):
                sandbox.faults.add(operation, "status", status=status, commit=False, nth=nth)
        for _ in range(4):
            ask_all(client, path)
        for items in ([], [{"type": "image", "extension": "gif"}]):
            client.api.post(UPLOAD_URLS, json={"items": items})
        client.create("api-assets/unknown.png")
        client.api.headers["Authorization"] = "Bearer wrong"
        ask_all(client, path)
        assert heard(sandbox, published) == published.declared()


def ask_all(client: Client, path: str) -> None:
    """Ask for each operation once, whatever comes of it."""
    client.api.post(
        UPLOAD_URLS, json={"items": [{"type": "image", "extension": "png"}, {"type": "video", "extension": "mp4"}]}
    )
    project = PROJECT.format(id=client.create(path).json().get("id", "unknown"))
    client.api.get(project)
    client.api.delete(project)
    client.api.get(ACCOUNT)


def test_refusals_come_without_a_fault_too(published: Description):
    """What the sandbox refuses by itself: keys, schemas, paths, credits, rates, sizes, methods."""
    with listening(credits=5, price_credits=5, max_json_bytes=1000) as (sandbox, client):
        path = client.upload()
        assert client.create(path).status_code == 200
        assert client.create(path).status_code == 402
        assert client.create().status_code == 402
        assert client.create("nowhere.png").status_code == 422
        assert client.create("https://example.com/photo.png").status_code == 422
        assert client.api.post(CREATE, json={}).status_code == 400
        assert client.api.post(CREATE, content=b"{").status_code == 400
        assert client.api.post(CREATE, json={"name": "x" * 2000}).status_code == 413
        assert client.api.get(PROJECT.format(id="unknown")).status_code == 404
        assert client.api.delete(PROJECT.format(id="unknown")).status_code == 404
        assert client.api.put(CREATE).status_code == 405
        assert client.api.get(ACCOUNT, headers={"Authorization": ""}).status_code == 401
        sandbox.configure(requests_per_second=1.0)
        assert 429 in [client.api.get(ACCOUNT).status_code for _ in range(3)]
        heard(sandbox, published)


def test_a_project_looks_as_published_in_each_of_its_states(published: Description):
    """Queued, rendering, complete, in error, canceled, deleted; with and without a name and a background."""
    with listening(render_s=10, slots=1) as (sandbox, client):
        sandbox.faults.add("create", "job_error", nth=3)
        sandbox.faults.add("create", "job_canceled", nth=4)
        path = client.upload()
        ids = [client.created(path), client.created(path, path, name="with a background")]
        ids += [client.created(path) for _ in range(2)]
        states = {client.project(each)["status"] for each in ids}
        sandbox.advance(60)
        states |= {client.finished(each)["status"] for each in ids}
        assert states == {"queued", "rendering", "complete", "error", "canceled"}
        client.api.delete(PROJECT.format(id=ids[0]))
        assert client.project(ids[0])["enabled"] is False
        heard(sandbox, published)


async def test_every_request_of_the_client_is_as_published(published: Description, tmp_path: Path):
    """Each operation of the client, with its answers good and bad."""
    with listening(credits=10) as (sandbox, _):
        async with MagicHour(sandbox.url, "key", RateLimiter(1000)) as api:
            account = await api.account()
            assert account is not None
            photo, background = await api.upload_targets(["jpg", "png"])
            for target in (photo, background):
                await api.storage.put(target, chunks_of(picture()), len(picture()))
            outcome = await api.create("a name", photo.file_path, background.file_path)
            assert isinstance(outcome, Created)
            await api.create("Größe 38, 靴", photo.file_path, None)
            await api.create("no credits left", photo.file_path, None)
            project = await api.project(outcome.project_id)
            await api.storage.download(project.downloads[0], tmp_path / "result.png")
            for strange in ("unknown", "with / and ?", "../account"):
                with pytest.raises(RequestRefused):
                    await api.project(strange)
                await api.delete(strange)
            sandbox.faults.add("status", "status", status=500)
            with pytest.raises(ApiUnreachable):
                await api.project(outcome.project_id)
            await api.delete(outcome.project_id)
            sandbox.configure(api_key="another")
            for refused in (api.account(), api.delete(outcome.project_id)):
                with pytest.raises(AccountRefused):
                    await refused
        for exchange in sandbox.heard:
            published.check_request(exchange)
        statuses = {(method, status) for method, _, status in heard(sandbox, published)}
        assert statuses == {
            *(("POST", 200), ("POST", 402)),
            *(("GET", 200), ("GET", 404), ("GET", 500), ("GET", 401)),
            *(("DELETE", 204), ("DELETE", 404), ("DELETE", 401)),
        }


def test_every_request_of_a_whole_run_is_as_published(published: Description, tmp_path: Path):
    """The pipeline through trouble: backgrounds, a rotated photo, lost answers, failed jobs, refusals."""
    config = SandboxConfig(background_cutout="fast", render_s=0.02, seed=1)
    with ListeningSandbox(config) as sandbox:
        shop = Shop(tmp_path, sandbox)
        shop.some_photos(6)
        shop.photo("wide.jpg", size=(128, 48))
        shop.background("paper.png")
        sandbox.faults.add("create", "hang_up", nth=3)
        sandbox.faults.add("create", "status", nth=5, status=429, retry_after=0.1, commit=False)
        sandbox.faults.add("status", "status", nth=2, status=500)
        assert shop.run("--json").code == 3  # the create whose answer was lost waits for a person
        shop.do("audit")
        assert len(shop.creates()) == 7
        asked = {(one.method, published.template(one.path)) for one in sandbox.heard}
        assert asked == {("GET", ACCOUNT), ("POST", UPLOAD_URLS), ("POST", CREATE), ("GET", PROJECT)}
        for exchange in sandbox.heard:
            published.check_request(exchange)
            if exchange.status:
                published.check_answer(exchange)
