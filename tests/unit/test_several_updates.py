"""What each method does with a second update: which tokens keep a gradient once the policy has moved, and how much of one."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from earnest.algorithms.base import Algorithm, Tokens
from earnest.component import KeyedConfigError, build, names
from earnest.functional import surrogate

TOKEN_CLIPS = {  # the bounds of a token's ratio
    "grpo": (0.8, 1.2), "process_grpo": (0.8, 1.2), "dapo": (0.8, 1.28), "dr_grpo": (0.8, 1.2), "reinforce_pp": (0.8, 1.2),
    "pass_at_k": (0.8, 1.2), "ppo": (0.8, 1.2),
}  # fmt: skip
SEQUENCE_CLIPS = {"rloo": (0.8, 1.2), "gspo": (0.9997, 1.0004), "luspo": (0.9997, 1.0004)}
OTHERS = {"reinforce", "cispo", "sapo", "gmpo"}


def pulls(algorithm: Algorithm, ratios: list[float], advantage: float) -> Tensor:
    """-d loss / d log pi of each token of one completion, in its advantage: 1 where REINFORCE has it. The policy's loss alone."""
    logp_T = torch.tensor(ratios, dtype=torch.float64).log().requires_grad_()
    size = len(ratios)
    tokens = Tokens(
        logp_T=logp_T, old_logp_T=torch.zeros(size), adv_T=torch.full((size,), advantage), sequences=1,
        seq_T=torch.zeros(size, dtype=torch.int64), value_T=torch.zeros(size), old_value_T=torch.zeros(size),
        return_T=torch.zeros(size),
    )  # fmt: skip
    loss_T = algorithm.token_loss(tokens).policy_T
    return -torch.autograd.grad(loss_T.sum(), logp_T)[0] / advantage


def found(name: str, ratios: list[float], advantage: float, **settings: Any) -> list[float]:
    return pulls(build("algorithm", {"name": name, **settings}), ratios, advantage).tolist()


def test_every_method_is_looked_at() -> None:
    assert set(TOKEN_CLIPS) | set(SEQUENCE_CLIPS) | OTHERS == set(names("algorithm"))


@pytest.mark.parametrize("name", TOKEN_CLIPS)
def test_a_token_beyond_its_bound_stops_and_the_others_go_on(name: str) -> None:
    low, high = TOKEN_CLIPS[name]
    beyond, within, back = high + 0.01, high - 0.01, low - 0.01
    assert found(name, [beyond, within, back], 2.0) == pytest.approx([0.0, within, back])
    beyond, within, back = low - 0.01, low + 0.01, high + 0.01
    assert found(name, [beyond, within, back], -2.0) == pytest.approx([0.0, within, back])


@pytest.mark.parametrize("name", SEQUENCE_CLIPS)
def test_a_completion_beyond_its_bound_stops_as_a_whole(name: str) -> None:
    low, high = SEQUENCE_CLIPS[name]
    root = 1 / 2 if name != "rloo" else 1  # the geometric mean of two tokens, or their product
    for advantage, beyond, within in ((1.0, 1.1 * high, high), (-1.0, low / 1.1, low)):
        near = (1 + within) / 2
        one_far = [3.0, beyond ** (1 / root) / 3.0]  # one token far out on either side: only the whole counts
        assert found(name, one_far, advantage) == [0.0, 0.0]
        assert found(name, [3.0, near ** (1 / root) / 3.0], advantage) == pytest.approx([near, near])
        assert found(name, one_far, -advantage) == pytest.approx([beyond, beyond])


@pytest.mark.parametrize("name", [*TOKEN_CLIPS, *SEQUENCE_CLIPS])
def test_delta_stops_what_a_wrong_token_can_do(name: str) -> None:
    assert found(name, [3.9], -1.0, delta=4.0) == pytest.approx([3.9])
    assert found(name, [4.1], -1.0, delta=4.0) == [0.0]
    assert found(name, [4.1], -1.0) == pytest.approx([4.1])
    assert found(name, [4.1], 1.0, delta=4.0) == [0.0]
    with pytest.raises(KeyedConfigError, match="inside the clip range"):
        build("algorithm", {"name": name, "clip_high": 0.5, "delta": 1.5})


