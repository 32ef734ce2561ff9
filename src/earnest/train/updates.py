"""From an optimizer step's judged groups to the samples of its updates: credit, weights, minibatches.

The algorithm sees the whole step at once; what it needs besides (a critic's values, a reference's log-probs) is read here and
handed over. With one update the trainer's own pass gives pi_old; with more, pi_old is read before the first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from earnest.algorithms.base import Algorithm, Credit
from earnest.data.process import judged_steps
from earnest.data.reading import Read, read_ends, read_tokens
from earnest.data.samples import Shares, from_step, plain_sample, to_step
from earnest.data.select import dealt
from earnest.distributed.ranks import ALONE, Ranks
from earnest.functional.credit import to_tokens
from earnest.functional.reduce import sequence_sum, token_mean
from earnest.models.base import Forward, Policy
from earnest.models.critic import Critic
from earnest.train.reference import Reference
from earnest.types import Batch, Group, Sample, Step

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Entropy(BaseModel):
    """What is done for the policy's entropy."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    bonus: float = Field(default=0.0, ge=0)
    """Coefficient of the mean entropy of a token, which is added to what is maximised."""
    floor: float | None = Field(default=None, gt=0)
    """Nats a token: the bonus counts only in steps whose rollouts have less. null: always."""
    top_share: float | None = Field(default=None, gt=0, lt=1)
    """Only this share of the step's tokens, those of the highest entropy, carries the policy's loss (arXiv:2506.01939: 0.2)."""

    @model_validator(mode="after")
    def _has_an_effect(self) -> Entropy:
        if self.floor is not None and not self.bonus:
            raise ValueError("floor has no effect without a bonus; set bonus")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """How a step's rollouts are learned from."""

    seed: int
    temperature: float
    max_tokens: int  # of a micro-batch
    minibatches: int = 1
    epochs: int = 1
    entropy: Entropy = field(default_factory=Entropy)
    mask_truncated: bool = False
    count_truncated: bool = False  # masked completions still count in a mean over completions


@dataclass(frozen=True, slots=True)
class Plan:
    """The updates of a step, none of them empty, and what they were made from."""

    updates: tuple[tuple[Sample, ...], ...]
    step: Step
    credit: Credit  # what the algorithm gave; tokens that the entropy's mask leaves out still have it here
    metrics: dict[str, float]


