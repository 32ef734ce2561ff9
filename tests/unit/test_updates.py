"""From judged groups to updates: minibatches, pi_old, KL, entropy, the critic, and the correction for another sampler."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor

from earnest.algorithms.base import Algorithm
from earnest.algorithms.dapo import DAPO
from earnest.algorithms.dr_grpo import DrGRPO
from earnest.algorithms.grpo import GRPO
from earnest.algorithms.kl import KL, AdaptiveKL
from earnest.algorithms.ppo import PPO
from earnest.algorithms.rloo import RLOO
from earnest.component import KeyedConfigError, build
from earnest.data.reading import read_ends, read_tokens
from earnest.data.samples import plain_sample
from earnest.functional import divergence, mismatch, reduce
from earnest.models.base import Policy
from earnest.models.critic import Critic
from earnest.train.losses import PolicyGradient
from earnest.train.mismatch import Mismatch
from earnest.train.optim import Optim, build_optimizer
from earnest.train.reference import Reference
from earnest.train.step import Gradient, accumulate, update
from earnest.train.updates import Entropy, Learning, Planner, carries_signal
from earnest.types import Batch, Finish, Group, Sample
from judged_groups import LENGTHS, judged_groups


@pytest.fixture
def policy(tiny_policy: Policy) -> Policy:
    return copy.deepcopy(tiny_policy)


def learning(**changes: object) -> Learning:
    return Learning(**{"seed": 3, "temperature": 1.0, "max_tokens": 64, **changes})  # type: ignore[arg-type]


def reference(policy: Policy, kl: KL, *, noise: float = 0.3) -> Reference:
    other = copy.deepcopy(policy)
    g = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for _, parameter in other.parameters():
            parameter.add_(noise * parameter.abs().mean() * torch.randn(parameter.shape, generator=g))
    return Reference(other, kl)


def gradient(policy: Policy, loss: PolicyGradient, samples: tuple[Sample, ...], max_tokens: int = 4096) -> Tensor:
    for _, parameter in policy.parameters():
        parameter.grad = None
    accumulate(policy, loss, samples, max_tokens)
    return torch.cat([p.grad.flatten() for _, p in policy.parameters() if p.grad is not None])


def key(sample: Sample) -> tuple[int, ...]:
    return sample.token_ids


@pytest.mark.parametrize("minibatches", [1, 2, 3, 4])
def test_minibatches_share_out_every_group_once_an_epoch(policy: Policy, minibatches: int) -> None:
    algorithm = DAPO(dead_groups="drop")
    plan = Planner(policy, algorithm, learning(minibatches=minibatches, epochs=2)).plan(judged_groups(policy), 0)
    whole = Planner(policy, algorithm, learning()).plan(judged_groups(policy), 0)
    everything = sorted(key(s) for update in whole.updates for s in update)
    assert len(everything) == 9  # the group of equal rewards is left out
    found = [key(s) for update in plan.updates for s in update]
    assert sorted(found) == sorted(everything * 2)
    for samples in plan.updates:
        assert sum(s.weight * sum(s.mask) for s in samples) == pytest.approx(1.0)  # a mean of its own
        prompts = {s.token_ids[:2] for s in samples}
        assert all(len([s for s in samples if s.token_ids[:2] == p]) == 3 for p in prompts)  # groups are whole
    again = Planner(policy, algorithm, learning(minibatches=minibatches, epochs=2)).plan(judged_groups(policy), 0)
    assert [[key(s) for s in u] for u in again.updates] == [[key(s) for s in u] for u in plan.updates]


def test_the_order_of_minibatches_differs_between_steps(policy: Policy) -> None:
    planner, groups = Planner(policy, DAPO(), learning(minibatches=4)), judged_groups(policy)
    orders = {tuple(update[0].token_ids[:2] for update in planner.plan(groups, step).updates) for step in range(8)}
    assert len(orders) > 1


def test_the_first_of_several_updates_has_ratio_one_and_the_next_has_not(policy: Policy) -> None:
    plan = Planner(policy, DAPO(), learning(minibatches=2)).plan(judged_groups(policy), 0)
    loss = PolicyGradient(DAPO(), 1.0)
    optimizer = build_optimizer(policy, loss, Optim.model_validate({"lr": 0.05}))
    seen = []
    for samples in plan.updates:
        assert all(s.old_logprobs is not None for s in samples)
        now_T = read_tokens(policy, samples, 4096, 1.0, lambda _, f: f.logp_T)
        seen.append(torch.expm1(now_T - torch.cat([s.old_logprobs for s in samples])).abs().max().item())  # type: ignore[misc]
        found = accumulate(policy, loss, samples, 4096)
        assert found.metrics["sampler/max_ratio_error"] < 1e-4  # of pi_old, however far pi has gone
        update(policy, optimizer, 0.05, 1.0)
    assert seen[0] < 1e-4 < 0.05 < seen[1]


def test_one_update_needs_no_reading_of_pi_old(policy: Policy) -> None:
    (samples,) = Planner(policy, DAPO(), learning()).plan(judged_groups(policy), 0).updates
    assert all(s.old_logprobs is None for s in samples)


def test_the_old_policy_of_replayed_groups_is_the_samplers(policy: Policy) -> None:
    groups = judged_groups(policy)
    shifted = [
        replace(r, completion=replace(r.completion, logprobs=tuple(x - 0.5 for x in r.completion.logprobs or ())))
        for r in groups[1].rollouts
    ]
    groups[1] = Group(groups[1].problem, tuple(shifted))
    (samples,) = Planner(policy, DAPO(), learning()).plan(groups, 0, frozenset({1})).updates
    for sample in samples:
        assert sample.old_logprobs is not None and sample.sampler_logprobs is not None
        is_stale = sample.token_ids[1] == 52
        now_T = read_tokens(policy, [sample], 4096, 1.0, lambda _, f: f.logp_T)
        torch.testing.assert_close(sample.old_logprobs, now_T - 0.5 * is_stale, rtol=0, atol=1e-5)


KLS = [
    KL(in_loss=0.5), KL(in_loss=0.5, estimator="k2"), KL(in_loss=0.5, over="sum"), KL(in_loss=0.5, ratio_weight=True),
    KL(in_loss=0.5, estimator="k1", ratio_weight=True),
]  # fmt: skip


@pytest.mark.parametrize("kl", KLS, ids=str)
def test_a_kl_in_the_loss_reaches_every_rollout_and_is_the_formula(policy: Policy, kl: KL) -> None:
    algorithm = GRPO(kl=kl)
    ref = reference(policy, kl)
    groups = judged_groups(policy)
    plan = Planner(policy, algorithm, learning(), reference=ref).plan(groups, 0)
    (samples,) = plan.updates
    assert len(samples) == 12 and sum(s.weight == 0 for s in samples) == 3  # dead groups have a KL and nothing else
    found = gradient(policy, PolicyGradient(algorithm, 1.0), samples)
    for max_tokens in (8, 24):
        torch.testing.assert_close(
            gradient(policy, PolicyGradient(algorithm, 1.0), samples, max_tokens), found, rtol=1e-4, atol=1e-6
        )

    without = gradient(policy, PolicyGradient(GRPO(kl=KL()), 1.0), samples)
    expected = torch.zeros_like(found)
    every = torch.ones(12, dtype=torch.bool)
    length_N = torch.tensor(LENGTHS)
    weight_N = (reduce.sequence_sum if kl.over == "sum" else reduce.sequence_mean)(length_N, every)
    estimator = {None: divergence.k3, "k1": divergence.k1, "k2": divergence.k2}[kl.estimator]
    for i, rollout in enumerate(r for group in groups for r in group.rollouts):
        sample = plain_sample(rollout)
        from earnest.data.batch import pack

        logp_T = policy.forward(pack([sample], policy.device)).logp_T
        ref_T = ref.policy.forward(pack([sample], policy.device)).logp_T.detach()
        kl_T = estimator(logp_T, ref_T)
        if kl.ratio_weight:
            kl_T = kl_T * (logp_T - logp_T.detach()).exp()
        grads = torch.autograd.grad(
            kl.in_loss * weight_N[i] * kl_T.sum(), [p for _, p in policy.parameters()], allow_unused=True
        )
        expected += torch.cat(
            [
                (torch.zeros_like(p) if g is None else g).flatten()
                for g, (_, p) in zip(grads, policy.parameters(), strict=True)
            ]
        )
    assert expected.abs().max() > 1e-4
    torch.testing.assert_close(found - without, expected, rtol=1e-3, atol=1e-5)


def test_a_kl_in_the_reward_is_taken_off_before_the_comparison(policy: Policy) -> None:
    for over, divisor in (("sum", 1.0), ("mean", None)):
        kl = KL(in_reward=0.5, over=over)  # type: ignore[arg-type]
        algorithm = GRPO(kl=kl, std="none")
        ref = reference(policy, kl)
        groups = judged_groups(policy)
        plan = Planner(policy, algorithm, learning(), reference=ref).plan(groups, 0)
        kl_N = []
        for group in groups:
            for r in group.rollouts:
                ref_T = read_tokens(ref.policy, [plain_sample(r)], 4096, 1.0, lambda _, f: f.logp_T)
                total = (torch.tensor(r.completion.logprobs) - ref_T).sum().item()
                kl_N.append(total / (divisor or len(r.completion.token_ids or ())))
        priced = [
            r.reward - 0.5 * k
            for r, k in zip((r for g in groups for r in g.rollouts), kl_N, strict=True)
            if r.reward is not None
        ]
        first = plan.credit.advantage_T.split(LENGTHS)
        for g in range(4):
            row = priced[3 * g : 3 * g + 3]
            for i in range(3):
                assert first[3 * g + i][0].item() == pytest.approx(row[i] - sum(row) / 3, abs=1e-4)
        assert plan.metrics["kl/completion"] != 0 and plan.metrics["kl/coefficient"] == 0.5


def test_the_adaptive_coefficient_follows_the_controller_and_is_resumed(policy: Policy) -> None:
    kl = KL(in_reward=0.2, adaptive=AdaptiveKL(target=6.0))
    for measured, after in [
        (9.0, 0.201024),
        (6.3, 0.200256),
        (1.0, 0.198976),
    ]:  # Ziegler et al. 2019, section 2.2, by hand
        steered = Reference(policy, kl)
        steered.steer({"kl/completion": measured}, 256)
        assert steered.coefficient == pytest.approx(after, abs=1e-12)
        resumed = Reference(policy, kl)
        resumed.load_state_dict(steered.state_dict())
        assert resumed.coefficient == steered.coefficient
    fixed = Reference(policy, KL(in_reward=0.2))
    fixed.steer({"kl/completion": 100.0}, 256)
    assert fixed.coefficient == 0.2


def test_the_coefficient_that_is_reported_is_the_one_that_counts(policy: Policy) -> None:
    ref = reference(policy, KL(in_loss=0.2, over="sum", adaptive=AdaptiveKL(target=100.0, horizon=12)))
    plan = Planner(policy, DAPO(kl=ref.kl), learning(), reference=ref).plan(judged_groups(policy), 0)
    assert plan.metrics["kl/coefficient"] == 0.2 == ref.coefficient
    ref.steer(plan.metrics, 12)
    assert ref.coefficient == pytest.approx(0.16)
    assert [s.kl_weight for s in plan.updates[0]] == pytest.approx([0.2 / 12] * 12)


def test_the_kl_that_is_reported_is_of_the_present_policys_completions(policy: Policy) -> None:
    groups = judged_groups(policy)
    planner = Planner(policy, DAPO(kl=KL(in_loss=0.2)), learning(), reference=reference(policy, KL(in_loss=0.2)))
    fresh = planner.plan(groups[:3], 0).metrics
    mixed = planner.plan(groups, 0, frozenset({3})).metrics
    assert mixed["kl"] == pytest.approx(fresh["kl"]) != planner.plan(groups, 0).metrics["kl"]
    assert mixed["kl/completion"] == pytest.approx(fresh["kl/completion"])


def test_the_kl_of_a_completion_is_the_sum_over_its_tokens(policy: Policy) -> None:
    logp_T, ref_logp_T = torch.tensor([-0.5, -0.5, -0.5, -0.5]), torch.tensor([-0.6, -0.7, -0.8, -1.3])
    found = Reference(policy, KL(in_reward=0.2)).measure(logp_T, ref_logp_T, torch.tensor([3, 1]))
    assert found == pytest.approx({"kl": 1.4 / 4, "kl/completion": (0.6 + 0.8) / 2, "kl/coefficient": 0.2})


def test_the_reference_and_the_old_policy_are_read_at_the_temperature_of_the_samples(policy: Policy) -> None:
    ref = reference(policy, KL(in_loss=0.1))
    planner = Planner(policy, GRPO(kl=ref.kl), learning(temperature=0.5, epochs=2), reference=ref)
    samples = planner.plan(judged_groups(policy), 0).updates[0]
    old_T, ref_T = (torch.cat([getattr(s, name) for s in samples]) for name in ("old_logprobs", "ref_logprobs"))
    for read_T, whose in ((old_T, policy), (ref_T, ref.policy)):
        torch.testing.assert_close(
            read_T, read_tokens(whose, samples, 4096, 0.5, lambda _, f: f.logp_T), rtol=0, atol=1e-5
        )


def test_a_renewed_reference_is_the_policy_of_that_step(policy: Policy) -> None:
    ref = reference(policy, KL(in_loss=0.1, reset_every=3))
    before = {n: p.clone() for n, p in ref.policy.parameters()}
    ref.renew(policy, 0)
    assert all(torch.equal(p, before[n]) for n, p in ref.policy.parameters())
    ref.renew(policy, 2)
    assert all(torch.equal(p, dict(policy.parameters())[n]) for n, p in ref.policy.parameters())
    other = reference(policy, KL(in_loss=0.1, reset_every=3))
    other.load_tensors({n: t.clone() for n, t in ref.tensors().items()})
    assert all(torch.equal(p, dict(policy.parameters())[n]) for n, p in other.policy.parameters())
    assert Reference(policy, KL(in_loss=0.1)).tensors() == {}


@pytest.mark.parametrize("algorithm", [DAPO(), DrGRPO(max_length=64), RLOO(kl=None)], ids=lambda a: a.name)  # type: ignore[arg-type]
def test_the_entropy_bonus_raises_entropy_and_the_floor_turns_it_on(policy: Policy, algorithm: Algorithm) -> None:
    """The mean entropy of a token, however the algorithm weighs tokens."""
    groups = judged_groups(policy)
    samples_of = {}
    for name, entropy in {"off": Entropy(), "on": Entropy(bonus=0.5), "below": Entropy(bonus=0.5, floor=0.01)}.items():
        (samples_of[name],) = Planner(policy, algorithm, learning(entropy=entropy)).plan(groups, 0).updates
    assert len(samples_of["on"]) == 12  # groups of equal rewards too
    assert [s.entropy_weight for s in samples_of["below"]] == [0.0] * 9
    with_bonus = gradient(policy, PolicyGradient(algorithm, 1.0, with_entropy=True), samples_of["on"])
    without = gradient(policy, PolicyGradient(algorithm, 1.0), samples_of["off"])
    from earnest.data.batch import pack

    batch = pack([plain_sample(r) for g in groups for r in g.rollouts], policy.device)
    entropy_T = policy.forward(batch, stats=frozenset({"entropy"})).entropy_T
    assert entropy_T is not None
    grads = torch.autograd.grad(-0.5 * entropy_T.mean(), [p for _, p in policy.parameters()], allow_unused=True)
    expected = torch.cat(
        [
            (torch.zeros_like(p) if g is None else g).flatten()
            for g, (_, p) in zip(grads, policy.parameters(), strict=True)
        ]
    )
    torch.testing.assert_close(with_bonus - without, expected, rtol=1e-3, atol=1e-6)


def test_cut_completions_can_be_left_out_of_loss_and_denominator(policy: Policy) -> None:
    groups = judged_groups(policy)
    first, *others = groups[0].rollouts
    cut = replace(first, completion=replace(first.completion, finish=Finish.LENGTH))
    groups[0] = Group(groups[0].problem, (cut, *others))
    kept, masked = (
        Planner(policy, DAPO(), learning(mask_truncated=on)).plan(groups, 0) for on in (False, True)
    )  # fmt: skip
    assert torch.equal(kept.credit.advantage_T, masked.credit.advantage_T)
    ((samples,), (fewer,)) = kept.updates, masked.updates
    assert {key(s) for s in samples} - {key(s) for s in fewer} == {(*cut.prompt_ids, *(cut.completion.token_ids or ()))}
    tokens = sum(LENGTHS)
    assert all(s.weight == pytest.approx(1 / tokens) for s in samples)
    assert all(s.weight == pytest.approx(1 / (tokens - LENGTHS[0])) for s in fewer)


@pytest.mark.parametrize("kl", [KL(), KL(in_loss=0.1), KL(in_reward=0.1)])
@pytest.mark.parametrize("name", ["grpo", "dr_grpo", "dapo", "rloo"])
def test_masked_completions_may_count_in_means_over_completions(policy: Policy, name: str, kl: KL) -> None:
    """As completions without tokens: each other weight is smaller by their share, and a mean over tokens is as it was."""
    groups = judged_groups(policy)
    first, *others = groups[0].rollouts
    cut = replace(first, completion=replace(first.completion, finish=Finish.LENGTH))
    groups[0] = Group(groups[0].problem, (cut, *others))
    algorithm = build("algorithm", {"name": name, "kl": kl}).with_max_tokens(8)
    given = reference(policy, kl) if kl.on else None
    fewer, counted = (
        Planner(
            policy, algorithm, learning(mask_truncated=True, count_truncated=on, entropy=Entropy(bonus=0.1)), reference=given
        ).plan(groups, 0).updates[0]
        for on in (False, True)
    )  # fmt: skip
    assert [key(s) for s in counted] == [key(s) for s in fewer]
    assert (*cut.prompt_ids, *(cut.completion.token_ids or ())) not in map(key, counted)
    rows = sum(len(group.rollouts) for group in groups)
    factor = 1.0 if name == "dapo" else (rows - 1) / rows
    for one, other in zip(fewer, counted, strict=True):
        assert other.weight == pytest.approx(factor * one.weight)
        assert other.kl_weight == pytest.approx((1.0 if kl.sums and name == "dapo" else factor) * one.kl_weight)
        assert other.entropy_weight == pytest.approx(one.entropy_weight) and one.entropy_weight > 0


def test_a_step_whose_live_completions_were_all_cut_has_no_signal(policy: Policy) -> None:
    cut = [
        Group(g.problem, tuple(replace(r, completion=replace(r.completion, finish=Finish.LENGTH)) for r in g.rollouts))
        for g in judged_groups(policy)
    ]
    plan = Planner(policy, DAPO(), learning(mask_truncated=True)).plan(cut, 0)
    assert plan.updates == () and not plan.credit.live_N.any()
    whole = Planner(policy, DAPO(), learning()).plan(cut, 0)
    assert whole.credit.live_N.any()
    for mask, found in ((True, plan), (False, whole)):  # what the remedies go by is what is learned from
        told = [carries_signal(DAPO(), policy.tokenizer, mask, group) for group in cut]
        assert told == [bool(found.credit.live_N[found.step.group_N == g].any()) for g in range(len(cut))]


def test_only_the_most_uncertain_tokens_carry_the_loss(policy: Policy) -> None:
    groups = judged_groups(policy)
    plan = Planner(policy, DAPO(), learning(entropy=Entropy(top_share=0.25))).plan(groups, 0)
    whole = Planner(policy, DAPO(), learning()).plan(groups, 0)
    samples = [plain_sample(r) for g in groups for r in g.rollouts]
    entropy_T = read_tokens(policy, samples, 4096, 1.0, lambda _, f: f.entropy_T, frozenset({"entropy"}))  # type: ignore[arg-type, return-value]
    top = set(entropy_T.topk(round(0.25 * sum(LENGTHS))).indices.tolist())
    assert torch.equal(plan.credit.advantage_T, whole.credit.advantage_T)  # what records say is the algorithm's credit
    learned, starts = {key(s): s.advantages for s in plan.updates[0]}, [sum(LENGTHS[:n]) for n in range(len(LENGTHS))]
    for sample, start, length in zip(samples, starts, LENGTHS, strict=True):
        given = whole.credit.advantage_T[start : start + length].tolist()
        if (kept_T := learned.get(key(sample))) is not None:
            assert kept_T.tolist() == [a if start + i in top else 0.0 for i, a in enumerate(given)]
    assert [s.weight for s in plan.updates[0]] == [s.weight for s in whole.updates[0]]


@pytest.mark.parametrize("separate", [False, True])
def test_a_critic_learns_alone_at_first_and_may_have_a_body_of_its_own(policy: Policy, separate: bool) -> None:
    critic = Critic(policy, copy.deepcopy(policy) if separate else None)
    algorithm = PPO()
    loss = PolicyGradient(algorithm, 1.0, critic)
    names = [name for name, _ in loss.head_parameters()]
    assert ("critic.head.linear.weight" in names) and (len(names) > 2) == separate
    assert not {id(p) for _, p in policy.parameters()} & {id(p) for _, p in loss.head_parameters()}
    optimizer = build_optimizer(policy, loss, Optim.model_validate({"lr": 0.01, "weight_decay": 0.1}))
    before = torch.cat([p.detach().flatten() for _, p in policy.parameters()]).clone()
    for step in range(3):
        (samples,) = Planner(policy, algorithm, learning(), critic=critic).plan(judged_groups(policy), step).updates
        accumulate(policy, loss, samples, 4096)
        update(policy, optimizer, 0.01, 1.0, heads_only=True)
    assert torch.equal(torch.cat([p.detach().flatten() for _, p in policy.parameters()]), before)
    assert critic.head.linear.weight.abs().max() > 1e-3
    plan = Planner(policy, algorithm, learning(), critic=critic).plan(judged_groups(policy), 3)
    pull = gradient(policy, loss, plan.updates[0])
    of_policy = gradient(policy, PolicyGradient(PPO(value_coef=1e-30), 1.0, critic), plan.updates[0])
    assert torch.equal(pull, of_policy) == separate  # a shared body is pulled by the critic's loss as well


def test_values_of_a_separate_critic_are_those_of_its_own_body(policy: Policy) -> None:
    body = reference(policy, KL(in_loss=1.0)).policy
    critic, shared = Critic(policy, body), Critic(policy)
    for c in (critic, shared):
        torch.nn.init.normal_(c.head.linear.weight, generator=torch.Generator().manual_seed(1))
    samples = [plain_sample(r) for g in judged_groups(policy) for r in g.rollouts]
    own_T = read_tokens(policy, samples, 4096, 1.0, critic.values)
    expected_T = read_tokens(body, samples, 4096, 1.0, lambda _, f: critic.head(f.hidden_T))
    torch.testing.assert_close(own_T, expected_T, rtol=1e-5, atol=1e-5)
    assert (own_T - read_tokens(policy, samples, 4096, 1.0, shared.values)).abs().max() > 1e-3
    own_N, shared_N, expected_N = (
        read_ends(samples, 4096, policy.device, of)
        for of in (critic.ends, shared.ends, lambda batch: critic.head(body.final_hidden(batch)))
    )
    torch.testing.assert_close(own_N, expected_N, rtol=1e-5, atol=1e-5)
    assert (own_N - shared_N).abs().max() > 1e-3


def one_sequence(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


CORRECTIONS: list[tuple[Callable[[Tensor, Tensor], Tensor], list[float]]] = [
    (lambda w, s: mismatch.token_tis(w, 2.0), [1.6487212707001282, 0.9048374180359595, 2.0]),
    (lambda w, s: mismatch.token_mask(w, 0.5, 5.0), [1.6487212707001282, 0.9048374180359595, 4.4816890703380645]),
    (lambda w, s: mismatch.token_mask(w, 0.5, 2.0), [1.6487212707001282, 0.9048374180359595, 0.0]),
    (lambda w, s: mismatch.token_mask(w, 0.95, 5.0), [1.6487212707001282, 0.0, 4.4816890703380645]),
    (lambda w, s: mismatch.sequence_tis(w, s, 1, 2.0), [2.0] * 3),
    (lambda w, s: mismatch.sequence_tis(w, s, 1, 10.0), [6.6858944422792685] * 3),
    (lambda w, s: mismatch.sequence_mask(w, s, 1, 3.0), [0.0] * 3),
    (lambda w, s: mismatch.geometric_rejection(w, s, 1, 0.5, 1.88), [0.0] * 3),
    (lambda w, s: mismatch.geometric_rejection(w, s, 1, 0.5, 1.89), [1.0] * 3),
]


@pytest.mark.parametrize(("of", "expected"), CORRECTIONS)
def test_corrections_by_hand(of: Callable[[Tensor, Tensor], Tensor], expected: list[float]) -> None:
    found = of(one_sequence([0.5, -0.1, 1.5]), torch.zeros(3, dtype=torch.int64))
    torch.testing.assert_close(found, one_sequence(expected), rtol=1e-12, atol=0)


def test_a_weight_that_is_no_number_any_more_is_held_at_the_twentieth_power_of_e() -> None:
    log_w_T, most = one_sequence([1500.0, -1500.0]), math.exp(20.0)
    torch.testing.assert_close(mismatch.token_tis(log_w_T, 1e12), one_sequence([most, 1 / most]))
    whole_T = mismatch.sequence_tis(log_w_T, torch.tensor([0, 1]), 2, 1e12)
    torch.testing.assert_close(whole_T, one_sequence([most, 1 / most]))


def batch_with(sampler_logp_T: Tensor, adv_T: Tensor | None = None) -> Batch:
    """One completion of one token for each number."""
    places_T, one_T = torch.arange(len(sampler_logp_T)), torch.ones_like(sampler_logp_T)
    return Batch(
        ids_L=torch.zeros(0), cu_seqlens=torch.arange(len(one_T) + 1), index_T=places_T, seq_T=places_T, weight_T=one_T,
        kl_weight_T=one_T, entropy_weight_T=one_T, adv_T=one_T if adv_T is None else adv_T, sampler_logp_T=sampler_logp_T,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("method", "weights", "expected"),
    [
        ("token_tis", [0.1, 1.9, 2.1], [0.1, 1.9, 2.0]),
        ("token_mask", [0.49, 0.51, 4.9, 5.1], [0.0, 0.51, 4.9, 0.0]),
        ("sequence_tis", [0.1, 1.9, 2.1], [0.1, 1.9, 2.0]),
        ("sequence_mask", [0.1, 2.9, 3.1], [0.1, 2.9, 0.0]),
        ("geometric", [0.9985, 0.9995, 1.0005, 1.0015], [0.0, 1.0, 1.0, 0.0]),
    ],
)
def test_bounds_that_are_left_out_are_those_of_the_method(
    method: Literal["token_tis"], weights: list[float], expected: list[float]
) -> None:
    log_w_T = one_sequence(weights).log()
    batch = batch_with(torch.zeros_like(log_w_T))
    found_T, seen = Mismatch(method=method).correct(batch, torch.zeros_like(log_w_T), log_w_T)
    assert found_T is not None and found_T.tolist() == pytest.approx(expected)
    assert seen["sampler/left_out"].tolist() == [float(w == 0) for w in expected]


def test_stale_is_measured_to_the_policy_as_it_is_and_not_to_pi_old() -> None:
    now_T, old_T = one_sequence([-1.0, 0.0, -1.0]), one_sequence([0.0, -1.0, 0.0])
    batch = batch_with(torch.zeros_like(now_T), adv_T=one_sequence([-1.0, -1.0, 1.0]))
    found_T, _ = Mismatch(stale_negatives=0.5).correct(batch, now_T, old_T)
    assert found_T is not None and found_T.tolist() == [0.0, 1.0, 1.0]


def test_stale_negatives_are_left_out_by_hand() -> None:
    drift_T, adv_T = one_sequence([0.6, 0.6, 0.4]), one_sequence([-1.0, 1.0, -1.0])
    assert mismatch.stale_negatives(drift_T, adv_T, torch.arange(3), 3, 0.5).tolist() == [0.0, 1.0, 1.0]


def test_stale_is_what_the_policy_has_left_behind_since_it_was_sampled(policy: Policy) -> None:
    """Also in the first update, whose pi_old is the policy itself: then all of it is the sampler's doing."""
    (samples,) = Planner(policy, DAPO(), learning()).plan(judged_groups(policy), 0).updates
    assert all(s.old_logprobs is None for s in samples)
    for log_w, left_out in ((0.4, 0.0), (-0.4, 1.0)):  # log(pi / mu)
        apart = tuple(replace(s, sampler_logprobs=s.sampler_logprobs - log_w) for s in samples)  # type: ignore[operator]
        found = accumulate(policy, PolicyGradient(DAPO(), 1.0, mismatch=Mismatch(stale_negatives=0.3)), apart, 4096)
        wrong = sum(len(s.advantages) for s in samples if s.advantages[0] < 0)  # type: ignore[arg-type, index]
        assert (
            found.metrics["sampler/left_out"] == pytest.approx(left_out * wrong / found.tokens) and wrong < found.tokens
        )


