"""Seeds by hashing names, never by adding numbers: neighbouring seeds must not share a single draw.

`derive("train", 3, "prompt", 17)` is the one way any part of the package gets a seed.
"""

from __future__ import annotations

import hashlib
import random


def derive(*names: str | int) -> int:
    """A 63-bit seed from names and numbers. Example: derive(0, "rl", "rollout", 12) differs from derive(1, "rl", "rollout", 11)
    in every bit that matters."""
    text = "\x1f".join(f"{type(n).__name__}:{n}" for n in names)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def rng(*names: str | int) -> random.Random:
    """A private generator seeded by `derive(*names)`."""
    return random.Random(derive(*names))


def bucket(text: str, buckets: int) -> int:
    """The stable bucket of a text, 0 .. buckets-1: how problems are split, so that a text is always on one side."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") % buckets
