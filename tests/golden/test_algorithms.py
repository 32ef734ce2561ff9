"""Worked numbers from the papers' formulas, computed once with plain NumPy, against what the library computes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from builders import NAN, make_process, make_step
from earnest.algorithms.base import Tokens
from earnest.algorithms.grpo import GRPO
from earnest.algorithms.gspo import GSPO
from earnest.algorithms.kl import KL
from earnest.algorithms.pass_at_k import PassAtK
from earnest.algorithms.ppo import PPO
from earnest.algorithms.process_grpo import ProcessGRPO
from earnest.algorithms.reinforce_pp import ReinforcePP
from earnest.algorithms.rloo import RLOO
from earnest.functional import credit, divergence, mismatch, pass_at_k, reduce, surrogate
from earnest.functional.logprobs import chunked_logprobs

CASES: dict[str, Any] = json.loads((Path(__file__).parent / "cases.json").read_text(encoding="utf-8"))
CHECKS: dict[str, Callable[[Any, Any], None]] = {}
TOPICS = ("sft", "logprob", "adv", "policy", "agg", "kl", "ppo", "reinforce_pp", "grpo", "pass_at_k", "mismatch")


def checks(name: str) -> Callable[[Callable[[Any, Any], None]], Callable[[Any, Any], None]]:
    def keep(check: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        CHECKS[name] = check
        return check

    return keep


def t(values: Any) -> Tensor:
    return torch.tensor([NAN if v is None else v for v in values], dtype=torch.float64)


def near(found: Tensor, expected: Any, atol: float = 1e-9) -> None:
    wanted = torch.as_tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(found.detach().double(), wanted, rtol=0, atol=atol)


def one_group(values: Any) -> tuple[Tensor, Tensor]:
    return t(values), torch.zeros(len(values), dtype=torch.int64)


@checks("sft.mean")
def sft_mean(i: Any, e: Any) -> None:
    nll_T = -t(i["token_probs"]).log()
    weight_N = reduce.token_mean(torch.tensor([4]), torch.tensor([True]))
    near(nll_T, e["per_token_nll"])
    near((weight_N * nll_T).sum(), e["mean"])


@checks("sft.accumulation")
def sft_accumulation(i: Any, e: Any) -> None:
    micro = i["micro_batch_token_nll"]
    weight_N = reduce.token_mean(torch.tensor([len(m) for m in micro]), torch.tensor([True, True]))
    near(weight_N, [e["weight"]] * 2)
    near(torch.stack([(w * t(m)).sum() for w, m in zip(weight_N, micro, strict=True)]).sum(), e["mean"])


@checks("logprob.alignment")
def logprob_alignment(i: Any, e: Any) -> None:
    hidden = torch.tensor(i["logits"])[:-1]
    logp_T, _ = chunked_logprobs(hidden, torch.eye(3), None, torch.tensor(i["ids"][1:]), temperature=1.0)
    near(logp_T, e["logp"], atol=1e-6)


@checks("logprob.temperature")
def logprob_temperature(i: Any, e: Any) -> None:
    hidden, target = torch.tensor([i["logits"]], requires_grad=True), torch.tensor([i["token"]])
    near(chunked_logprobs(hidden, torch.eye(3), None, target, temperature=1.0)[0], [e["logp_T1"]], atol=1e-6)
    logp_T, _ = chunked_logprobs(hidden, torch.eye(3), None, target, temperature=i["T"])
    near(logp_T, [e["logp"]], atol=1e-6)
    near(torch.autograd.grad(logp_T.sum(), hidden)[0], [e["gradient"]], atol=1e-6)


@checks("adv.group")
def adv_group(i: Any, e: Any) -> None:
    group = one_group(i["rewards"])
    near(credit.group_advantage(*group), e["population"])
    near(credit.group_advantage(*group, ddof=1), e["sample"])
    near(credit.group_centered(*group), e["centered"])
    near(credit.leave_one_out(*group), e["leave_one_out"])
    with_eps(i["rewards"], e, "population", "sample")
    for std in ("population", "sample"):
        algorithm = GRPO(std=std, eps=1e-4, kl=KL())
        found = algorithm.credit(make_step([[float(r) for r in i["rewards"]]], [1] * 4)).advantage_T
        near(found, e[f"{std}_eps"]["1e-4"], atol=1e-6)


def with_eps(rewards: Any, e: Any, *spreads: str) -> None:
    for spread in spreads:
        for eps, advantage in e[f"{spread}_eps"].items():
            ddof = 0 if spread == "population" else 1
            near(credit.group_advantage(*one_group(rewards), ddof=ddof, eps=float(eps)), advantage, atol=1e-12)


@checks("adv.binary")
def adv_binary(i: Any, e: Any) -> None:
    for k, row in e.items():
        right = int(k)
        group = one_group([1.0] * right + [0.0] * (i["group"] - right))
        for ddof, name in ((0, "population"), (1, "sample")):
            found = credit.group_advantage(*group, ddof=ddof)
            if right > 0:
                near(found[0], row[name][0])
            if right < i["group"]:
                near(found[-1], row[name][1])


@checks("adv.affine")
def adv_affine(i: Any, e: Any) -> None:
    near(credit.group_advantage(*one_group(i["r01"])), e["scaled"])
    near(credit.group_advantage(*one_group(i["rpm1"])), e["scaled"])
    near(credit.group_centered(*one_group(i["r01"])), e["centered_01"])
    near(credit.group_centered(*one_group(i["rpm1"])), e["centered_pm1"])


@checks("adv.noise")
def adv_noise(i: Any, e: Any) -> None:
    near(credit.group_advantage(*one_group(i["rewards"])), e["population"])
    with_eps(i["rewards"], e, "population")
    near(credit.group_advantage(*one_group(i["rewards"]), min_std=1e-4), [0.0] * 4)
    near(credit.group_centered(*one_group(i["rewards"])), e["centered"])


@checks("adv.single")
def adv_single(i: Any, e: Any) -> None:
    for of in (credit.group_advantage, credit.group_centered, credit.leave_one_out):
        near(of(*one_group(i["rewards"])), e["advantage"])
    near(credit.group_advantage(*one_group(i["rewards"]), ddof=1), e["advantage"])


@checks("adv.ungraded")
def adv_ungraded(i: Any, e: Any) -> None:
    near(credit.group_mean(*one_group(i["rewards"])), [e["mean_over_scored"]] * 4)
    near(credit.group_advantage(*one_group(i["rewards"])), e["population_adv"])


@checks("adv.group_then_batch")
def adv_group_then_batch(i: Any, e: Any) -> None:
    rewards = [[float(r) for r in group] for group in i["groups"]]
    near(ReinforcePP(baseline="group").credit(make_step(rewards, [1] * 8)).advantage_T, e["advantage"], atol=1e-6)


@checks("adv.batch_scaled")
def adv_batch_scaled(i: Any, e: Any) -> None:
    reward_N, group_N = t([r for group in i["groups"] for r in group]), torch.arange(8) // 4
    near(credit.batch_scaled(reward_N, group_N, eps=1e-4), e["advantage"])
    step = make_step([[float(r) for r in group] for group in i["groups"]], [1] * 8)
    near(GRPO(std="batch", eps=1e-4, kl=KL()).credit(step).advantage_T, e["advantage"], atol=1e-6)


@checks("adv.steps")
def adv_steps(i: Any, e: Any) -> None:
    process = make_process(i["step_rewards"], [[1, 3], [2, 3]])
    step = make_step([[0.0, 1.0]], [4, 3], process=process)  # the fourth token of the first stands after its last step
    for std in ("population", "sample"):
        (a, b), (c, d) = e[std]
        near(ProcessGRPO(std=std).credit(step).advantage_T, [a, b, b, 0.0, c, c, d], atol=1e-6)


@checks("adv.kl_in_reward")
def adv_kl_in_reward(i: Any, e: Any) -> None:
    rewards = [[float(r) for r in i["rewards"]]]
    kl_T = torch.tensor([k / 2 for k in i["kl"] for _ in range(2)])  # two tokens each, half of the sum on either
    step = make_step(rewards, [2] * 4, penalty_T=i["beta"] * kl_T)
    near(RLOO().credit(step).advantage_T[::2], e["leave_one_out"], atol=1e-6)
    near(credit.group_advantage(*one_group(e["shaped"])), e["population"])


@checks("policy.clip")
def policy_clip(i: Any, e: Any) -> None:
    for row in e:
        for high, name in ((0.2, "clip_0.2_0.2"), (0.28, "clip_0.2_0.28")):
            logp_T = t([row["ratio"]]).log().requires_grad_()
            loss_T = surrogate.clipped(surrogate.ratio(logp_T, torch.zeros(1)), t([row["advantage"]]), 0.2, high)
            near(loss_T, [row[name]["loss"]])
            near(torch.autograd.grad(loss_T.sum(), logp_T)[0], [row[name]["dloss_dlogp"]])


@checks("policy.ratio")
def policy_ratio(i: Any, e: Any) -> None:
    new_T, old_T = t(i["log_ratio_tokens"]), torch.zeros(3).double()
    near(surrogate.ratio(new_T, old_T), e["token"])
    near(surrogate.sequence_ratio(new_T, old_T, torch.zeros(3, dtype=torch.int64), 1), [e["sequence"]] * 3)


@checks("policy.bounds")
def policy_bounds(i: Any, e: Any) -> None:
    for row in e:
        logp_T, old_T, adv_T = t([row["ratio"]]).log().requires_grad_(), torch.zeros(1), t([row["advantage"]])

        def slope(loss_T: Tensor, logp_T: Tensor = logp_T) -> Tensor:
            return torch.autograd.grad(loss_T.sum(), logp_T)[0]

        for delta in (3, 4):
            loss_T = surrogate.clipped(surrogate.ratio(logp_T, old_T), adv_T, 0.2, 0.2, delta)
            near(loss_T, [row[f"delta_{delta}"]["loss"]])
            near(slope(loss_T), [row[f"delta_{delta}"]["dloss_dlogp"]])
        near(slope(surrogate.truncated(logp_T, old_T, adv_T, None, 5.0)), [row["weight_to_5"]])
        near(slope(surrogate.truncated(logp_T, old_T, adv_T, 0.8, 1.2)), [row["weight_0.8_to_1.2"]])


@checks("policy.geometric_ratio")
def policy_geometric_ratio(i: Any, e: Any) -> None:
    log_ratio_T, seq_T, adv_T = t(i["log_ratio_tokens"]), torch.zeros(3, dtype=torch.int64), torch.ones(3)
    near(surrogate.geometric_ratio(log_ratio_T, seq_T, 1), [e["geometric"]] * 3)
    near(
        surrogate.geometric_ratio(surrogate.one_sided(log_ratio_T, adv_T, 0.4), seq_T, 1),
        [e["after_one_sided_0.4"]] * 3,
    )
    found = GSPO().token_loss(
        Tokens(logp_T=log_ratio_T, old_logp_T=torch.zeros(3), adv_T=adv_T, seq_T=seq_T, sequences=1)
    )
    near(-found.policy_T, [e["clipped"]] * 3)


@checks("pass_at_k.two_of_four")
def pass_at_k_two_of_four(i: Any, e: Any) -> None:
    group = one_group(i["right"])
    near(pass_at_k.weights(*group, i["k"]), e["weights"])
    near(pass_at_k.normalised(*group, i["k"]), e["normalised"])
    step = make_step([[float(r) for r in i["right"]]], [1] * 4)
    near(PassAtK(k=2).credit(step).advantage_T, e["normalised"], atol=1e-6)
    near(PassAtK(k=2, estimator="pkpo").credit(step).advantage_T / 4, e["weights"], atol=1e-6)


@checks("pass_at_k.expected_gradient")
def pass_at_k_expected_gradient(i: Any, e: Any) -> None:
    p = i["p"]
    for of in (pass_at_k.weights, pass_at_k.marginal_weights):
        total = 0.0
        for outcome in itertools.product([1.0, 0.0], repeat=i["n"]):
            weight_N = of(*one_group(outcome), i["k"])
            score_N = t([1 - p if right else -p for right in outcome])  # d log pi / d logit
            total += p ** sum(outcome) * (1 - p) ** (i["n"] - sum(outcome)) * float((weight_N * score_N).sum())
        near(torch.tensor(total), e["gradient"], atol=1e-7)


@checks("agg.length_bias")
def agg_length_bias(i: Any, e: Any) -> None:
    length_N, all_N = torch.tensor(i["lengths"]), torch.tensor([True, True])
    found = {
        "sequence_mean": reduce.sequence_mean(length_N, all_N),
        "token_mean": reduce.token_mean(length_N, all_N),
        "sequence_sum": reduce.sequence_sum(length_N, all_N),
        "constant": reduce.constant(length_N, all_N, i["L_max"]),
    }
    for name, weight_N in found.items():
        near(weight_N, e["weight"][name], atol=1e-7)
        near(-(weight_N * length_N * t(i["advantages"])).sum(), e["loss"][name], atol=1e-7)


@checks("agg.empty_sequence")
def agg_empty_sequence(i: Any, e: Any) -> None:
    length_N, sums_N = torch.tensor(i["row_has_tokens"]), t(i["row_losses"])
    near((reduce.sequence_mean(length_N, torch.tensor([True] * 3)) * sums_N).sum(), e["all"], atol=1e-6)
    near((reduce.sequence_mean(length_N, length_N > 0) * sums_N).sum(), e["with_tokens"])


@checks("kl.point")
def kl_point(i: Any, e: Any) -> None:
    logp, ref = t(i["logp"]), t(i["ref"])
    for name, of in (("k1", divergence.k1), ("k2", divergence.k2), ("k3", divergence.k3)):
        near(of(logp, ref), [row[name] for row in e])


@checks("kl.exact")
def kl_exact(i: Any, e: Any) -> None:
    logits = t(i["pi"]).log().requires_grad_()
    ref = t(i["ref"]).log()
    logp = logits.log_softmax(-1)
    pi = logp.exp()

    def gradient(value: Tensor) -> Tensor:
        return torch.autograd.grad(value, logits, retain_graph=True)[0]

    for name, of in (("k1", divergence.k1), ("k2", divergence.k2), ("k3", divergence.k3)):
        near((pi * of(logp, ref)).sum(), e[name])
        near(gradient((pi.detach() * of(logp, ref)).sum()), e["gradient"][f"{name} in loss"])
    near(gradient((pi.detach() * divergence.k1(logp, ref).detach() * logp).sum()), e["gradient"]["k1 in reward"])
    near(
        gradient((pi.detach() * divergence.k3(logp, ref).detach() * logp).sum()), e["gradient"]["k3 in reward"]
    )  # biased
    for name, of in (("k1", divergence.k1), ("k3", divergence.k3)):
        near((pi * of(logp, ref).square()).sum() - (pi * of(logp, ref)).sum().square(), e["variance"][name])
    rho = surrogate.ratio(logp, logp.detach())
    near(gradient((pi.detach() * rho * divergence.k3(logp, ref)).sum()), e["gradient"]["ratio k3 in loss"])
    near(gradient((pi * (logp - ref)).sum()), e["gradient"]["k2 in loss"])  # the exact KL(pi||ref)
    near((pi * (logp - ref)).sum(), e["KL(pi||ref)"])


@checks("kl.sequence_sum")
def kl_sequence_sum(i: Any, e: Any) -> None:
    k1_T = t(i["k1_per_token"])
    kl_N = credit.sequence_sum(k1_T, torch.tensor([20]))
    near(kl_N, [e["sequence_sum"]])
    near(i["R"] - i["beta"] * kl_N, [e["shaped"]])
    shaped = credit.leave_one_out(torch.tensor([e["shaped"], 0.0]), torch.tensor([0, 0]))
    step = make_step([[i["R"], 0.0]], [20, 1], penalty_T=torch.cat([i["beta"] * k1_T.float(), torch.zeros(1)]))
    near(RLOO().credit(step).advantage_T[[0, 20]], shaped.tolist(), atol=1e-6)

    zero_T, length_N = torch.zeros(20).double(), torch.tensor([20])
    for over, total, priced in (("sum", "sequence_sum", "shaped"), ("mean", "token_mean", "shaped_by_mean")):
        kl = KL.model_validate({"in_reward": i["beta"], "over": over})
        penalty_T = kl.coefficient * kl.penalty(k1_T, zero_T, length_N)
        near(penalty_T.sum(), i["beta"] * e[total])
        near(i["R"] - penalty_T.sum(), e[priced])


@checks("kl.priced_reward")
def kl_priced_reward(i: Any, e: Any) -> None:
    reward_N, kl_T = t([i["R"]] * 2), t(i["kl"])
    near(credit.last_token_rewards(reward_N, torch.tensor([1, 1]), i["beta"] * kl_T), e["priced"])
    step = make_step([reward_N.tolist()], [1, 1], penalty_T=i["beta"] * kl_T.float())
    first, second = e["priced"]
    near(RLOO().credit(step).advantage_T, [first - second, second - first], atol=1e-6)


@checks("mismatch.weights")
def mismatch_weights(i: Any, e: Any) -> None:
    one = (log_w_T := t(i["log_w"])), torch.zeros(3, dtype=torch.int64), 1
    near(mismatch.token_tis(log_w_T, 1e9), e["token"])
    near(mismatch.token_tis(log_w_T, 2.0), e["token_tis_2"])
    near(mismatch.token_mask(log_w_T, 0.5, 5.0), e["token_mask_0.5_5"])
    near(mismatch.token_mask(log_w_T, 0.5, 2.0), e["token_mask_0.5_2"])
    near(mismatch.sequence_tis(*one, 1e9), [e["sequence"]] * 3)
    near(mismatch.sequence_tis(*one, 2.0), [e["sequence_tis_2"]] * 3)
    near(mismatch.sequence_mask(*one, 3.0), [e["sequence_mask_3"]] * 3)
    for low, high, kept in ((1 - 1e-9, 1 + 1e-9, 1.0), (1 + 1e-9, 2.0, 0.0), (0.5, 1 - 1e-9, 0.0)):
        near(mismatch.geometric_rejection(*one, low * e["geometric"], high * e["geometric"]), [kept] * 3)


@checks("ppo.gae")
def ppo_gae(i: Any, e: Any) -> None:
    value_T, reward_T, length_N = t(i["values"]), t(i["rewards"]), torch.tensor([3])
    advantage_T, return_T = credit.gae(value_T, reward_T, length_N, gamma=1.0, lam=0.95)
    near(advantage_T, e["advantages"])
    near(return_T, e["returns"])
    near(credit.gae(value_T, reward_T, length_N, gamma=1.0, lam=1.0)[0], e["lam_1"])
    near(credit.gae(value_T, reward_T, length_N, gamma=1.0, lam=0.0)[0], e["lam_0"])
    near(credit.gae(value_T, reward_T, length_N, gamma=0.99, lam=0.95)[0], e["gamma_0.99"])
    step = make_step([[0.0]], [3], finished=[False], value_T=value_T.float(), bootstrap_N=torch.tensor([0.7]))
    near(PPO(whiten=False).credit(step).advantage_T, e["cut_with_bootstrap_0.7"], atol=1e-6)
    lost = make_step([[0.0]], [3], value_T=value_T.float(), bootstrap_N=torch.tensor([0.7]))
    near(PPO(whiten=False).credit(lost).advantage_T, e["cut_taken_for_ended"], atol=1e-6)
    ended = make_step([[1.0]], [3], value_T=value_T.float(), bootstrap_N=torch.tensor([0.7]))
    near(PPO(whiten=False).credit(ended).advantage_T, e["advantages"], atol=1e-6)


@checks("ppo.inserted_tokens")
def ppo_inserted_tokens(i: Any, e: Any) -> None:
    sampled = torch.tensor(i["mask"]).bool()
    value_T, reward_T = t(i["values"])[sampled], t(i["rewards"])[sampled]
    near(credit.gae(value_T, reward_T, torch.tensor([2]), gamma=1.0, lam=0.95)[0], e["advantages"])


@checks("ppo.token_rewards")
def ppo_token_rewards(i: Any, e: Any) -> None:
    k1_T, length_N = t(i["k1_per_token"]), torch.tensor([3])
    near(credit.last_token_rewards(t([i["R"]]), length_N) - i["beta"] * k1_T, e["token_rewards"])
    step = make_step([[i["R"]]], [3], penalty_T=i["beta"] * k1_T.float())
    advantage_T = PPO(whiten=False, lam=0.0).credit(step).advantage_T
    near(advantage_T, e["token_rewards"], atol=1e-6)  # lam 0 and a critic of 0: the rewards themselves


@checks("ppo.whiten")
def ppo_whiten(i: Any, e: Any) -> None:
    mask_T = torch.tensor(i["mask"]).bool()
    near(credit.whiten(t(i["adv"]), mask_T), e["population"], atol=1e-12)
    near(credit.whiten(t(i["adv"]), mask_T, ddof=1), e["sample"], atol=1e-12)


@checks("ppo.value_clip")
def ppo_value_clip(i: Any, e: Any) -> None:
    value_T = t([i["v_new"]]).requires_grad_()
    loss_T = surrogate.value_loss(value_T, t([i["v_old"]]), t([i["return"]]), i["clip"])
    near(loss_T, [e["loss"]])
    near(torch.autograd.grad(loss_T.sum(), value_T)[0], [e["dloss_dv"]])
    near(surrogate.value_loss(value_T, t([i["v_old"]]), t([i["return"]]), None), [e["unclipped_loss"]])


@checks("reinforce_pp.step")
def reinforce_pp(i: Any, e: Any) -> None:
    reward_T = t([r for row in i["token_rewards"] for r in row])
    returns_T = credit.returns_to_go(reward_T, torch.tensor([3, 2]))
    near(returns_T, [r for row in e["returns"] for r in row])
    near(credit.whiten(returns_T), e["population"], atol=1e-7)
    near(credit.whiten(returns_T, ddof=1), e["sample"], atol=1e-7)
    kl_T = torch.tensor([0.1, 0.0, 0.0, 0.0, 0.2])  # with beta 1 and rewards 1 and 0: the same token rewards
    step = make_step([[1.0], [0.0]], [3, 2], penalty_T=kl_T)
    near(ReinforcePP().credit(step).advantage_T, e["population"], atol=1e-6)


@checks("grpo.effective_objective")
def grpo_effective_objective(i: Any, e: Any) -> None:
    for p, slope in zip(i["p"], e["dJ_dp"], strict=True):
        right = round(10 * p)
        advantage_N = credit.group_advantage(*one_group([1.0] * right + [0.0] * (10 - right)))
        near(advantage_N[0] - advantage_N[-1], slope)


@pytest.mark.parametrize("name", CHECKS)
def test_case(name: str) -> None:
    CHECKS[name](CASES[name]["inputs"], CASES[name]["expected"])


def test_every_case_has_its_source_and_its_check() -> None:
    ours = [name for name in CASES if name.split(".")[0] in TOPICS]
    assert set(ours) == set(CHECKS)
    assert all(CASES[name]["citation"] for name in ours)
