"""Decoders in processes of their own: what a file may do to them, and what becomes of them."""

import asyncio
import concurrent.futures
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchbg.core.model import Size
from batchbg.disk import decoder_pool, decoding, memory
from batchbg.disk.output_formats import OutputFormat
from batchbg.errors import DecoderDied, ResultUnusable
from tests.support import odd
from tests.support.pictures import encoded, quarters, stamp
from tests.support.shop import Shop
from tests.support.tiers import rest_slow

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


@pytest.fixture
def decoders(monkeypatch: pytest.MonkeyPatch) -> Iterator[decoder_pool._Decoders]:
    """Decoders of this test alone."""
    own = decoder_pool._Decoders()
    monkeypatch.setattr(decoder_pool, "_decoders", own)
    with contextlib.closing(own):
        yield own


def test_work_is_done_in_another_process_without_the_key(decoders, monkeypatch):
    """The same process for one file after another, and nothing of our environment that it has no need of."""
    monkeypatch.setenv("MAGIC_HOUR_API_KEY", "mhk_secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:password@proxy")
    first, environment = decoder_pool.run(odd.who)
    assert first != os.getpid()
    assert decoder_pool.run(odd.who)[0] == first
    assert not {"MAGIC_HOUR_API_KEY", "HTTPS_PROXY"} & environment.keys()


@pytest.mark.parametrize("how", rest_slow([signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT, signal.SIGBUS]))
def test_a_file_that_kills_its_decoder_costs_itself(decoders, how):
    """It is tried twice, then told of; the next file has a new process."""
    with pytest.raises(DecoderDied) as told:
        decoder_pool.run(odd.die, int(how))
    assert told.value.killed is (how == signal.SIGKILL)
    assert decoder_pool.run(odd.who)[0] != os.getpid()


def test_a_decoder_that_was_killed_for_something_else_is_replaced(decoders, tmp_path):
    """The system took memory from whoever had most: the file is tried once more."""
    assert decoder_pool.run(odd.die_once, str(tmp_path / "died")) == "alive"


def test_memory_has_an_end(decoders):
    """Far below the machine's, and without the death of anybody."""
    assert decoder_pool.run(odd.take, memory.USUAL_BYTES) == "taken"
    assert decoder_pool.run(odd.take, 2 * (memory.USUAL_BYTES + memory.SLACK_BYTES)) == "MemoryError"


@pytest.mark.slow
def test_time_has_an_end(decoders, monkeypatch):
    """Also where a library goes round in circles and lets no signal's handler run."""
    monkeypatch.setattr(decoder_pool, "CPU_S", 1)
    with pytest.raises(DecoderDied, match="too long"):
        decoder_pool.run(odd.spin)


def test_more_memory_has_to_be_asked_for_and_is_taken_alone(decoders):
    """Large pictures wait for each other; what takes too much for any is refused."""
    gate = threading.Barrier(2)
    times: list[tuple[float, float]] = []

    def work() -> None:
        gate.wait()
        times.append(decoder_pool.run(odd.large, memory.MOST_BYTES - 1))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = sorted(times)
    assert first[1] <= second[0]
    with pytest.raises(DecoderDied, match="memory"):
        decoder_pool.run(odd.large, memory.MOST_BYTES + 1)


def test_what_a_library_prints_is_not_seen(decoders, capfd):
    """Neither its words nor its answers get mixed up with ours."""
    assert decoder_pool.run(odd.talk) == "said"
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limits")
def test_a_decoder_writes_nothing(decoders, tmp_path):
    """No file of any size, no core."""
    assert decoder_pool.run(odd.write, str(tmp_path / "made")) <= 1 << 20
    assert decoder_pool.run(odd.core_limit) == 0


def test_an_answer_can_do_nothing_here(decoders, tmp_path):
    """A process that a file has taken over may say what it likes; only plain values are believed."""
    with pytest.raises(DecoderDied):
        decoder_pool.run(odd.answer_with_a_call, str(tmp_path / "made"))
    assert not (tmp_path / "made").exists()


