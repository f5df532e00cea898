"""Tests of `spry_core.protocol.handshake`: the WebSocket opening handshake, both sides (RFC 6455 §4)."""

from __future__ import annotations

import sys
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshakes import KEY
from spry_core.errors import RemoteProtocolError
from spry_core.protocol import Connection
from spry_core.protocol.events import Accept, Offer, RawFields, Refusal, RequestHead, ResponseHead
from spry_core.protocol.handshake import accept_key, check, examine, request, response
from spry_core.protocol.head import Chunked, Framing, Length, check_request
from traces import HANDSHAKE, counted, error_values, said

ACCEPTED = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
DEFLATE = "permessage-deflate"


def test_the_answer_to_a_key_is_the_one_of_the_standard() -> None:
    """RFC 6455 §1.3."""
    assert accept_key(KEY) == ACCEPTED


# -------------------------------------------------------------------------------------------------------- server's side

NOTHING = Length(0)
MOST = 100
FIELDS = {
    b"host": b"a",
    b"upgrade": b"websocket",
    b"connection": b"Upgrade",
    b"sec-websocket-key": KEY,
    b"sec-websocket-version": b"13",
}


def offer(
    changes: dict[bytes, bytes | None] | None = None,
    *more: tuple[bytes, bytes],
    framing: Framing = NOTHING,
    most: int = MOST,
) -> Offer | Refusal | None:
    """Examine the good request with these fields changed, left out or added."""
    headers = {**FIELDS, **(changes or {})}
    return examine(
        head(tuple((name, value) for name, value in headers.items() if value is not None) + more),
        framing,
        most,
    )


def head(headers: RawFields, method: bytes = b"GET", version: bytes = b"1.1") -> RequestHead:
    return RequestHead(method=method, target=b"/", headers=headers, http_version=version)


def test_a_good_request_is_an_offer() -> None:
    """RFC 6455 §4.2.1."""
    assert offer() == Offer(key=KEY)


@pytest.mark.parametrize(
    "changes",
    [
        {b"upgrade": b"WebSocket"},
        {b"upgrade": b"h2c, websocket"},
        {b"connection": b"keep-alive, Upgrade"},
        {b"connection": b"upgrade"},
    ],
)
def test_tokens_are_compared_without_case_and_in_lists(changes: dict[bytes, bytes | None]) -> None:
    """RFC 6455 §4.2.1, RFC 9110 §7.8."""
    assert offer(changes) == Offer(key=KEY)


@pytest.mark.parametrize(
    "changes",
    [
        {b"upgrade": None},
        {b"upgrade": b"h2c"},
        {b"upgrade": b"websocket/13"},
        {b"upgrade": b"websockets"},
        {b"connection": None},
        {b"connection": b"keep-alive"},
        {b"connection": b"upgraded"},
    ],
)
def test_a_request_that_does_not_ask_is_an_ordinary_one(changes: dict[bytes, bytes | None]) -> None:
    """RFC 9110 §7.8: a server may ignore Upgrade."""
    assert offer(changes) is None
    assert offer({**changes, b"sec-websocket-key": None, b"sec-websocket-version": b"x"}) is None


@pytest.mark.parametrize("method", [b"POST", b"HEAD", b"PUT", b"OPTIONS", b"get"])
def test_only_get_opens_a_websocket(method: bytes) -> None:
    """RFC 6455 §4.1."""
    assert examine(head(tuple(FIELDS.items()), method), Length(0), MOST) is None


def test_http_1_0_opens_none() -> None:
    """RFC 6455 §4.2.1: HTTP/1.1 or higher."""
    assert examine(head(tuple(FIELDS.items()), version=b"1.0"), Length(0), MOST) is None


PROTOCOLS = b"sec-websocket-protocol"
EXTENSIONS = b"sec-websocket-extensions"


def asked(extensions: bytes, key: bytes = KEY, *, most: int = MOST) -> tuple[str, ...]:
    """Return the extensions that a good request offers."""
    found = offer({b"sec-websocket-key": key, EXTENSIONS: extensions}, most=most)
    assert isinstance(found, Offer)
    assert found.key == key
    return found.extensions


def test_what_is_asked_for_is_read_once_whatever_the_key_unless_it_is_long() -> None:
    other = b"A" * 21 + b"A=="
    long = b"b" * 128
    assert asked(b"a, b") == ("a", "b")
    assert asked(b"a, b") is asked(b"a, b", other)
    assert asked(long) == (long.decode(),)
    assert asked(long) is not asked(long)


