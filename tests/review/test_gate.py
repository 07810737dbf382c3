"""Nobody but the browser that was given the address sees or writes anything."""

import contextlib
import http.client
import re
import urllib.parse

import httpx
import pytest

from batchbg.review.gate import CSP
from tests.report.support import Shop
from tests.review.support import served
from tests.support.tiers import rest_slow


@pytest.fixture
def shown(shop: Shop):
    """The server of a ledger with one result, and that result's job."""
    job = shop.make("mugs/one.png")
    with served(shop) as server:
        yield server, job.id


def base(server) -> str:
    return f"http://127.0.0.1:{server.port}"


@contextlib.contextmanager
def visitor(server):
    """A browser that was given the address."""
    with httpx.Client(base_url=base(server)) as client:
        assert client.get(server.address).status_code == 200
        yield client


def asked(port: int, path: str, headers: list[tuple[str, str]]) -> int:
    """Return the status of a request whose headers are exactly these."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


PATHS = ("/", "/static/app.js", "/api/about", "/api/view", "/api/rows?view=1", "/api/standing", "/thumb/{job}")


def test_without_the_secret_nothing_is_answered(shown):
    server, job = shown
    with httpx.Client(base_url=base(server)) as stranger:
        for path in (*PATHS, "/picture/{job}/result", "/picture/{job}/photo", "/?token=guess", "/?token="):
            answer = stranger.get(path.format(job=job))
            assert answer.status_code == 403, path
            assert "batchbg review" in answer.text
            assert "set-cookie" not in answer.headers
        # The secret is for the page: in any other address it would end in a list of what was fetched.
        token = urllib.parse.urlsplit(server.address).query
        assert stranger.get(f"/api/about?{token}").status_code == 403
        wrong = {"cookie": f"batchbg-review-{server.port}=guess"}
        assert stranger.get("/", headers=wrong).status_code == 403


def test_the_secret_is_long_and_a_new_one_each_time(shop: Shop):
    addresses = set()
    for _ in range(2):
        with served(shop) as server:
            addresses.add(server.address)
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{32}", server.address)
    assert len({address.partition("=")[2] for address in addresses}) == 2


def test_the_address_that_a_browser_is_started_with_opens_the_page_once(shown):
    """Everybody on the machine can read it in the list of processes."""
    server, _ = shown
    address = server.address_for_once()
    assert address != server.address
    assert [httpx.get(address).status_code for _ in range(2)] == [200, 403]
    assert httpx.get(server.address).status_code == 200


def test_with_the_cookie_everything_is_and_it_is_kept_from_scripts_and_sites(shown):
    server, job = shown
    with httpx.Client(base_url=base(server)) as client:
        cookie = client.get(server.address).headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        view = client.get("/api/view").json()["view"]
        for path in PATHS:
            answer = client.get(path.format(job=job).replace("view=1", f"view={view}"))
            assert answer.status_code == 200, path
            assert answer.headers["content-security-policy"] == CSP
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "access-control-allow-origin" not in answer.headers
    assert "unsafe" not in CSP


@pytest.mark.parametrize(
    "host",
    rest_slow(["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}", ""]),
)
def test_a_name_of_somebody_else_s_that_points_here_is_refused(shown, host):
    """DNS rebinding: the page of evil.example asks its own name, which is 127.0.0.1 by now."""
    server, _ = shown
    with visitor(server) as client:
        cookie = f"batchbg-review-{server.port}={client.cookies[f'batchbg-review-{server.port}']}"
    named = host.format(port=server.port)
    path = f"/?{urllib.parse.urlsplit(server.address).query}"
    assert asked(server.port, path, [("Host", named), ("Cookie", cookie)]) == 421
    assert asked(server.port, "/api/about", [("Host", named), ("Cookie", cookie)]) == 421
    own = f"127.0.0.1:{server.port}"
    assert asked(server.port, "/api/about", [("Host", own), ("Cookie", cookie)]) == 200
    assert asked(server.port, "/api/about", [("Host", own), ("Host", named), ("Cookie", cookie)]) in (400, 421)


@pytest.mark.parametrize(
    "headers",
    rest_slow(
        [
            {"origin": "https://evil.example"},
            {"origin": "http://127.0.0.1:1"},
            {"origin": "http://localhost:{port}"},  # another name than the one that is asked
            {"origin": "null"},
            {},
            {"origin": "http://127.0.0.1:{port}", "sec-fetch-site": "cross-site"},
            {"origin": "http://127.0.0.1:{port}", "sec-fetch-site": "same-site"},
        ]
    ),
)
def test_another_site_writes_nothing(shown, shop: Shop, headers):
    server, job = shown
    verdict = {"job": job, "verdict": "rejected"}
    with visitor(server) as client:
        sent = {name: value.format(port=server.port) for name, value in headers.items()}
        for path in ("/api/verdict", "/api/verdicts", "/api/redo"):
            assert client.post(path, json=verdict, headers=sent).status_code == 403
        assert client.get("/api/view?group=rejected").json()["total"] == 0


@pytest.mark.parametrize("site", rest_slow(["same-site", "cross-site"]))
def test_another_site_embeds_and_reads_nothing(shown, site):
    """Its cookie would come along from another port of this machine: that is the same site."""
    server, job = shown
    with visitor(server) as client:
        headers = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
        assert client.get(f"/thumb/{job}", headers=headers).status_code == 403
        framed = {"sec-fetch-site": site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}
        assert client.get("/", headers=framed).status_code == 403
        followed = framed | {"sec-fetch-dest": "document"}
        assert client.get(server.address, headers=followed).status_code == 200
        assert client.get("/api/about", headers=followed).status_code == 403


def test_a_form_of_another_site_cannot_pretend_to_be_json(shown):
    server, job = shown
    with visitor(server) as client:
        body = f'{{"job": "{job}", "verdict": "rejected"}}'
        own = {"origin": base(server), "content-type": "text/plain"}
        assert client.post("/api/verdict", content=body, headers=own).status_code == 415


@pytest.mark.parametrize(
    "path",
    rest_slow(
        [
            "/static/../application.py",
            "/static/%2e%2e/application.py",
            "/static/..%2fapplication.py",
            "/static//etc/passwd",
            "/static/%2fetc%2fpasswd",
            "/picture/../../etc/passwd",
            "/picture/%2e%2e%2f%2e%2e%2fetc%2fpasswd/result",
            "/picture/{job}/../../batchbg.db",
            "/picture/{job}/..%2f..%2fbatchbg.db",
            "/picture/{job}/output",
            "/thumb/..%2f..%2fbatchbg.db",
            "/thumb/nobody",
            "/batchbg.db",
            "/output/mugs/one.png",
        ],
        3,
    ),
)
def test_no_path_leads_to_a_file(shown, path):
    """Pictures are named by job, files of the page by their names."""
    server, job = shown
    with visitor(server) as client:
        name = f"batchbg-review-{server.port}"
        cookie = f"{name}={client.cookies[name]}"
    headers = [("Host", f"127.0.0.1:{server.port}"), ("Cookie", cookie)]
    assert asked(server.port, path.format(job=job), headers) in (404, 405)
