"""Changing inputs without knowing what they do: for the sample of the tests, and where Atheris has no build."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

TOKENS: Final[Sequence[bytes]] = (
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b"\0",
        b" ",
        b"\t",
        b":",
        b",",
        b";",
        b"=",
        b'"',
        b"\\",
        b"%00",
        b"\xff",
    ),
    *(
        b"GET ",
        b"HEAD ",
        b"POST ",
        b"OPTIONS * ",
        b"CONNECT a:1 ",
        b"http://a/",
        b"/",
        b"?",
        b"#",
        b"HTTP/1.1",
        b"HTTP/1.0",
    ),
    *(b"Host: a\r\n", b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(
        b"Connection: close\r\n",
        b"Connection: keep-alive\r\n",
        b"Expect: 100-continue\r\n",
        b"Trailer: a\r\n",
    ),
    *(b"0\r\n\r\n", b"3\r\nabc\r\n", b"1;a=b\r\n", b"ffffffff", b"+1", b"0x1", b"1_0", b"\xd9\xa3", b"3, 3"),
    *(
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 \r\n",
        b"HTTP/1.1 101 \r\n",
        b"HTTP/1.1 204 \r\n",
        b"HTTP/1.1 304 \r\n",
    ),
    *(b"Upgrade: websocket\r\n", b"Connection: Upgrade\r\n", b"Sec-WebSocket-Version: 13\r\n"),
    *(b"Sec-WebSocket-Protocol: chat\r\n", b"Sec-WebSocket-Extensions: permessage-deflate\r\n"),
    *(b"permessage-deflate", b"server_no_context_takeover", b"client_no_context_takeover"),
    *(b"server_max_window_bits=8", b"client_max_window_bits=15", b"client_max_window_bits"),
    *(
        b"\x81\x80\0\0\0\0",
        b"\x01\x81\0\0\0\0a",
        b"\x80\x80\0\0\0\0",
        b"\x00\x81\0\0\0\0b",
        b"\x89\x80\0\0\0\0",
        b"\x8a\x80\0\0\0\0",
    ),
    *(
        b"\xc1\x83\0\0\0\0\x4a\x04\0",
        b"\x88\x82\0\0\0\0\x03\xe8",
        b"\x88\x80\0\0\0\0",
        b"\x82\xfe\0\x7e",
        b"\x82\xff",
    ),
    *(
        b"\x81\x00",
        b"\x01\x01a",
        b"\x80\x00",
        b"\x00\x01b",
        b"\x89\x00",
        b"\x8a\x00",
        b"\xc1\x03\x4a\x04\0",
        b"\x88\x02\x03\xe8",
    ),
    *(
        b"\xed\xa0\x80",
        b"\xf0\x9f\x98\x80",
        b"\xc0\xaf",
        b"\xe2\x82",
        b"\0\0\xff\xff",
        b"\x03\0",
        b"\x01\0\0\xff\xff",
    ),
)
"""Words of the grammars, which chance would hardly write."""

_EDGES: Final = (0, 1, 0x0D, 0x0A, 0x20, 0x7D, 0x7E, 0x7F, 0x80, 0xFE, 0xFF)


def mutate(seeds: Sequence[bytes], random: Random) -> bytes:
    """Change one of the seeds in a few places, now and then behind another one."""
    data = bytearray(random.choice(seeds))
    chance = random.random()
    if chance < 0.2:
        other = random.choice(seeds)
        data[random.randint(0, len(data)) :] = other[random.randint(0, len(other)) :]
    elif chance < 0.4:
        data += random.choice(seeds)
    for _ in range(random.choice((0, 1, 1, 1, 2, 3, 8))):
        _change(data, random)
    return bytes(data)


def _change(data: bytearray, random: Random) -> None:
    place = random.randint(0, len(data))
    size = random.choice((1, 1, 2, 4, 16))
    match random.randrange(7):
        case 0 if place < len(data):
            data[place] ^= 1 << random.randrange(8)
        case 1 if place < len(data):
            data[place] = random.choice(_EDGES)
        case 2:
            del data[place : place + size]
        case 3:
            data[place:place] = data[place : place + size] * random.choice((1, 2, 50))
        case 4:
            data[place:place] = random.randbytes(size)
        case 5:
            token = random.choice(TOKENS)
            data[place : place + random.choice((0, len(token)))] = token
        case _:
            start = random.randint(0, len(data))
            data[place:place] = data[start : start + size]


def shrink(data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """Return less of `data` that still fails: leave out what can be left out, big pieces first."""
    size = len(data) // 2
    while size:
        place = 0
        while place < len(data):
            shorter = data[:place] + data[place + size :]
            if fails(shorter):
                data = shorter
            else:
                place += size
        size //= 2
    return data
