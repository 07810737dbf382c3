"""A run that goes on in a thread of its own, and who waits for it: another thread, or a coroutine."""

import asyncio
import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Final

from batchbg.library.cancellation import Cancellation
from batchbg.library.events import Event
from batchbg.report.summary import Summary

Tell = Callable[[Event | None], object]
"""Takes an event, and None at the end."""

PATIENCE: Final = 2
"""Times that a coroutine may be canceled and still waits for its run; the next time it leaves it alone."""


class Going:
    """One run. It has a thread of its own wherever it is begun: the caller's may have a loop, or take signals."""

    def __init__(self, perform: Callable[[Cancellation, Tell], Summary]) -> None:
        self.cancellation = Cancellation()
        self._perform = perform
        self._summary: Summary | None = None
        self._error: BaseException | None = None

    def wait(self, on_event: Callable[[Event], object] | None) -> Summary:
        """Begin, and wait for the end; ``on_event`` is called here.

        What is raised here, by ``on_event`` or by Ctrl-C, ends the run in order, and is raised once it has ended.
        """
        news: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        thread = self._start(news.put)
        raised: BaseException | None = None
        while thread.is_alive() or not news.empty():
            try:
                with contextlib.suppress(queue.Empty):
                    event = news.get(timeout=1.0)
                    if event is None:
                        thread.join()
                    elif on_event is not None and raised is None:
                        on_event(event)
            except BaseException as error:
                self.cancellation.cancel()
                raised = raised or error
        if raised is not None:
            raise raised
        return self._outcome()

    async def waited_for(self, on_event: Callable[[Event], object] | None) -> Summary:
        """Begin, and wait for the end; ``on_event`` is called in the running loop.

        Cancelled, or where ``on_event`` raises something, the run is ended in order; cancelled again, at once.
        """
        loop, news = asyncio.get_running_loop(), asyncio.Queue[Event | None]()

        def tell(event: Event | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(news.put_nowait, event)

        self._start(tell)
        raised: BaseException | None = None
        times = 0
        is_over = False
        while not is_over:
            try:
                event = await news.get()
                is_over = event is None
                if event is not None and on_event is not None and raised is None:
                    on_event(event)
            except BaseException as error:
                self.cancellation.cancel()
                raised = raised or error
                times += isinstance(error, asyncio.CancelledError)
                if times > PATIENCE:
                    break
        if raised is not None:
            raise raised
        return self._outcome()

    def _start(self, tell: Tell) -> threading.Thread:
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(self._run, tell), name="batchbg", daemon=True)
        thread.start()
        return thread

    def _run(self, tell: Tell) -> None:
        try:
            self._summary = self._perform(self.cancellation, tell)
        except BaseException as error:  # it belongs to whoever waits
            self._error = error
        finally:
            tell(None)

    def _outcome(self) -> Summary:
        if self._error is not None:
            raise self._error
        assert self._summary is not None
        return self._summary
