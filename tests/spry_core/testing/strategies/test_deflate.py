"""Tests of `spry_core.testing.strategies.deflate` (RFC 7692 §7.1)."""

from __future__ import annotations

from hypothesis import given
from websockets.exceptions import InvalidHeaderFormat, NegotiationError
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.headers import parse_extension

from drawn import Productions, few, missing, simplest
from spry_core.protocol import Agreement, Deflate
from spry_core.protocol.deflate import check_answer, negotiate
from spry_core.testing.strategies import DeflateOffer, agreements, broken_deflate_offers, deflate_offers

WIDE = Deflate(server_max_window_bits=15, client_max_window_bits=15)


@few
@given(deflate_offers())
def test_an_offer_asks_for_what_it_says(offer: DeflateOffer) -> None:
    """RFC 7692 §7.1.1, §7.1.2."""
    agreed = negotiate([offer.text], WIDE)
    assert agreed is not None
    assert agreed.server_no_context_takeover is offer.server_no_context_takeover
    assert agreed.server_max_window_bits == offer.server_max_window_bits
    assert (agreed.client_max_window_bits or 15) == (offer.client_max_window_bits or 15)
    assert check_answer([str(agreed)], [offer.text]) == agreed


@few
@given(deflate_offers())
def test_websockets_accepts_it_too(offer: DeflateOffer) -> None:
    ((_, parameters),) = parse_extension(offer.text)
    _, extension = ServerPerMessageDeflateFactory().process_request_params(parameters, [])
    assert extension.local_no_context_takeover is offer.server_no_context_takeover
    assert extension.local_max_window_bits == (offer.server_max_window_bits or 15)


@few
@given(broken_deflate_offers())
def test_a_broken_one_is_declined(text: str) -> None:
    assert negotiate([text], Deflate()) is None


@few
@given(broken_deflate_offers())
def test_websockets_declines_it_or_cannot_read_it(text: str) -> None:
    try:
        ((name, parameters),) = parse_extension(text)
        ServerPerMessageDeflateFactory().process_request_params(parameters, [])
    except (InvalidHeaderFormat, NegotiationError, ValueError):
        return
    # It does not look at the name here, nor mind an empty parameter.
    assert name != "permessage-deflate" or text.rstrip().endswith(";")


@few
@given(agreements())
def test_an_agreement_can_be_written_and_read(agreement: Agreement) -> None:
    asked = str(agreement)
    assert check_answer([asked], [asked]) == agreement


def test_the_simplest_are_short() -> None:
    assert simplest(deflate_offers()).text == "permessage-deflate"
    assert simplest(deflate_offers(), lambda each: each.server_max_window_bits == 9).text == (
        "permessage-deflate; server_max_window_bits=9"
    )
    assert simplest(agreements()) == Agreement()
    assert repr(simplest(deflate_offers())) == "DeflateOffer(text='permessage-deflate')"


def test_every_spelling_comes_up() -> None:
    """RFC 6455 §9.1."""
    shows: Productions[DeflateOffer] = {
        "all four": lambda each: each.text.count(";") == 4,
        "quotes": lambda each: '"' in each.text,
        "spaces around the equals sign": lambda each: " = " in each.text,
        "a tab": lambda each: "\t" in each.text,
        "no whitespace": lambda each: ";s" in each.text,
        "a hint without a value": lambda each: each.text.endswith("client_max_window_bits"),
        "another order": lambda each: (
            each.text.endswith("server_no_context_takeover") and each.text.count(";") == 4
        ),
        "eight bits of the client": lambda each: each.client_max_window_bits == 8,
    }
    assert missing(deflate_offers(), shows) == set()


def test_every_fault_comes_up() -> None:
    shows: Productions[str] = {
        "another extension": lambda text: text.startswith("x-webkit"),
        "a name that only begins alike": lambda text: text == "permessage-deflatex",
        "a value too many": lambda text: text.endswith("takeover=1"),
        "a value missing": lambda text: text.endswith("; server_max_window_bits"),
        "out of range": lambda text: text.endswith("=16"),
        "twice": lambda text: (
            text.count("server_no_context_takeover;") == 1 and text.endswith("server_no_context_takeover")
        ),
        "half a string": lambda text: text.count('"') % 2 == 1,
    }
    assert missing(broken_deflate_offers(), shows) == set()
