"""Decoding where it may die: in a few processes of their own, so that a spoilt file costs itself and nothing else.

A decoder is a large program written in C, fed with whatever lies in a folder or comes over the network. Here it runs
without the key, with a limit of memory and of time, and what becomes of it is this one file's trouble. The processes
are started when there is work, at most one a core, and end with this one, however that ends.
"""

import atexit
import builtins
import collections
import contextlib
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final, ParamSpec, TypeVar

import batchbg
from batchbg import errors
from batchbg.disk.memory import MOST_BYTES, USUAL_BYTES
from batchbg.errors import DecoderDied, DiskError

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE: Final = min(os.cpu_count() or 1, 8)
"""Processes at most. Decoding keeps a core busy, so that more would only take memory."""

CPU_S: Final = 120
"""Seconds of a core for one picture; 50 megapixels take 3 in the slowest format. Twice as many where it needs room."""

_KEPT: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TEMP", "TMP")
_KEPT_ON_WINDOWS: Final = ("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT")
"""The environment of a decoder: the key is not in it, nor a proxy's password."""

_PROGRAM: Final = "import sys; sys.path[:] = sys.argv[1:]; from batchbg.disk.decoder_process import main; main()"

OUT_OF_TIME: Final = -getattr(signal, "SIGPROF", 1000)
KILLED: Final = -getattr(signal, "SIGKILL", 1001)
"""How a decoder's process ends: by its own limit, by the system when memory is short, or by a person."""

HEAD: Final = struct.Struct(">Q")
"""Before each question: its length in bytes."""


def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function of a module of this package in a decoder's process and return what it returns.

    Raises:
        DecoderDied: the process died over it twice, or took too long.
        DiskError: no process can be started now.
        BatchbgError, OSError: as the function raises them.
    """
    return _decoders.run(function, args, kwargs)


class _Dead(Exception):
    """A decoder's process ended; ``status`` as a process returns it, negative for a signal."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Decoder:
    """One process; used by one thread at a time."""

    def __init__(self) -> None:
        """Start it.

        Raises:
            DiskError: the system refuses.
        """
        home = str(Path(batchbg.__file__).resolve().parent.parent)
        paths = [path for path in sys.path if os.path.isabs(path)]  # noqa: PTH117 - entries are text
        kept = {name: os.environ[name] for name in (*_KEPT, *_KEPT_ON_WINDOWS) if name in os.environ}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-X", f"utf8={sys.flags.utf8_mode}", "-c", _PROGRAM, *paths, home],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # A thread of a decoder's own library would otherwise set aside 128 MB of addresses for itself.
                env=kept | {"MALLOC_ARENA_MAX": "2"},
                cwd=Path(home).anchor,  # no folder is kept busy
                # Keys on the terminal are for the run: what it does with them, it does with the pictures at hand.
                start_new_session=True,
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise DiskError(
                f"no process can be started to decode pictures: {reason}; fix that and run again"
            ) from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to: IO[bytes] = self._process.stdin
        self._from: IO[bytes] = self._process.stdout

    def ask(self, request: tuple[Any, ...]) -> Any:
        """Return (whether it went well, value).

        Raises:
            _Dead: the process ended over it.
        """
        try:
            data = pickle.dumps(request)
            self._to.write(HEAD.pack(len(data)) + data)
            self._to.flush()
            return _Answer(self._from).load()
        except (OSError, EOFError) as error:
            raise _Dead(self.end(by_itself=True)) from error
        except pickle.UnpicklingError as error:
            raise _Dead(self.end()) from error
        except BaseException:
            self.end()  # its answer would be taken for that to the next question
            raise

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def end(self, *, by_itself: bool = False) -> int:
        """End the process and return how it ended; ``by_itself`` where it is about to: how, is what is asked for."""
        if by_itself:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        self._process.kill()
        for stream in (self._to, self._from):
            with contextlib.suppress(OSError):
                stream.close()
        return self._process.wait()


class _Answer(pickle.Unpickler):
    """Reads an answer. A process that a hostile file has taken over may say what it likes and can do nothing here."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a value's type; only plain values and errors of this package come back."""
        if (module, name) in _ANSWERS or (module == "batchbg.errors" and name in _ERRORS):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"an answer holds a {module}.{name}")


_ANSWERS: Final = {
    ("batchbg.core.marketplaces", "Facts"),
    ("batchbg.core.model", "PhotoInfo"),
    ("batchbg.core.model", "Size"),
    ("batchbg.core.model", "Stamp"),
    ("batchbg.disk.finished", "Finished"),
    ("batchbg.disk.verdict", "Verdict"),
    *(
        ("builtins", name)
        for name, kind in vars(builtins).items()
        if isinstance(kind, type) and issubclass(kind, OSError)
    ),
}

_ERRORS: Final = {name for name, kind in vars(errors).items() if isinstance(kind, type)}


class _Decoders:
    """The processes, and the memory that they share. Who comes first is served first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: collections.deque[object] = collections.deque()
        self._idle: list[_Decoder] = []
        self._all: set[_Decoder] = set()
        self._taken: list[int] = []

    def run(self, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        """See the module's ``run``."""
        need, deaths = USUAL_BYTES, 0
        while True:
            with self._decoder(need) as decoder:
                try:
                    kind, value = decoder.ask((function, args, kwargs, need, CPU_S * (1 + (need > USUAL_BYTES))))
                except _Dead as dead:
                    deaths += 1
                    # Whatever else may have ended it is not the file's fault; what ends it twice is, or will be again.
                    if deaths > 1 or dead.status == OUT_OF_TIME:
                        raise DecoderDied(_how(dead.status), killed=dead.status == KILLED) from dead
                    continue
            if kind == "returned":
                return value  # type: ignore[no-any-return]
            if kind == "raised":
                raise value
            if value > MOST_BYTES:
                raise DecoderDied(f"it takes {value / 1e9:.1f} GB of memory to decode")
            need = value

    @contextlib.contextmanager
    def _decoder(self, need: int) -> Iterator[_Decoder]:
        self._wait_for(need)
        try:
            decoder = self._take()
            try:
                yield decoder
            finally:
                self._give_back(decoder, worn=need > USUAL_BYTES)
        finally:
            with self._changed:
                self._taken.remove(need)
                self._changed.notify_all()

    def _wait_for(self, need: int) -> None:
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is ticket and self._fits(need))
                self._taken.append(need)
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _fits(self, need: int) -> bool:
        return not self._taken or (len(self._taken) < AT_ONCE and sum(self._taken) + need <= MOST_BYTES)

    def _take(self) -> _Decoder:
        with self._changed:
            while self._idle:
                decoder = self._idle.pop()
                if decoder.is_alive:
                    return decoder
                self._all.discard(decoder)
                decoder.end()
        decoder = _Decoder()
        with self._changed:
            self._all.add(decoder)
        return decoder

    def _give_back(self, decoder: _Decoder, *, worn: bool) -> None:
        """Keep a process for the next file; one that held a large picture would keep some of its memory."""
        if decoder.is_alive and not worn:
            with self._changed:
                self._idle.append(decoder)
            return
        decoder.end()
        with self._changed:
            self._all.discard(decoder)

    def close(self) -> None:
        """End all processes."""
        with self._changed:
            every, self._all = self._all, set()
            self._idle.clear()
        for decoder in every:
            decoder.end()


def _how(status: int) -> str:
    if status == OUT_OF_TIME:
        return "it takes too long to decode"
    return "its decoder was killed while it read it" if status == KILLED else "its decoder crashed on it"


_decoders: Final = _Decoders()
atexit.register(_decoders.close)
