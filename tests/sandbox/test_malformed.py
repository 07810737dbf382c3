import http.client
import json
import struct
import time
import zlib

import pytest

from batchbg.sandbox import rendering

CREATE, UPLOAD_URLS = "/v1/image-background-remover", "/v1/files/upload-urls"
PATH = "api-assets/a/b.png"


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        (CREATE, b"", 400),
        (CREATE, b"{", 400),
        (CREATE, b"\xff\xfe", 400),
        (CREATE, b"[" * 100_000, 400),
        (CREATE, b"1" * 10_000, 400),
        (CREATE, [], 400),
        (CREATE, {}, 400),
        (CREATE, {"assets": None}, 400),
        (CREATE, {"assets": {}}, 400),
        (CREATE, {"assets": {"image_file_path": 5}}, 400),
        (CREATE, {"assets": {"image_file_path": PATH, "background_image_file_path": None}}, 400),
        (CREATE, {"name": None, "assets": {"image_file_path": PATH}}, 400),
        (CREATE, b'{"name": "\\ud800", "assets": {"image_file_path": "x"}}', 400),
        (CREATE, {"assets": {"image_file_path": ""}}, 422),
        (CREATE, {"assets": {"image_file_path": PATH}}, 422),
        (CREATE, {"assets": {"image_file_path": "../../etc/passwd"}}, 422),
        (CREATE, {"assets": {"image_file_path": "https://example.com/a.png"}}, 422),
        (CREATE, b'{"assets": {"image_file_path": "\\ud800.png"}}', 422),
        (UPLOAD_URLS, {"items": []}, 400),
        (UPLOAD_URLS, {"items": {}}, 400),
        (UPLOAD_URLS, {"items": [None]}, 400),
        (UPLOAD_URLS, {"items": [{"type": "image"}]}, 400),
        (UPLOAD_URLS, {"items": [{"type": "picture", "extension": "png"}]}, 400),
        (UPLOAD_URLS, {"items": [{"type": [], "extension": "png"}]}, 400),
        (UPLOAD_URLS, {"items": [{"type": "image", "extension": "PNG"}]}, 400),
        (UPLOAD_URLS, {"items": [{"type": "image", "extension": ".png"}]}, 400),
        (UPLOAD_URLS, {"items": [{"type": "image", "extension": "png\n"}]}, 400),
        (UPLOAD_URLS, {"items": [{"type": "image", "extension": "gif"}]}, 422),
        (UPLOAD_URLS, {"items": [{"type": "image", "extension": "mp4"}]}, 422),
    ],
)
def test_malformed_requests_get_their_documented_status(client, path, body, expected):
    """Schema violations are 400, wrong values 422, always with code and message, and nothing is charged."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.api.post(path, content=content)
    assert answer.status_code == expected
    assert answer.json()["code"] == {400: "invalid_request", 422: "unprocessable_entity"}[expected]
    assert isinstance(answer.json()["message"], str)
    assert client.books.charged == 0


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/image-projects/unknown", 404),
        ("DELETE", "/v1/image-projects/unknown", 404),
        ("GET", "/v1/image-projects/", 404),
        ("GET", "/v1/image-projects/%ff%00", 404),
        ("GET", "/v1/nothing", 404),
        ("PUT", "/v1/account", 405),
        ("GET", "/storage/../../etc/passwd", 403),
        ("GET", "/storage/%2e%2e/%2e%2e/etc/passwd?expires=9e9&signature=%ff", 403),
        ("GET", "/storage/x?expires=nan&signature=", 403),
        ("PUT", "/storage/api-assets/a/b.png", 403),
        ("GET", "/../etc/passwd", 404),
    ],
)
def test_unknown_ids_routes_and_forged_urls_are_refused(client, method, path, expected):
    """No path leads anywhere it should not, however it is written; sent without httpx, which would tidy it."""
    connection = http.client.HTTPConnection(client.sandbox.url.removeprefix("http://"))
    headers = {} if path.startswith("/storage") else {"Authorization": "Bearer key"}
    connection.request(method, path, body=b"" if method == "PUT" else None, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == expected
    assert answer.headers["Server"] == "batchbg-sandbox"


def test_a_wrong_method_is_told_the_right_ones(client):
    """Allow lists every method of the path."""
    answer = client.api.post("/v1/image-projects/x")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, HEAD")
    assert answer.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("mode", ["cut", "fast", "echo"])
def test_a_decompression_bomb_is_not_decoded(start, mode):
    """A file of a few kilobytes can claim to be a picture of gigabytes: the job fails, with its refund."""
    client = start(background_cutout=mode)
    for side in (10_100, 50_000):
        header = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
        bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
        )
        project = client.finished(client.created(client.upload(bomb)))
        assert (project["status"], project["error"]["code"]) == ("error", "file_too_large")
    assert client.credits() == 10_000


def test_large_pictures_are_drawn_one_at_a_time(start, draw, monkeypatch):
    """Two threads that cut a picture of many megapixels each would need gigabytes."""
    monkeypatch.setattr(rendering, "LARGE_PIXELS", 100)
    at_once, most = [], []

    def echo(photo, background):
        at_once.append(photo)
        time.sleep(0.02)
        most.append(len(at_once))
        at_once.pop()
        return draw()

    monkeypatch.setitem(rendering._DRAW, "echo", echo)
    client = start(background_cutout="echo")
    ids = [client.created(client.upload(draw(colour=colour))) for colour in ("red", "green", "blue")]
    assert {client.finished(each)["status"] for each in ids} == {"complete"}
    assert most == [1, 1, 1]


def test_a_strange_host_header_does_not_end_up_in_urls(client):
    """Signed URLs are built from a host name or from the address the sandbox listens on."""
    body = {"items": [{"type": "image", "extension": "png"}]}
    answer = client.api.post(UPLOAD_URLS, json=body, headers={"Host": "a/../@b"}).json()
    assert answer["items"][0]["upload_url"].startswith(client.sandbox.url + "/storage/")


def test_bodies_over_the_limit_are_refused(start):
    """Too much JSON and too large an upload get 413, before or while they are read."""
    client = start(max_json_bytes=1000, max_body_bytes=1000)
    assert client.api.post(CREATE, content=b" " * 1001).status_code == 413
    assert client.storage.put(client.upload_url()["upload_url"], content=b"x" * 1001).status_code == 413
    assert client.books.transferred_bytes("upload") == 0


def test_a_chunked_upload_is_refused_unless_allowed(start):
    """Whether the service's storage takes one is unknown, so by default it does not."""
    client = start()
    assert client.storage.put(client.upload_url()["upload_url"], content=iter([b"x"])).status_code == 411
    client.sandbox.configure(chunked_uploads=True)
    assert client.storage.put(client.upload_url()["upload_url"], content=iter([b"x"])).status_code == 200


def test_a_key_sent_to_storage_is_refused_and_noted(client):
    """Signed URLs are used without the key; the books count who forgets."""
    url = client.upload_url()["upload_url"]
    assert client.api.put(url, content=b"x").status_code == 400
    assert client.books.keys_at_storage == 1


def test_a_signed_url_serves_one_method_and_one_path(client):
    """Neither the path nor the expiry nor the method of a signed URL can be changed."""
    url = client.upload_url()["upload_url"]
    for changed in (url.replace(".png", ".jpg"), url.replace("expires=", "expires=9")):
        assert client.storage.put(changed, content=b"x").status_code == 403
    assert client.storage.get(url).status_code == 403
