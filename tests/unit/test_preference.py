"""Pairs from judged groups, packed and shared out among updates, and what a step of learning from them does."""

from __future__ import annotations

import copy
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch

from builders import NAN, make_step
from earnest.component import BuildContext, KeyedConfigError, build
from earnest.data.batch import pack, split
from earnest.data.gathering.gatherer import Asking, Gatherer
from earnest.data.pairs import Pair, pairs_of, recorded, referred, sides, together
from earnest.data.reading import read_tokens
from earnest.data.rollouts import Roller
from earnest.data.samples import plain_sample
from earnest.data.select import dealt
from earnest.engines.torch import Torch
from earnest.models.base import Policy
from earnest.preference.base import Preference
from earnest.preference.dpo import DPO
from earnest.preference.ipo import IPO
from earnest.prompts.chat import Chat
from earnest.runlog import StageLog
from earnest.sampling.plain import Plain
from earnest.tasks.chain import Chain
from earnest.train.health import Health
from earnest.train.loop import Job, StopRequest, Work, train
from earnest.train.on_policy import Rollouts
from earnest.train.optim import Optim
from earnest.train.preference import FreshPairs, PairedCompletions, Pairing
from earnest.train.reference import Anchor
from earnest.train.step import accumulate
from earnest.types import Finish, Group, Item, Sample, Sampling, Status, Verdict
from earnest.verifiers.base import Verifier

CPU = torch.device("cpu")
TASK = Chain(length=3, dev_size=20, test_size=40)


def group(*rewards: float) -> Group:
    return make_step([list(rewards)]).groups[0]


def indices(pairs: Sequence[Pair]) -> list[tuple[int, int]]:
    return [(p.chosen.completion.index, p.rejected.completion.index) for p in pairs]


# ------------------------------------------------------------------------------------------------ which pairs


@pytest.mark.parametrize(
    ("rewards", "count"),
    [((1, 0), 1), ((1, 0, 0, 0), 1), ((1, 1, 1, 0), 1), ((1, 1, 0, 0, 0, 0, 0), 2), ((1, 1, 1), 0), ((0, 0), 0)],
)
def test_each_completion_is_used_once(rewards: tuple[float, ...], count: int) -> None:
    found = indices(pairs_of(group(*rewards), None, 7))
    assert len(found) == count == min(sum(rewards), len(rewards) - sum(rewards))
    assert all(rewards[a] == 1 and rewards[b] == 0 for a, b in found)
    assert len({i for pair in found for i in pair}) == 2 * count


def test_more_pairs_use_completions_again_each_as_often_and_no_pair_twice() -> None:
    for rewards in ((1, 1, 0, 0, 0), (0, 0, 1, 1, 1), (1, 1, 0, 0), (1, 1, 1, 0, 0, 0), (1, 1, 1, 1, 0, 0, 0, 0, 0, 0)):
        right, wrong = ([i for i, r in enumerate(rewards) if r == value] for value in (1, 0))
        every = [(a, b) for a in right for b in wrong]
        assert sorted(indices(pairs_of(group(*rewards), 100, 7))) == every
        for most in range(1, len(every) + 1):
            found = indices(pairs_of(group(*rewards), most, 7))
            assert len(set(found)) == len(found) == most
            for side, used in ((right, [a for a, _ in found]), (wrong, [b for _, b in found])):
                counts = [used.count(i) for i in side]
                assert max(counts) - min(counts) <= 1


def test_the_draw_is_of_its_seed_alone_and_changes_with_it() -> None:
    whole = group(1, 1, 1, 0, 0, 0, 0, 0)
    assert indices(pairs_of(whole, None, 3, "a")) == indices(pairs_of(whole, None, 3, "a"))
    assert len({tuple(indices(pairs_of(whole, None, 3, step))) for step in range(20)}) > 5


def test_the_verifier_says_which_is_right_whatever_the_reward() -> None:
    whole = group(1, 0)
    shaped = Group(whole.problem, tuple(replace(r, reward=0.1 if r.verdict.correct else 5.0) for r in whole.rollouts))
    assert indices(pairs_of(shaped, None, 0)) == [(0, 1)]


