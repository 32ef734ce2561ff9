"""GRPO with process supervision: the verifier's scores of reasoning steps are the rewards."""

from __future__ import annotations

from typing import Self

import torch
from pydantic import model_validator
from torch import Tensor

from earnest.algorithms.base import Credit
from earnest.algorithms.grpo import GRPO
from earnest.functional import credit
from earnest.types import Step


class ProcessGRPO(GRPO):
    """GRPO with process supervision.

    Objective:
        r~_ij = (r_ij - mean(r)) / std(r)                                    over the scores of all steps of all G completions
        A_it  = sum of r~_ij over the steps j of completion i that end at or after token t
        L     as GRPO's, with A_it for A_i

    Assumes: a verifier that scores steps (`steps`, or a combination with it). A completion in which it found none, such as one
    that was cut, has its reward as one step that ends at its last token; of the others the reward is not looked at. What is
    paid is right steps, easy ones as well as hard ones, and a longer solution has more of them. Tokens after the last step
    have no credit.

    Degrades to: GRPO where no completion has steps.

    Reference: DeepSeekMath, arXiv:2402.03300, section 4.1.3.
    """

    @model_validator(mode="after")
    def _rewards_are_of_steps(self) -> Self:
        if self.kl.in_reward:
            raise ValueError("the rewards are those of steps, from which no KL is taken; choose kl.in_loss")
        return self

    @property
    def needs(self) -> frozenset[str]:
        return super().needs | {"steps"}

    def signal(self, step: Step) -> Tensor:
        assert step.process is not None
        rollout_K = step.process.rollout_K
        live_K = self.live(step.process.score_K, step.group_N[rollout_K])
        return torch.zeros_like(step.finished_N).index_fill(0, rollout_K[live_K], True)

    def credit(self, step: Step) -> Credit:
        assert step.process is not None
        score_K, rollout_K = step.process.score_K, step.process.rollout_K
        group_K, live_N = step.group_N[rollout_K], self.signal(step)
        advantage_T = credit.steps_to_go(
            self.advantage(score_K, group_K), rollout_K, step.process.tokens_K, step.length_N
        )
        metrics = {"frac_reward_zero_std": credit.dead_fraction(live_N, step.group_N)}
        return Credit(advantage_T, live_N, metrics=metrics)