def test_how_much_may_be_asked_for_counts_also_where_it_was_read_before() -> None:
    assert asked(b"c, d, e", most=3) == ("c", "d", "e")
    assert offer({EXTENSIONS: b"c, d, e"}, most=2) == TOO_MANY
    assert asked(b"c, d, e", most=3) == ("c", "d", "e")


def test_subprotocols_are_read_and_counted_each_time() -> None:
    """RFC 6455 §4.2.1: another offer of them is another one though all other fields are the same."""
    for protocols, names in ((b"f, g", ("f", "g")), (b"g", ("g",)), (b'"h, i", j', ("j",)), (None, ())) * 2:
        found = offer({PROTOCOLS: protocols}, most=3)
        assert isinstance(found, Offer)
        assert found.subprotocols == names
        assert offer({PROTOCOLS: b"f, g, h, i"}, most=3) == TOO_MANY
        assert offer({PROTOCOLS: b"f, g"}, (PROTOCOLS, b"h, i"), most=3) == TOO_MANY


def test_so_much_of_what_is_asked_for_is_remembered_at_most() -> None:
    first = asked(b"first")
    for i in range(256):
        assert asked(b"%d" % i) == (str(i),)
    assert asked(b"first") == first
    assert asked(b"first") is not first


def tables() -> str:
    """Say all that is remembered in the modules of the protocol, for whatever connection."""
    modules = [module for name, module in sys.modules.items() if name.startswith("spry_core.protocol")]
    return repr(
        [
            value
            for module in modules
            for name, value in vars(module).items()
            if type(value) in (dict, set) and not name.startswith("__")
        ]
    )


def test_a_token_among_the_subprotocols_is_in_no_table_afterwards() -> None:
    """A script in a browser can put one into no other field (RFC 6455 §4.1); the other fields are remembered."""
    for _ in range(3):
        conn = Connection("server", now=0.0, random=counted)
        fields = b"X-Api-Key: s3cret\r\nSec-WebSocket-Protocol: bearer, s3cret\r\nSec-WebSocket-Extensions: x-known\r\n\r\n"
        conn.receive_data(HANDSHAKE[:-2] + fields, 0.0)
        found, *_ = list(conn)
        assert isinstance(found, RequestHead)
        assert isinstance(found.websocket, Offer)
        assert found.websocket.subprotocols == ("bearer", "s3cret")
        conn.send(Accept(subprotocol="s3cret"), 0.0)
        assert b"Sec-WebSocket-Protocol: s3cret\r\n" in said(conn)
    assert "x-known" in tables()
    assert "s3cret" not in tables()


def test_of_several_faults_the_version_comes_first_and_the_number_last() -> None:
    faulty: dict[bytes, bytes | None] = {
        PROTOCOLS: b"a, b",
        b"sec-websocket-key": b"x",
        b"sec-websocket-version": b"8",
    }
    assert offer(faulty, framing=Chunked(), most=1) == BAD_VERSION
    del faulty[b"sec-websocket-version"]
    assert offer(faulty, framing=Chunked(), most=1) == BAD_KEY
    del faulty[b"sec-websocket-key"]
    assert offer(faulty, framing=Chunked(), most=1) == CONTENT
    assert offer(faulty, most=1) == TOO_MANY


BAD_VERSION = Refusal(status_code=426, reason="Sec-WebSocket-Version is not 13")
BAD_KEY = Refusal(status_code=400, reason="Sec-WebSocket-Key is not one key of 16 bytes")
TOO_MANY = Refusal(status_code=431, reason="too many subprotocols or extensions")
CONTENT = Refusal(status_code=400, reason="an opening handshake has no content")


@pytest.mark.parametrize("version", [None, b"12", b"8", b"", b"13, 8", b"013", b"+13", b"13 13"])
def test_another_version_is_answered_426(version: bytes | None) -> None:
    """RFC 6455 §4.4."""
    assert offer({b"sec-websocket-version": version}) == BAD_VERSION


def test_two_versions_are_answered_426() -> None:
    assert offer({}, (b"sec-websocket-version", b"13")) == BAD_VERSION


@pytest.mark.parametrize(
    "key",
    [
        *(
            None,
            b"",
            b"x",
            KEY[:-1],
            KEY + b"=",
            KEY[:-2],
            b" " * 24,
            KEY[:-3] + b"R==",
            KEY[:4] + b" " + KEY[5:],
        ),
        *(
            b64encode(bytes(15)),
            b64encode(bytes(17)),
            KEY.replace(b"d", b"-"),
            KEY + b"\n",
            KEY + b", " + KEY,
        ),
    ],
)
def test_a_key_that_is_not_sixteen_bytes_is_answered_400(key: bytes | None) -> None:
    """RFC 6455 §4.2.1, RFC 4648 §3.5: the bits that pad are zero."""
    assert offer({b"sec-websocket-key": key}) == BAD_KEY


