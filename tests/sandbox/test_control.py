import pytest


def test_the_books_can_be_read_as_json(client):
    """What was created and charged, for which bytes, and what was asked for how often."""
    project_id = client.created(name="mine")
    client.finished(project_id)
    books = client.api.get("/_sandbox/books").json()
    assert (books["balance"], books["charged"], books["requests"]["create"]) == (9_995, 5, 1)
    assert [(each["name"], each["project_id"], each["polls"]) for each in books["creates"]] == [("mine", project_id, 1)]
    assert [each["credits"] for each in books["entries"]] == [10_000, -5]
    assert len(books["starts_s"]["create"]) == 1
    assert "creates" not in client.api.get("/_sandbox/books?brief=1").json()


def test_faults_are_planted_listed_and_cleared(client):
    """From another process, in the same words as from this one."""
    answer = client.api.post("/_sandbox/faults", json={"operation": "account", "kind": "status", "status": 503})
    assert answer.status_code == 201
    assert client.api.get("/v1/account").status_code == 503
    [listed] = client.api.get("/_sandbox/faults").json()
    assert (listed["kind"], listed["status"], listed["fired"]) == ("status", 503, 1)
    assert client.api.delete("/_sandbox/faults").status_code == 204
    assert client.api.get("/v1/account").status_code == 200


def test_settings_and_clock_can_be_changed(client):
    """A new balance, a longer render, and time that passes at once; the key is never shown."""
    shown = client.api.post("/_sandbox/config", json={"credits": 30, "render_s": 100}).json()
    assert (client.credits(), shown["render_s"], "api_key" in shown) == (30, 100, False)
    project_id = client.created()
    assert client.project(project_id)["status"] == "rendering"
    assert client.api.post("/_sandbox/clock", json={"advance_s": 100}).status_code == 200
    assert client.project(project_id)["status"] == "complete"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("faults", b"{"),
        ("faults", b"{}"),
        ("faults", b'{"operation": "create", "kind": "explode"}'),
        ("faults", b'{"operation": "create", "kind": "reset", "cls": 1}'),
        ("faults", b'{"operation": [], "kind": "reset"}'),
        ("config", b'{"port": 80}'),
        ("config", b'{"self": 1}'),
        ("config", b'{"render_s": "long"}'),
        ("config", b'{"render_s": NaN}'),
        ("config", b'{"tier": []}'),
        ("clock", b'{"advance_s": -1}'),
        ("clock", b'{"advance_s": NaN}'),
        ("clock", b'{"advance_s": true}'),
        ("clock", b"{}"),
    ],
)
def test_wrong_input_is_refused_with_a_reason(client, path, content):
    """A rehearsal that is set up wrongly says so."""
    answer = client.api.post(f"/_sandbox/{path}", content=content)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


def test_the_control_endpoint_can_be_switched_off(start):
    """For a sandbox that others can reach."""
    assert start(control=False).api.get("/_sandbox/books").status_code == 404


def test_time_can_pass_beyond_what_dates_can_write(client):
    """A silly clock is no crash."""
    client.api.post("/_sandbox/clock", json={"advance_s": 1e300})
    assert client.upload_url()["expires_at"].startswith("9999-12-31")