def test_where_delta_stops_is_counted() -> None:
    ratio_T, adv_T = torch.tensor([3.5, 4.5, 4.5]), torch.tensor([-1.0, -1.0, 1.0])
    assert surrogate.clip_metrics(ratio_T, adv_T, 0.2, 0.2, 4.0)["clip_ratio/high_mean"].tolist() == [0.0, 1.0, 1.0]
    assert surrogate.clip_metrics(ratio_T, adv_T, 0.2, 0.2)["clip_ratio/high_mean"].tolist() == [0.0, 0.0, 1.0]


def test_reinforce_is_bounded_by_nothing() -> None:
    for advantage in (1.0, -1.0):
        assert found("reinforce", [0.1, 1.0, 7.0], advantage) == pytest.approx([0.1, 1.0, 7.0])


def test_cispo_bounds_the_weight_and_stops_nothing() -> None:
    for advantage in (1.0, -1.0):
        assert found("cispo", [0.01, 1.0, 4.9, 50.0], advantage) == pytest.approx([0.01, 1.0, 4.9, 5.0])
        on_both_sides = found("cispo", [0.01, 1.0, 4.9], advantage, ratio_min=0.8, ratio_max=1.2)
        assert on_both_sides == pytest.approx([0.8, 1.0, 1.2])


def test_cispo_counts_the_weights_that_its_bounds_changed() -> None:
    ratio_T, zero_T = torch.tensor([0.7, 0.9, 1.3, 4.9, 5.1]), torch.zeros(5)
    tokens = Tokens(logp_T=ratio_T.log(), old_logp_T=zero_T, adv_T=torch.ones(5), seq_T=zero_T.long(), sequences=1)
    for settings, low, high in (
        ({}, [0.0] * 5, [0, 0, 0, 0, 1]),
        ({"ratio_min": 0.8}, [1, 0, 0, 0, 0], [0, 0, 0, 0, 1]),
    ):
        metrics = build("algorithm", {"name": "cispo", **settings}).token_loss(tokens).metrics
        assert metrics["clip_ratio/low_mean"].tolist() == low and metrics["clip_ratio/high_mean"].tolist() == high


@pytest.mark.parametrize(("bound", "slopes"), [(0.2, [-0.09, 0.0]), (0.5, [-0.09, -0.06]), (None, [-0.09, -0.06])])
def test_ppos_critic_stops_where_its_value_has_moved_enough(bound: float | None, slopes: list[float]) -> None:
    value_T, zero_T = torch.tensor([0.1, 0.4], requires_grad=True), torch.zeros(2)
    tokens = Tokens(
        logp_T=zero_T, old_logp_T=zero_T, adv_T=zero_T, seq_T=zero_T.long(), sequences=1, value_T=value_T, old_value_T=zero_T,
        return_T=torch.ones(2),
    )  # fmt: skip
    loss_T = build("algorithm", {"name": "ppo", "value_clip": bound}).token_loss(tokens).value_T
    assert loss_T is not None
    assert torch.autograd.grad(loss_T.sum(), value_T)[0].tolist() == pytest.approx(slopes)


def test_cispos_gradient_is_the_papers_line() -> None:
    g = torch.Generator().manual_seed(0)
    logp_T = (2 * torch.randn(50, generator=g, dtype=torch.float64)).requires_grad_()
    old_T, adv_T = torch.zeros(50), torch.randn(50, generator=g)
    for low, high in ((None, 5.0), (0.8, 1.2)):
        paper = -(logp_T - old_T).exp().clamp(low, high).detach() * adv_T * logp_T
        ours = surrogate.truncated(logp_T, old_T, adv_T, low, high)
        torch.testing.assert_close(
            torch.autograd.grad(ours.sum(), logp_T)[0], torch.autograd.grad(paper.sum(), logp_T)[0]
        )
    far_T = torch.tensor([500.0, -500.0], requires_grad=True)
    loss = surrogate.truncated(far_T, torch.zeros(2), torch.ones(2), None, 5.0).sum()
    assert loss.isfinite() and torch.autograd.grad(loss, far_T)[0].tolist() == [-5.0, 0.0]


