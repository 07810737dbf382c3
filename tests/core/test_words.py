import pytest

from batchbg.core.model import Size
from batchbg.core.pairing import Misfit, misfit
from batchbg.core.words import are, counted, duration, share, times


def test_numbers_agree_with_their_nouns_and_verbs():
    assert [counted(number, "job") for number in (0, 1, 2)] == ["0 jobs", "1 job", "2 jobs"]
    assert counted(2, "copy", "copies") == "2 copies"
    assert (are(1, "result"), are(2, "result")) == ("1 result is", "2 results are")
    assert (share(1, 1, "job"), share(0, 3, "job")) == ("1 of 1 job", "0 of 3 jobs")
    assert [times(factor) for factor in (1.0, 1.04, 1.06, 3.0)] == ["", "", "1.1 times", "3 times"]
    assert [duration(seconds) for seconds in (0, 89, 600, 5400, 9000)] == ["0 s", "89 s", "10 min", "1.5 h", "2.5 h"]


@pytest.mark.parametrize(
    ("photo", "background", "cropped", "said"),
    [
        ((100, 100), (100, 100), False, "fits"),
        ((100, 100), (4000, 4000), True, "fits"),
        ((100, 100), (104, 100), False, "stretched 4 %"),
        ((100, 100), (200, 100), True, "cropped 50 %"),
        ((100, 100), (50, 50), False, "enlarged 2 times"),
        ((300, 200), (100, 100), True, "cropped 33 %, enlarged 3 times"),
        ((200, 50), (64, 48), True, "cropped 67 %, enlarged 3.1 times"),
    ],
)
def test_how_a_background_fits_is_said_in_words(photo, background, cropped, said):
    """What of it is lost, and how much it is enlarged to cover the photo; a reduction costs nothing."""
    assert misfit(Size(*photo), Size(*background)).in_words(cropped=cropped) == said


def test_what_is_a_thousandth_off_fits():
    assert Misfit(1, 4, 0).in_words(cropped=True) == "fits"
