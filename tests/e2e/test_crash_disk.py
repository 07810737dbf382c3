"""Full, read-only and slow disks; and the order in which bytes reach disk and wire."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchbg.ledger.ballast import BALLAST_BYTES
from batchbg.sandbox import SandboxServer
from tests.support.shop import Shop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KB = 1024


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a disk of ``size`` bytes."""
    folder.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path, leave: int = 0) -> Path:
    """Leave so many bytes free; at once, or it would take what is given back meanwhile for what must not be lost."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for _ in range(100):
            free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - leave
            if free <= 0:
                break
            with contextlib.suppress(OSError):  # somebody has written meanwhile
                os.posix_fallocate(file.fileno(), file.tell(), free)
                file.seek(0, os.SEEK_END)
                break
    return filler


# -- the ledger's disk ---------------------------------------------------------------------------------------------


def test_no_create_leaves_when_the_ledgers_disk_is_full_from_the_start(shop: Shop):
    """Exit 5, a word on what to do, and all is well when there is room again."""
    shop.some_photos(3)
    with small_disk(shop.folder / "disk", 8 << 20) as disk:
        shop.ledger = f"sqlite:///{disk / 'batchbg.db'}"
        assert shop.run("--max-credits", "5").code == 8
        filler = fill(disk)
        result = shop.run("--json", "--max-credits", "100")
        assert result.code == 5, result
        assert "full" in result.err or "No space left" in result.err
        assert len(shop.creates()) == 1
        filler.unlink()
        assert shop.run("--max-credits", "100").code == 0
        assert len(shop.creates()) == 3
        shop.assert_adds_up()


@pytest.mark.parametrize("leave", [0, 12 * KB, 64 * KB, 200 * KB])
def test_a_ledgers_disk_that_fills_up_in_mid_run_loses_no_answer(shop: Shop, leave: int):
    """It fills up while creates are in the air: their ids still find room, and no further create leaves."""
    shop.some_photos(40)
    with small_disk(shop.folder / "disk", 8 << 20) as disk:
        shop.ledger = f"sqlite:///{disk / 'batchbg.db'}"
        filled: list[Path] = []
        shop.meanwhile("create", lambda: filled.append(fill(disk, leave)), nth=6)
        result = shop.run("--json", "--max-in-flight", "8")
        assert result.code == 5, result
        assert shop.requests() < 40
        filled[0].unlink()
        resumed = shop.run("--json")
        assert resumed.code == 0, resumed
        assert shop.status()["jobs"] | {"done": 40, "unresolved": 0} == shop.status()["jobs"]
        assert shop.requests() == 40
        assert not (disk / "batchbg.db.ballast").exists()
        assert shop.do("ledger check").code == 0


def test_a_disk_too_small_for_the_ballast_is_refused(shop: Shop):
    """Better at once than in the middle of something paid for."""
    shop.some_photos(1)
    with small_disk(shop.folder / "disk", BALLAST_BYTES + 100 * KB) as disk:
        shop.ledger = f"sqlite:///{disk / 'batchbg.db'}"
        result = shop.run()
        assert result.code == 5, result
        assert "No space left" in result.err
        assert not shop.creates()


# -- the results' disk ---------------------------------------------------------------------------------------------


def test_a_full_disk_for_results_stops_creates_and_loses_nothing(shop: Shop):
    """What is paid for is fetched when there is room again."""
    shop.some_photos(30)
    with small_disk(shop.folder / "output", 1 << 20) as disk:
        filled: list[Path] = []
        shop.meanwhile("download", lambda: filled.append(fill(disk)), nth=4)
        result = shop.run("--json", "--max-in-flight", "2")
        assert result.code == 5, result
        assert shop.requests() < 30
        again = shop.run("--json")  # nothing new is paid for while it is full
        assert again.code == 5
        sent = shop.requests()
        assert sent < 30
        assert shop.resume("--json").code == 5
        assert shop.requests() == sent
        filled[0].unlink()
        assert shop.resume().code == 0
        assert shop.requests() == 30
        assert len(shop.outputs()) == 30


# -- permissions ---------------------------------------------------------------------------------------------------


def as_nobody(shop: Shop, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run batchbg as a user that owns nothing here."""
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("only root can become another user, by setpriv")
    nobody = ["setpriv", "--reuid", "65534", "--clear-groups"]
    reach = subprocess.run([*nobody, sys.executable, "-c", "import batchbg.cli"], capture_output=True, text=True)
    if reach.returncode:
        pytest.skip("another user cannot read this checkout")
    return subprocess.run(
        [*nobody, sys.executable, "-m", "batchbg", *arguments],
        cwd=shop.folder,
        env=shop.environ() | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def open_to_all(sandbox: SandboxServer) -> Iterator[Shop]:
    """A shop that others can reach, to read; not below pytest's folder, which every pytest closes to others anew."""
    with tempfile.TemporaryDirectory(prefix="batchbg-tests-") as folder:
        Path(folder).chmod(0o755)
        with contextlib.closing(Shop(Path(folder), sandbox)) as shop:
            yield shop


def test_nothing_is_paid_for_what_cannot_be_saved(open_to_all: Shop):
    """An output folder of somebody else's: exit 5, also on resume."""
    shop = open_to_all
    shop.some_photos(2)
    assert shop.run("--max-credits", "5").code == 8
    state = shop.folder / "state"
    state.mkdir()
    for path in shop.folder.glob("batchbg.db*"):
        shutil.copy(path, state)
    subprocess.run(["chown", "-R", "65534", state], check=True)
    (shop.output).chmod(0o755)
    shop.ledger = f"sqlite:///{shop.folder / 'batchbg.db'}"
    refused = as_nobody(shop, *shop.arguments("run"))
    assert refused.returncode == 5, refused
    assert "ermission denied" in refused.stderr or "readonly" in refused.stderr, refused
    assert len(shop.creates()) == 1
    new = Shop.beside(shop, "new")
    new.some_photos(2)
    new.output = shop.folder / "of-somebody-else"
    new.output.mkdir(mode=0o755)
    new.ledger = f"sqlite:///{state / 'new.db'}"
    refused = as_nobody(new, *new.arguments("run"))
    assert refused.returncode == 5, refused
    assert "ermission denied" in refused.stdout + refused.stderr
    assert len(shop.creates()) == 1


# -- the order -----------------------------------------------------------------------------------------------------


def test_invariant_1_the_intent_is_on_disk_before_the_first_byte_of_its_create(shop: Shop):
    """Seen by strace: what the ledger notes of a create is written and synced, and only then does the create leave."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    shop.some_photos(3)
    log = shop.folder / "trace"
    calls = "trace=pwrite64,fdatasync,fsync,sendto,write"
    # A whole page and more is shown of what is written: the intent is to be seen in it.
    traced = ["strace", "-f", "-y", "-s", "9000", "-e", calls, "-o", str(log)]
    run = subprocess.run(
        [*traced, sys.executable, "-m", "batchbg", *shop.arguments("run", "--max-in-flight", "1")],
        cwd=shop.folder,
        env=shop.environ(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    if "Operation not permitted" in run.stderr:
        pytest.skip("strace may not trace here")
    assert run.returncode == 0, run.stderr
    created = 0
    written: set[str] = set()
    on_disk: set[str] = set()
    syncing: dict[str, set[str]] = {}  # by thread: a call that others interrupt in the trace ends on a line of its own
    for line in log.read_text().splitlines():
        thread = line.split(maxsplit=1)[0]
        if re.search(r"pwrite64\(\d+<[^>]*batchbg\.db-wal>", line):
            written |= set(re.findall(r"(\w{12})reservedplannedsubmitting", line))
        elif re.search(r"(fdatasync|fsync)\(\d+<[^>]*batchbg\.db-wal>", line):
            syncing[thread] = set(written)
        if re.search(r"(fdatasync|fsync)\b.*= 0$", line):
            on_disk |= syncing.pop(thread, set())
        if sent := re.search(r"POST /v1/image-background-remover .*batchbg (\w{12})-1 ", line):
            created += 1
            assert sent[1] in on_disk, "a create left before its intent was on disk"
    assert created == 3
