"""Jobs that are still being planned while the pool is at work."""

import asyncio


class PlanFeed:
    """Tells the pool, from the thread that plans, that there is more to take.

    Attributes:
        jobs: how many were planned so far.
        over: whether everything is planned.
    """

    def __init__(self) -> None:
        """Belong to the event loop that is running."""
        self.jobs = 0
        self.over = False
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._told = False

    def more(self) -> None:
        """Say that a job was planned; from the thread that plans, and cheap to say often."""
        self.jobs += 1
        if not self._told:
            self._told = True
            self._loop.call_soon_threadsafe(self._news.set)

    def end(self) -> None:
        """Say that no more will come; from the loop's own thread."""
        self.over = True
        self._news.set()

    async def news(self) -> None:
        """Wait for either."""
        await self._news.wait()
        if not self.over:
            self._news.clear()
            self._told = False

    async def ended(self) -> None:
        """Wait until everything is planned."""
        while not self.over:
            await self.news()
