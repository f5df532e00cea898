"""What a report says in a few words."""

from __future__ import annotations

from spry_core.testing.peers import Ending, Report


def report(
    *,
    status_code: int | None = None,
    close_code: int | None = None,
    received: int = 0,
    ending: Ending = Ending.END,
) -> Report:
    return Report(
        name="slow_head",
        sent=10,
        received=received,
        beginning=b"",
        status_code=status_code,
        answers=1,
        close_code=close_code,
        messages=0,
        pongs=0,
        ending=ending,
        seconds=1.5,
    )


def test_the_answer_is_what_came_back() -> None:
    assert report().answer == "nothing"
    assert report(received=5).answer == "something"
    assert report(status_code=408, received=5).answer == "408"
    assert report(status_code=101, close_code=1009, received=5).answer == "101, Close 1009"
    assert report(close_code=1002).answer == "Close 1002"


def test_only_patience_is_outlived() -> None:
    assert [each for each in Ending if report(ending=each).outlived] == [Ending.PATIENCE]


def test_as_text_it_is_one_line() -> None:
    text = str(report(status_code=408, received=165, ending=Ending.RESET))
    assert text == "slow_head: 408; reset after 1.50 s (10 bytes sent, 165 received)"
