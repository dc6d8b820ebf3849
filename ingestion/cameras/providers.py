"""Who plays a camera. Everything goes through the centre: pages know no other address, and every piece is counted.

``demo`` is the drawn river. ``gateway`` is an HLS gateway of the video network (MediaMTX for RTSP, ZLMediaKit behind
WVP for GB/T 28181), named by ``CHUXIONG_VIDEO_GATEWAY``; its pieces are passed on under their own names.
"""

from __future__ import annotations

import re
from typing import Protocol
from urllib.error import URLError
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import Request, urlopen

from django.conf import settings

from ingestion.cameras import demo_stream
from ingestion.cameras.policy import policy

#: names of pieces as pages may ask for them
PIECE = re.compile(r"^[A-Za-z0-9_-]{1,80}\.(?:m4s|mp4|ts)$")
_URI = re.compile(r'URI="([^"]+)"')


class NoSignal(Exception):
    """The provider gives no picture; ``zh`` and ``en`` say why."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(zh)
        self.zh, self.en = zh, en


class StreamProvider(Protocol):
    """What plays a camera. ``code`` is its GB/T 28181 number, ``at`` seconds since 1970."""

    def codecs(self, code: str) -> str:
        """RFC 6381 names for the playlist of variants; may be empty."""

    def playlist(self, code: str, at: float) -> str:
        """The media playlist, its pieces named plainly (``PIECE``). Raises ``NoSignal``."""

    def piece(self, code: str, name: str, at: float) -> bytes | None:
        """One piece; None when it is not there (any more). Raises ``NoSignal``."""


class Demo:
    def codecs(self, code: str) -> str:
        return demo_stream.clip().codec

    def playlist(self, code: str, at: float) -> str:
        return demo_stream.playlist(at)

    def piece(self, code: str, name: str, at: float) -> bytes | None:
        return demo_stream.piece(name, at)


class Gateway:
    """Passes an HLS gateway on. ``address`` is fixed by the operator; a playlist cannot lead elsewhere."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    def codecs(self, code: str) -> str:
        return ""

    def playlist(self, code: str, at: float) -> str:
        where = self._at(code)
        text = self._get(where).decode("utf-8", "replace")
        if "#EXT-X-STREAM-INF" in text:
            inner = [line for line in text.splitlines() if line and not line.startswith("#")]
            if not inner:
                raise self._silent()
            text = self._get(self._inside(where, inner[0])).decode("utf-8", "replace")
        if not text.startswith("#EXTM3U"):
            raise self._silent()
        lines = []
        for line in text.splitlines():
            if line.startswith(("#EXT-X-PART", "#EXT-X-PRELOAD", "#EXT-X-SERVER-CONTROL", "#EXT-X-SKIP")):
                continue  # low-latency parts: pages ask for whole segments
            if line.startswith("#"):
                lines.append(_URI.sub(lambda found: f'URI="{_plain(found[1])}"', line))
            elif line.strip():
                lines.append(_plain(line))
        return "\n".join(lines) + "\n"

    def piece(self, code: str, name: str, at: float) -> bytes | None:
        return self._get(self._inside(self._at(code), name))

    def _at(self, code: str) -> str:
        if not self.address:
            raise NoSignal("没有配置视频网关（CHUXIONG_VIDEO_GATEWAY）", "no video gateway is configured")
        return self.address + policy().gateway_path.value.replace("{code}", quote(code, safe=""))

    def _inside(self, base: str, name: str) -> str:
        address = urljoin(base, name)
        if urlsplit(address)[:2] != urlsplit(self.address)[:2]:
            raise self._silent()
        return address

    def _get(self, address: str) -> bytes:
        most = policy().gateway_bytes.value
        try:
            with urlopen(Request(address), timeout=policy().gateway_seconds.value) as answer:  # noqa: S310
                body = bytes(answer.read(most + 1))
        except (URLError, OSError, ValueError) as error:
            raise self._silent() from error
        if len(body) > most:
            raise self._silent()
        return body

    def _silent(self) -> NoSignal:
        return NoSignal("视频网关没有给出画面", "the video gateway gives no picture")


def _plain(address: str) -> str:
    """The last part of an address, without a query: the name under which a page asks for it."""
    name = urlsplit(address).path.rsplit("/", 1)[-1]
    if not PIECE.match(name):
        raise NoSignal("视频网关的播放列表不可用", "the gateway's playlist cannot be used")
    return name


def provider(name: str) -> StreamProvider:
    """By the name in the register; raises ``NoSignal`` for one that nobody plays."""
    if name == "demo":
        return Demo()
    if name == "gateway":
        return Gateway(settings.VIDEO_GATEWAY)
    raise NoSignal(f"没有名为 {name} 的视频来源", f"no video provider {name}")
