"""Where fuzzing begins: the corpora of the tests, and what they have no need of."""

from __future__ import annotations

from base64 import b64encode
from typing import Final

from abuses import ROWS
from ambiguous.corpus import REQUESTS
from ambiguous.responses import RESPONSES
from frames import BINARY, CLOSE_FRAME, CONTINUATION, PING, PONG, TEXT, close_payload, frame
from fuzz.subjects import HANDSHAKE
from spry_core.protocol import Agreement, Deflate, Role
from spry_core.protocol.compression import Compressor
from spry_core.protocol.handshake import accept_key
from traces import SWITCH, counted

ACCEPT: Final = accept_key(b64encode(counted(16)))
"""The answer to the key of a client whose randomness counts."""


def compressed(role: Role, *fragments: bytes) -> list[bytes]:
    """Return the payloads of one compressed message, a frame for each fragment."""
    compressor = Compressor(Agreement(), role, Deflate(level=9))
    last = len(fragments) - 1
    return [compressor.compress(each, ends_message=i == last) for i, each in enumerate(fragments)]


def streams(role: Role) -> list[bytes]:
    """Return frames that a peer of this role may send, one input after the other."""

    def made(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
        if role == "client":
            return frame(opcode, payload, fin=fin, rsv=rsv)
        return frame(opcode, payload, fin=fin, rsv=rsv, mask=None)

    first, rest = compressed(role, b"abc" * 20, b"abc" * 30)
    last_block = bytes.fromhex("f348cdc9c9070000")
    return [
        made(TEXT, "é€😀".encode()) + made(BINARY, b"\xff") + made(TEXT) + made(BINARY),
        made(TEXT, b"\xe2", fin=False)
        + made(PING, b"p")
        + made(CONTINUATION, b"\x82", fin=False)
        + made(CONTINUATION, b"\xac"),
        made(PING) + made(PING, b"x" * 125) + made(PONG, b"y") + made(TEXT, b"z" * 300),
        made(TEXT, first, fin=False, rsv=4) + made(PING) + made(CONTINUATION, rest) + made(BINARY, b"plain"),
        *(
            made(TEXT, *compressed(role, each), rsv=4)
            for each in (b"", b"a" * 300, b"a" * 301, b"a" * 100_000)
        ),
        made(BINARY, last_block, rsv=4) * 2 + made(TEXT, b"\xf2\x48\xff\xff", rsv=4),
        made(TEXT, b"a", fin=False) + made(CLOSE_FRAME, close_payload(1000, "bye")) + made(TEXT, b"never"),
        *(made(TEXT, b"a" * size) + made(PING) + made(BINARY, b"b" * size) for size in (0, 1, 125, 126, 300)),
        made(CLOSE_FRAME),
        made(PING) * 300 + made(TEXT, b"in another turn"),
    ]


def requests() -> list[bytes]:
    """Return what clients say."""
    handshakes = [HANDSHAKE + fields + b"\r\n" for fields in handshake_fields()]
    opened = [HANDSHAKE + b"\r\n" + each for each in streams("client")]
    more = [b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"]
    good = [case.data for case in REQUESTS.values() if case.refused is None and not case.is_last]
    pipelines = [b"".join(good[i : i + 3]) for i in range(len(good))]
    return [*(case.data for case in REQUESTS.values()), *pipelines, *handshakes, *opened, *more]


def chunks() -> list[bytes]:
    """Return contents that are chunked, with what follows."""
    found = [case.data.partition(b"\r\n\r\n") for case in REQUESTS.values() if b"hunked\r\n" in case.data]
    many_turns = b"1\r\na\r\n" * 600 + b"0\r\n\r\n"
    return [*sorted({content for _, _, content in found if content}), many_turns]


def handshake_fields() -> list[bytes]:
    """Return further field lines of an opening handshake."""
    fields = [b"Sec-WebSocket-Extensions: %s\r\n" % each for each in extensions()]
    names = [
        b"Sec-WebSocket-Protocol: %s\r\n" % each for each in (b"chat", b"a, b,,c", b'"a"', b"a b", b"\xff")
    ]
    return [b"", *fields, *names, b"Origin: http://a\r\n", b"Content-Length: 0\r\n", b"Upgrade: h2c\r\n"]


def extensions() -> list[bytes]:
    """Return elements of Sec-WebSocket-Extensions."""
    name = b"permessage-deflate"
    parameters = (
        *(b"", b"; client_max_window_bits", b'; client_max_window_bits="10"', b"; server_max_window_bits=8"),
        *(
            b"; server_no_context_takeover; client_no_context_takeover",
            b'; server_max_window_bits=15 ; x="\\1,"',
            b";;",
            b"; client_max_window_bits=16",
        ),
    )
    return [name + each for each in parameters] + [b"x-webkit, " + name, b'x; y="a,b", ' + name]


def responses() -> list[bytes]:
    """Return what servers say."""
    return [answer.data for answer in RESPONSES.values()]


def switches() -> list[bytes]:
    """Return answers to the opening handshake of a client that offers subprotocols and compression."""
    from_counted = b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n\r\n"
    plain = SWITCH[: SWITCH.index(b"Sec-WebSocket-Accept")] + from_counted
    fields = (
        *(
            b"",
            b"Sec-WebSocket-Protocol: chat\r\n",
            b"Sec-WebSocket-Protocol: y\r\n",
            b"Sec-WebSocket-Protocol: chat, x\r\n",
        ),
        *(b"Sec-WebSocket-Extensions: %s\r\n" % each for each in extensions()),
        b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n",
    )
    heads = [plain.replace(b"Sec-WebSocket-Accept", field + b"Sec-WebSocket-Accept") for field in fields]
    return [
        *heads,
        *(heads[-1] + each for each in streams("server")),
        b"HTTP/1.1 403 No\r\nContent-Length: 1\r\n\r\nx",
        SWITCH,
    ]


def frames_of_clients() -> list[bytes]:
    """Return good and bad frames of clients."""
    good = streams("client")
    return [*good * 6, *(row.frames for row in ROWS.values())]


def frames_of_servers() -> list[bytes]:
    """Return good and bad frames of servers."""
    good = streams("server")
    return [*good * 6, *(row.bare for row in ROWS.values())]


def connections() -> list[bytes]:
    """Return what an application may get: some requests, and frames, which are put behind a handshake."""
    form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7"
    paths = [
        b"POST /text?a=%ff HTTP/1.1\r\nHost: a\r\nCookie: b=c\r\nContent-Length: 2\r\n\r\n\xff\xfe",
        b'POST /json HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"a": [1]}',
        b"POST /form HTTP/1.1\r\nHost: a\r\n%s\r\n\r\na=b&c=d" % form,
        b"POST /echo/%61 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"GET /slow/a/b HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n" + b"x" * 101,
    ]
    return [*paths, *requests()[::9], *streams("client"), *frames_of_clients()[::9]]


def payloads() -> list[bytes]:
    """Return data that are compressed, or nearly."""
    texts = (
        b"",
        b"Hello",
        b"a" * 200,
        "κόσμε".encode() * 9,
        b"\xed\xa0\x80",
        bytes(range(256)),
        b"a" * 50_000,
    )
    return [b"".join(compressed("client", each, each)) for each in texts] + [
        b"\x03\0",
        b"\0\0\0\xff\xff",
        b"\xff" * 9,
    ]


def programs() -> list[bytes]:
    """Return programs of calls: a WebSocket with messages both ways, and requests (`fuzz.talk`)."""
    opened = bytes((7, 1, 1, 6, 0, 0))
    return [
        opened + bytes((17, 9, 16, 200, 1, 0, 19, 40, 18, 3, 1, 0, 29, 0, 1)),
        opened + bytes((5, 1, 18, 90, 16, 250, 0, 0, 5, 0, 18, 30, 0, 29, 1, 0)),
        opened + bytes((25, 3, 24, 2, 13, 30, 12, 33, 1, 0, 28, 1, 0)),
        bytes((21, 1, 20, 0, 0, 21, 23, 5, 20, 1, 22, 9, 0, 25, 2)),
        bytes((13, 1, 13, 16, 13, 17, 1, 12, 8, 12, 15, 12, 17, 0)),
    ]


def web() -> list[bytes]:
    """Return queries, cookies and targets."""
    return [
        *(b"a=b&c=%20+d&&e", b"%zz=%ff&=&==", b'a=b; c="d" ;e;=f', b"__Host-a=b"),
        *(b"/a/%2e%2e//?b?c", b"http://a:1/b?c", b"*", b"a:443", b"http://?x"),
    ]


def routes() -> list[bytes]:
    """Return routing tables with a path in the last line."""
    table = b"/a/b\n/a/:x\n/a/*\n/a/**\n/:y/b\n/**\n/"
    paths = (b"/a/b", b"/a/c", b"/a//", b"/x/b/c", b"/%61/b", b"", b"/%ff", b"/a/%2F")
    return [table + b"\n" + path for path in paths]