@pytest.mark.slow
def test_from_many_threads_and_from_a_loop(decoders):
    """There are never more processes than cores, and every answer comes to whoever asked."""

    async def from_a_loop() -> list[int]:
        return await asyncio.gather(*(asyncio.to_thread(decoder_pool.run, odd.echo, number) for number in range(40)))

    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        told = list(threads.map(lambda number: decoder_pool.run(odd.echo, number), range(200)))
    assert told == list(range(200))
    assert asyncio.run(from_a_loop()) == list(range(40))
    assert 1 <= len(decoders._all) <= decoder_pool.AT_ONCE


def test_keys_on_the_terminal_are_for_the_run(decoders):
    """What is being decoded is finished, as a download is."""
    pid, _ = decoder_pool.run(odd.who)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    assert decoder_pool.run(odd.who)[0] == pid
    assert os.getsid(pid) == pid


PROGRAM = """
import os, sys, threading, time
sys.path.append({tests!r})
from batchbg.disk import decoder_pool
from tests.support import odd
if {closed}:
    os.closerange(0, 3)
told = os.open({told!r}, os.O_WRONLY | os.O_CREAT)
os.write(told, b"%d\\n" % decoder_pool.run(odd.who)[0])
threading.Thread(target=decoder_pool.run, args=(odd.sleep_busily,), daemon=True).start()
while {waits}:
    time.sleep(0.01)
"""


def start(told: Path, *, closed: bool, waits: bool) -> "subprocess.Popen[bytes]":
    tests = str(Path(__file__).parent.parent.parent)
    program = PROGRAM.format(tests=tests, closed=closed, waits=waits, told=str(told))
    return subprocess.Popen([sys.executable, "-c", program])


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@linux
@pytest.mark.parametrize("how", rest_slow([signal.SIGKILL, signal.SIGTERM, None]))
@pytest.mark.parametrize("closed", rest_slow([False, True]))
def test_no_decoder_outlives_whoever_started_it(tmp_path, how, closed):
    """Killed, ended or done, in the middle of a picture, with streams or without."""
    told = tmp_path / "told"
    process = start(told, closed=closed, waits=how is not None)
    Shop.wait_for(lambda: told.exists() and told.read_bytes().endswith(b"\n"))
    pid = int(told.read_bytes())
    if how is not None:
        assert is_there(pid)
        process.send_signal(how)
    process.wait()
    Shop.wait_for(lambda: not is_there(pid))


@linux
@pytest.mark.slow
def test_nothing_is_left_of_a_run(shop: Shop):
    """Kill -9 in the middle of looking at photos."""
    for index in range(200):
        shop.photo(f"{index}.png", size=(600, 400))
    process = shop.spawn("plan")

    def decoders_of() -> list[int]:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        tasks = Path(f"/proc/{process.pid}/task")
        found = [(task / "children").read_text() for task in tasks.iterdir()] if children.exists() else []
        return [int(pid) for pid in " ".join(found).split()]

    seen: list[int] = []
    deadline = time.monotonic() + 100
    while not seen and process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            seen = decoders_of()
    process.kill()
    process.wait()
    assert seen
    Shop.wait_for(lambda: not any(map(is_there, seen)))


def test_a_photo_whose_decoder_dies_is_rejected_for_good(tmp_path, monkeypatch):
    """Unless something else may have killed it: then it is tried again by the next run."""
    path = tmp_path / "a.png"
    path.write_bytes(encoded(quarters(), "PNG"))
    for killed, start in ((False, "damaged"), (True, "cannot be read")):

        def die(*_args: object, killed: bool = killed) -> None:
            raise DecoderDied("its decoder crashed on it", killed=killed)

        monkeypatch.setattr(decoder_pool, "run", die)
        found = decoding.probe(path, stamp(path))
        assert (found.pixels, found.rejected.startswith(start)) == (None, True)
        with pytest.raises(ResultUnusable, match="not a whole picture"):
            decoding.verify(path, Size(40, 24), None, OutputFormat())


@pytest.mark.slow
def test_a_run_among_decoders_that_die(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """Two photos of five kill whatever decodes them; the others are done."""
    shop.some_photos(5)
    run = decoder_pool.run

    def kill(function, *args):
        return (
            run(odd.die, int(signal.SIGSEGV))
            if "photo-00" in str(args[0]) and args[0].stem[-1] in "13"
            else run(function, *args)
        )

    monkeypatch.setattr(decoder_pool, "run", kill)
    result = shop.run("--json")
    assert (result.code, result.json["photos"]["rejected"], result.json["jobs"]["done"]) == (3, 2, 3)
