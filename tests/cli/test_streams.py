"""Nobody needs to listen: closed, full, broken and narrow streams, each in a real process."""

import itertools
import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.support.shop import Shop
from tests.support.tiers import rest_slow

INS = ("", "<&-")
OUTS = ("", ">&-", ">/dev/full", "| true")
ERRS = ("", "2>&-", "2>/dev/full", "2>|")
COMBINATIONS = [one for one in itertools.product(INS, OUTS, ERRS) if any(one)]


def start(shop: Shop, arguments: Sequence[str], streams: Sequence[str], **environ: str) -> "tuple[int, bytes, bytes]":
    """Run batchbg with these streams; "| true" and "2>|" are pipes whose readers have gone."""
    redirected = " ".join(one for one in streams if one and "|" not in one)
    gone: list[int] = []
    ends: dict[str, int] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    for name, sign in (("stdout", "| true"), ("stderr", "2>|")):
        if sign in streams:
            reader, writer = os.pipe()
            os.close(reader)
            gone.append(writer)
            ends[name] = writer
    process = subprocess.Popen(
        ["sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-m", "batchbg", *arguments],
        cwd=shop.folder,
        env=shop.environ() | environ,
        stdin=subprocess.DEVNULL,
        **ends,  # type: ignore[call-overload]
    )
    for writer in gone:
        os.close(writer)
    out, err = process.communicate(timeout=100)
    return process.returncode, out or b"", err or b""


def assert_nothing_internal(*texts: bytes) -> None:
    for text in texts:
        assert b"internal error" not in text
        assert b"Traceback" not in text
        assert b"Exception ignored" not in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "streams",
    [pytest.param(one, marks=() if one == ("", ">&-", "2>&-") else pytest.mark.slow) for one in COMBINATIONS],
    ids=" ".join,
)
def test_a_plan_ends_as_it_would_with_somebody_listening(shop: Shop, streams: tuple[str, str, str]):
    """With 3 here, since one photo is none: whatever is closed, full or gone."""
    shop.photo("a.png")
    (shop.photos / "bad.jpg").write_text("no picture")
    code, out, err = start(shop, shop.arguments("plan"), streams)
    assert code == 3
    assert_nothing_internal(out, err)
    assert streams[1] != "" or b"2 photos: " in out
    assert streams[2] != "" or b"rejected bad.jpg" in err


@pytest.mark.slow
@pytest.mark.parametrize(
    "streams",
    [
        ("", ">&-", "2>&-"),
        pytest.param(("<&-", ">/dev/full", ""), marks=pytest.mark.slow),
        pytest.param(("", "| true", "2>|"), marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_a_run_pays_saves_and_ends_with_its_own_code(shop: Shop, streams: tuple[str, str, str]):
    """Here that of its cap, with what was paid for on disk, and nothing in the ledger that was meant for a stream."""
    shop.some_photos(2)
    code, out, err = start(shop, shop.arguments("run", "--max-credits", "5", "-v"), streams)
    assert code == 8
    assert_nothing_internal(out, err)
    assert len(shop.outputs()) == len(shop.creates()) == 1
    shop.assert_adds_up()


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["status", "jobs", "doctor", "audit", "report", "--help", "--version", "help", "nonsense"]
)
@pytest.mark.parametrize("streams", [("<&-", ">&-", "2>&-"), ("", ">/dev/full", "2>/dev/full")], ids=" ".join)
def test_every_command_ends_with_the_code_of_what_it_did(shop: Shop, command: str, streams: tuple[str, str, str]):
    shop.some_photos(1)
    assert shop.run().code == 0
    arguments = [command] if command.startswith("-") or command in ("help", "nonsense") else shop.arguments(command)
    expected = start(shop, arguments, ())[0]
    assert start(shop, arguments, streams)[0] == expected


@pytest.mark.slow
def test_what_could_not_be_printed_is_said_where_somebody_hears_it(shop: Shop):
    """A script that keeps the output has not got it."""
    shop.photo("a.png")
    _, _, err = start(shop, shop.arguments("plan"), ("", ">/dev/full", ""))
    assert err == b"batchbg: not everything could be printed: No space left on device\n"


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_hears_nothing(shop: Shop):
    shop.photo("a.png")
    assert start(shop, shop.arguments("plan"), ("", "| true", "")) == (0, b"", b"")


@pytest.mark.parametrize("unbuffered", rest_slow(["", "1"]))
def test_both_streams_keep_their_order_on_one_terminal(shop: Shop, unbuffered: str):
    """Lines of one do not wait for the end of the other, whether Python was told to buffer or not."""
    program = (
        "import sys; from batchbg.cli import streams; streams.settle();"
        "[print(at, file=sys.stderr if at % 2 else sys.stdout) for at in range(4)]"
    )
    ours, theirs = os.openpty()
    environ = shop.environ() | {"PYTHONUNBUFFERED": unbuffered}
    subprocess.run([sys.executable, "-c", program], stdout=theirs, stderr=theirs, env=environ, check=True)
    assert os.read(ours, 100).split() == [b"0", b"1", b"2", b"3"]
    os.close(ours)
    os.close(theirs)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_name_beyond_the_encoding_is_escaped(shop: Shop, encoding: str):
    """On both streams, in that encoding and no other; the photo is done like any other."""
    shop.photo("Gr\u00fc\u00dfe \u4e2d.png")
    (shop.photos / "\u4e2d.jpg").write_text("no picture")
    code, out, err = start(shop, shop.arguments("run", "-v"), (), PYTHONIOENCODING=encoding)
    assert_nothing_internal(out, err)
    assert code == 3
    assert rb"rejected \u4e2d.jpg" in err
    err.decode(encoding)
    assert shop.outputs() == ["Gr\u00fc\u00dfe \u4e2d.png"]
    listed = start(shop, shop.arguments("jobs"), (), PYTHONIOENCODING=encoding)[1]
    assert "Gr\u00fc\u00dfe ".encode(encoding, "backslashreplace") + rb"\u4e2d.png" in listed
