"""A head: request line, target, version, field lines, Host, empty lines (RFC 9112 §2 to §5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ambiguous.case import BAD_FIELD, BARE_LF, FOLDED, GET, NEXT, POSTED, Case, Read, Refused, bad, good, head

LINE: Final = Refused(400, "malformed request line", "RFC 9112 §3")
TARGET: Final = Refused(400, "malformed request target", "RFC 9112 §3.2")
FRAGMENT: Final = Refused(400, "fragment in the request target", "RFC 9112 §3.2")
VERSION: Final = Refused(505, "neither HTTP/1.1 nor HTTP/1.0", "RFC 9110 §15.6.6")
NO_HOST: Final = Refused(400, "no Host field", "RFC 9112 §3.2")
TWO_HOSTS: Final = Refused(400, "more than one Host field", "RFC 9112 §3.2")
HOST: Final = Refused(400, "malformed Host field", "RFC 9112 §3.2")
EMPTY_LINES: Final = Refused(400, "too many empty lines before a start line", "RFC 9112 §2.2")


def start(line: bytes) -> bytes:
    """Make a request with this request line."""
    return head(start=line)


def to(target: bytes, method: bytes = b"GET") -> bytes:
    """Make a request for this target."""
    return head(start=method + b" " + target + b" HTTP/1.1")


def at(host: bytes) -> bytes:
    """Make a request with this Host."""
    return head(host=host)


FIELDS: Final[Mapping[str, Case]] = {
    "every character of a token in a name": good(head(b"!#$%&'*+-.^_`|~09AZaz: y"), POSTED),
    "an empty value": good(head(b"X:"), POSTED),
    "a value of whitespace": good(head(b"X: \t "), POSTED),
    "a value of 8-bit characters": good(head(b"X: \x80\xff"), POSTED),
    "a value of every visible character": good(head(b"X: " + bytes(range(0x21, 0x7F))), POSTED),
    "a value with a tab inside": good(head(b"X: a\tb"), POSTED),
    "a value with colons": good(head(b"X: a: b"), POSTED),
    "a field many times": good(head(*[b"X: y"] * 50), POSTED),
    "a field twice that has one value": good(head(b"Content-Type: a/b", b"Content-Type: c/d"), POSTED),
    "space before the colon": bad(BAD_FIELD, head(b"X : y")),
    "tab before the colon": bad(BAD_FIELD, head(b"X\t: y")),
    "CR before the colon": bad(BAD_FIELD, head(b"X\r: y")),
    "no colon": bad(BAD_FIELD, head(b"X")),
    "an empty name": bad(BAD_FIELD, head(b": y")),
    "a name with a space": bad(BAD_FIELD, head(b"X Y: z")),
    "a name with a quote": bad(BAD_FIELD, head(b'"X": y')),
    "a name with brackets": bad(BAD_FIELD, head(b"X[0]: y")),
    "a name with a NUL": bad(BAD_FIELD, head(b"X\x00: y")),
    "a name with DEL": bad(BAD_FIELD, head(b"X\x7f: y")),
    "a name with 8-bit characters": bad(BAD_FIELD, head(b"X\xe9: y")),
    "a name with the Kelvin sign": bad(BAD_FIELD, head("X\u212a: y".encode())),
    "a value with a NUL": bad(BAD_FIELD, head(b"X: y\x00z")),
    "a value with a bell": bad(BAD_FIELD, head(b"X: \x07")),
    "a value with an escape": bad(BAD_FIELD, head(b"X: \x1b[0m")),
    "a value with DEL": bad(BAD_FIELD, head(b"X: \x7f")),
    "a value with a vertical tab": bad(BAD_FIELD, head(b"X: y\x0bz")),
    "a value with a bare CR": bad(BAD_FIELD, head(b"X: y\rZ: z")),
    "a value that ends with CR": bad(BAD_FIELD, head(b"X: y\r")),
    "a value with a bare LF": bad(BARE_LF, head(b"X: y\nZ: z")),
    "LF CR between fields": bad(BARE_LF, head(b"X: y\n\rZ: z")),
    "a first field that begins with a space": bad(FOLDED, head(b" X: y", host=None)),
    "a first field that begins with a tab": bad(FOLDED, head(b"\tX: y", host=None)),
    "a value that is folded": bad(FOLDED, head(b"X: y", b" z")),
    "a value that is folded with a tab": bad(FOLDED, head(b"X: y", b"\tz")),
    "a fold of nothing": bad(FOLDED, head(b"X: y", b" ")),
    "a bare LF for the empty line": bad(BARE_LF, head()[:-2] + b"\n"),
    "bare LFs all over": bad(BARE_LF, head().replace(b"\r\n", b"\n")),
    "a bare CR for the empty line": bad(BAD_FIELD, head()[:-2] + b"\r"),
    "CR and a letter for the empty line": bad(BAD_FIELD, head()[:-2] + b"\rX"),
    "CR and a letter for the empty line, CRLF behind them": bad(BAD_FIELD, head()[:-2] + b"\rX\r\n"),
    "bare CRs all over": bad(LINE, head().replace(b"\r\n", b"\r")),
}

LINES: Final[Mapping[str, Case]] = {
    "a method of one's own": good(
        start(b"!#$%&'*+-.^_`|~09AZaz / HTTP/1.1"), Read(b"!#$%&'*+-.^_`|~09AZaz", b"/")
    ),
    "methods have case": good(start(b"get / HTTP/1.1"), Read(b"get", b"/")),
    "HTTP/1.0": good(head(start=b"GET / HTTP/1.0"), Read(b"GET", b"/"), is_last=True),
    "no method": bad(LINE, start(b" / HTTP/1.1")),
    "no target": bad(LINE, start(b"GET HTTP/1.1")),
    "an empty target": bad(LINE, start(b"GET  HTTP/1.1")),
    "no version, as in HTTP/0.9": bad(LINE, start(b"GET /")),
    "nothing but a version": bad(LINE, start(b"HTTP/1.1")),
    "a response": bad(LINE, start(b"HTTP/1.1 200 OK")),
    "two spaces behind the method": bad(LINE, start(b"GET  / HTTP/1.1")),
    "two spaces before the version": bad(LINE, start(b"GET /  HTTP/1.1")),
    "a space before the method": bad(LINE, start(b" GET / HTTP/1.1")),
    "a space behind the version": bad(LINE, start(b"GET / HTTP/1.1 ")),
    "a tab behind the method": bad(LINE, start(b"GET\t/ HTTP/1.1")),
    "a tab before the version": bad(LINE, start(b"GET /\tHTTP/1.1")),
    "a vertical tab for a space": bad(LINE, start(b"GET\x0b/ HTTP/1.1")),
    "a no-break space for a space": bad(LINE, start(b"GET\xa0/ HTTP/1.1")),
    "a bare CR for a space": bad(LINE, start(b"GET\r/ HTTP/1.1")),
    "CR CR LF": bad(LINE, start(b"GET / HTTP/1.1\r")),
    "a method with a NUL": bad(LINE, start(b"G\x00ET / HTTP/1.1")),
    "a method with brackets": bad(LINE, start(b"G(E)T / HTTP/1.1")),
    "a method with 8-bit characters": bad(LINE, start(b"G\xc9T / HTTP/1.1")),
    "a word behind the version": bad(LINE, start(b"GET / HTTP/1.1 x")),
    "a NUL before the method": bad(LINE, b"\x00" + start(b"GET / HTTP/1.1")),
    "control bytes before the method": bad(LINE, b"\x01\x02\x1f\x7f" + start(b"GET / HTTP/1.1")),
    "a line of control bytes before the request": bad(LINE, b"\x01\x1f\r\n" + start(b"GET / HTTP/1.1")),
    "a byte order mark before the method": bad(LINE, b"\xef\xbb\xbf" + start(b"GET / HTTP/1.1")),
    "TLS": bad(LINE, b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03\r\n\r\n"),
    "a PROXY line": bad(LINE, b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n" + GET),
}

VERSIONS: Final[Mapping[str, Case]] = {
    "HTTP/1.2": bad(VERSION, start(b"GET / HTTP/1.2")),
    "HTTP/1.9": bad(VERSION, start(b"GET / HTTP/1.9")),
    "HTTP/0.9": bad(VERSION, start(b"GET / HTTP/0.9")),
    "HTTP/2.0": bad(VERSION, start(b"GET / HTTP/2.0")),
    "HTTP/3.0": bad(VERSION, start(b"GET / HTTP/3.0")),
    "HTTP/9.9": bad(VERSION, start(b"GET / HTTP/9.9")),
    "the preface of HTTP/2": bad(VERSION, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/2": bad(LINE, start(b"GET / HTTP/2")),
    "HTTP/1": bad(LINE, start(b"GET / HTTP/1")),
    "HTTP/1.": bad(LINE, start(b"GET / HTTP/1.")),
    "HTTP/.1": bad(LINE, start(b"GET / HTTP/.1")),
    "HTTP/11": bad(LINE, start(b"GET / HTTP/11")),
    "HTTP/1.10": bad(LINE, start(b"GET / HTTP/1.10")),
    "HTTP/1.01": bad(LINE, start(b"GET / HTTP/1.01")),
    "HTTP/01.1": bad(LINE, start(b"GET / HTTP/01.1")),
    "HTTP/+1.1": bad(LINE, start(b"GET / HTTP/+1.1")),
    "HTTP/1,1": bad(LINE, start(b"GET / HTTP/1,1")),
    "HTTP /1.1": bad(LINE, start(b"GET / HTTP /1.1")),
    "HTTP/ 1.1": bad(LINE, start(b"GET / HTTP/ 1.1")),
    "http/1.1": bad(LINE, start(b"GET / http/1.1")),
    "Http/1.1": bad(LINE, start(b"GET / Http/1.1")),
    "HTTPS/1.1": bad(LINE, start(b"GET / HTTPS/1.1")),
    "HTTP/1.1 in fullwidth digits": bad(LINE, start("GET / HTTP/１.１".encode())),
    "ICE/1.0": bad(LINE, start(b"GET / ICE/1.0")),
}

TARGETS: Final[Mapping[str, Case]] = {
    "a path that looks like an authority": good(to(b"//b/c"), Read(b"GET", b"//b/c")),
    "a path with every visible character but one": good(
        to(b"/!\"$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~"),
        Read(b"GET", b"/!\"$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~"),
    ),
    "dot segments": good(to(b"/a/../b"), Read(b"GET", b"/a/../b")),
    "an absolute target": good(to(b"http://b/c?d"), Read(b"GET", b"http://b/c?d")),
    "an absolute target without a path": good(to(b"HTTPS://b"), Read(b"GET", b"HTTPS://b")),
    "the whole server": good(to(b"*", b"OPTIONS"), Read(b"OPTIONS", b"*")),
    "a target with a fragment": bad(FRAGMENT, to(b"/a#b")),
    "an empty fragment": bad(FRAGMENT, to(b"/#")),
    "an absolute target with a fragment": bad(FRAGMENT, to(b"http://b/#c")),
    "a target with a space": bad(LINE, to(b"/a b")),
    "a target with a NUL": bad(LINE, to(b"/\x00")),
    "a target with a control byte": bad(LINE, to(b"/\x1f")),
    "a target with DEL": bad(LINE, to(b"/\x7f")),
    "a target with a tab": bad(LINE, to(b"/\t")),
    "a target with 8-bit characters": bad(LINE, to("/é".encode())),
    "a target with a bare CR": bad(LINE, to(b"/\rX: y")),
    "a target with a bare LF": bad(BARE_LF, to(b"/\nX: y")),
    "the whole server, by GET": bad(TARGET, to(b"*")),
    "a path without a slash": bad(TARGET, to(b"a/b")),
    "a query alone": bad(TARGET, to(b"?a")),
    "an authority, by GET": bad(TARGET, to(b"a:80")),
    "a path without a slash, by OPTIONS": bad(TARGET, to(b"a", b"OPTIONS")),
    "an absolute target of another scheme": bad(TARGET, to(b"file:///etc/passwd")),
    "an absolute target without a host": bad(TARGET, to(b"http:///a")),
    "an absolute target with a port alone": bad(TARGET, to(b"http://:80/")),
    "an absolute target with user information": bad(TARGET, to(b"http://u:p@b/")),
    "an absolute target with a broken address": bad(TARGET, to(b"http://[::1/")),
    "an absolute target with one slash": bad(TARGET, to(b"http:/b")),
    "CONNECT for a path": bad(TARGET, to(b"/", b"CONNECT")),
    "CONNECT without a port": bad(TARGET, to(b"b", b"CONNECT")),
    "CONNECT with an empty port": bad(TARGET, to(b"b:", b"CONNECT")),
    "CONNECT with user information": bad(TARGET, to(b"u@b:80", b"CONNECT")),
}

HOSTS: Final[Mapping[str, Case]] = {
    "a host with a port": good(at(b"example.org:8000"), POSTED),
    "an empty host": good(at(b""), POSTED),
    "a host with an empty port": good(at(b"a:"), POSTED),
    "an IPv6 address": good(at(b"[::1]:80"), POSTED),
    "a host with an escape": good(at(b"%61"), POSTED),
    "no host in HTTP/1.0": good(head(start=b"POST / HTTP/1.0", host=None), POSTED, is_last=True),
    "no host": bad(NO_HOST, head(host=None)),
    "no host, for an absolute target": bad(NO_HOST, head(start=b"GET http://a/ HTTP/1.1", host=None)),
    "two hosts": bad(TWO_HOSTS, head(b"Host: b")),
    "two equal hosts": bad(TWO_HOSTS, head(b"host: a")),
    "two hosts in HTTP/1.0": bad(TWO_HOSTS, head(b"Host: b", start=b"POST / HTTP/1.0")),
    "a list of hosts": good(at(b"a,b"), POSTED),  # a comma may be in a name (RFC 3986 §3.2.2)
    "a host with user information": bad(HOST, at(b"u@a")),
    "a host with a path": bad(HOST, at(b"a/abc?x=")),
    "a host with a query": bad(HOST, at(b"a?b")),
    "a host with a fragment": bad(HOST, at(b"a#b")),
    "a host with a space": bad(HOST, at(b"a b")),
    "a host with a scheme": bad(HOST, at(b"http://a")),
    "a host with a word for a port": bad(HOST, at(b"a:b")),
    "a host with two ports": bad(HOST, at(b"a:80:80")),
    "a host with a signed port": bad(HOST, at(b"a:+80")),
    "a host with a long port": bad(HOST, at(b"a:000080")),
    "a host with a backslash": bad(HOST, at(b"a\\b")),
    "a host with 8-bit characters": bad(HOST, at("é".encode())),
    "an IPv6 address without brackets": bad(HOST, at(b"::1")),
    "an IPv6 address without its end": bad(HOST, at(b"[::1")),
    "an IPv6 address that is none": bad(HOST, at(b"[1:2]")),
    "a host with a NUL": bad(BAD_FIELD, at(b"a\x00")),
    "a host that is folded": bad(FOLDED, head(b"Host:\r\n a", host=None)),
    "a host with a space before its colon": bad(BAD_FIELD, head(b"Host : a", host=None)),
}

EMPTY: Final[Mapping[str, Case]] = {
    "an empty line before a request": good(b"\r\n" + head(), POSTED),
    "four empty lines before a request": good(b"\r\n" * 4 + head(), POSTED),
    "four empty lines before each of two": good((b"\r\n" * 4 + head()) * 2, POSTED, POSTED),
    "five empty lines before a request": bad(EMPTY_LINES, b"\r\n" * 5 + head()),
    "a bare LF before a request": bad(BARE_LF, b"\n" + head()),
    "a bare CR before a request": bad(LINE, b"\r" + head()),
    "a space on the empty line": bad(LINE, b" \r\n" + head()),
    "an empty line behind a content": good(head(b"Content-Length: 1") + b"a\r\n", Read(b"POST", b"/", b"a")),
    "a NUL behind a content": bad(LINE, head(b"Content-Length: 1") + b"a\x00", Read(b"POST", b"/", b"a")),
}

PIPELINES: Final[Mapping[str, Case]] = {
    "two requests": good(GET + head(), NEXT, POSTED),
    "a content between two requests": good(
        GET + head(b"Content-Length: 3") + b"abc" + GET, NEXT, Read(b"POST", b"/", b"abc"), NEXT
    ),
    "a request behind the last": good(head(b"Connection: close") + GET, POSTED, is_last=True),
    "a request behind the last, by an option among others": good(
        head(b"Connection: x, CLOSE ,y", b"Connection: keep-alive") + GET, POSTED, is_last=True
    ),
    "a request behind one of HTTP/1.0": good(
        head(b"Connection: keep-alive", start=b"POST / HTTP/1.0") + GET, POSTED, is_last=True
    ),
    "a fault behind a request": bad(BAD_FIELD, GET + head(b"X : y"), NEXT),
    "a fault between requests": bad(NO_HOST, GET + head(host=None) + GET, NEXT),
    "another protocol is offered": good(
        head(b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings"), POSTED
    ),
    "an expectation beside content": good(
        head(b"Expect: 100-continue", b"Content-Length: 3") + b"abc", Read(b"POST", b"/", b"abc")
    ),
    "an unknown expectation": good(head(b"Expect: 200-maybe"), POSTED),
}
