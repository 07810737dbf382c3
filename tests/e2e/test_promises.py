"""The three promises, one test each; every case of them is in the slow tier, beside this file."""

from batchbg.sandbox import SandboxServer
from tests.support.shop import KEY, Shop


def test_invariant_3_a_create_whose_answer_is_lost_is_never_sent_again(shop: Shop):
    """Not by the same run, the next, resume, retry or --force; a person settles it, and its result is fetched."""
    shop.some_photos(3)
    shop.faults.add("create", "reset", nth=2)
    assert shop.run().code == 3
    assert len(shop.creates()) == 3
    (lost,) = shop.jobs("--state", "unresolved")
    shop.run()
    shop.run("--force", "--include", lost["photo"])
    shop.resume()
    shop.do("retry")
    assert len(shop.creates()) == 3
    (project,) = [create.project_id for create in shop.creates() if create.name == lost["name"]]
    assert shop.do("resolve", lost["id"], "--project-id", project).code == 0
    assert shop.resume().code == 0
    assert len(shop.creates()) == 3
    assert len(shop.outputs()) == 3
    shop.assert_adds_up()


def test_invariant_4_the_cap_holds_at_any_width(shop: Shop):
    """64 workers and 23 credits: four creates."""
    shop.some_photos(12)
    assert shop.run("--max-credits", "23", "--max-in-flight", "64").code == 8
    assert len(shop.creates()) == 4
    shop.assert_adds_up()


def test_invariant_9_kill_9_loses_nothing_and_pays_nothing_twice(shop: Shop, sandbox: SandboxServer):
    """The next run picks everything up; at most the creates in the air are unresolved."""
    shop.some_photos(8)
    shop.faults.add("download", "delay", seconds=5)
    process = shop.spawn("run", "--max-in-flight", "4")
    shop.wait_for(lambda: len(shop.creates()) >= 4)
    process.kill()
    process.communicate()
    shop.faults.clear()
    assert shop.resume().code in (0, 3)
    states = shop.status()["jobs"]
    assert states["done"] + states["unresolved"] == 8
    assert states["unresolved"] <= 4
    assert not list(shop.output.rglob("*.part"))
    assert len({create.image_sha256 for create in shop.creates()}) == len(shop.creates())
    shop.assert_adds_up()


def test_invariant_7_the_key_is_in_nothing_that_is_kept_or_said(shop: Shop):
    """Not at storage, nor in ledger, report, results or log, also where the service repeats it in its message."""
    shop.some_photos(2)
    echo = f"the key {KEY} is not allowed to do that"
    shop.faults.add("create", "status", nth=1, status=422, message=echo)
    first = shop.run("-vv", "--log-format", "json", "--report", str(shop.folder / "report.html"))
    shop.faults.add("create", "status", status=401, message=echo)
    shop.do("retry")
    second = shop.run("-vv")
    assert (first.code, second.code) == (3, 7)
    assert "***" in second.out
    for said in (first.out, first.err, second.out, second.err, *(shop.do(one).out for one in ("jobs", "status"))):
        assert KEY not in said
        assert "signature=" not in said
    kept = [path for path in shop.folder.rglob("*") if path.is_file() and shop.photos not in path.parents]
    assert {"batchbg.db", "report.html", "report.csv"} <= {path.name for path in kept}
    for path in kept:
        assert KEY.encode() not in path.read_bytes()
        assert b"signature=" not in path.read_bytes()
    assert shop.sandbox.books.keys_at_storage == 0
