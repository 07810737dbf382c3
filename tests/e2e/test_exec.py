"""--exec: the user's own program for each saved result, at least once, whose failures are told and change no job."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from batchbg.pool.commands import AT_ONCE
from tests.support.shop import KEY, Shop

NOTE = "import os, sys; open(os.path.join(os.getcwd(), 'started'), 'a').write(repr(sys.argv[1:]) + chr(10))"


def program(shop: Shop, text: str) -> str:
    """Return a command that runs a Python program."""
    path = shop.folder / "program.py"
    path.write_text(text)
    return f"{sys.executable} {path}"


def started(shop: Shop) -> list[list[str]]:
    """Return the arguments of every start."""
    path = shop.folder / "started"
    return sorted(map(eval, path.read_text().splitlines())) if path.exists() else []


def test_it_is_started_once_for_each_saved_result(shop: Shop):
    """Copies too, with the path, the photo and the job; a second run has nothing to start it for."""
    shop.photo("mugs/a b.png", colour=7)
    shop.photo("copy.png", colour=7)
    command = f"{program(shop, NOTE)} {{}} {{photo}} {{job}}"
    assert shop.run("--exec", command).code == 0
    (job,) = shop.jobs()
    both = [[str(shop.output / path), path, job["id"]] for path in ("copy.png", "mugs/a b.png")]
    assert started(shop) == both
    assert shop.run("--exec", command).code == 0
    assert started(shop) == both


@pytest.mark.slow
def test_its_failure_is_told_once_a_kind_and_is_no_jobs(shop: Shop):
    """With the last line that it said, in which nothing touches the terminal; the exit code is 3, and once."""
    shop.some_photos(4)
    command = program(shop, "import sys; sys.stderr.write('first\\n\\x1b[31mno room\\n'); sys.exit(9)")
    result = shop.run("--exec", command)
    assert result.code == 3
    assert result.err.count("ended with 9") == 1
    assert "\\e[31mno room" in result.err
    assert "first" not in result.err
    assert "exec: 4 commands failed: ended with 9 (4)" in result.out
    assert {job["state"] for job in shop.jobs()} == {"done"}
    assert shop.run("--exec", command).code == 0
    shop.assert_adds_up()


def test_a_program_that_is_not_there_is_an_error_before_anything_is_sent(shop: Shop):
    shop.some_photos(1)
    result = shop.run("--exec", "no-such-program {}")
    assert result.code == 2
    assert "no program 'no-such-program'" in result.err
    assert shop.run("--exec", "'unfinished").code == 2
    assert shop.requests() == 0


@pytest.mark.slow
def test_one_that_does_not_end_is_ended_with_all_that_it_has_started(shop: Shop):
    """A run waits no longer than it is told to; what a command leaves behind in the background keeps nobody waiting."""
    shop.some_photos(2)
    shop.setting("EXEC_TIMEOUT", "500ms")
    sleeps = (
        "import subprocess, sys; p = subprocess.Popen(['sleep', '77']); open('pid', 'w').write(str(p.pid)); p.wait()"
    )
    before = time.monotonic()
    result = shop.run("--exec", program(shop, sleeps))
    assert (result.code, "was ended after 0.5 s" in result.err) == (3, True)
    assert time.monotonic() - before < 60
    pid = int((shop.folder / "pid").read_text())
    Shop.wait_for(lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text())
    shop.some_photos_more(1)
    leaves = "import subprocess; p = subprocess.Popen(['sleep', '20']); open('pid', 'w').write(str(p.pid))"
    assert shop.run("--exec", program(shop, leaves)).code == 0
    os.kill(int((shop.folder / "pid").read_text()), signal.SIGKILL)


@pytest.mark.slow
def test_neither_key_nor_terminal_nor_stdout_is_its_own(shop: Shop):
    """Invariant 7: also where a variable of another name holds the key."""
    shop.some_photos(1)
    shop.setting("COPY_OF_KEY", f"Bearer {KEY}", prefix="")
    shop.setting("MAGIC_HOUR_WEBHOOK_SECRET", "whsec_0123456789", prefix="")
    text = (
        "import json, os, sys; print('not for stdout'); sys.stdin.read();"
        " json.dump(dict(os.environ), open('environment', 'w')); sys.exit(sys.stderr.isatty())"
    )
    result = shop.run("--json", "--exec", program(shop, text))
    assert result.code == 0
    assert result.json["jobs"]["done"] == 1
    found = json.loads((shop.folder / "environment").read_text())
    assert found["PATH"] == os.environ["PATH"]
    assert KEY not in str(found)
    assert "whsec" not in str(found)


@pytest.mark.slow
def test_the_last_line_is_scrubbed_of_a_key_that_it_reads_somewhere(shop: Shop):
    shop.some_photos(1)
    result = shop.run("--exec", program(shop, f"import sys; sys.exit('key is ' + {KEY!r})"))
    assert "key is ***" in result.err
    assert KEY not in result.err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_run_has_not_started_the_next_one_does(shop: Shop, number: signal.Signals):
    """At least once: the ledger knows of it from the moment on in which it knows of the result."""
    shop.some_photos(3)
    command = program(shop, f"{NOTE}; import time; time.sleep(15)")
    process = shop.spawn("run", "--yes", "--exec", command)
    Shop.wait_for(lambda: len(started(shop)) >= min(2, AT_ONCE) and len(shop.outputs()) == 3)
    Shop.wait_for(lambda: shop.status()["jobs"]["done"] == 3)
    process.send_signal(number)
    assert process.wait(30) in (-9, 143)
    (shop.folder / "started").unlink()
    assert shop.run("--exec", program(shop, NOTE)).code == 0
    assert [Path(path).name for (path,) in started(shop)] == [f"photo-{number:03d}.png" for number in range(3)]
    assert len(shop.creates()) == 3
    (shop.folder / "started").unlink()
    assert shop.resume("--exec", program(shop, NOTE)).code == 0
    assert started(shop) == []


@pytest.mark.slow
def test_resume_starts_what_is_due_where_nothing_else_is_to_be_done(shop: Shop):
    """And needs no service for it."""
    shop.some_photos(2)
    process = shop.spawn("run", "--yes", "--exec", program(shop, f"{NOTE}; import time; time.sleep(15)"))
    Shop.wait_for(lambda: len(started(shop)) >= min(2, AT_ONCE) and shop.status()["jobs"]["done"] == 2)
    process.kill()
    process.wait()
    (shop.folder / "started").unlink(missing_ok=True)
    asked = shop.sandbox.books.requests("status")
    assert shop.resume("--exec", program(shop, NOTE)).code == 0
    assert len(started(shop)) == 2
    assert shop.sandbox.books.requests("status") == asked


@pytest.mark.slow
def test_only_a_trusted_file_may_name_a_program(shop: Shop):
    shop.some_photos(1)
    (shop.folder / "config.toml").write_text('exec = ["touch", "pwned", "{}"]\n')
    result = shop.run()
    assert result.code == 2
    assert "exec starts a program" in result.err
    assert not (shop.folder / "pwned").exists()
    assert shop.run("--config", "config.toml").code == 0
    assert (shop.folder / "pwned").exists()
