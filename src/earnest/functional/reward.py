"""Formulas of shaping rewards: what a length or a repetition adds to, or takes from, a completion's reward.

Pure functions on plain numbers, in float64. They know no verifier and no weights; how scores are summed, and when a shaping term
must keep quiet, is decided where rewards are given. Lengths are numbers of sampled tokens.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence


def soft_overlong(length: int, limit: int, cache: int) -> float:
    """0 up to limit - cache tokens, then falling in a line to -1 at the limit, and -1 beyond it.

        R(y) = ((L_max - L_cache) - |y|) / L_cache,  between 0 and -1

    DAPO, arXiv:2503.14476, eq. 13. Needs 0 < cache.
    """
    return max(-1.0, min(0.0, (limit - cache - length) / cache))


def cosine(length: int, limit: int, short: float, long: float) -> float:
    """Half a cosine from `short` at length 0 to `long` at the limit, and beyond.

        R(y) = long + (short - long) / 2 * (1 + cos(pi |y| / L_max))

    Demystifying Long Chain-of-Thought Reasoning in LLMs, arXiv:2502.03373. Needs 0 < limit.
    """
    return long + (short - long) / 2 * (1 + math.cos(math.pi * min(length, limit) / limit))


def kimi_length(lengths: Sequence[int], rights: Sequence[bool]) -> list[float]:
    """One number per completion of one problem: shorter than the others pays, for wrong ones longer costs and nothing pays.

        lambda_i = 1/2 - (len_i - min) / (max - min);   right: lambda_i,   wrong: min(0, lambda_i);   all 0 if max = min

    Kimi k1.5, arXiv:2501.12599, section 2.3.3.
    """
    if not lengths or min(lengths) == max(lengths):
        return [0.0] * len(lengths)
    low, spread = min(lengths), max(lengths) - min(lengths)
    shares = [0.5 - (length - low) / spread for length in lengths]
    return [share if right else min(0.0, share) for share, right in zip(shares, rights, strict=True)]


def target_miss(length: int, target: float, alpha: float) -> float:
    """What a length costs that misses its target: -alpha |n_target - n|. LCPO-Exact of L1, arXiv:2503.04697."""
    return -alpha * abs(target - length)


def repeated(runs: Sequence[Sequence[Hashable]], n: int) -> float:
    """Share of the n-grams that were there before: 1 - unique / total, in [0, 1); 0 where there is none.

    runs: stretches of tokens or words; no n-gram reaches over the end of one. Demystifying Long Chain-of-Thought Reasoning in
    LLMs, arXiv:2502.03373, appendix C.2, in the form of TRL.
    """
    total = sum(max(len(run) - n + 1, 0) for run in runs)
    unique = {tuple(run[i : i + n]) for run in runs for i in range(len(run) - n + 1)}
    return 1 - len(unique) / total if total else 0.0
