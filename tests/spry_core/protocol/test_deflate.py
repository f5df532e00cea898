"""Tests of `spry_core.protocol.deflate`: the settings of permessage-deflate, and how peers agree (RFC 7692 §5, §7.1)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Final, TypeAlias

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.exceptions import NegotiationError
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from spry_core.errors import RemoteProtocolError
from spry_core.protocol.deflate import Agreement, Deflate, check_answer, negotiate, offer, parse_agreement
from traces import error_values

ANY: Final = Deflate(server_max_window_bits=15, client_max_window_bits=15)
BROWSERS: Final = "permessage-deflate; client_max_window_bits"
"""What Chrome and Firefox offer."""

BOTH_FORGET: Final = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"


def agreed(offered: str, deflate: Deflate = ANY) -> str | None:
    """Return the wire form of the answer to one offer."""
    agreement = negotiate([offered], deflate)
    return None if agreement is None else str(agreement)


def test_the_defaults_are_those_of_the_documents() -> None:
    assert Deflate() == Deflate(
        server_max_window_bits=12,
        client_max_window_bits=12,
        server_no_context_takeover=False,
        client_no_context_takeover=False,
        level=None,
        mem_level=5,
        threshold=64,
    )


@pytest.mark.parametrize("value", [Deflate(), Agreement()])
def test_settings_and_agreements_never_change(value: Deflate | Agreement) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(value, "server_max_window_bits", 9)  # noqa: B010 - a checker would refuse the plain form
    assert hash(value) == hash(replace(value))


def test_a_setting_takes_the_ends_of_its_range() -> None:
    least = Deflate(server_max_window_bits=9, client_max_window_bits=8, level=0, mem_level=1, threshold=0)
    most = Deflate(server_max_window_bits=15, client_max_window_bits=15, level=9, mem_level=9)
    assert (least.server_max_window_bits, least.client_max_window_bits) == (9, 8)
    assert (least.level, least.mem_level, least.threshold) == (0, 1, 0)
    assert (most.server_max_window_bits, most.client_max_window_bits) == (15, 15)
    assert (most.level, most.mem_level) == (9, 9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Deflate(server_max_window_bits=8), "Deflate.server_max_window_bits is 9 to 15, not 8"),
        (lambda: Deflate(server_max_window_bits=16), "Deflate.server_max_window_bits is 9 to 15, not 16"),
        (lambda: Deflate(client_max_window_bits=7), "Deflate.client_max_window_bits is 8 to 15, not 7"),
        (lambda: Deflate(client_max_window_bits=16), "Deflate.client_max_window_bits is 8 to 15, not 16"),
        (lambda: Deflate(level=-1), "Deflate.level is 0 to 9, not -1"),
        (lambda: Deflate(level=10), "Deflate.level is 0 to 9, not 10"),
        (lambda: Deflate(mem_level=0), "Deflate.mem_level is 1 to 9, not 0"),
        (lambda: Deflate(mem_level=10), "Deflate.mem_level is 1 to 9, not 10"),
        (lambda: Deflate(threshold=-1), "Deflate.threshold is negative: -1"),
    ],
)
def test_a_setting_outside_of_its_range_is_refused(make: Callable[[], Deflate], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()


@pytest.mark.parametrize(
    ("agreement", "wire"),
    [
        (Agreement(), "permessage-deflate"),
        (Agreement(server_max_window_bits=15), "permessage-deflate; server_max_window_bits=15"),
        (
            Agreement(
                server_no_context_takeover=True,
                client_no_context_takeover=True,
                server_max_window_bits=12,
                client_max_window_bits=8,
            ),
            BOTH_FORGET + "; server_max_window_bits=12; client_max_window_bits=8",
        ),
    ],
)
def test_an_agreement_has_one_wire_form(agreement: Agreement, wire: str) -> None:
    """RFC 7692 §7.1."""
    assert str(agreement) == wire
    assert parse_agreement([wire]) == agreement


# Offer, our settings, answer: the rules of each parameter in turn.
Answers: TypeAlias = list[tuple[str, Deflate, str | None]]
SERVER_FORGETS: Final[Answers] = [
    # A server includes it when asked, and may when not (RFC 7692 §7.1.1.1).
    ("permessage-deflate", ANY, "permessage-deflate"),
    ("permessage-deflate; server_no_context_takeover", ANY, "permessage-deflate; server_no_context_takeover"),
    (
        "permessage-deflate",
        Deflate(server_max_window_bits=15, server_no_context_takeover=True),
        "permessage-deflate; server_no_context_takeover",
    ),
]
CLIENT_FORGETS: Final[Answers] = [
    # The client's own is a hint, which we repeat; we may ask for it without (RFC 7692 §7.1.1.2).
    ("permessage-deflate; client_no_context_takeover", ANY, "permessage-deflate; client_no_context_takeover"),
    (
        "permessage-deflate",
        Deflate(server_max_window_bits=15, client_no_context_takeover=True),
        "permessage-deflate; client_no_context_takeover",
    ),
]
SERVER_BITS: Final[Answers] = [
    # The same or a smaller value, always when asked; unasked where less than 15 (RFC 7692 §7.1.2.1).
    ("permessage-deflate", Deflate(), "permessage-deflate; server_max_window_bits=12"),
    ("permessage-deflate; server_max_window_bits=15", ANY, "permessage-deflate; server_max_window_bits=15"),
    (
        "permessage-deflate; server_max_window_bits=13",
        Deflate(),
        "permessage-deflate; server_max_window_bits=12",
    ),
    (
        "permessage-deflate; server_max_window_bits=10",
        Deflate(),
        "permessage-deflate; server_max_window_bits=10",
    ),
    ("permessage-deflate; server_max_window_bits=9", ANY, "permessage-deflate; server_max_window_bits=9"),
    # zlib cannot compress with 8.
    ("permessage-deflate; server_max_window_bits=8", ANY, None),
]
CLIENT_BITS: Final[Answers] = [
    # Only to a client that offers it, and no more than it says (RFC 7692 §7.1.2.2).
    (BROWSERS, ANY, "permessage-deflate"),
    (
        BROWSERS,
        Deflate(server_max_window_bits=15, client_max_window_bits=10),
        "permessage-deflate; client_max_window_bits=10",
    ),
    (
        "permessage-deflate; client_max_window_bits=9",
        Deflate(),
        "permessage-deflate; server_max_window_bits=12; client_max_window_bits=9",
    ),
    (
        "permessage-deflate; client_max_window_bits=15",
        Deflate(),
        "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
    ),
    ("permessage-deflate; client_max_window_bits=8", ANY, "permessage-deflate; client_max_window_bits=8"),
    ("permessage-deflate; client_max_window_bits=15", ANY, "permessage-deflate"),
]


@pytest.mark.parametrize(
    ("offered", "deflate", "answer"), SERVER_FORGETS + CLIENT_FORGETS + SERVER_BITS + CLIENT_BITS
)
def test_a_server_answers_each_parameter_by_its_rule(
    offered: str, deflate: Deflate, answer: str | None
) -> None:
    """RFC 7692 §7.1.1, §7.1.2."""
    assert agreed(offered, deflate) == answer


@pytest.mark.parametrize(
    "offered",
    [
        "permessage-deflate;server_max_window_bits=10",
        "permessage-deflate ;\tserver_max_window_bits = 10",
        " permessage-deflate; server_max_window_bits=10 ",
        'permessage-deflate; server_max_window_bits="10"',
        'permessage-deflate; server_max_window_bits="1\\0"',
    ],
)
def test_whitespace_and_quotes_change_nothing(offered: str) -> None:
    """A quoted value is the token that it holds (RFC 6455 §9.1)."""
    assert agreed(offered) == "permessage-deflate; server_max_window_bits=10"


@pytest.mark.parametrize(
    "offered",
    [
        "",
        "x-webkit-deflate-frame",
        "permessage-deflat",
        "permessage-deflate2",
        "permessage-deflate=1",
        "permessage-deflate;",
        "permessage-deflate; ",
        "permessage-deflate;;",
        "permessage-deflate, permessage-deflate",
        "permessage-deflate; unknown",
        "permessage-deflate; Server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
        "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        'permessage-deflate; client_no_context_takeover=""',
        "permessage-deflate; server_no_context_takeover=",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=010",
        "permessage-deflate; server_max_window_bits=+10",
        "permessage-deflate; server_max_window_bits=1_0",
        "permessage-deflate; server_max_window_bits=\u0661\u0660",
        "permessage-deflate; server_max_window_bits=10.0",
        "permessage-deflate; server_max_window_bits=1 0",
        'permessage-deflate; server_max_window_bits="10',
        'permessage-deflate; server_max_window_bits=""',
        'permessage-deflate; server_max_window_bits=" 10"',
        'permessage-deflate; server_max_window_bits="10"0',
        "permessage-deflate; client_max_window_bits=",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=16",
        'permessage-deflate; client_max_window_bits=""',
        "permessage-deflate; client_max_window_bits=08",
        "permessage-deflate\n; client_max_window_bits",
        "permessage-deflate; client_max_window_bits\u00a0",
    ],
)
def test_a_faulty_or_foreign_offer_is_declined(offered: str) -> None:
    """The server declines what has an unknown, repeated or bad parameter (RFC 7692 §7.1)."""
    assert agreed(offered) is None
    assert agreed("permessage-deflate; client_max_window_bits=9") is not None


def test_the_first_acceptable_offer_is_taken() -> None:
    """Offers stand in the client's order of preference (RFC 7692 §5.1)."""
    offers = [
        "permessage-bzip2",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; unknown",
        "permessage-deflate; server_max_window_bits=10",
        "permessage-deflate",
    ]
    assert str(negotiate(offers, ANY)) == "permessage-deflate; server_max_window_bits=10"


