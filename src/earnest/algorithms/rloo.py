"""RLOO: REINFORCE on whole completions, each compared with the mean of the others of its prompt."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from earnest.algorithms.base import TokenLoss, Tokens
from earnest.algorithms.families import Clipped, GroupRelative
from earnest.algorithms.kl import KL, KLSetting
from earnest.functional import credit, reduce, surrogate


class RLOO(Clipped, GroupRelative):
    """REINFORCE leave-one-out.

    Objective:
        R_i = r_i - beta sum_t (log pi_old - log pi_ref),   beta = kl.in_reward
        A_i = R_i - mean of the R_j of the prompt's other completions
        L   = 1/N sum_i -min(rho_i A_i, clip(rho_i, 1 - clip_low, 1 + clip_high) A_i),   rho_i = prod_t pi / pi_old

    Assumes: a completion is one action, so its ratio is the product over its tokens and its log-prob their sum: long
    completions take larger steps, and the ratio of a long one leaves the clip range soon. The paper makes one update
    per rollout, where rho = 1 and the clip changes nothing; ratio and clip are there for more than one, and then the
    step should be small. No KL is the usual choice for verifiable rewards.

    Degrades to: G/(G-1) times Dr. GRPO with L_max = 1, when there is one update per rollout and no KL.

    Reference: Back to Basics, arXiv:2402.14740. The clip range, which the paper does not need, is TRL's.
    """

    one_action: ClassVar[bool] = True

    kl: KLSetting = KL(in_reward=0.03)
    """KL to the stage's input checkpoint, off each completion's reward. null: none, and no reference is kept."""

    def advantage(self, reward_N: Tensor, group_N: Tensor) -> Tensor:
        return credit.leave_one_out(reward_N, group_N)

    def ratio(self, t: Tokens) -> Tensor:
        return surrogate.sequence_ratio(t.logp_T, t.old_logp_T, t.seq_T, t.sequences)

    def token_loss(self, t: Tokens) -> TokenLoss:
        found = super().token_loss(t)
        return TokenLoss(
            found.policy_T / surrogate.lengths(t.seq_T, t.sequences), metrics=found.metrics
        )  # shared equally

    def shares(self, length_N: Tensor, counted_N: Tensor) -> Tensor:
        return reduce.sequence_sum(length_N, counted_N)