def accumulated(policy: Policy, loss: PolicyGradient, samples: tuple[Sample, ...], pulls: list[Tensor]) -> Gradient:
    """One accumulation; what it pulls the critic's head with goes to `pulls`."""
    for _, parameter in loss.head_parameters():
        parameter.grad = None
    found = accumulate(policy, loss, samples, 4096)
    pulls.append(
        torch.cat([torch.zeros(0), *(p.grad.flatten() for _, p in loss.head_parameters() if p.grad is not None)])
    )
    return found


@pytest.mark.parametrize("algorithm", [DAPO(), PPO()], ids=["dapo", "ppo"])
def test_a_correction_multiplies_the_policys_loss_alone(policy: Policy, algorithm: Algorithm) -> None:
    critic = Critic(policy) if "critic" in algorithm.needs else None
    plan = Planner(policy, algorithm, learning(), critic=critic).plan(judged_groups(policy), 0)
    log_w = 0.4
    samples = tuple(replace(s, sampler_logprobs=s.sampler_logprobs - log_w) for s in plan.updates[0])  # type: ignore[operator]
    corrected = PolicyGradient(algorithm, 1.0, critic, mismatch=Mismatch(method="token_tis"))
    pulls: list[Tensor] = []
    found, plain = (
        accumulated(policy, loss, samples, pulls) for loss in (corrected, PolicyGradient(algorithm, 1.0, critic))
    )
    weight = torch.tensor(log_w).exp().item()
    assert found.metrics["sampler/correction"] == pytest.approx(weight, rel=1e-4)
    assert (
        found.metrics["sampler/ratio_error"]
        == pytest.approx(weight - 1, rel=1e-3)
        == plain.metrics["sampler/ratio_error"]
    )
    if critic is None:
        assert found.loss == pytest.approx(weight * plain.loss, abs=1e-5)
    else:
        assert found.metrics["loss/value"] == pytest.approx(plain.metrics["loss/value"])
        assert pulls[1].abs().max() > 1e-4
        torch.testing.assert_close(pulls[0], pulls[1], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"cap": 2.0}, "no effect"),
        ({"method": "token_mask", "cap": 2.0}, "no effect"),
        ({"method": "geometric", "low": 1.5}, "less than"),
    ],
)
def test_a_correction_without_effect_is_refused(settings: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Mismatch.model_validate(settings)
    with pytest.raises(ValueError, match="no effect"):
        Entropy(floor=1.0)
    with pytest.raises(KeyedConfigError):
        from earnest.component import build

        build("algorithm", {"name": "grpo", "kl": {"in_los": 1}})


def test_counting_what_is_not_left_out_is_refused() -> None:
    spec = {"name": "rl", "id": "rl", "steps": 1, "lr": 1e-3, "count_truncated": True}
    with pytest.raises(KeyedConfigError, match="no effect without mask_truncated"):
        build("stage", spec)
    build("stage", {**spec, "mask_truncated": True})