def test_without_an_acceptable_offer_there_is_no_agreement() -> None:
    """RFC 7692 §5.1."""
    assert negotiate([], ANY) is None
    assert negotiate(["permessage-bzip2", "permessage-deflate; server_max_window_bits=8"], ANY) is None


@pytest.mark.parametrize(
    ("deflate", "wire"),
    [
        (Deflate(), "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"),
        (ANY, "permessage-deflate; client_max_window_bits=15"),
        (
            Deflate(server_no_context_takeover=True, client_no_context_takeover=True),
            BOTH_FORGET + "; server_max_window_bits=12; client_max_window_bits=12",
        ),
    ],
)
def test_a_client_offers_its_settings(deflate: Deflate, wire: str) -> None:
    """RFC 7692 §7.1."""
    assert offer(deflate) == wire


@pytest.mark.parametrize(
    ("answer", "offered"),
    [
        ("permessage-deflate", "permessage-deflate"),
        ("permessage-deflate", BROWSERS),
        ("permessage-deflate", "permessage-deflate; client_max_window_bits=10"),
        ("permessage-deflate", "permessage-deflate; client_no_context_takeover"),
        ("permessage-deflate; server_no_context_takeover", "permessage-deflate"),
        ("permessage-deflate; client_no_context_takeover", "permessage-deflate"),
        ("permessage-deflate; server_max_window_bits=8", "permessage-deflate"),
        ("permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=10"),
        ("permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=10"),
        ("permessage-deflate; client_max_window_bits=15", BROWSERS),
        ("permessage-deflate; client_max_window_bits=10", "permessage-deflate; client_max_window_bits=10"),
        ("permessage-deflate; client_max_window_bits=8", "permessage-deflate; client_max_window_bits=10"),
    ],
)
def test_an_answer_may_say_what_the_offer_allows(answer: str, offered: str) -> None:
    """RFC 7692 §7.1.1, §7.1.2."""
    agreement = check_answer([answer], [offered])
    assert str(agreement) == answer
    assert agreement == parse_agreement([answer], [offered])


