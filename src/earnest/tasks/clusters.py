"""Near-duplicate texts: a split by hash of the text alone leaves twins on both sides, so files are split by cluster.

Two texts are twins if they are equal once numbers are masked ("Tom has 3 pens" and "Tom has 41 pens"), or if their masked word
shingles overlap by at least a threshold. Candidates for the second come from MinHash with banding (Broder 1997; Leskovec et al.,
Mining of Massive Datasets, 3.4) and are then compared exactly; being twins is closed under chains.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

BANDS, ROWS = 32, 3
"""A pair with Jaccard similarity s becomes a candidate with probability 1 - (1 - s^ROWS)^BANDS: 0.986 at 0.5."""
SHINGLE = 3
"""Words in a shingle; a shorter text is one shingle."""
THRESHOLD = 0.5

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WORD = re.compile(r"\w+|[^\w\s]")
_PUNCTUATION = re.compile(r"[^\w\s]")


def normalised(text: str) -> str:
    """What decides whether two questions are the same: NFKC, case and white space ignored."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def masked(text: str) -> str:
    """The question with numbers replaced by 0 and without punctuation. Example: "Tom has 3,000 pens." -> "tom has 0 pens"."""
    plain = _NUMBER.sub("0", normalised(text))
    return " ".join(_PUNCTUATION.sub(" ", plain).split()) or plain


def clusters(texts: Sequence[str], threshold: float = THRESHOLD) -> list[str]:
    """For every text the name of its cluster: the smallest masked text in it, whatever the order of the texts."""
    masks = [masked(text) for text in texts]
    distinct = sorted(set(masks))
    shingled = [shingles(mask) for mask in distinct]
    parent = list(range(len(distinct)))
    for a, b in _candidates(shingled):
        root_a, root_b = _root(parent, a), _root(parent, b)
        if root_a != root_b and jaccard(shingled[a], shingled[b]) >= threshold:
            parent[max(root_a, root_b)] = min(root_a, root_b)
    name = {mask: distinct[_root(parent, i)] for i, mask in enumerate(distinct)}
    return [name[mask] for mask in masks]


def twins(asked: Sequence[str], known: Sequence[str], threshold: float = THRESHOLD) -> dict[int, int]:
    """For every text of `asked` that has a near twin in `known`: its place -> the place of the first such twin."""
    first: dict[str, int] = {}  # equal masks are twins, and enter the buckets once
    for place, text in enumerate(known):
        first.setdefault(masked(text), place)
    shingled = {place: shingles(mask) for mask, place in first.items()}
    buckets: dict[tuple[int, bytes], list[int]] = {}
    for place, items in shingled.items():
        for band in enumerate(_bands(items)):
            buckets.setdefault(band, []).append(place)
    found: dict[str, int | None] = {}
    for mask in map(masked, asked):
        if mask in found:
            continue
        items = shingles(mask)
        candidates = {other for band in enumerate(_bands(items)) for other in buckets.get(band, ())}
        close = [other for other in candidates if jaccard(items, shingled[other]) >= threshold]
        found[mask] = first[mask] if mask in first else min(close, default=None)
    twin_of = ((place, found[masked(text)]) for place, text in enumerate(asked))
    return {place: twin for place, twin in twin_of if twin is not None}


def shingles(mask: str) -> frozenset[int]:
    """Hashes of the runs of SHINGLE words in a masked text."""
    words = _WORD.findall(mask)
    runs = (" ".join(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1)))
    return frozenset(zlib.crc32(run.encode()) for run in runs)


def jaccard(a: frozenset[int], b: frozenset[int]) -> float:
    return len(a & b) / len(a | b)


def _candidates(shingled: Sequence[frozenset[int]]) -> Iterator[tuple[int, int]]:
    """Pairs (smaller, larger) that agree on at least one band of their signatures; a bucket's members are compared with all
    others of the bucket."""
    banded = [_bands(items) for items in shingled]
    for band in range(BANDS):
        buckets: dict[bytes, list[int]] = {}
        for i, bands in enumerate(banded):
            buckets.setdefault(bands[band], []).append(i)
        for members in buckets.values():
            for j in range(1, len(members)):
                for i in range(j):
                    yield members[i], members[j]


def _multipliers() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    odd = random.integers(0, 2**63, BANDS * ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    return odd[:, None], random.integers(0, 2**63, BANDS * ROWS, dtype=np.uint64)[:, None]


_A, _B = _multipliers()


def _signature(items: frozenset[int]) -> np.ndarray:
    """(BANDS * ROWS,) smallest value of each multiply-shift hash over the shingles."""
    values = np.fromiter(items, dtype=np.uint64, count=len(items))
    return ((_A * values + _B) >> np.uint64(32)).min(axis=1)


def _bands(items: frozenset[int]) -> list[bytes]:
    """The signature in BANDS pieces; two texts are candidates if they share one at the same place."""
    signature = _signature(items)
    return [signature[band * ROWS : (band + 1) * ROWS].tobytes() for band in range(BANDS)]


def _root(parent: list[int], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i
