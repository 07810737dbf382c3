import pytest

from batchbg.api.retry_reads import retry_read
from batchbg.errors import AccountRefused, ApiUnreachable, BatchbgError


class Service:
    """Answers with these, one a question; the last again and again."""

    def __init__(self, *answers: str | BatchbgError) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def question(self) -> str:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, BatchbgError):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("batchbg.core.backoff.FIRST_S", 0.001)


async def test_asks_again_until_there_is_an_answer():
    service = Service(ApiUnreachable("500"), ApiUnreachable("reset"), "yes")
    assert await retry_read(service.question) == "yes"
    assert service.asked == 3


async def test_gives_up_when_it_would_wait_too_long():
    service = Service(ApiUnreachable("503", retry_after_s=60))
    with pytest.raises(ApiUnreachable, match="503"):
        await retry_read(service.question, 5.0)
    assert service.asked == 1


async def test_a_refusal_is_an_answer():
    service = Service(AccountRefused("401", status=401), "yes")
    with pytest.raises(AccountRefused):
        await retry_read(service.question)
    assert service.asked == 1