def test_an_answer_may_fit_any_of_the_offers() -> None:
    """RFC 7692 §5.1."""
    offers = ["permessage-bzip2", "permessage-deflate; server_no_context_takeover", BROWSERS]
    assert str(check_answer(["permessage-deflate; client_max_window_bits=9"], offers)) == (
        "permessage-deflate; client_max_window_bits=9"
    )


def test_no_answer_is_no_agreement() -> None:
    """RFC 7692 §5.1."""
    assert check_answer([], [BROWSERS]) is None
    assert parse_agreement([]) is None


NOT_OFFERED: Final = "permessage-deflate with these parameters was not offered (RFC 7692 §7.1)"


@pytest.mark.parametrize(
    ("answer", "offered"),
    [
        ("permessage-deflate", []),
        ("permessage-deflate", ["permessage-bzip2"]),
        ("permessage-deflate", ["permessage-deflate; server_no_context_takeover"]),
        (
            "permessage-deflate; client_no_context_takeover",
            ["permessage-deflate; server_no_context_takeover"],
        ),
        ("permessage-deflate", ["permessage-deflate; server_max_window_bits=15"]),
        ("permessage-deflate; server_max_window_bits=11", ["permessage-deflate; server_max_window_bits=10"]),
        ("permessage-deflate; client_max_window_bits=8", ["permessage-deflate"]),
        ("permessage-deflate; client_max_window_bits=11", ["permessage-deflate; client_max_window_bits=10"]),
    ],
)
def test_an_answer_that_fits_no_offer_is_refused(answer: str, offered: list[str]) -> None:
    """The client fails the connection (RFC 7692 §7.1), and a server's owner may not say it."""
    with pytest.raises(RemoteProtocolError) as caught:
        check_answer([answer], offered)
    assert error_values(caught.value) == (NOT_OFFERED, None, None, "RFC 7692 §7.1")
    with pytest.raises(ValueError, match="was not offered"):
        parse_agreement([answer], offered)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (["permessage-bzip2"], "not permessage-deflate (RFC 7692 §7)"),
        (["permessage-deflate", "permessage-deflate"], "more than one extension (RFC 7692 §5)"),
        (["permessage-deflate;"], "malformed parameters of permessage-deflate (RFC 6455 §9.1)"),
        (["permessage-deflate; mystery=1"], "permessage-deflate has an unknown parameter (RFC 7692 §7.1)"),
        (
            ["permessage-deflate; server_no_context_takeover; server_no_context_takeover"],
            "server_no_context_takeover is there twice (RFC 7692 §7.1)",
        ),
        (
            ["permessage-deflate; client_no_context_takeover=1"],
            "client_no_context_takeover has a value (RFC 7692 §7.1.1)",
        ),
        (
            ["permessage-deflate; server_max_window_bits=16"],
            "server_max_window_bits is not 8 to 15 (RFC 7692 §7.1.2)",
        ),
        # Only an offer may leave the value out (RFC 7692 §7.1.2.2).
        (
            ["permessage-deflate; client_max_window_bits"],
            "client_max_window_bits is not 8 to 15 (RFC 7692 §7.1.2)",
        ),
    ],
)
def test_an_answer_that_is_malformed_is_refused(answer: list[str], message: str) -> None:
    """RFC 7692 §7.1."""
    with pytest.raises(ValueError) as wrong:
        parse_agreement(answer)
    assert str(wrong.value) == message
    with pytest.raises(RemoteProtocolError) as caught:
        check_answer(answer, [BROWSERS])
    assert error_values(caught.value) == (message, None, None, "RFC 7692 §7.1")