class Planner:
    """Gives a step's groups credit and cuts them into updates."""

    def __init__(
        self, policy: Policy, algorithm: Algorithm, learning: Learning, *, critic: Critic | None = None,
        reference: Reference | None = None, ranks: Ranks = ALONE,
    ) -> None:  # fmt: skip
        assert ("critic" in algorithm.needs) == (critic is not None)
        assert ("reference" in algorithm.needs) == (reference is not None)
        self.policy, self.algorithm, self.learning = policy, algorithm, learning
        self.critic, self.reference, self.ranks = critic, reference, ranks

    def plan(self, groups: Sequence[Group], number: int, replayed: Set[int] = frozenset()) -> Plan:
        """The updates of step `number` (from 0). replayed: places of groups whose pi_old is what the sampler recorded."""
        samples = [plain_sample(r) for group in groups for r in group.rollouts]
        step, metrics = self._complete(to_step(groups), samples, replayed)
        credit = self.algorithm.credit(step)
        if self.learning.mask_truncated:
            credit = dataclasses.replace(credit, live_N=credit.live_N & step.finished_N)
        learned = dataclasses.replace(credit, advantage_T=self._uncertain_only(credit.advantage_T, samples))
        old_logp_T = self._old_logp(step, samples, replayed)
        updates = [
            tuple(from_step(step, learned, self._shares(step, credit, chosen_N), old_logp_T))
            for chosen_N in map(partial(self._kept, step), self._minibatches(step.group_N, number))
            if credit.live_N[chosen_N].any()
        ]
        return Plan(tuple(u for u in updates if u), step, credit, {**metrics, **credit.metrics})

    def _complete(self, step: Step, samples: Sequence[Sample], replayed: Set[int]) -> tuple[Step, dict[str, float]]:
        """The step with all that the algorithm needs, and metrics of judged steps (a completion's, on average) and of the KL (of
        completions of the present policy)."""
        metrics: dict[str, float] = {}
        if "steps" in self.algorithm.needs:
            step = dataclasses.replace(step, process=judged_steps(step.groups, self.policy.tokenizer))
            judged = [len(r.verdict.steps) for group in step.groups for r in group.rollouts]
            # 0: the verifier scores none, and rewards are all there is.
            metrics["process/steps"] = sum(judged) / len(judged)
        if self.critic is not None:
            mine = self.ranks.mine(samples)
            ends_n = read_ends(mine, self.learning.max_tokens, self.policy.device, self.critic.ends)
            value_T = self._read(samples, self.critic.values)
            step = dataclasses.replace(step, value_T=value_T, bootstrap_N=self.ranks.read(ends_n))
        if self.reference is not None:
            mine = self.ranks.mine(samples)
            read_t = self.reference.read(mine, self.learning.max_tokens, self.learning.temperature)
            ref_logp_T = self.ranks.read(read_t)
            fresh_N = torch.tensor([int(g) not in replayed for g in step.group_N])
            fresh_T = to_tokens(fresh_N, step.length_N)
            metrics |= self.reference.measure(step.sampler_logp_T[fresh_T], ref_logp_T[fresh_T], step.length_N[fresh_N])
            penalty_T = self.reference.penalty(step.sampler_logp_T, ref_logp_T, step.length_N)
            step = dataclasses.replace(step, ref_logp_T=ref_logp_T, penalty_T=penalty_T)
        return step, metrics

    def _read(self, samples: Sequence[Sample], read: Read, stats: frozenset[str] = frozenset()) -> Tensor:
        """(T,): what is read off the policy's pass over all samples, each rank its share of them."""
        mine, learning = self.ranks.mine(samples), self.learning
        return self.ranks.read(read_tokens(self.policy, mine, learning.max_tokens, learning.temperature, read, stats))

    def _uncertain_only(self, advantage_T: Tensor, samples: Sequence[Sample]) -> Tensor:
        if (share := self.learning.entropy.top_share) is None:
            return advantage_T
        entropy_T = self._read(samples, _entropy, frozenset({"entropy"}))
        if not len(entropy_T):
            return advantage_T
        kept = max(1, round(share * len(entropy_T)))
        return advantage_T.where(entropy_T >= entropy_T.topk(kept).values[-1], 0.0)

    def _old_logp(self, step: Step, samples: Sequence[Sample], replayed: Set[int]) -> Tensor | None:
        if self.learning.minibatches * self.learning.epochs == 1 and not replayed:
            return None
        old_logp_T = self._read(samples, _logp)
        stale_N = torch.tensor([int(g) in replayed for g in step.group_N])
        return torch.where(to_tokens(stale_N, step.length_N), step.sampler_logp_T, old_logp_T)

    def _minibatches(self, group_N: Tensor, number: int) -> list[Tensor]:
        """Which rollouts each update learns from: (n,) each, ascending. Groups stay whole."""
        groups = int(group_N.max()) + 1
        if self.learning.minibatches == 1:
            return [torch.arange(len(group_N))] * self.learning.epochs
        updates: list[Tensor] = []
        for epoch in range(self.learning.epochs):
            for part in dealt(groups, self.learning.minibatches, self.learning.seed, "minibatches", number, epoch):
                updates.append(torch.isin(group_N, torch.tensor(part)).nonzero().squeeze(1))
        return [chosen_N for chosen_N in updates if len(chosen_N)]

    def _kept(self, step: Step, chosen_N: Tensor) -> Tensor:
        """Those of an update's rollouts that count in its means."""
        dropped = self.learning.mask_truncated and not self.learning.count_truncated
        return chosen_N[step.finished_N[chosen_N]] if dropped else chosen_N

    def _shares(self, step: Step, credit: Credit, chosen_N: Tensor) -> Shares:
        """Weights of an update's rollouts among themselves; all others weigh 0. A masked one counts as one without tokens."""
        live_N = credit.live_N[chosen_N]
        kept_N = step.finished_N[chosen_N] if self.learning.mask_truncated else torch.ones_like(live_N)
        length_N = step.length_N[chosen_N] * kept_N
        group_N = step.group_N[chosen_N].unique(return_inverse=True)[1]

        def everywhere(weight_n: Tensor) -> Tensor:
            return torch.zeros(len(step.length_N)).index_put((chosen_N,), weight_n.float() * kept_N)

        policy_N = everywhere(self.algorithm.weights(length_N, group_N, live_N))
        every_N = torch.ones_like(live_N)
        kl_N = entropy_N = None
        if self.algorithm.kl.in_loss:
            assert self.reference is not None
            among_all = sequence_sum if self.algorithm.kl.sums else self._as_weighed
            kl_N = self.reference.coefficient * everywhere(among_all(length_N, every_N))
        if bonus := self._bonus(step):
            entropy_N = bonus * everywhere(token_mean(length_N, every_N))
        return Shares(policy_N, kl_N, entropy_N)

    def _as_weighed(self, length_N: Tensor, every_N: Tensor) -> Tensor:
        """The algorithm's own weights, were all rollouts live."""
        return self.algorithm.weights(length_N, torch.zeros_like(length_N), every_N)

    def _bonus(self, step: Step) -> float:
        entropy = self.learning.entropy
        if entropy.floor is not None and -step.sampler_logp_T.mean() >= entropy.floor:
            return 0.0
        return entropy.bonus


def carries_signal(
    algorithm: Algorithm, tokenizer: PreTrainedTokenizerBase, mask_truncated: bool, group: Group
) -> bool:
    """Whether a group teaches something by itself, as its algorithm sees it."""
    step = to_step([group])
    if "steps" in algorithm.needs:
        step = dataclasses.replace(step, process=judged_steps(step.groups, tokenizer))
    live_N = algorithm.signal(step)
    return bool((live_N & step.finished_N if mask_truncated else live_N).any())


def _logp(batch: Batch, forward: Forward) -> Tensor:
    return forward.logp_T


def _entropy(batch: Batch, forward: Forward) -> Tensor:
    assert forward.entropy_T is not None
    return forward.entropy_T
