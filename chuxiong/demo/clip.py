"""Draws the demo cameras' picture and cuts it into segments: ``python -m chuxiong.demo.clip``.

Run by hand when the picture is to change; what it writes is committed, so nothing at run time needs an encoder.
Needs the packages ``av`` and ``pillow`` beside those of the product, and a Chinese font.

The picture is a function of the time within the loop, so that the last frame leads on to the first.
"""

from __future__ import annotations

import math
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEIGHT, RATE = 640, 360, 15
SEGMENT_SECONDS, SEGMENTS = 2, 5
LABEL = "演示画面"
FOLDER = Path(__file__).parents[2] / "ingestion" / "cameras" / "data" / "demo"


def picture(at: float) -> np.ndarray:
    """One frame (height × width × 3, bytes) at ``at`` of the loop, 0 ≤ at < 1: sky, banks, flowing water."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    frame = np.empty((HEIGHT, WIDTH, 3), np.float32)
    horizon = 110 + 14 * np.sin(x / 90) + 6 * np.sin(x / 37 + 1)
    sky = np.stack([176 - y * 0.15, 199 - y * 0.1, 216 - y * 0.05], -1)
    hills = np.stack([96 + 0 * y, 118 + y * 0.1, 104 + 0 * y], -1)
    frame[:] = np.where((y < horizon)[..., None], sky, hills)
    depth = np.clip((y - 150) / (HEIGHT - 150), 0, 1)
    middle = WIDTH * (0.52 + 0.05 * np.sin(depth * 3))
    half = 40 + depth * 250
    turn = 2 * math.pi * at
    wave = np.sin(0.16 * y / (0.25 + depth) + 3 * turn + 0.02 * x) + 0.6 * np.sin(
        0.07 * x - 2 * turn + y * 0.05
    )
    water = np.stack([70 + 9 * wave, 108 + 10 * wave, 122 + 11 * wave], -1)
    inside = (y > 150) & (np.abs(x - middle) < half)
    shore = (y > 150) & (np.abs(np.abs(x - middle) - half) < 5 + depth * 6)
    frame[inside] = water[inside]
    frame[shore] = (176, 166, 140)
    drift = 150 + (HEIGHT - 150) * at
    near = (drift - 150) / (HEIGHT - 150)
    float_ = ((x - WIDTH * (0.5 + 0.1 * near)) / (4 + 16 * near)) ** 2 + (
        (y - drift) / (2 + 6 * near)
    ) ** 2 < 1
    frame[float_ & inside] = (214, 206, 186)
    return np.clip(frame, 0, 255).astype(np.uint8)


def frames() -> list[Any]:
    from PIL import Image, ImageDraw, ImageFont

    fonts = ("NotoSansCJK-Bold.ttc", "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc", "simhei.ttf")
    font = next((ImageFont.truetype(name, 30) for name in fonts if _opens(name)), None)
    if font is None:
        raise SystemExit("没有中文字体：请安装 fonts-noto-cjk 后重试")
    total, made = RATE * SEGMENT_SECONDS * SEGMENTS, []
    for number in range(total):
        image = Image.fromarray(picture(number / total))
        draw = ImageDraw.Draw(image)
        draw.rectangle((12, 12, 330, 58), fill=(11, 31, 56))
        draw.text((24, 34), f"{LABEL} DEMO", font=font, fill=(255, 255, 255), anchor="lm")
        # A bar that runs with the loop: whoever looks sees at once whether the picture stands still.
        draw.rectangle((12, HEIGHT - 18, WIDTH - 12, HEIGHT - 10), fill=(11, 31, 56))
        draw.rectangle(
            (12, HEIGHT - 18, 12 + (WIDTH - 24) * (number + 1) // total, HEIGHT - 10), fill=(76, 194, 240)
        )
        made.append(image)
    return made


def _opens(name: str) -> bool:
    from PIL import ImageFont

    try:
        ImageFont.truetype(name, 30)
    except OSError:
        return False
    return True


def encode(images: list[Any]) -> bytes:
    """One fragmented MP4 (H.264), a key frame at every segment's start."""
    import io

    import av

    out = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    with av.open(out, "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {
            "crf": "30", "preset": "veryslow", "profile": "main", "bf": "0", "sc_threshold": "0",
            "g": str(RATE * SEGMENT_SECONDS), "keyint_min": str(RATE * SEGMENT_SECONDS),
        }  # fmt: skip
        for image in images:
            for packet in stream.encode(av.VideoFrame.from_image(image)):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return out.getvalue()


def cut(movie: bytes) -> tuple[bytes, list[bytes]]:
    """(initialisation, segments): the boxes up to the first ``moof``, then one ``moof`` + ``mdat`` each."""
    head, segments, at = b"", list[bytes](), 0
    while at < len(movie):
        (size,) = struct.unpack_from(">I", movie, at)
        kind, box = movie[at + 4 : at + 8], movie[at : at + size]
        if kind == b"moof":
            segments.append(box)
        elif kind == b"mdat":
            segments[-1] += box
        elif kind in (b"ftyp", b"moov"):
            head += box
        at += size
    return head, segments


def main() -> None:
    head, segments = cut(encode(frames()))
    if len(segments) != SEGMENTS:
        raise SystemExit(f"{len(segments)} 个片段，应为 {SEGMENTS} 个")
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "init.mp4").write_bytes(head)
    for number, segment in enumerate(segments):
        (FOLDER / f"{number}.m4s").write_bytes(segment)
    sys.stdout.write(f"{FOLDER}: {len(head) + sum(map(len, segments)):,} bytes\n")


if __name__ == "__main__":
    main()
