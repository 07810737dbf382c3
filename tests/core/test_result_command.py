"""The words of a command for one result, and what its environment does not hold."""

import pytest

from batchbg.core.result_command import environment_without, last_line, words_for


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["cp", "{}", "/web"], ["cp", "/out/a b.png", "/web"]),
        (["cp"], ["cp", "/out/a b.png"]),
        (["x", "--out={}", "{job}:{photo}"], ["x", "--out=/out/a b.png", "j1:-f {job} {}.jpg"]),
        (["x", "{photo}", "{}"], ["x", "./-f {job} {}.jpg", "/out/a b.png"]),
        (["x", "{other}", "{{}}"], ["x", "{other}", "{/out/a b.png}"]),
        (["x", "-{photo}", "{}"], ["x", "--f {job} {}.jpg", "/out/a b.png"]),
    ],
)
def test_placeholders_are_filled_in_once_and_a_name_is_no_option(command, words):
    """What is in a name is never filled in again, nor split, nor taken for an option that is not the user's own."""
    assert words_for(command, "/out/a b.png", "-f {job} {}.jpg", "j1") == words


def test_no_secret_is_in_the_environment_by_whatever_name():
    environ = {"KEY": "x", "OTHER": "Bearer mhk_live_0123456789", "PATH": "/bin", "EMPTY": ""}
    kept = environment_without(environ, ["mhk_live_0123456789", ""], ["KEY"])
    assert kept == {"PATH": "/bin", "EMPTY": ""}


@pytest.mark.parametrize(
    ("said", "line"), [(b"", ""), (b"a\nb\n\n \n", "b"), (b"\xff\x1b[31m", "\ufffd\x1b[31m"), (b"a\r\nb", "b")]
)
def test_the_last_line_is_the_last_that_says_something(said, line):
    assert last_line(said) == line
