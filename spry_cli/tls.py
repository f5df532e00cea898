"""The TLS context that the command makes of files: TLS 1.2 and newer, HTTP/1.1 by ALPN (RFC 7301), no renegotiation."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from spry_cli.errors import CommandError
from spry_cli.options import (
    SSL_CA_CERTS,
    SSL_CERT_REQS,
    SSL_CERTFILE,
    SSL_KEYFILE,
    SSL_KEYFILE_PASSWORD,
    CertReqs,
    Option,
)
from spry_cli.sources import Values

MODES: Final[Mapping[CertReqs, ssl.VerifyMode]] = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}


def make_context(values: Values) -> ssl.SSLContext | None:
    """Make the context, or None if there is no certificate.

    Raises:
        CommandError: A file is missing or is not what it should be, or one says nothing without another.
    """
    if values[SSL_CERTFILE] is None:
        for option in (SSL_KEYFILE, SSL_KEYFILE_PASSWORD, SSL_CA_CERTS, SSL_CERT_REQS):
            refuse_alone(values, option, SSL_CERTFILE)
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    load_chain(context, values)
    ask_for_certificates(context, values)
    return context


def refuse_alone(values: Values, option: Option[object], other: Option[object]) -> None:
    """Refuse an option that was set where the other one is missing."""
    if values[option] != option.default:
        raise needs(values, option, other)


def needs(values: Values, option: Option[object], other: Option[object]) -> CommandError:
    """Make the error of an option that was set where the other one is missing."""
    return CommandError(f"{values.find(option).label}: says nothing without {other.flag}")


def load_chain(context: ssl.SSLContext, values: Values) -> None:
    """Load certificate and key."""
    certificate = readable(values, SSL_CERTFILE)
    key = readable(values, SSL_KEYFILE)
    password = values[SSL_KEYFILE_PASSWORD]
    asked: list[str] = []

    def give_password() -> str:
        """Without this OpenSSL would ask at the terminal."""
        asked.append("asked")
        return password or ""

    try:
        context.load_cert_chain(certificate or "", key, give_password)
    except (OSError, ValueError):  # ValueError: the password is longer than OpenSSL takes
        wrong = "does not open the key" if password else "is needed for the key"
        if asked:
            raise CommandError(f"{values.find(SSL_KEYFILE_PASSWORD).label}: {wrong}") from None
        label = values.find(SSL_KEYFILE if key else SSL_CERTFILE).label
        raise CommandError(f"{label}: no certificate chain in PEM, or not that of the key") from None


def ask_for_certificates(context: ssl.SSLContext, values: Values) -> None:
    """Ask clients for certificates, if that is wanted."""
    mode = values[SSL_CERT_REQS]
    authorities = readable(values, SSL_CA_CERTS)
    if mode == "none":
        refuse_alone(values, SSL_CA_CERTS, SSL_CERT_REQS)
        return
    if authorities is None:
        raise needs(values, SSL_CERT_REQS, SSL_CA_CERTS)
    context.verify_mode = MODES[mode]
    try:
        context.load_verify_locations(authorities)
    except OSError:
        raise CommandError(f"{values.find(SSL_CA_CERTS).label}: no certificates in PEM") from None


def readable(values: Values, option: Option[str | None]) -> str | None:
    """Return the path of a file that can be read; `ssl` does not say which of two files it misses."""
    found = values.find(option)
    if found.value is None:
        return None
    try:
        with Path(found.value).open("rb"):
            return found.value
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise CommandError(f"{found.label}: {found.value!r}: {reason.lower()}") from None
