"""All laws at once: Spry keeps them, and each of a set of broken copies breaks the one law that it should."""

from __future__ import annotations

import pytest

import lawless
from hostile import application
from lawless import broken_by, with_core
from spry_core.protocol import Connection
from spry_core.testing import laws
from spry_core.testing.laws import ConnectionSubject, LawBroken, check
from spry_core.testing.laws.subject import AnySubject

ABOUT_BYTES = ["split_invariance", "one_end", "nothing_after_half_close", "time_monotony"]


def test_an_echo_keeps_them_all() -> None:
    assert check(application(), "/echo") == [
        *ABOUT_BYTES,
        *("whole_frames", "pongs_in_order", "echo", "limits_before_allocation"),
    ]


@pytest.mark.parametrize("target", ["/", "/upload", "/nowhere"])
def test_http_is_held_to_those_that_suit_it(target: str) -> None:
    assert check(application, target) == [*ABOUT_BYTES, "limits_before_allocation"]


def test_a_bare_connection_keeps_them_too() -> None:
    subject = ConnectionSubject(lambda now, random: Connection("server", now=now, random=random))
    assert len(check(subject, samples=10)) == 8


def test_what_does_not_echo_is_not_held_to_that() -> None:
    assert "echo" not in check(lambda: lawless.deaf(), "/deaf", samples=5)


def test_what_is_raised_names_the_law() -> None:
    with pytest.raises(LawBroken, match=r"^echo is broken at /echo\n"):
        check(lawless.forgets_empty_messages(), "/echo", samples=5)


@pytest.mark.parametrize(
    ("law", "subject", "target"),
    [
        ("split_invariance", with_core(lawless.LosesCarriageReturns), "/echo"),
        ("time_monotony", with_core(lawless.FiresEarly), "/echo"),
        ("one_end", lawless.never_ends(), "/echo"),
        ("nothing_after_half_close", with_core(lawless.WritesAfterItsEnd), "/"),
        ("limits_before_allocation", with_core(lawless.AllocatesWhatIsPromised), "/echo"),
        ("whole_frames", lawless.Tearing(laws.AppSubject(application())), "/echo"),
        ("pongs_in_order", with_core(lawless.LosesPongs), "/echo"),
        ("echo", lawless.forgets_empty_messages(), "/echo"),
    ],
)
def test_each_broken_copy_breaks_its_own_law_and_no_other(law: str, subject: AnySubject, target: str) -> None:
    assert list(broken_by(subject, target)) == [law]