def test_what_could_not_be_graded_or_was_given_up_is_on_neither_side() -> None:
    whole = group(1, NAN, 0, NAN, 0)
    assert sorted(indices(pairs_of(whole, 100, 0))) == [(0, 2), (0, 4)]
    assert pairs_of(group(1, NAN, NAN), 100, 0) == [] == pairs_of(group(0, NAN), 100, 0)
    given_up = replace(whole.rollouts[2], completion=replace(whole.rollouts[2].completion, finish=Finish.ABORT))
    inserted = replace(whole.rollouts[4], completion=replace(whole.rollouts[4].completion, sampled=(False,) * 3))
    for gone in (given_up, inserted):
        assert pairs_of(Group(whole.problem, (whole.rollouts[0], gone)), None, 0) == []


def test_a_completion_that_was_cut_may_be_rejected() -> None:
    (whole,) = make_step([[1.0, 0.0]], finished=[True, False]).groups
    assert indices(pairs_of(whole, None, 0)) == [(0, 1)]


# ------------------------------------------------------------------------------------------------ packing


def samples(lengths: Sequence[tuple[int, int]], weight: float = 0.5) -> list[Sample]:
    return [
        Sample(
            token_ids=tuple(range(40, 41 + n)), mask=(False, *[True] * n), weight=weight, ref_logprobs=torch.zeros(n),
            pair=number, chosen=chosen,
        )
        for number, pair in enumerate(lengths)
        for n, chosen in zip(pair, (True, False), strict=True)
    ]  # fmt: skip