def test_two_keys_are_answered_400() -> None:
    assert offer({}, (b"sec-websocket-key", KEY)) == BAD_KEY


@given(st.binary(min_size=16, max_size=16))
def test_every_key_of_sixteen_bytes_is_good(key: bytes) -> None:
    assert offer({b"sec-websocket-key": b64encode(key)}) == Offer(key=b64encode(key))


@pytest.mark.parametrize("framing", [Length(1), Chunked()])
def test_an_opening_handshake_has_no_content(framing: Framing) -> None:
    assert offer(framing=framing) == CONTENT


@pytest.mark.parametrize("name", [b"sec-websocket-protocol", b"sec-websocket-extensions"])
def test_an_offer_has_a_limited_number_of_each(name: bytes) -> None:
    """RFC 6455 §10.4: over all lines; an empty member counts, and a comma in a quoted string."""
    assert isinstance(offer({name: b"a,b"}, (name, b"c"), most=3), Offer)
    for lines in ((b"a,b,c", b"d"), (b",,,",), (b'a;b=",,,"',)):
        first, *more = lines
        assert offer({name: first}, *((name, line) for line in more), most=3) == Refusal(
            status_code=431, reason="too many subprotocols or extensions"
        )


def test_the_version_is_judged_before_the_key_and_the_key_before_the_content() -> None:
    """The rows of table 9, from above."""
    changes: dict[bytes, bytes | None] = {b"sec-websocket-version": None, b"sec-websocket-key": None}
    assert offer(changes, framing=Length(1)) == BAD_VERSION
    assert offer({b"sec-websocket-key": None}, framing=Length(1)) == BAD_KEY


def test_what_is_offered_comes_in_the_clients_order() -> None:
    """RFC 6455 §11.3.4, §9.1: over all lines of the field."""
    found = offer(
        {},
        (b"sec-websocket-protocol", b"chat.v2 , chat"),
        (b"sec-websocket-extensions", b'x; a="1, \\"2"; b , , y'),
        (b"sec-websocket-protocol", b"superchat"),
        (b"sec-websocket-extensions", b"z"),
    )
    assert found == Offer(
        key=KEY, subprotocols=("chat.v2", "chat", "superchat"), extensions=('x; a="1, \\"2"; b', "y", "z")
    )


@pytest.mark.parametrize("value", [b"a b", b"\xe9", b"(x)", b"", b",", b'"a"'])
def test_what_is_no_token_names_no_subprotocol(value: bytes) -> None:
    """RFC 6455 §4.1: elements are tokens; a bad one must not end the handshake, nor the process."""
    found = offer({}, (b"sec-websocket-protocol", value + b", chat"))
    assert found == Offer(key=KEY, subprotocols=("chat",))


def test_an_unfinished_quoted_string_takes_the_rest() -> None:
    found = offer({}, (b"sec-websocket-extensions", b'x; a="1, y'))
    assert found == Offer(key=KEY, extensions=('x; a="1, y',))


def test_the_answer_switches_protocols() -> None:
    """RFC 6455 §4.2.2."""
    made = response(Offer(key=KEY), Accept())
    assert made == ResponseHead(
        status_code=101,
        reason_phrase=b"Switching Protocols",
        headers=(
            (b"Upgrade", b"websocket"),
            (b"Connection", b"Upgrade"),
            (b"Sec-WebSocket-Accept", ACCEPTED),
        ),
    )


def test_the_answer_names_what_was_chosen_and_further_fields() -> None:
    offered = Offer(key=KEY, subprotocols=("a", "b"), extensions=("x; p", DEFLATE))
    extension = f"{DEFLATE}; server_max_window_bits=12"
    made = response(offered, Accept(subprotocol="b", extensions=(extension,), headers=((b"X-Id", b"7"),)))
    assert made.headers[3:] == (
        (b"Sec-WebSocket-Protocol", b"b"),
        (b"Sec-WebSocket-Extensions", b"permessage-deflate; server_max_window_bits=12"),
        (b"X-Id", b"7"),
    )


@pytest.mark.parametrize("subprotocol", ["c", "", "A"])
def test_a_subprotocol_that_was_not_offered_is_refused(subprotocol: str) -> None:
    """RFC 6455 §4.2.2."""
    with pytest.raises(ValueError, match=r"^the client did not offer this subprotocol"):
        response(Offer(key=KEY, subprotocols=("a", "b")), Accept(subprotocol=subprotocol))


