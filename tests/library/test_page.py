"""The examples of `batchbg help python` do what they say: in a script, in a thread, beside a running loop."""

import asyncio
import contextlib
import io
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import batchbg
from tests.support.shop import KEY, Shop

PAGE = (Path(batchbg.__file__).parent / "topics" / "python.md").read_text(encoding="utf-8")
BLOCKING, BESIDE_A_LOOP = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def at(shop: Shop, example: str) -> str:
    """Return an example that speaks with the shop's sandbox: nothing else of it is changed."""
    assert "max_credits=500" in example
    return example.replace("max_credits=500", f"max_credits=500, base_url={shop.base_url!r}")


@pytest.fixture
def stocked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    shop.photo("mug.png")
    shop.photo("cup.png")
    shop.background("wood.png")
    (shop.photos / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    monkeypatch.chdir(shop.folder)
    monkeypatch.setenv("MAGIC_HOUR_API_KEY", KEY)
    return shop


def assert_done(shop: Shop, said: str) -> None:
    assert len(shop.creates()) == 2
    assert shop.outputs() == ["cup.png", "mug.png"]
    assert said.splitlines()[0] == "2 jobs, 10 credits"
    assert f"mug.png -> {shop.output / 'mug.png'}" in said.splitlines()
    assert re.search(r"^broken.jpg: .+", said, re.MULTILINE)
    assert re.search(rf"^done mug.png {re.escape(str(shop.output))}/mug.png 5$", said, re.MULTILINE)
    shop.assert_adds_up()


def executed(program: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(program, "python.md", "exec"), {"__name__": "__main__"})
    return said.getvalue()


def test_the_example_runs_in_a_thread(stocked: Shop):
    said = []
    thread = threading.Thread(target=lambda: said.append(executed(at(stocked, BLOCKING))))
    thread.start()
    thread.join()
    assert_done(stocked, said[0])


@pytest.mark.slow
async def test_the_example_runs_where_a_loop_is_running(stocked: Shop):
    """It blocks that loop, and nothing else is wrong with it."""
    asyncio.get_running_loop()
    assert_done(stocked, executed(at(stocked, BLOCKING)))


@pytest.mark.slow
@pytest.mark.parametrize("example", [BLOCKING, BESIDE_A_LOOP])
def test_the_examples_run_as_plain_scripts(stocked: Shop, example: str):
    """Nothing is printed but what they print."""
    (stocked.folder / "script.py").write_text(at(stocked, example))
    done = subprocess.run(
        [sys.executable, "-W", "error", "script.py"],
        cwd=stocked.folder,
        env=stocked.environ(),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    if example is BLOCKING:
        assert_done(stocked, done.stdout)
    else:
        assert done.stdout == "10\n"


@pytest.mark.slow
def test_the_examples_are_typed(tmp_path: Path):
    """Whoever checks a program strictly finds all of it typed, and is told of a wrong option."""
    program = tmp_path / "program.py"
    wrong = 'from batchbg import Batch\n\nBatch("photos", max_credit=5)\nBatch("photos", max_credits="5")\n'
    program.write_text(
        BLOCKING + "\n" + BESIDE_A_LOOP.replace("from batchbg import Batch, Summary", "from batchbg import Summary")
    )
    checked = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run([*checked, str(program)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    program.write_text(wrong)
    done = subprocess.run([*checked, str(program)], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.count("error:") == 2, done.stdout
