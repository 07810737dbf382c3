import hashlib
import io
import time
from types import SimpleNamespace

import pillow_heif
import pytest
from PIL import Image


def test_a_photo_goes_through_upload_create_status_and_download(client, draw):
    """The whole flow ends in a PNG with alpha, of the photo's size, made from the photo's bytes."""
    photo = draw(80, 60, kind="JPEG")
    result = client.result(client.created(client.upload(photo, "jpg"), name="mine"))
    assert (result.format, result.mode, result.size) == ("PNG", "RGBA", (80, 60))
    assert result.getpixel((0, 0))[3] == 0
    assert result.info["Photo"] == hashlib.sha256(photo).hexdigest()
    assert [(create.name, create.status) for create in client.books.creates()] == [("mine", "complete")]


def test_a_result_names_its_background(client, draw):
    """With a background the result is opaque, and the books know both pictures."""
    background = draw(30, 30, "blue")
    result = client.result(client.created(client.upload(), client.upload(background)))
    assert result.getpixel((0, 0))[3] == 255
    assert client.books.creates()[0].background_sha256 == hashlib.sha256(background).hexdigest()


def test_a_rotated_photo_comes_out_upright(client, draw):
    """The result's size is that of the photo after its EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = draw(80, 60, kind="JPEG", exif=exif)
    assert client.result(client.created(client.upload(photo, "jpg"))).size == (60, 80)


def test_echo_returns_the_photo_itself(start, draw):
    """In echo mode the result shows the photo, unchanged."""
    client = start(background_cutout="echo")
    result = client.result(client.created(client.upload(draw(colour="#102030"))))
    assert result.getpixel((5, 5)) == (0x10, 0x20, 0x30, 255)


@pytest.mark.parametrize(
    ("extension", "kind"),
    [
        *(("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("avif", "AVIF")),
        *(("heic", "HEIF"), ("jp2", "JPEG2000"), ("tiff", "TIFF"), ("bmp", "BMP")),
    ],
)
def test_every_format_that_the_api_takes_is_read(start, draw, extension, kind):
    """Those of the upload-urls call, HEIC and AVIF included."""
    pillow_heif.register_heif_opener()
    client = start(background_cutout="echo")
    result = client.result(client.created(client.upload(draw(kind=kind, colour="white"), extension)))
    assert (result.format, result.size) == ("PNG", (64, 48))
    assert min(result.getpixel((30, 20))) > 245


@pytest.mark.parametrize("mode", ["L", "LA", "P", "CMYK", "I;16", "1", "RGBA"])
def test_every_colour_mode_is_read(start, mode):
    """Grey, palette, CMYK, 16-bit and bilevel pictures come out as RGBA."""
    buffer = io.BytesIO()
    Image.new(mode, (64, 48)).save(buffer, "TIFF" if mode == "CMYK" else "PNG")
    client = start(background_cutout="echo")
    assert client.result(client.created(client.upload(buffer.getvalue()))).mode == "RGBA"


def test_status_goes_from_queued_over_rendering_to_complete(start):
    """A job waits its queue time, renders its render time, and only then has downloads."""
    client = start(queue_s=100, render_s=200)
    project_id = client.created()
    seen = []
    for seconds in (0, 101, 200):
        client.sandbox.advance(seconds)
        project = client.project(project_id)
        seen.append((project["status"], len(project["downloads"])))
    assert seen == [("queued", 0), ("rendering", 0), ("complete", 1)]


def test_jobs_beyond_the_slots_are_queued(start):
    """Two slots render two jobs; the third starts when the first ends."""
    client = start(render_s=100, slots=2)
    ids = [client.created() for _ in range(3)]
    assert [client.project(each)["status"] for each in ids] == ["rendering", "rendering", "queued"]
    client.sandbox.advance(101)
    assert [client.project(each)["status"] for each in ids] == ["complete", "complete", "rendering"]
    assert client.books.peak_unfinished == 3


def test_a_create_over_the_in_flight_limit_is_refused_or_queued(start):
    """The same limit answers 429 or lets the job wait, as configured."""
    refusing = start(render_s=100, in_flight_limit=1, over_limit="refuse")
    assert [refusing.create().status_code for _ in range(2)] == [200, 429]
    queueing = start(render_s=100, in_flight_limit=1, over_limit="queue")
    assert [queueing.project(queueing.created())["status"] for _ in range(2)] == ["rendering", "queued"]


def test_upload_urls_come_in_the_order_asked_for(client):
    """The response keeps the request's order, which is all a client can match by."""
    wanted = ["png", "heic", "mp4", "jpg"]
    items = [{"type": "video" if each == "mp4" else "image", "extension": each} for each in wanted]
    answer = client.api.post("/v1/files/upload-urls", json={"items": items}).json()["items"]
    assert [item["file_path"].rpartition(".")[2] for item in answer] == wanted
    assert all(item["file_path"].startswith("api-assets/") for item in answer)