@pytest.mark.parametrize(
    ("extensions", "message"),
    [
        (["x; p"], "not permessage-deflate "),
        ([""], "not permessage-deflate "),
        ([DEFLATE, DEFLATE], "more than one extension "),
        (
            [f"{DEFLATE}; client_max_window_bits=9"],
            "permessage-deflate with these parameters was not offered ",
        ),
        ([f"{DEFLATE}; server_no_context_takeover\r\nB: c"], "malformed parameters of permessage-deflate "),
    ],
)
def test_an_extension_that_was_not_offered_is_refused(extensions: list[str], message: str) -> None:
    """RFC 6455 §4.2.2, §9.1, RFC 7692 §7.1."""
    with pytest.raises(ValueError, match=f"^{message}"):
        response(Offer(key=KEY, extensions=("x; p", DEFLATE)), Accept(extensions=tuple(extensions)))


RESERVED = [
    *(b"Upgrade", b"CONNECTION", b"Content-Length", b"transfer-encoding", b"Sec-WebSocket-Accept"),
    *(b"Sec-WebSocket-Protocol", b"sec-websocket-extensions"),
]


@pytest.mark.parametrize("name", RESERVED)
def test_the_fields_of_the_handshake_are_its_own(name: bytes) -> None:
    with pytest.raises(ValueError, match=rf"^the opening handshake sets {name.decode()} itself"):
        response(Offer(key=KEY), Accept(headers=((name, b"x"),)))


@pytest.mark.parametrize("field", [(b"a b", b"x"), (b"a", b"x\r\ny: z"), (b"a", b"\x00"), (b"", b"")])
def test_a_field_that_may_not_be_sent_is_refused(field: tuple[bytes, bytes]) -> None:
    """RFC 9110 §5.1, §5.5."""
    with pytest.raises(ValueError, match=r"^the (field name|value of field)"):
        response(Offer(key=KEY), Accept(headers=(field,)))


# -------------------------------------------------------------------------------------------------------- client's side


def test_a_client_asks_with_a_fresh_key() -> None:
    """RFC 6455 §4.1."""
    made = request(host="a:80", target="/x?y", random=counted)
    key = b64encode(counted(16))
    assert made == RequestHead(
        method=b"GET",
        target=b"/x?y",
        headers=(
            (b"Host", b"a:80"),
            (b"Upgrade", b"websocket"),
            (b"Connection", b"Upgrade"),
            (b"Sec-WebSocket-Key", key),
            (b"Sec-WebSocket-Version", b"13"),
        ),
        websocket=Offer(key=key),
    )


def test_a_client_offers_subprotocols_and_extensions_and_adds_fields() -> None:
    made = request(
        host="a",
        target="/",
        random=counted,
        subprotocols=["b", "a"],
        extensions=["x; p", "y"],
        headers=((b"Origin", b"http://a"),),
    )
    assert made.headers[5:] == (
        (b"Sec-WebSocket-Protocol", b"b, a"),
        (b"Sec-WebSocket-Extensions", b"x; p, y"),
        (b"Origin", b"http://a"),
    )
    assert made.websocket == Offer(
        key=b64encode(counted(16)), subprotocols=("b", "a"), extensions=("x; p", "y")
    )


@pytest.mark.parametrize("field", [(b"a b", b"x"), (b"a", b"x\r\ny: z")])
def test_a_client_sends_no_field_that_may_not_be_sent(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match=r"^the (field name|value of field)"):
        request(host="a", target="/", random=counted, headers=(field,))


@pytest.mark.parametrize("name", [*RESERVED, b"host", b"Sec-WebSocket-Key", b"Sec-WebSocket-Version"])
def test_a_clients_handshake_sets_its_fields_itself(name: bytes) -> None:
    with pytest.raises(ValueError, match=rf"^the opening handshake sets {name.decode()} itself"):
        request(host="a", target="/", random=counted, headers=((name, b"x"),))


@pytest.mark.parametrize("subprotocols", [["a b"], [""], ["a", "b,c"], ["é"], ["a", "b", "a"]])
def test_a_client_offers_tokens_each_once(subprotocols: list[str]) -> None:
    """RFC 6455 §4.1, the tenth of the request's requirements."""
    with pytest.raises(ValueError, match=r"^subprotocols are different tokens"):
        request(host="a", target="/", random=counted, subprotocols=subprotocols)


ANSWER = ((b"upgrade", b"WebSocket"), (b"connection", b"upgrade"), (b"sec-websocket-accept", ACCEPTED))
OFFERED = Offer(key=KEY, subprotocols=("a", "b"), extensions=("x; p", DEFLATE))


