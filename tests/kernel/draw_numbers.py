"""Texts of numbers that are hard to read, and numbers that are hard to write, drawn at random."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator
from decimal import Context, Decimal

_EXACT = Context(prec=1200)


def draw_double(rng: random.Random) -> float:
    """Draw a finite number above 0 by its bits; three in ten are subnormal or nearly."""
    while True:
        bits = rng.getrandbits(63)
        if rng.random() < 0.3:
            bits &= (1 << 54) - 1
        (value,) = struct.unpack("d", struct.pack("Q", bits))
        if 0 < value < math.inf:
            return float(value)


def draw_middle(rng: random.Random) -> str:
    """Write the exact middle of two neighbours, or a hair beside it, in 17 to 1,100 digits."""
    value = draw_double(rng)
    if rng.random() < 0.1:
        value = math.ldexp(rng.choice([1.0, 1.0 - 2.0**-53]), rng.randint(-1073, 1023))
    above = math.nextafter(value, math.inf)
    if above == math.inf:
        middle = Decimal(2) ** 1024 - Decimal(2) ** 970  # the first that is too large
    else:
        middle = _EXACT.divide(_EXACT.add(Decimal(value), Decimal(above)), Decimal(2))
    places = rng.choice([18, 19, 20, 30, 600, 767, 768, 769, 780, 1000])
    beside = Decimal(rng.choice([-1, 0, 1])).scaleb(middle.adjusted() - places)
    text = str(_EXACT.add(middle, beside))
    return text if rng.random() < 0.7 else text[: rng.randint(1, len(text))].rstrip("E+-") or "1"


def draw_digits(rng: random.Random, n_digits: int) -> str:
    return str(rng.randrange(10**n_digits)).zfill(n_digits)


def draw_texts(rng: random.Random, n_rounds: int) -> Iterator[str]:
    """Yield twelve texts a round, each a number of the grammar; some are too large."""
    for _ in range(n_rounds):
        value = draw_double(rng)
        yield repr(-value)
        yield f"{value:.{rng.randint(0, 25)}e}"
        yield f"{rng.choice(['', '+', '-'])}{draw_middle(rng)}"
        yield f"{draw_digits(rng, rng.randint(1, 40))}.{draw_digits(rng, rng.randint(1, 40))}"
        yield f".{draw_digits(rng, rng.randint(1, 400))}e{rng.randint(-330, 320)}"
        yield f"{draw_digits(rng, rng.randint(1, 400))}E{rng.randint(-740, 40)}"
        yield f"{draw_digits(rng, rng.randint(1, 25))}e{rng.randint(-345, 290)}"
        yield f"{draw_digits(rng, 19)}e{rng.randint(-345, 290)}"
        yield f"{rng.choice([17, 18]) * '9'}{draw_digits(rng, 3)}e{rng.randint(285, 292)}"
        yield f"{draw_digits(rng, 17)}e-{rng.randint(320, 343)}"
        yield f"{rng.random() * 100:.{rng.randint(0, 20)}f}"
        yield f"{rng.getrandbits(64)}{rng.choice(['', '.', '.0', 'e0', 'e-5', 'e22'])}"


POWERS = [
    *(float(f"1e{i}") for i in range(-323, 309)),
    *(math.ldexp(1.0, i) for i in range(-1074, 1024)),
    *(math.nextafter(math.ldexp(1.0, i), 0.0) for i in range(-1073, 1024)),
    *(math.nextafter(math.ldexp(1.0, i), math.inf) for i in range(-1074, 1023)),
    *(float(10**i - 1) for i in range(1, 23)),
    *(float(10**i + 1) for i in range(1, 23)),
]
