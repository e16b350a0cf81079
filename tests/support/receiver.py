# pyright: reportArgumentType=false, reportOperatorIssue=false, reportUnusedExpression=false
# pyright: reportOptionalSubscript=false, reportIncompatibleMethodOverride=false, reportReturnType=false
"""A subscriber's HTTPS address: it takes deliveries, answers challenges, and misbehaves where a test wants it to."""

import http.server
import ipaddress
import json
import ssl
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


Answering = Callable[[http.server.BaseHTTPRequestHandler, Received], None]


def acknowledging(handler: http.server.BaseHTTPRequestHandler, received: Received) -> None:
    """Answer 200; a challenge with its text."""
    body = b"{}"
    if "challenge" in received.json:
        body = json.dumps({"challenge": received.json["challenge"]}).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def answering(status: int, **headers: str) -> Answering:
    """Answer this to deliveries; challenges are answered rightly."""

    def answer(handler: http.server.BaseHTTPRequestHandler, received: Received) -> None:
        if "challenge" in received.json:
            acknowledging(handler, received)
            return
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@dataclass
class Receiver:
    """What has arrived, and how the next is answered."""

    port: int
    ca_file: Path
    answer: Answering = acknowledging
    received: list[Received] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.port}/hook"

    @property
    def deliveries(self) -> list[Received]:
        return [one for one in self.received if "challenge" not in one.json]

    @property
    def changes(self) -> list[dict[str, Any]]:
        """Of deliveries as a receiver keeps them: each number once."""
        seen: dict[str, list[dict[str, Any]]] = {}
        for one in self.deliveries:
            seen.setdefault(one.headers["Hub-Delivery"], one.json["changes"])
        return [change for changes in seen.values() for change in changes]

    def wait(self, count: int, seconds: float = 30.0) -> list[Received]:
        """Wait for so many deliveries."""
        deadline = time.monotonic() + seconds
        while len(self.deliveries) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(self.deliveries) >= count, f"{len(self.deliveries)} of {count}"
        return self.deliveries


@contextmanager
def receiving(folder: Path) -> Generator[Receiver]:
    """A receiver on 127.0.0.1, with a certificate of its own authority."""
    ca_file, chain_file = make_certificates(folder)
    receiver: list[Receiver] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received = Received(self.path, dict(self.headers.items()), body)
            receiver[0].received.append(received)
            receiver[0].answer(self, received)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is named there
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain_file)
    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        receiver.append(Receiver(server.server_address[1], ca_file))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield receiver[0]
        finally:
            server.shutdown()
            thread.join(10)


def make_certificates(folder: Path, host: str = "127.0.0.1") -> tuple[Path, Path]:
    """The authority's certificate, and key and certificate of an address."""
    now = datetime.now(UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])

    def built(subject: x509.Name, public: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )

    identifier = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    ca = (
        built(ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(usage, critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    leaf = (
        built(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), key.public_key())
        .add_extension(names, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    ca_file, chain_file = folder / "ca.pem", folder / "chain.pem"
    ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain_file.write_bytes(private + leaf.public_bytes(serialization.Encoding.PEM))
    return ca_file, chain_file