def answered(headers: RawFields) -> Accept:
    return check(OFFERED, ResponseHead(status_code=101, headers=headers))


def test_a_good_101_is_an_accept() -> None:
    assert answered(ANSWER) == Accept(headers=ANSWER)
    more = (
        *ANSWER,
        (b"sec-websocket-protocol", b"b"),
        (b"sec-websocket-extensions", b'permessage-deflate; server_max_window_bits="9"'),
        (b"x-id", b"7"),
    )
    extension = 'permessage-deflate; server_max_window_bits="9"'
    assert answered(more) == Accept(subprotocol="b", extensions=(extension,), headers=more)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (ANSWER[1:], "the 101 does not switch to WebSocket"),
        (ANSWER[::2], "the 101 does not switch to WebSocket"),
        (((b"upgrade", b"h2c"), *ANSWER[1:]), "the 101 does not switch to WebSocket"),
        (((b"upgrade", b"websocket, h2c"), *ANSWER[1:]), "the 101 does not switch to WebSocket"),
        ((ANSWER[0], (b"connection", b"close"), ANSWER[2]), "the 101 does not switch to WebSocket"),
        (ANSWER[:2], "Sec-WebSocket-Accept does not fit the key"),
        ((*ANSWER[:2], (b"sec-websocket-accept", KEY)), "Sec-WebSocket-Accept does not fit the key"),
        ((*ANSWER, ANSWER[2]), "Sec-WebSocket-Accept does not fit the key"),
        ((*ANSWER, (b"sec-websocket-protocol", b"c")), "the server chose a subprotocol that was not offered"),
        (
            (*ANSWER, (b"sec-websocket-protocol", b"a, b")),
            "the server chose a subprotocol that was not offered",
        ),
        (
            (*ANSWER, (b"sec-websocket-protocol", b"\xe9")),
            "the server chose a subprotocol that was not offered",
        ),
        (
            (*ANSWER, *[(b"sec-websocket-protocol", b"a")] * 2),
            "the server chose a subprotocol that was not offered",
        ),
    ],
)
def test_a_101_that_does_not_fit_fails_the_connection(headers: RawFields, message: str) -> None:
    """RFC 6455 §4.1, the client's last six steps."""
    with pytest.raises(RemoteProtocolError) as caught:
        answered(headers)
    assert error_values(caught.value) == (message, None, None, "RFC 6455 §4.1")


@pytest.mark.parametrize(
    ("extensions", "message"),
    [
        (b"z", "not permessage-deflate (RFC 7692 §7)"),
        (b"permessage-deflate, x; p", "more than one extension (RFC 7692 §5)"),
        (
            b"permessage-deflate; client_max_window_bits=9",
            "permessage-deflate with these parameters was not offered (RFC 7692 §7.1)",
        ),
    ],
)
def test_a_101_with_an_extension_that_was_not_offered_fails_the_connection(
    extensions: bytes, message: str
) -> None:
    """RFC 6455 §4.1, RFC 7692 §5.1."""
    with pytest.raises(RemoteProtocolError) as caught:
        answered((*ANSWER, (b"sec-websocket-extensions", extensions)))
    assert error_values(caught.value) == (message, None, None, "RFC 7692 §7.1")


# ------------------------------------------------------------------------------------------------------- both together

token = st.text("abcXYZ019.-_~!", min_size=1, max_size=8)


@given(st.lists(token, unique=True, max_size=4), st.lists(token, max_size=3), st.data())
def test_what_one_side_asks_and_the_other_answers_is_agreed(
    subprotocols: list[str], extensions: list[str], data: st.DataObject
) -> None:
    asked = request(
        host="a", target="/", random=counted, subprotocols=subprotocols, extensions=[*extensions, DEFLATE]
    )
    lower = tuple((name.lower(), value) for name, value in asked.headers)
    seen = head(lower)
    found = examine(seen, check_request(seen), MOST)
    assert isinstance(found, Offer)
    assert found == asked.websocket
    accept = Accept(
        subprotocol=data.draw(st.sampled_from([None, *subprotocols])),
        extensions=data.draw(st.sampled_from([(), (f"{DEFLATE}; client_no_context_takeover",)])),
    )
    answer = response(found, accept)
    lower = tuple((name.lower(), value) for name, value in answer.headers)
    agreed = check(found, ResponseHead(status_code=101, headers=lower))
    assert agreed == Accept(subprotocol=accept.subprotocol, extensions=accept.extensions, headers=lower)
