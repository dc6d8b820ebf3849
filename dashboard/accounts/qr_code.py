"""A QR code as SVG: byte mode, error correction M, versions 1 to 10 (at most 213 bytes), ISO/IEC 18004.

The secret of an authenticator must not leave for any outside drawing service, and nothing more is needed here.
"""

from __future__ import annotations

from collections.abc import Callable

#: Version → (error-correction words per block, data words of each block).
_BLOCKS = {
    1: (10, [16]),
    2: (16, [28]),
    3: (26, [44]),
    4: (18, [32] * 2),
    5: (24, [43] * 2),
    6: (16, [27] * 4),
    7: (18, [31] * 4),
    8: (22, [38] * 2 + [39] * 2),
    9: (22, [36] * 3 + [37] * 2),
    10: (26, [43] * 4 + [44]),
}
_ALIGNMENT = {
    1: [],
    2: [6, 18],
    3: [6, 22],
    4: [6, 26],
    5: [6, 30],
    6: [6, 34],
    7: [6, 22, 38],
    8: [6, 24, 42],
    9: [6, 26, 46],
    10: [6, 28, 50],
}
_MASKS: list[Callable[[int, int], int]] = [
    lambda r, c: (r + c) % 2,
    lambda r, c: r % 2,
    lambda r, c: c % 3,
    lambda r, c: (r + c) % 3,
    lambda r, c: (r // 2 + c // 3) % 2,
    lambda r, c: (r * c) % 2 + (r * c) % 3,
    lambda r, c: ((r * c) % 2 + (r * c) % 3) % 2,
    lambda r, c: ((r + c) % 2 + (r * c) % 3) % 2,
]
_EXP = [1] * 512
_LOG = [0] * 256
for _i in range(1, 512):
    _EXP[_i] = (_EXP[_i - 1] << 1) ^ (0x11D if _EXP[_i - 1] & 0x80 else 0)
for _i in range(255):
    _LOG[_EXP[_i]] = _i

Matrix = list[list[int]]


def matrix(data: bytes) -> Matrix:
    """The modules, 1 = dark, without the quiet zone. ``ValueError`` when the data are too long."""
    for version, (_, blocks) in _BLOCKS.items():
        length = 8 if version < 10 else 16
        if 4 + length + 8 * len(data) <= 8 * sum(blocks):
            break
    else:
        raise ValueError(f"{len(data)} bytes are too many for a QR code of version 10")
    bits = f"{0b0100:04b}{len(data):0{length}b}" + "".join(f"{byte:08b}" for byte in data)
    words = _interleave(version, _padded(bits, sum(blocks)))
    frame, fixed = _frame(version)
    _place(frame, fixed, "".join(f"{word:08b}" for word in words))
    masked = [_masked(version, frame, fixed, mask) for mask in range(8)]
    return min(masked, key=_penalty)


def svg(data: str) -> str:
    """An SVG document with a quiet zone of four modules; one path, no style."""
    modules = matrix(data.encode())
    size = len(modules) + 8
    path = "".join(
        f"M{c + 4} {r + 4}h1v1h-1z" for r, row in enumerate(modules) for c, dark in enumerate(row) if dark
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{size}v{size}H0z"/><path fill="#000" d="{path}"/></svg>'
    )


def _padded(bits: str, words: int) -> list[int]:
    bits += "0" * min(4, 8 * words - len(bits))
    bits += "0" * (-len(bits) % 8)
    found = [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]
    return found + [(0xEC, 0x11)[i % 2] for i in range(words - len(found))]


def _interleave(version: int, words: list[int]) -> list[int]:
    correction, sizes = _BLOCKS[version]
    blocks, at = [], 0
    for size in sizes:
        blocks.append(words[at : at + size])
        at += size
    checks = [_remainder(block, correction) for block in blocks]
    data = [block[i] for i in range(max(sizes)) for block in blocks if i < len(block)]
    return data + [check[i] for i in range(correction) for check in checks]


def _remainder(data: list[int], count: int) -> list[int]:
    """Reed–Solomon check words over GF(256)."""
    generator = [1]
    for i in range(count):
        longer = [*generator, 0]
        for j, value in enumerate(generator):
            if value:
                longer[j + 1] ^= _EXP[_LOG[value] + i]
        generator = longer
    rest = list(data) + [0] * count
    for i in range(len(data)):
        if factor := rest[i]:
            for j, value in enumerate(generator):
                rest[i + j] ^= _EXP[_LOG[value] + _LOG[factor]] if value else 0
    return rest[len(data) :]


def _frame(version: int) -> tuple[Matrix, list[list[bool]]]:
    """Finder, timing and alignment patterns, version bits; and which modules they and the format take."""
    size = 17 + 4 * version
    modules = [[0] * size for _ in range(size)]
    fixed = [[False] * size for _ in range(size)]

    def put(r: int, c: int, dark: int) -> None:
        if 0 <= r < size and 0 <= c < size:
            modules[r][c], fixed[r][c] = dark, True

    for i in range(size):
        put(6, i, 1 - i % 2)
        put(i, 6, 1 - i % 2)
    for top, left in ((0, 0), (0, size - 7), (size - 7, 0)):
        for r in range(-1, 8):
            for c in range(-1, 8):
                ring = max(abs(r - 3), abs(c - 3))
                put(top + r, left + c, int(ring != 2 and ring != 4))
    centres = _ALIGNMENT[version]
    for row in centres:
        for column in centres:
            if (row, column) in ((6, 6), (6, size - 7), (size - 7, 6)):
                continue
            for r in range(-2, 3):
                for c in range(-2, 3):
                    put(row + r, column + c, int(max(abs(r), abs(c)) != 1))
    for i in range(9):
        fixed[8][i] = fixed[i][8] = True
    for i in range(8):
        fixed[8][size - 1 - i] = fixed[size - 1 - i][8] = True
    if version >= 7:
        rest = version
        for _ in range(12):
            rest = (rest << 1) ^ ((rest >> 11) * 0x1F25)
        word = version << 12 | rest
        for i in range(18):
            put(i // 3, size - 11 + i % 3, word >> i & 1)
            put(size - 11 + i % 3, i // 3, word >> i & 1)
    return modules, fixed


def _place(modules: Matrix, fixed: list[list[bool]], bits: str) -> None:
    """The zigzag: two columns at a time from the right, up and down, over the timing column."""
    size, at = len(modules), 0
    for turn, right in enumerate([*range(size - 1, 6, -2), 5, 3, 1]):
        rows = range(size - 1, -1, -1) if turn % 2 == 0 else range(size)
        for r in rows:
            for c in (right, right - 1):
                if not fixed[r][c]:
                    modules[r][c] = int(bits[at]) if at < len(bits) else 0
                    at += 1


def _masked(version: int, modules: Matrix, fixed: list[list[bool]], mask: int) -> Matrix:
    size = len(modules)
    done = [
        [bit ^ int(not fixed[r][c] and _MASKS[mask](r, c) == 0) for c, bit in enumerate(row)]
        for r, row in enumerate(modules)
    ]
    rest = mask  # level M is 00
    for _ in range(10):
        rest = (rest << 1) ^ ((rest >> 9) * 0x537)
    word = (mask << 10 | rest) ^ 0x5412
    bits = [word >> i & 1 for i in range(15)]
    for i in range(6):
        done[i][8] = bits[i]
    done[7][8], done[8][8], done[8][7] = bits[6], bits[7], bits[8]
    for i in range(9, 15):
        done[8][14 - i] = bits[i]
    for i in range(8):
        done[8][size - 1 - i] = bits[i]
    for i in range(8, 15):
        done[size - 15 + i][8] = bits[i]
    done[size - 8][8] = 1
    return done


def _penalty(modules: Matrix) -> int:
    size, score = len(modules), 0
    lines = ["".join(map(str, row)) for row in modules]
    lines += ["".join(map(str, column)) for column in zip(*modules, strict=True)]
    for line in lines:
        run = 1
        for i in range(1, size + 1):
            if i < size and line[i] == line[i - 1]:
                run += 1
                continue
            score += run - 2 if run >= 5 else 0
            run = 1
        score += 40 * sum(line[i : i + 11] in ("10111010000", "00001011101") for i in range(size - 10))
    for r in range(size - 1):
        for c in range(size - 1):
            if modules[r][c] == modules[r][c + 1] == modules[r + 1][c] == modules[r + 1][c + 1]:
                score += 3
    dark = sum(map(sum, modules))
    return score + 10 * (abs(dark * 20 - size * size * 10) // (size * size))