def test_the_create_answer_holds_both_prices(client):
    """The deprecated frame_cost is always present: the official SDK loses the id without it."""
    answer = client.create().json()
    assert (answer["frame_cost"], answer["credits_charged"]) == (5, 5)


def test_the_account_is_recognisable_as_a_sandbox(start):
    """Id and Server header tell a rehearsal from reality; two sandboxes are two accounts."""
    clients = [start(tier="pro"), start()]
    answers = [client.api.get("/v1/account") for client in clients]
    assert len({answer.json()["id"] for answer in answers}) == 2
    assert all(answer.json()["id"].startswith("sandbox") for answer in answers)
    assert answers[0].json()["tier"] == "pro"
    elsewhere = clients[0].api.get("/nowhere")
    assert {answer.headers["server"] for answer in [*answers, elsewhere]} == {"batchbg-sandbox"}


def test_a_deleted_project_is_disabled_or_gone(start):
    """After DELETE its status says enabled=false or 404, as configured, and its download is gone."""
    client = start()
    project_id = client.created()
    url = client.finished(project_id)["downloads"][0]["url"]
    answer = client.api.delete(f"/v1/image-projects/{project_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (client.project(project_id)["enabled"], client.project(project_id)["downloads"]) == (False, [])
    assert client.storage.get(url).status_code == 404
    client.sandbox.configure(after_delete="not_found")
    assert client.api.get(f"/v1/image-projects/{project_id}").status_code == 404


def test_signed_urls_expire_and_a_new_status_gives_fresh_ones(client):
    """Download links live 24 hours by the sandbox's clock; upload URLs as long as they say."""
    project_id, item = client.created(), client.upload_url()
    url = client.finished(project_id)["downloads"][0]["url"]
    client.sandbox.advance(86_400)
    assert client.storage.get(url).status_code == 403
    assert client.storage.put(item["upload_url"], content=b"x").status_code == 403
    assert client.download(project_id).status_code == 200


def test_an_asset_serves_many_jobs_for_seven_days(client):
    """One upload may be used again and again, until it is deleted."""
    path = client.upload()
    assert [client.create(path).status_code for _ in range(2)] == [200, 200]
    client.sandbox.advance(7 * 86_400)
    assert client.create(path).status_code == 422


def test_an_unknown_path_is_refused_or_fails_the_job(start):
    """What the service does is not known, so both can be had: 422, or a job error with a refund."""
    never_uploaded = "api-assets/nobody/nothing.png"
    client = start()
    assert client.create(never_uploaded).json()["code"] == "unprocessable_entity"
    assert client.books.charged == 0
    client.sandbox.configure(unknown_asset="job_error")
    project = client.finished(client.created(never_uploaded))
    assert (project["status"], project["error"]["code"]) == ("error", "invalid_image_path")
    assert (client.books.charged, client.books.balance) == (5, 10_000)


def test_bytes_that_are_no_image_end_in_a_job_error_with_a_refund(client):
    """The job is charged, fails, and its credits_charged is rewritten to what is left: nothing."""
    project = client.finished(client.created(client.upload(b"not an image")))
    assert (project["status"], project["error"]["code"]) == ("error", "invalid_image_file")
    assert (project["credits_charged"], project["total_frame_cost"], project["downloads"]) == (0, 0, [])
    assert client.credits() == 10_000


def test_credits_run_out_with_402(start):
    """Credits fall at the create; what they do not cover is refused and charges nothing."""
    client = start(credits=12)
    assert [client.create().status_code for _ in range(3)] == [200, 200, 402]
    assert client.create().json()["code"] == "insufficient_credits"
    assert client.credits() == 2


@pytest.mark.parametrize(
    ("header", "expected"),
    [("Bearer right", 200), ("bearer right", 200), ("Bearer wrong", 401), ("Basic right", 401), ("Bearer", 401)],
)
def test_only_the_configured_key_is_accepted(start, header, expected):
    """Everything but the key as a bearer token is a documented 401."""
    answer = start(api_key="right").api.get("/v1/account", headers={"Authorization": header})
    assert answer.status_code == expected
    assert expected == 200 or answer.json()["code"] == "unauthorized"


def test_the_rate_limit_refuses_what_is_over_it(start, monkeypatch):
    """Of requests at once as many as allowed pass; Retry-After is there, as a date, or not at all."""
    client = start(requests_per_second=3)
    now_s = time.monotonic()
    monkeypatch.setattr("batchbg.sandbox.clock.time", SimpleNamespace(monotonic=lambda: now_s))  # all at once
    answers = [client.api.get("/v1/account") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].headers["retry-after"] == "1"
    client.sandbox.configure(retry_after="date")
    assert client.api.get("/v1/account").headers["retry-after"].endswith("GMT")
    client.sandbox.configure(retry_after="none")
    assert "retry-after" not in client.api.get("/v1/account").headers
    client.sandbox.advance(1)
    assert client.api.get("/v1/account").status_code == 200
    assert len(client.books.starts()) == client.books.requests("account") == 7


def test_render_times_follow_the_seed(start):
    """The same seed draws the same lognormal render times."""
    ends = []
    for _ in range(2):
        client = start(render_s=100, render_sigma=0.5, seed=7)
        ids = [client.created() for _ in range(8)]
        client.sandbox.advance(100)
        ends.append([client.project(each)["status"] for each in ids])
    assert ends[0] == ends[1]
    assert set(ends[0]) == {"rendering", "complete"}


def test_the_real_cut_out_is_composed_over_the_background(start, draw, monkeypatch):
    """In cut mode photo and background reach the cut-out upright and decoded, and its picture is the result."""
    cutout = pytest.importorskip("batchbg.sandbox.cutout")
    seen = []

    def compose(photo, background):
        seen.append((photo.size, background.size))
        return Image.new("RGBA", photo.size, "green")

    monkeypatch.setattr(cutout, "compose", compose)
    client = start(background_cutout="cut")
    paths = client.upload(draw(40, 30)), client.upload(draw(20, 20))
    for _ in range(2):
        assert client.result(client.created(*paths)).getpixel((0, 0)) == (0, 128, 0, 255)
    assert seen == [((40, 30), (20, 20))], "results are kept by content"


def test_bandwidth_and_latency_are_waited_for(start, draw):
    """Transfers take their bytes' time, answers at least the latency."""
    client = start(bandwidth_bytes_per_s=1_000_000, latency_s=0.02)
    photo = io.BytesIO(draw()).getvalue() + b"\0" * 60_000
    client.upload(photo)
    assert client.storage.put(client.upload_url()["upload_url"], content=photo).elapsed.total_seconds() > 0.055
    assert client.api.get("/v1/account").elapsed.total_seconds() > 0.02
