"""Learning from pairs: fresh rollouts to right and wrong completions side by side, and what such pairs cost.

The formulas are in `preference/`, the choice of pairs in `data/pairs.py`. Pairs of a step are made of its own rollouts; the
reference's log-probs of them are read once, before the step's first update.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from earnest.data.gathering.gatherer import Gathered, Gatherer
from earnest.data.pairs import Pair, pairs_of, recorded, referred, sides, together
from earnest.data.reading import read_tokens
from earnest.data.samples import plain_sample
from earnest.data.select import dealt
from earnest.distributed.ranks import ALONE, Ranks
from earnest.engines.base import EngineSession
from earnest.models.base import Forward, Policy
from earnest.preference.base import Preference, Side
from earnest.train.loop import Work
from earnest.train.losses import Cost, Loss
from earnest.train.on_policy import FreshRollouts, Rollouts
from earnest.train.reference import Anchor
from earnest.train.replay import Replay
from earnest.types import Batch, Rollout, Sample


class PairedCompletions(Loss):
    """Any loss of `preference/`, with TRL's metrics of pairs."""

    def __init__(self, preference: Preference, temperature: float) -> None:
        self.preference, self.temperature = preference, temperature

    def __call__(self, batch: Batch, forward: Forward) -> Cost:
        assert batch.pairs is not None, "a pair was torn apart"
        assert batch.ref_logp_T is not None
        chosen, rejected = _sides(batch, forward.logp_T, batch.ref_logp_T)
        found = self.preference.pair_loss(chosen, rejected)
        right_P, wrong_P = (self.preference.reward(side).detach() for side in (chosen, rejected))
        means = {
            "rewards/chosen": right_P,
            "rewards/rejected": wrong_P,
            "rewards/margins": right_P - wrong_P,
            "rewards/accuracies": (right_P > wrong_P).float(),
            "logps/chosen": chosen.logp_P.detach(),
            "logps/rejected": rejected.logp_P.detach(),
        }
        error_T = _errors(batch, forward.logp_T)
        if len(error_T):
            means["sampler/ratio_error"] = error_T
        maxima = {"sampler/max_ratio_error": error_T} if len(error_T) else {}
        return Cost((batch.pairs.weight_P * found.loss_P).sum(), {**means, **found.metrics}, maxima)


def _errors(batch: Batch, logp_T: Tensor) -> Tensor:
    """(t,): |pi / mu - 1| of the tokens that the policy, as it is now, has drawn; as in the policy gradient's loss."""
    if batch.sampler_logp_T is None:
        return logp_T.new_zeros(0)
    known_T = ~batch.sampler_logp_T.isposinf()
    return torch.expm1(logp_T.detach() - batch.sampler_logp_T)[known_T].abs()


def _sides(batch: Batch, logp_T: Tensor, ref_logp_T: Tensor) -> tuple[Side, Side]:
    """The chosen and the rejected completions of a micro-batch's pairs."""
    assert batch.pairs is not None
    logp_S, ref_logp_S, length_S = (batch.seq_sum(x_T) for x_T in (logp_T, ref_logp_T, logp_T.new_ones(logp_T.shape)))
    chosen, rejected = (
        Side(logp_S[at_P], ref_logp_S[at_P], length_S[at_P]) for at_P in (batch.pairs.chosen_P, batch.pairs.rejected_P)
    )
    return chosen, rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """How a step's rollouts are paired and learned from."""

    seed: int
    temperature: float
    max_tokens: int  # of a micro-batch
    pairs_per_prompt: int | None = None  # None: as many as use each completion once
    minibatches: int = 1
    epochs: int = 1


class FreshPairs(FreshRollouts):
    """Pairs of right and wrong completions of the present policy, for every step."""

    shown = ("pass_rate", "groups/live", "rewards/margins", "rewards/accuracies", "completions/mean_length")

    def __init__(
        self, gatherer: Gatherer, engine: EngineSession, policy: Policy, reference: Anchor, config: Rollouts,
        pairing: Pairing, *, replay: Replay | None = None, ranks: Ranks = ALONE,
    ) -> None:  # fmt: skip
        super().__init__(gatherer, engine, policy, config, reference=reference, replay=replay)
        self.anchor, self.pairing, self.ranks = reference, pairing, ranks
        # Of the step that is being taken: what was chosen, and the policy's version before it.
        self._chosen: Sequence[Rollout] = ()
        self._version = policy.version

    def work(self, step: int) -> Work:
        gathered = self.gather(step)
        by_group = self._pairs(gathered, step)
        pairs = [pair for found in by_group for pair in found]
        fresh = [place not in gathered.replayed for place, found in enumerate(by_group) for _ in found]
        # What is replayed was written by an older policy, whose log-probs say nothing of this step.
        self._chosen = [p.chosen for i, found in enumerate(by_group) if i not in gathered.replayed for p in found]
        self._version = self.policy.version
        live = sum(map(bool, by_group)) / len(by_group)
        return self.step_work(step, gathered, self._updates(pairs, fresh, step), live, {"pairs": float(len(pairs))})

    def _pairs(self, gathered: Gathered, step: int) -> list[list[Pair]]:
        most, seed = self.pairing.pairs_per_prompt, self.pairing.seed
        return [pairs_of(g, most, seed, "pairs", step, place, g.problem.id) for place, g in enumerate(gathered.groups)]

    def _updates(self, pairs: Sequence[Pair], fresh: Sequence[bool], step: int) -> list[tuple[Sample, ...]]:
        """Pairs dealt out among a step's minibatches, each of which is a mean of its own; none is empty.

        Before the first the policy is the one that sampled, so that there its log-probs are compared with the sampler's.
        """
        if not pairs:
            return []
        pairing, samples = self.pairing, sides(pairs)
        read_t = self.anchor.read(self.ranks.mine(samples), pairing.max_tokens, pairing.temperature)
        samples = referred(samples, self.ranks.read(read_t))
        first, *others = (
            hand
            for epoch in range(pairing.epochs)
            for hand in dealt(len(pairs), pairing.minibatches, pairing.seed, "minibatches", step, epoch)
            if hand
        )
        return [together(recorded(samples, pairs, fresh), first), *(together(samples, hand) for hand in others)]

    def after(self, step: int) -> Mapping[str, float]:
        """logps/chosen_change: what the step did to the log-prob of its own chosen completions, on average, in nats.

        Fresh completions differ from step to step, so `logps/chosen` does not tell this. A step without an update did nothing.
        """
        found: dict[str, float] = {}
        if self._chosen and self.policy.version > self._version:
            mine, pairing = [plain_sample(r) for r in self.ranks.mine(self._chosen)], self.pairing
            after_T = self.ranks.read(
                read_tokens(
                    self.policy, mine, pairing.max_tokens, pairing.temperature, lambda _, forward: forward.logp_T
                )
            )
            before = sum(sum(r.completion.logprobs or ()) for r in self._chosen)
            found["logps/chosen_change"] = (after_T.sum().item() - before) / len(self._chosen)
        self._chosen = ()
        return {**found, **super().after(step)}
