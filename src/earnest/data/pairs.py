"""Right against wrong completions of one prompt: pairs to learn a preference from.

Which is which is the verifier's word alone (`verdict.correct`); a reward has no say. What could not be graded is on neither
side, nor is what the engine gave up. A completion that was cut at the token limit is wrong like any other, so it may be rejected:
that teaches to come to an end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import lcm

import torch
from torch import Tensor

from earnest.data.samples import plain_sample
from earnest.seeding import rng
from earnest.types import Finish, Group, Rollout, Sample


@dataclass(frozen=True, slots=True)
class Pair:
    chosen: Rollout
    rejected: Rollout


def pairs_of(group: Group, most: int | None, *names: str | int) -> list[Pair]:
    """Pairs of a group, drawn by a seed made of the names; none where no completion is right, or none is wrong.

    With k right and l wrong ones there are min(k, l) pairs, in which each completion is used once: were all k l taken, prompts
    near even odds would outweigh the rest by far. most: that many pairs instead, if there are so many; those beyond the first
    min(k, l) use completions again, each as often as the others.
    """
    usable = [r for r in group.rollouts if r.completion.finish is not Finish.ABORT and any(r.completion.sampled)]
    right = [r for r in usable if r.verdict.correct is True]
    wrong = [r for r in usable if r.verdict.correct is False]
    draw = rng(*names)
    draw.shuffle(right)
    draw.shuffle(wrong)
    few, many = sorted((right, wrong), key=len)
    count = len(few) if most is None else min(most, len(few) * len(many))
    # Both sides go round; when they would meet as before, one is moved on by a place. No pair comes twice before all have come.
    period = lcm(len(few), len(many))
    met = [(few[n % len(few)], many[(n + n // period) % len(many)]) for n in range(count)]
    return [Pair(a, b) if few is right else Pair(b, a) for a, b in met]


def sides(pairs: Sequence[Pair]) -> list[Sample]:
    """Two sequences a pair, the chosen one first, without weight and reference."""
    return [
        replace(plain_sample(rollout), pair=number, chosen=chosen)
        for number, pair in enumerate(pairs)
        for rollout, chosen in ((pair.chosen, True), (pair.rejected, False))
    ]


def referred(samples: Sequence[Sample], ref_logp_T: Tensor) -> list[Sample]:
    """The same with the reference's log-probs of their trained tokens, end to end in (T,)."""
    parts = ref_logp_T.split([sum(s.mask) for s in samples])
    return [replace(s, ref_logprobs=x_T) for s, x_T in zip(samples, parts, strict=True)]


def recorded(samples: Sequence[Sample], pairs: Sequence[Pair], fresh: Sequence[bool]) -> list[Sample]:
    """The same with the sampler's log-probs of their trained tokens, inf where there is none of the present policy.

    samples: as `sides` orders them. fresh: which pairs the present policy wrote.
    """
    rollouts = [
        (rollout, new) for pair, new in zip(pairs, fresh, strict=True) for rollout in (pair.chosen, pair.rejected)
    ]
    return [
        replace(sample, sampler_logprobs=_drawn(rollout) if new else torch.full((sum(sample.mask),), torch.inf))
        for sample, (rollout, new) in zip(samples, rollouts, strict=True)
    ]


def _drawn(rollout: Rollout) -> Tensor:
    completion = rollout.completion
    logprobs = completion.logprobs if completion.logprobs is not None else (torch.inf,) * len(completion.sampled)
    return torch.tensor([x for x, own in zip(logprobs, completion.sampled, strict=True) if own])


def together(samples: Sequence[Sample], numbers: Sequence[int]) -> tuple[Sample, ...]:
    """The pairs of an update, of which each has the same share in its loss. samples: as `sides` orders them."""
    return tuple(replace(samples[2 * n + side], weight=1 / len(numbers)) for n in numbers for side in (0, 1))