BITS: Final = (None, 8, 9, 12, 15)


@pytest.mark.parametrize("deflate", [Deflate(), ANY, Deflate(client_max_window_bits=9)])
@pytest.mark.parametrize("server_bits", BITS)
@pytest.mark.parametrize(
    "client_bits", ["", "; client_max_window_bits", *(f"; client_max_window_bits={n}" for n in BITS[2:])]
)
def test_what_our_server_answers_the_client_of_websockets_accepts(
    deflate: Deflate, server_bits: int | None, client_bits: str
) -> None:
    """RFC 7692 §7.1, with another implementation of the client's rules (which stops at 8 bits for a client)."""
    for server_forgets, client_forgets in itertools.product((False, True), repeat=2):
        offered = "".join(
            (
                "permessage-deflate",
                "; server_no_context_takeover" * server_forgets,
                "; client_no_context_takeover" * client_forgets,
                f"; server_max_window_bits={server_bits}" if server_bits else "",
                client_bits,
            )
        )
        agreement = negotiate([offered], deflate)
        if server_bits == 8:
            assert agreement is None
            continue
        _, _, value = client_bits.partition("=")
        theirs = ClientPerMessageDeflateFactory(
            server_no_context_takeover=server_forgets,
            client_no_context_takeover=client_forgets,
            server_max_window_bits=server_bits,
            client_max_window_bits=int(value) if value else bool(client_bits) or None,
        )
        said = [each.partition("=")[::2] for each in str(agreement).split("; ")[1:]]
        taken = theirs.process_response_params([(name, text or None) for name, text in said], [])
        assert agreement is not None
        assert taken.remote_no_context_takeover is agreement.server_no_context_takeover
        assert taken.remote_max_window_bits == (agreement.server_max_window_bits or 15)
        assert check_answer([str(agreement)], [offered]) == agreement