def test_sapo_fades_on_both_sides() -> None:
    def gate(ratio: float, tau: float) -> float:
        p = 1 / (1 + math.exp(-tau * (ratio - 1)))
        return 4 * p * (1 - p) * ratio

    for advantage, tau in ((1.0, 1.0), (-1.0, 1.05)):
        ratios = [0.2, 1.0, 1.5, 6.0]
        assert found("sapo", ratios, advantage) == pytest.approx([gate(r, tau) for r in ratios])
        assert found("sapo", [1.0], advantage) == pytest.approx([1.0]) and found("sapo", [6.0], advantage)[0] < 0.2


def test_gmpo_stops_a_token_and_weighs_the_others_by_the_mean() -> None:
    out, least = math.exp(0.5), math.exp(-3.0)
    mean = math.exp((0.4 - 3.0 + 0.0) / 3)  # the first is held at 0.4, the second is not held
    assert found("gmpo", [out, least, 1.0], 1.0) == pytest.approx([0.0, mean, mean])
    mean = math.exp((0.5 - 0.4 + 0.0) / 3)
    assert found("gmpo", [out, least, 1.0], -1.0) == pytest.approx([mean, 0.0, mean])


@pytest.mark.parametrize("name", names("algorithm"))
def test_a_token_without_advantage_has_no_pull(name: str) -> None:
    """What the mask of certain tokens relies on; a method that cannot leave a token out says so."""
    algorithm = build("algorithm", name)
    logp_T = torch.zeros(3, requires_grad=True)
    tokens = Tokens(
        logp_T=logp_T, old_logp_T=torch.zeros(3), adv_T=torch.tensor([1.0, 0.0, 1.0]), sequences=1,
        seq_T=torch.zeros(3, dtype=torch.int64), value_T=torch.zeros(3), old_value_T=torch.zeros(3), return_T=torch.zeros(3),
    )  # fmt: skip
    slope_T = torch.autograd.grad(algorithm.token_loss(tokens).policy_T.sum(), logp_T)[0]
    assert slope_T[0] != 0 and (slope_T[1] == 0) == (not algorithm.one_action)


def test_gmpos_bound_is_its_completions_also_for_a_token_that_is_left_out() -> None:
    logp_T, zero_T = torch.tensor([0.0, 3.0], requires_grad=True), torch.zeros(2)
    tokens = Tokens(logp_T=logp_T, old_logp_T=zero_T, adv_T=torch.tensor([1.0, 0.0]), sequences=1, seq_T=zero_T.long())
    loss_T = build("algorithm", "gmpo").token_loss(tokens).policy_T
    assert -torch.autograd.grad(loss_T.sum(), logp_T)[0][0].item() == pytest.approx(math.exp(0.4 / 2))


def test_a_geometric_ratio_credits_each_token_by_its_own_advantage() -> None:
    logp_T = torch.tensor([0.3, -0.1, 0.2], dtype=torch.float64, requires_grad=True)
    ratio_T = surrogate.geometric_ratio(logp_T, torch.tensor([0, 0, 1]), 2)
    mean = math.exp(0.1)
    assert ratio_T.tolist() == pytest.approx([mean, mean, math.exp(0.2)])
    (slope_T,) = torch.autograd.grad((ratio_T * torch.tensor([1.0, 0.0, 2.0])).sum(), logp_T)
    assert slope_T.tolist() == pytest.approx([mean, 0.0, 2 * math.exp(0.2)])
