"""When a job's turn comes: servers that render a fixed number of jobs at once, first come, first served."""

import heapq


class RenderQueue:
    """Gives each job its start and end at the moment it is created.

    Render times are known when a job is made, so nothing has to be simulated step by step: a job starts when the
    earliest server becomes free.
    """

    def __init__(self) -> None:
        self._free_at: list[float] = []  # one entry a server, Unix seconds; a heap
        self._ends: list[float] = []  # of jobs not yet seen to be over; a heap
        self.peak = 0
        """The most jobs that were unfinished at once."""

    def unfinished(self, now_s: float) -> int:
        """Return how many jobs are queued or rendering."""
        while self._ends and self._ends[0] <= now_s:
            heapq.heappop(self._ends)
        return len(self._ends)

    def admit(self, now_s: float, queue_s: float, render_s: float, slots: int | None) -> tuple[float, float]:
        """Return when a job that arrives now starts to render and when its render ends, in Unix seconds.

        Args:
            now_s: the present, Unix seconds.
            queue_s: the least wait before its start.
            render_s: how long it renders.
            slots: how many render at once; None is no limit. It may differ from call to call.
        """
        start_s = now_s + queue_s
        if slots is not None:
            self._set_servers(max(1, slots))
            start_s = max(start_s, heapq.heappop(self._free_at))
            heapq.heappush(self._free_at, start_s + render_s)
        self.unfinished(now_s)
        heapq.heappush(self._ends, start_s + render_s)
        self.peak = max(self.peak, len(self._ends))
        return start_s, start_s + render_s

    def _set_servers(self, count: int) -> None:
        while len(self._free_at) > count:  # the idlest is switched off
            heapq.heappop(self._free_at)
        while len(self._free_at) < count:
            heapq.heappush(self._free_at, 0.0)
