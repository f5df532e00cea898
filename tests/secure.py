"""Certificates that are trusted nowhere else, and a TLS client without a socket."""

from __future__ import annotations

import ssl
from functools import cache
from typing import Final

import trustme

TLS12: Final = ssl.TLSVersion.TLSv1_2
TLS13: Final = ssl.TLSVersion.TLSv1_3
VERSIONS: Final = (TLS12, TLS13)


@cache
def authority() -> trustme.CA:
    """The one authority of this run of the tests."""
    return trustme.CA()


def server_context(version: ssl.TLSVersion = TLS13, *, asks_for_certificate: bool = False) -> ssl.SSLContext:
    """Make a server's context for ``localhost``, of this version and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    certify(context, certificate())
    if asks_for_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        trust(context)
    return context


@cache
def certificate() -> trustme.LeafCert:
    """The server's certificate."""
    return authority().issue_cert("localhost")


def client_context(*, has_certificate: bool = False, trusts: bool = True) -> ssl.SSLContext:
    """Make a client's context, which trusts our authority or nobody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if trusts:
        trust(context)
    if has_certificate:
        certify(context, authority().issue_cert("client@localhost"))
    return context


# pyOpenSSL's contexts, which trustme takes too and which are not installed here, have no type.


def certify(context: ssl.SSLContext, certificate: trustme.LeafCert) -> None:
    """Let a context show this certificate."""
    certificate.configure_cert(context)  # pyright: ignore[reportUnknownMemberType] - see above


def trust(context: ssl.SSLContext) -> None:
    """Let a context trust our authority."""
    authority().configure_trust(context)  # pyright: ignore[reportUnknownMemberType] - see above


class SecureClient:
    """A TLS client over two buffers in memory."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = context or client_context()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self.is_connected = False
        self.received = b""
        """The plaintext that has come."""
        self.has_end = False
        """True when the server has said close_notify."""
        self.error: ssl.SSLError | None = None
        """What the handshake, or reading, has failed with."""
        self._go_on()

    def hear(self, data: bytes) -> None:
        """Take bytes from the network."""
        self._incoming.write(data)
        self._go_on()

    def say(self) -> bytes:
        """Return the bytes that are to go out to it."""
        return self._outgoing.read()

    def write(self, data: bytes) -> bytes:
        """Encrypt this, and return all that is to go out."""
        assert self._object.write(data) == len(data)
        return self.say()

    def end(self) -> bytes:
        """Say close_notify, and return all that is to go out."""
        try:
            self._object.unwrap()
        except ssl.SSLWantReadError:
            pass
        return self.say()

    def _go_on(self) -> None:
        try:
            if not self.is_connected:
                self._object.do_handshake()
                self.is_connected = True
            while not self.has_end:
                data = self._object.read(65536)
                self.received += data
                self.has_end = not data
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.has_end = True
        except ssl.SSLError as error:
            self.error = error