def test_a_pair_stays_in_one_micro_batch_and_is_found_there() -> None:
    made = samples([(2, 9), (3, 3), (9, 1), (5, 4), (1, 1)])
    shuffled = [made[i] for i in (3, 0, 9, 4, 7, 1, 2, 8, 6, 5)]
    for order in (made, shuffled):
        for max_tokens in (1, 12, 24, 10_000):
            parts = split(order, max_tokens)
            assert sorted(id(s) for part in parts for s in part) == sorted(map(id, made))
            for part in parts:
                assert all(count == 2 for count in Counter(s.pair for s in part).values())
                assert len(part) == 2 or len(part) * max(len(s.token_ids) for s in part) <= max_tokens
                pairs = pack(part, CPU).pairs
                assert pairs is not None and torch.equal(pairs.weight_P, torch.full((len(part) // 2,), 0.5))
                for a, b in zip(pairs.chosen_P.tolist(), pairs.rejected_P.tolist(), strict=True):
                    assert (part[a].pair, part[a].chosen, part[b].chosen) == (part[b].pair, True, False)
    assert pack([replace(s, pair=None) for s in made], CPU).pairs is None


def test_what_is_of_no_pair_is_split_as_ever() -> None:
    single = [replace(s, pair=None) for s in samples([(2, 9), (3, 3), (9, 1)])]
    assert [[len(s.token_ids) for s in part] for part in split(single, 12)] == [[2, 3, 4], [4], [10], [10]]


def test_an_update_is_a_mean_over_its_pairs() -> None:
    made = samples([(2, 9), (3, 3), (9, 1)], weight=0.0)
    update = together(made, [2, 0])
    assert [(s.pair, s.chosen, s.weight) for s in update] == [
        (2, True, 0.5),
        (2, False, 0.5),
        (0, True, 0.5),
        (0, False, 0.5),
    ]


def test_things_are_dealt_out_evenly_and_by_their_seed() -> None:
    for count, hands in ((7, 3), (2, 4), (0, 2), (8, 1)):
        found = dealt(count, hands, "seed", 1)
        assert sorted(i for hand in found for i in hand) == list(range(count)) and len(found) == hands
        assert [len(hand) for hand in found] == [len(part) for part in torch.arange(count).tensor_split(hands)]
    assert dealt(20, 2, "a") == dealt(20, 2, "a") != dealt(20, 2, "b")


# ------------------------------------------------------------------------------------------------ losses by hand


def test_the_reference_s_log_probs_are_each_sample_s_own(tiny_policy: Policy) -> None:
    made = [replace(s, ref_logprobs=None) for s in samples([(2, 9), (3, 3)])]
    read_T = read_tokens(tiny_policy, made, 4096, 1.0, lambda _, f: f.logp_T)
    for sample in referred(made, read_T):
        alone_T = read_tokens(tiny_policy, [sample], 4096, 1.0, lambda _, f: f.logp_T)
        assert sample.ref_logprobs is not None
        torch.testing.assert_close(sample.ref_logprobs, alone_T, rtol=0, atol=1e-5)


def started(
    policy: Policy, preference: Preference, made: Sequence[Sample]
) -> tuple[float, dict[str, float], torch.Tensor]:
    """Loss, metrics and gradient where the policy is its own reference."""
    trained = copy.deepcopy(policy)
    found = accumulate(trained, PairedCompletions(preference, 1.0), with_reference(policy, made), 4096)
    return (
        found.loss,
        found.metrics,
        torch.cat([p.grad.flatten() for _, p in trained.parameters() if p.grad is not None]),
    )


def with_reference(policy: Policy, made: Sequence[Sample]) -> list[Sample]:
    return referred(made, read_tokens(policy, made, 4096, 1.0, lambda _, f: f.logp_T))


def test_it_starts_at_ln_2_and_without_rewards(tiny_policy: Policy) -> None:
    made = samples([(2, 9), (3, 3)])
    for preference in (DPO(alpha=0.0), DPO(alpha=0.0, label_smoothing=0.2)):
        loss, metrics, _ = started(tiny_policy, preference, made)
        assert loss == pytest.approx(math.log(2), abs=1e-6)
        for name in ("rewards/chosen", "rewards/rejected", "rewards/margins"):
            assert metrics[name] == pytest.approx(0.0, abs=1e-6)
    loss, metrics, _ = started(tiny_policy, DPO(alpha=0.5), made)
    assert loss == pytest.approx(math.log(2) + 0.5 * metrics["nll_loss"], abs=1e-5)
    chosen = read_tokens(tiny_policy, [s for s in made if s.chosen], 4096, 1.0, lambda _, f: f.logp_T).split([2, 3])
    assert metrics["nll_loss"] == pytest.approx(-sum(x_T.mean().item() for x_T in chosen) / 2, abs=1e-5)
    assert metrics["logps/chosen"] == pytest.approx(sum(x_T.sum().item() for x_T in chosen) / 2, abs=1e-5)
    assert started(tiny_policy, IPO(beta=0.5), made)[0] == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("preference", [DPO(alpha=0.0), DPO(alpha=0.0, label_smoothing=0.1), IPO(), IPO(over="sum")])
def test_equal_completions_teach_nothing(tiny_policy: Policy, preference: Preference) -> None:
    unlike = samples([(4, 6), (3, 3)])
    alike = [
        replace(s, token_ids=unlike[2 * (i // 2)].token_ids, mask=unlike[2 * (i // 2)].mask)
        for i, s in enumerate(unlike)
    ]
    assert started(tiny_policy, preference, unlike)[2].abs().max() > 1e-3
    assert started(tiny_policy, preference, alike)[2].abs().max() < 1e-5


def test_the_likelihood_term_is_the_gradient_of_the_chosen_alone(tiny_policy: Policy) -> None:
    made = samples([(4, 6), (3, 3)])
    plain, more = (started(tiny_policy, DPO(alpha=a), made)[2] for a in (0.0, 1.0))
    trained = copy.deepcopy(tiny_policy)
    for sample in made:
        if sample.chosen:
            batch = pack([replace(sample, pair=None)], CPU)
            (-0.5 * trained.forward(batch).logp_T.mean()).backward()
    nll = torch.cat([p.grad.flatten() for _, p in trained.parameters() if p.grad is not None])
    torch.testing.assert_close(more - plain, nll, rtol=1e-4, atol=1e-6)


# ------------------------------------------------------------------------------------------------ the source


class EveryOther(Verifier):
    """Right by a rule on the text's length, so that groups are mixed without a trained model."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        rights = [len(item.parsed.text) % 2 == 0 for item in items]
        return [Verdict(status=Status.OK, correct=right, score=float(right)) for right in rights]


class Nobody(Verifier):
    """Pays nothing."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        return [Verdict(status=Status.OK, correct=False, score=0.0) for _ in items]


def source(
    policy: Policy, verifier: Verifier | None = None, *, renew_every: int | None = None, few_live: float = 0.0,
    temperature: float = 1.0, **pairing: Any,
) -> FreshPairs:  # fmt: skip
    asking = Asking(
        prompts_per_step=4, group_size=4, sampling=Sampling(temperature=temperature, max_tokens=6), seed=1, error_ceiling=0.05,
    )  # fmt: skip
    roller = Roller(Chat(), verifier or EveryOther(), Plain(), policy.tokenizer)
    return FreshPairs(
        Gatherer(TASK.problems("train"), roller, asking), Torch().open(policy), policy,
        Anchor(copy.deepcopy(policy), renew_every), Rollouts(stage="preference", few_live=few_live),
        Pairing(seed=1, temperature=temperature, max_tokens=4096, **pairing),
    )  # fmt: skip


def job(
    policy: Policy, made: FreshPairs, folder: Path, steps: int = 2, preference: Preference | None = None, **changes: Any
) -> Job:
    fields: dict[str, Any] = {
        "name": "stage", "policy": policy, "source": made, "optim": Optim(lr=1e-3), "steps": steps,
        "loss": PairedCompletions(preference or DPO(alpha=0.0), 1.0), "log": StageLog(folder), "stop": StopRequest(),
        "echo": lambda line: None, "max_tokens": 4096, "checkpoint_every": 100, "log_every": 1, "health": Health(),
    }  # fmt: skip
    return Job(**{**fields, **changes})


def rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def policy(tiny_policy: Policy) -> Policy:
    return copy.deepcopy(tiny_policy)


def whole_pairs(work: Work) -> list[list[tuple[tuple[int, ...], tuple[int, ...]]]]:
    return [
        [(a.token_ids, b.token_ids) for a, b in zip(update[::2], update[1::2], strict=True)] for update in work.updates
    ]


def test_a_step_s_pairs_are_dealt_out_once_an_epoch(policy: Policy) -> None:
    (plain,) = whole_pairs(source(policy).work(0))
    assert 3 <= len(plain) <= 8
    found = source(policy, minibatches=3, epochs=2).work(0)
    updates = whole_pairs(found)
    assert len(updates) == 6 and sorted(chain(*updates)) == sorted(plain * 2)
    assert updates[:3] != updates[3:]
    for update in found.updates:
        assert sum(s.weight for s in update) == pytest.approx(2.0)
        assert all(s.ref_logprobs is not None and len(s.ref_logprobs) == sum(s.mask) for s in update)
    many = source(policy, minibatches=50).work(0)
    assert [len(update) for update in many.updates] == [2] * len(plain)
    more = source(policy, pairs_per_prompt=4).work(0)
    assert len(whole_pairs(more)[0]) == more.metrics["pairs"] > len(plain) == found.metrics["pairs"]


def test_what_a_step_did_to_its_chosen_completions_is_measured(policy: Policy, tmp_path: Path) -> None:
    before, made = copy.deepcopy(policy), source(policy)
    chosen = [r for update in source(copy.deepcopy(policy)).work(0).updates for r in update if r.chosen]
    train(job(policy, made, tmp_path, steps=1))
    (row,) = rows(tmp_path)

    def mean(which: Policy) -> float:
        return read_tokens(which, chosen, 4096, 1.0, lambda _, f: f.logp_T).sum().item() / len(chosen)

    assert row["logps/chosen"] == pytest.approx(mean(before), abs=1e-4)
    assert row["logps/chosen_change"] == pytest.approx(mean(policy) - mean(before), abs=1e-4)
    assert abs(row["logps/chosen_change"]) > 1e-3
    assert row["loss"] == pytest.approx(math.log(2), abs=1e-5) and row["update/count"] == 1
    assert row["rewards/accuracies"] <= 1 and row["sampler/lag"] == 0 and row["groups/live"] == 0.5


def test_how_far_the_sampler_is_from_the_policy_is_measured_before_the_first_update(
    policy: Policy, tmp_path: Path
) -> None:
    made = source(policy, minibatches=2, epochs=2)
    first, *others = made.work(0).updates
    assert len(others) == 3 and all(s.sampler_logprobs is None for update in others for s in update)
    assert all(s.sampler_logprobs is not None and len(s.sampler_logprobs) == sum(s.mask) for s in first)
    train(job(policy, source(policy, minibatches=2, epochs=2), tmp_path, steps=3, max_tokens=24, optim=Optim(lr=1e-2)))
    learned = [row for row in rows(tmp_path) if row["pairs"] > 1]
    assert learned and all(row["sampler/max_ratio_error"] < 1e-4 and row["update/count"] == 4 for row in learned)


def test_an_engine_with_other_weights_is_noticed(policy: Policy, tmp_path: Path) -> None:
    session = Torch().open(copy.deepcopy(policy))
    with torch.no_grad():
        for _, parameter in session.policy.parameters():
            parameter.mul_(1.3)

    def refresh(now: Policy) -> None:
        session.policy.version = now.version

    made = source(policy)
    session.refresh, made.engine = refresh, session
    train(job(policy, made, tmp_path, steps=8))
    learned = [row for row in rows(tmp_path) if row["pairs"]]
    assert len(learned) > 2 and all(row["sampler/ratio_error"] > 0.05 for row in learned)
    told = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert "H7" in {event.get("rule") for event in told}


def test_what_an_older_policy_wrote_is_not_compared(tiny_policy: Policy) -> None:
    whole = group(1, 0, 1, 0, 1, 0)
    unrecorded = replace(whole.rollouts[1], completion=replace(whole.rollouts[1].completion, logprobs=None))
    pairs = [Pair(whole.rollouts[0], unrecorded), Pair(*whole.rollouts[2:4]), Pair(*whole.rollouts[4:6])]
    made = with_reference(tiny_policy, sides(pairs))
    found = [
        accumulate(
            tiny_policy, PairedCompletions(DPO(), 1.0), together(recorded(made, pairs, fresh), range(3)), 4096
        ).metrics
        for fresh in ([False] * 3, [True, False, True])
    ]
    assert "sampler/ratio_error" not in found[0] and "sampler/max_ratio_error" not in found[0]
    own = [s for i, s in enumerate(made) if i in (0, 4, 5)]  # whose log-probs say -1
    error_T = torch.expm1(torch.cat([s.ref_logprobs for s in own if s.ref_logprobs is not None]) + 1).abs()
    assert len(error_T) == 9 and found[1]["sampler/ratio_error"] == pytest.approx(error_T.mean().item(), rel=1e-4)
    assert found[1]["sampler/max_ratio_error"] == pytest.approx(error_T.max().item(), rel=1e-4)
    for _, parameter in tiny_policy.parameters():
        parameter.grad = None


def test_without_a_pair_nothing_changes(policy: Policy, tmp_path: Path) -> None:
    before = [p.clone() for _, p in policy.parameters()]
    made = source(policy, Nobody())
    train(job(policy, made, tmp_path, optim=Optim(lr=1e-3, weight_decay=0.1)))
    assert all(torch.equal(a, b) for a, (_, b) in zip(before, policy.parameters(), strict=True))
    assert policy.version == 0 and made.live_steps == 0
    for row in rows(tmp_path):
        assert (row["update/taken"], row["pairs"], row["update/live"], row["groups/live"]) == (0, 0, 0, 0)
        assert "logps/chosen_change" not in row


def test_a_margin_is_learned_from_the_pairs_of_a_step(policy: Policy, tmp_path: Path) -> None:
    for preference in (DPO(alpha=0.0), DPO(), IPO(over="sum", beta=0.05)):
        trained = copy.deepcopy(policy)
        made = source(trained, epochs=12)
        folder = tmp_path / f"{preference.name}{getattr(preference, 'alpha', '')}"
        train(job(trained, made, folder, steps=1, preference=preference, optim=Optim(lr=3e-3)))
        (row,) = rows(folder)
        assert row["rewards/accuracies"] > 0.6 and row["rewards/margins"] > 0.02, (preference, row)
        assert row["update/count"] == 12 == trained.version


def test_the_reference_is_the_input_until_it_is_renewed(policy: Policy, tmp_path: Path) -> None:
    def gap(made: FreshPairs) -> float:
        pairs = zip(made.anchor.policy.parameters(), made.policy.parameters(), strict=True)
        return max((a - b).abs().max().item() for (_, a), (_, b) in pairs)

    kept, renewed = source(copy.deepcopy(policy)), source(copy.deepcopy(policy), renew_every=2)
    train(job(kept.policy, kept, tmp_path / "kept", steps=2))
    train(job(renewed.policy, renewed, tmp_path / "renewed", steps=2))
    assert gap(kept) > 1e-4 and gap(renewed) == 0
    assert not kept.tensors() and len(renewed.tensors()) == len(list(policy.parameters()))


def test_pairs_carry_the_reference_s_log_probs_and_not_the_policy_s(policy: Policy, tmp_path: Path) -> None:
    made = source(policy)
    train(job(policy, made, tmp_path, steps=1, optim=Optim(lr=1e-2)))
    (update,) = made.work(1).updates
    carried_T = torch.cat([s.ref_logprobs for s in update if s.ref_logprobs is not None])
    theirs_T, own_T = (read_tokens(p, update, 4096, 1.0, lambda _, f: f.logp_T) for p in (made.anchor.policy, policy))
    torch.testing.assert_close(carried_T, theirs_T, rtol=0, atol=1e-5)
    assert (carried_T - own_T).abs().max() > 1e-2


@pytest.mark.parametrize("renew_every", [None, 2])
def test_a_resumed_stage_goes_on_as_if_nothing_had_happened(
    policy: Policy, tmp_path: Path, renew_every: int | None
) -> None:
    def travel(folder: Path, *ends: int) -> tuple[list[dict[str, float]], list[torch.Tensor]]:
        for end in ends:
            trained = copy.deepcopy(policy)
            made = source(trained, renew_every=renew_every, minibatches=2)
            train(job(trained, made, folder, steps=end, checkpoint_every=3))
        kept = [{k: v for k, v in row.items() if not k.startswith("time/")} for row in rows(folder)]
        return kept, [p.detach() for _, p in trained.parameters()]

    whole, weights = travel(tmp_path / "whole", 5)
    again, its_weights = travel(tmp_path / "again", 3, 5)
    assert repr(again) == repr(whole)
    assert all(torch.equal(a, b) for a, b in zip(weights, its_weights, strict=True))


def test_the_temperature_is_that_of_the_samples(policy: Policy, tmp_path: Path) -> None:
    made = source(policy, temperature=0.7)
    train(job(policy, made, tmp_path, steps=1, loss=PairedCompletions(DPO(alpha=0.0), 0.7)))
    again = source(policy, temperature=0.7)
    again.work(0)
    (row,) = rows(tmp_path)
    assert row["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert row["rewards/margins"] == pytest.approx(0, abs=1e-5)


def test_few_live_groups_make_a_smaller_step(policy: Policy) -> None:
    class First(Verifier):
        def judge(self, items: Sequence[Item]) -> list[Verdict]:
            first = items[0].problem.id
            rights = [item.problem.id == first and len(item.parsed.text) % 2 == 0 for item in items]
            return [Verdict(status=Status.OK, correct=right, score=float(right)) for right in rights]

    made = source(policy, First(), few_live=0.5)
    work = made.work(0)
    assert (work.metrics["groups/live"], work.lr_scale, made.small_steps) == (0.25, 0.5, 1)


def test_a_step_that_is_not_taken_did_nothing_to_what_it_chose(policy: Policy, tmp_path: Path) -> None:
    made = source(policy)
    made.config = replace(made.config, few_live=1.0, on_few_live="skip")
    train(job(policy, made, tmp_path, steps=1))
    (row,) = rows(tmp_path)
    assert row["pairs"] > 0 and row["update/taken"] == 0 and "logps/chosen_change" not in row


def test_records_say_what_was_sampled(policy: Policy) -> None:
    work = source(policy).work(0)
    assert len(work.records) == 16 and {r.stage for r in work.records} == {"preference"}
    assert all(r.advantage is None for r in work.records)
    assert work.generated_tokens == sum(r.tokens for r in work.records)


# ------------------------------------------------------------------------------------------------ the recipe


def stage(**fields: Any) -> Any:
    return build(
        "stage", {"name": "preference", "id": "one", "steps": 4, "lr": 1e-3, **fields}, BuildContext(Path("/"))
    )


def test_the_defaults_are_dpo_with_its_likelihood_term() -> None:
    assert stage().preference == DPO() and DPO().alpha == 1.0 and DPO().beta == 0.1
    assert stage(preference="ipo").preference == IPO()
    assert [gate.name for gate in stage().gates] == ["support", "learning"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"group_size": 1}, "greater than or equal to 2"),
        ({"group_size": 4, "pairs_per_prompt": 5}, "4 rollouts make 4 pairs at most"),
        ({"group_size": 4, "prompts_per_step": 2, "minibatches": 5}, "5 minibatches of 4 pairs at most"),
        ({"renew_reference": 4}, "renew_reference 4 has no effect in 4 steps"),
        ({"preference": {"name": "dpo", "beta": 0}}, "greater than 0"),
        ({"preference": {"name": "dpo", "label_smoothing": 0.5}}, "less than 0.5"),
        ({"preference": {"name": "ipo", "alpha": 1}}, "unknown key 'alpha'"),
        ({"preference": "grpo"}, "unknown preference 'grpo'"),
        ({"reward": "correct"}, "unknown key 'reward'"),
    ],
)
def test_what_cannot_work_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(KeyedConfigError, match=said):
        stage(**fields)


def test_sides_are_plain_rollouts_with_their_pair() -> None:
    whole = group(1, 0, 1, 0)
    pairs = pairs_of(whole, None, 0)
    made = sides(pairs)
    assert [(s.pair, s.chosen) for s in made] == [(0, True), (0, False), (1, True), (1, False)]
    for pair, chosen in zip(pairs, made[::2], strict=True):
        assert chosen.token_ids == plain_sample(pair.chosen).token_ids and chosen.weight == 0
