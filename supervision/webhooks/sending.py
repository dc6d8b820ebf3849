"""One call: resolved, looked at, connected to that very address, signed, never led elsewhere."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import secrets
import socket
import ssl
import threading
import time
from dataclasses import dataclass

from ingestion.api.signing import sign, string_of_digest
from supervision.webhooks.hosts import Host, Target


@dataclass(frozen=True)
class Sent:
    """What came of a call: the receiver's status, or why there is none (Chinese / English). ``delivered`` with a 2xx alone."""

    status: int | None
    problem: str

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def send(
    body: bytes, *, to: Target, by: Host, key: str, secret: bytes, algorithm: str, code: str, seconds: float
) -> Sent:
    """POST ``body`` (JSON). Raises nothing: whatever goes wrong at the other end is told in ``problem``."""
    connection: _Pinned | None = None
    cut: threading.Timer | None = None
    try:
        address = _address(to, by)
        if address is None:
            return Sent(
                None,
                f"{to.host} 解析到的地址不在清单允许的网段内 / its address is outside the listed networks",
            )
        connection = _Pinned(to, address, by, seconds)
        # Whoever answers byte by byte is cut off too: a worker waits for it.
        cut = threading.Timer(2 * seconds, connection.cut)
        cut.daemon = True
        cut.start()
        # No redirect is followed and no proxy of the environment's is used: ``http.client`` knows neither.
        connection.request("POST", to.path, body, _headers(body, to.path, key, secret, algorithm, code))
        answer = connection.getresponse()
        status = answer.status
    except ssl.SSLCertVerificationError:
        return Sent(None, "对方证书未通过验证 / its certificate does not verify")
    except (OSError, http.client.HTTPException) as error:
        return Sent(None, f"连接不上（{type(error).__name__}） / cannot connect ({type(error).__name__})")
    finally:
        if cut is not None:
            cut.cancel()
        if connection is not None:
            connection.close()
    if 200 <= status < 300:
        return Sent(status, "")
    if 300 <= status < 400:
        return Sent(status, "要求转到别处，未跟随 / redirected elsewhere, not followed")
    return Sent(status, f"返回 {status} / answered {status}")


def _headers(body: bytes, path: str, key: str, secret: bytes, algorithm: str, code: str) -> dict[str, str]:
    """As agencies sign their own requests, so that one piece of code serves both ways."""
    stamp, nonce = str(int(time.time() * 1000)), secrets.token_hex(12)
    digest = hashlib.sha256(body).hexdigest()
    return {
        "Content-Type": "application/json", "User-Agent": "chuxiong-webhook", "X-Webhook-Id": code, "X-App-Key": key,
        "X-Timestamp": stamp, "X-Nonce": nonce, "X-Content-SHA256": digest, "X-Signature-Alg": algorithm,
        "X-Signature": sign(secret, string_of_digest("POST", path, digest, stamp, nonce), algorithm),
    }  # fmt: skip


def _address(to: Target, by: Host) -> str | None:
    """The first address of the name that may be called; None when one may not, so that no name mixes both kinds."""
    found = [str(a[4][0]) for a in socket.getaddrinfo(to.host, to.port, type=socket.SOCK_STREAM)]
    return found[0] if found and all(by.takes(one) for one in found) else None


class _Pinned(http.client.HTTPConnection):
    """Connects to the address that was looked at; a name that changes its mind in between leads nowhere else."""

    def __init__(self, to: Target, address: str, by: Host, seconds: float) -> None:
        super().__init__(to.host, to.port, timeout=seconds)
        self._pinned, self._to = address, to
        self._tls = (
            ssl.create_default_context(cafile=str(by.ca) if by.ca else None) if to.scheme == "https" else None
        )

    def connect(self) -> None:
        plain = socket.create_connection((self._pinned, self._to.port), self.timeout)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self._to.host) if self._tls else plain

    def cut(self) -> None:
        """End the exchange from another thread."""
        held = self.sock
        if held is not None:
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)
