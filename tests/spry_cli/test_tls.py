from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from secure import SecureClient, authority, certificate, client_context
from spry_cli.errors import CommandError
from spry_cli.options import OPTIONS
from spry_cli.sources import Given, Values
from spry_cli.tls import make_context

PASSWORD = "open, sesame"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a folder with a certificate chain, its key (open, encrypted, both in one file), and the authority's certificate."""
    [chain] = [pem.bytes() for pem in certificate().cert_chain_pems]
    key = certificate().private_key_pem.bytes()
    encrypted = load_pem_private_key(key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode())
    )
    for name, content in (
        ("chain.pem", chain),
        ("key.pem", key),
        ("both.pem", key + chain),
        ("encrypted.pem", encrypted),
        ("authority.pem", authority().cert_pem.bytes()),
        ("junk.pem", b"junk"),
    ):
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(**options: str) -> Values:
    """Return what a command line says that has these options."""
    names = {name.replace("_", "-"): text for name, text in options.items()}
    return Values(OPTIONS, ({name: Given(f"--{name}", text) for name, text in names.items()},))


def handshake(context: ssl.SSLContext, client: ssl.SSLContext) -> tuple[SecureClient, ssl.SSLObject]:
    """Let a client of this context connect to a server of that one, in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    peer = SecureClient(client)
    for _ in range(4):
        to_server.write(peer.say())
        try:
            server.do_handshake()
        except ssl.SSLWantReadError:
            pass
        finally:
            peer.hear(to_client.read())
    return peer, server


def test_without_a_certificate_there_is_no_tls() -> None:
    assert make_context(said()) is None


@pytest.mark.parametrize(
    "options",
    [
        {"ssl_certfile": "chain.pem", "ssl_keyfile": "key.pem"},
        {"ssl_certfile": "both.pem"},
        {"ssl_certfile": "chain.pem", "ssl_keyfile": "encrypted.pem", "ssl_keyfile_password": PASSWORD},
    ],
)
def test_a_client_that_trusts_the_authority_gets_a_connection(options: dict[str, str], files: Path) -> None:
    context = make_context(said(**options))
    assert context is not None
    peer, server = handshake(context, client_context())
    assert (peer.is_connected, peer.error, server.version()) == (True, None, "TLSv1.3")


def test_the_application_protocol_is_http_1_1(files: Path) -> None:
    """RFC 7301 §3.1, §6."""
    context, client = make_context(said(ssl_certfile="both.pem")), client_context()
    assert context is not None
    client.set_alpn_protocols(["h2", "http/1.1"])
    assert handshake(context, client)[1].selected_alpn_protocol() == "http/1.1"


def test_what_is_older_than_tls_1_2_is_not_spoken(files: Path) -> None:
    """RFC 8996 §4, §5."""
    context = make_context(said(ssl_certfile="both.pem"))
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION


@pytest.mark.parametrize(
    ("mode", "has_certificate", "is_refused"),
    [("required", True, False), ("required", False, True), ("optional", False, False), ("optional", True, False)],
)  # fmt: skip
def test_clients_are_asked_for_certificates(
    mode: str, has_certificate: bool, is_refused: bool, files: Path
) -> None:
    context = make_context(said(ssl_certfile="both.pem", ssl_cert_reqs=mode, ssl_ca_certs="authority.pem"))
    assert context is not None
    client = client_context(has_certificate=has_certificate)
    if is_refused:
        with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
            handshake(context, client)
        return
    _, server = handshake(context, client)
    assert (server.getpeercert() is not None) is has_certificate


def test_clients_are_not_asked_for_certificates_unless_that_is_wanted(files: Path) -> None:
    context = make_context(said(ssl_certfile="both.pem"))
    assert context is not None
    assert context.verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"ssl_keyfile": "key.pem"},
            "--ssl-keyfile: says nothing without --ssl-certfile",
        ),
        (
            {"ssl_keyfile_password": "x"},
            "--ssl-keyfile-password: says nothing without --ssl-certfile",
        ),
        (
            {"ssl_ca_certs": "authority.pem"},
            "--ssl-ca-certs: says nothing without --ssl-certfile",
        ),
        (
            {"ssl_cert_reqs": "required"},
            "--ssl-cert-reqs: says nothing without --ssl-certfile",
        ),
        (
            {"ssl_certfile": "both.pem", "ssl_cert_reqs": "required"},
            "--ssl-cert-reqs: says nothing without --ssl-ca-certs",
        ),
        (
            {"ssl_certfile": "both.pem", "ssl_ca_certs": "authority.pem"},
            "--ssl-ca-certs: says nothing without --ssl-cert-reqs",
        ),
        (
            {"ssl_certfile": "none.pem"},
            "--ssl-certfile: 'none.pem': no such file or directory",
        ),
        (
            {"ssl_certfile": "\0"},
            "--ssl-certfile: '\\x00': embedded null byte",
        ),
        (
            {"ssl_certfile": "chain.pem", "ssl_keyfile": "none.pem"},
            "--ssl-keyfile: 'none.pem': no such file or directory",
        ),
        (
            {"ssl_certfile": "chain.pem"},
            "--ssl-certfile: no certificate chain in PEM, or not that of the key",
        ),
        (
            {"ssl_certfile": "junk.pem", "ssl_keyfile": "key.pem"},
            "--ssl-keyfile: no certificate chain in PEM, or not that of the key",
        ),
        (
            {"ssl_certfile": "authority.pem", "ssl_keyfile": "key.pem"},
            "--ssl-keyfile: no certificate chain in PEM, or not that of the key",
        ),
        (
            {"ssl_certfile": "chain.pem", "ssl_keyfile": "encrypted.pem"},
            "--ssl-keyfile-password: is needed for the key",
        ),
        (
            {"ssl_certfile": "chain.pem", "ssl_keyfile": "encrypted.pem", "ssl_keyfile_password": "x" * 2000},
            "--ssl-keyfile-password: does not open the key",
        ),
        (
            {"ssl_certfile": "chain.pem", "ssl_keyfile": "encrypted.pem", "ssl_keyfile_password": "wrong"},
            "--ssl-keyfile-password: does not open the key",
        ),
        (
            {"ssl_certfile": "both.pem", "ssl_cert_reqs": "optional", "ssl_ca_certs": "junk.pem"},
            "--ssl-ca-certs: no certificates in PEM",
        ),
    ],
)
def test_what_cannot_be_used_is_told_with_the_place_and_without_the_password(
    options: dict[str, str], words: str, files: Path
) -> None:
    with pytest.raises(CommandError) as caught:
        make_context(said(**options))
    assert str(caught.value) == words
