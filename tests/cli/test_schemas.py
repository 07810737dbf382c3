"""What --json prints is what the schemas in the package say, no less and no more."""

import json
from importlib import resources
from typing import Any

import jsonschema
import pytest

from batchbg.core.review import ReviewVerdict
from batchbg.ledger import reviews
from batchbg.ledger.engine import open_ledger
from tests.support.shop import Shop

SCHEMAS = resources.files("batchbg") / "schemas"
NAMES = ("account", "audit", "doctor", "finish", "jobs", "plan", "redo", "run", "status")


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def closed(value: Any) -> Any:
    """Return a schema that takes nothing it does not describe: what is printed has to be documented."""
    if isinstance(value, list):
        return [closed(one) for one in value]
    if not isinstance(value, dict):
        return value
    inner = {name: closed(one) for name, one in value.items()}
    return {"additionalProperties": False} | inner if isinstance(value.get("properties"), dict) else inner


def check(name: str, value: Any) -> None:
    jsonschema.validate(value, closed(schema(name)))


@pytest.mark.parametrize("name", NAMES)
def test_every_schema_is_one_and_describes_every_field(name: str):
    jsonschema.Draft202012Validator.check_schema(schema(name))
    assert {path.name for path in SCHEMAS.iterdir()} == {f"{one}.json" for one in NAMES}


def test_a_closed_schema_refuses_what_is_missing_and_what_is_not_described():
    """The check itself would notice."""
    with pytest.raises(jsonschema.ValidationError):
        check("account", {"id": None, "tier": None, "credits": 5, "colour": "red"})
    with pytest.raises(jsonschema.ValidationError):
        check("account", {"id": None, "tier": None})


def test_what_is_printed_is_what_is_documented(shop: Shop):
    """After a night on which everything happened: done, copied, rejected, unresolved, waiting."""
    shop.photo("a.png", colour=7)
    shop.photo("b.png", colour=7)
    shop.some_photos(4)
    (shop.photos / "bad.jpg").write_text("no picture")
    shop.background("wood.png")
    (shop.backgrounds / "bad.png").write_text("no picture")
    check("plan", shop.do("plan", "--json").json)
    shop.faults.add("create", "hang_up", nth=2)
    ran = shop.run("--json", "--max-in-flight", "1", "--max-credits", "15").json
    check("run", ran)
    assert ran["jobs"]["unresolved"] == 1
    check("status", shop.status())
    jobs = shop.jobs()
    for job in jobs:
        check("jobs", job)
    assert {job["state"] for job in jobs} >= {"done", "unresolved", "planned"}
    for rejected in shop.jobs("--state", "rejected"):
        check("jobs", rejected)
    done = next(job["id"] for job in jobs if job["state"] == "done")
    ledger = open_ledger(shop.ledger)
    with ledger.transaction() as tx:
        reviews.give(tx, done, ReviewVerdict.REJECTED, "the strap is cut off")
    ledger.close()
    for job in (jobs := shop.jobs()):
        check("jobs", job)
    assert [job["verdict_reason"] for job in jobs if job["verdict"]] == ["the strap is cut off"]
    check("status", status := shop.status())
    assert status["reviews"] == {"accepted": 0, "rejected": 1, "undecided": status["jobs"]["done"] - 1}
    assert "results: 0 accepted, 1 rejected" in shop.do("status").out
    assert "(rejected: the strap is cut off)" in shop.do("jobs").out
    exported = [json.loads(line) for line in shop.do("ledger export").out.splitlines()]
    assert {one["id"] for one in exported if one["verdict"] == "rejected"} == {done}
    check("plan", shop.run("-n", "--json").json)
    check("audit", shop.do("audit", "--json").json)
    finished = shop.do("finish", "amazon", "--json", "-o", str(shop.output)).json
    check("finish", finished)
    assert finished["profiles"][0]["waiting"]
    assert finished["profiles"][0]["unmet"]
    check("account", shop.do("account", "--json").json)
    check("doctor", shop.batchbg("doctor", str(shop.photos), "--ledger", shop.ledger, "--sandbox", "--json").json)