def agreements() -> st.SearchStrategy[Agreement]:
    """Whatever two peers can agree on, but for a client with 8 bits, of which websockets makes a context."""
    return st.builds(
        Agreement,
        server_no_context_takeover=st.booleans(),
        client_no_context_takeover=st.booleans(),
        server_max_window_bits=st.none() | st.integers(8, 15),
        client_max_window_bits=st.none() | st.integers(9, 15),
    )


@given(answer=agreements(), asked=agreements())
@example(answer=Agreement(), asked=Agreement(server_max_window_bits=15))
@example(answer=Agreement(client_max_window_bits=9), asked=Agreement(client_max_window_bits=10))
def test_our_client_and_that_of_websockets_accept_the_same(answer: Agreement, asked: Agreement) -> None:
    """RFC 7692 §7.1.1, §7.1.2."""
    theirs = ClientPerMessageDeflateFactory(
        server_no_context_takeover=asked.server_no_context_takeover,
        client_no_context_takeover=asked.client_no_context_takeover,
        server_max_window_bits=asked.server_max_window_bits,
        client_max_window_bits=asked.client_max_window_bits,
    )
    said = [each.partition("=")[::2] for each in str(answer).split("; ")[1:]]
    try:
        theirs.process_response_params([(name, value or None) for name, value in said], [])
    except NegotiationError:
        with pytest.raises(RemoteProtocolError):
            check_answer([str(answer)], [str(asked)])
    else:
        assert check_answer([str(answer)], [str(asked)]) == answer


@given(
    pieces=st.lists(
        st.sampled_from(
            (
                *("permessage-deflate", ";", "=", " ", '"', "\\", ",", "\xff", "8", "10", "16"),
                *("server_no_context_takeover", "client_no_context_takeover"),
                *("server_max_window_bits", "client_max_window_bits"),
            )
        ),
        max_size=12,
    )
)
@example(pieces=["permessage-deflate", ";", "server_max_window_bits", "=", '"', "\\"])
def test_any_offer_gets_an_answer_that_fits_or_none(pieces: list[str]) -> None:
    """RFC 7692 §7.1: nothing that a client writes is an error of the server."""
    offered = "".join(pieces)
    agreement = negotiate([offered], Deflate())
    if agreement is not None:
        assert check_answer([str(agreement)], [offered]) == agreement


@pytest.mark.parametrize(
    "hostile",
    [
        "permessage-deflate" + " " * 100_000,
        "permessage-deflate;" + " " * 100_000,
        "permessage-deflate" + ";" * 100_000,
        "permessage-deflate; " + "a" * 100_000,
        'permessage-deflate; server_max_window_bits="' + "\\1" * 50_000,
        "permessage-deflate" + "; client_max_window_bits" * 5_000,
        "permessage-deflate; client_max_window_bits" + " " * 100_000 + "=",
    ],
)
def test_a_hostile_offer_costs_no_more_than_its_length(hostile: str) -> None:
    """One pass, given up at the first fault: a quadratic one would take minutes here (limits of the house)."""
    expected = "permessage-deflate" if hostile.strip() == "permessage-deflate" else None
    assert agreed(hostile) == expected
