"""What a step gathers: nothing is lost or doubled, nothing hangs, rates are of tries without help, a restart changes nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import pytest

from earnest.algorithms.grpo import GRPO
from earnest.algorithms.kl import KL
from earnest.algorithms.pass_at_k import PassAtK
from earnest.data.gathering.curriculum import Curriculum
from earnest.data.gathering.gatherer import Gathered, Gatherer
from earnest.data.gathering.groups import has_signal, outcomes
from earnest.data.gathering.hard import Hard
from earnest.data.gathering.hints import Hints
from earnest.data.gathering.refill import Refill
from earnest.data.gathering.replay import ReplayGroups
from earnest.engines.scripted import ScriptedSession
from earnest.errors import GateRefused
from earnest.models.base import Policy
from earnest.prompts.plain import Plain
from earnest.rewards.base import Reward, Score, Weighted, correct_alone
from earnest.train.on_policy import OnPolicy, Rollouts
from earnest.train.updates import Learning, Planner, carries_signal
from earnest.types import Completion, Problem, Request, Rollout
from lottery import gatherer, pool, session

EVERYTHING: dict[str, Any] = {
    "refill": Refill(attempts=1), "curriculum": Curriculum(half_life=20), "hard": Hard(group_size=12),
    "replay_groups": ReplayGroups(share=0.5), "hints": Hints(),
}  # fmt: skip
MIXED = [0.0, 1.0, 0.02, 0.4, 0.98, 0.5, 0.05, 0.0, 1.0, 0.9] * 6


class Counting(ScriptedSession):
    """Remembers every completion that it gave."""

    given: list[Completion]

    def generate(self, requests: Sequence[Request]) -> Any:
        for completion in super().generate(requests):
            self.given.append(completion)
            yield completion


class LastDigit(Reward):
    """Prefers one right completion to another, as a length would."""

    shapes: ClassVar[bool] = True

    def score(self, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
        return [int(r.parsed.text[-1]) / 10 for r in rollouts]


def steps(made: Gatherer, engine: ScriptedSession, count: int, first: int = 0) -> list[Gathered]:
    return [made.gather(step, engine) for step in range(first, first + count)]


def alike(a: Gathered, b: Gathered) -> bool:
    """Without what the clock says; nan is nan."""
    same = (a.groups, a.seen, a.replayed) == (b.groups, b.seen, b.replayed)
    return same and repr({**a.metrics, **a.notes}) == repr({**b.metrics, **b.notes})


def test_without_remedies_a_step_is_its_prompts_in_the_pool_s_order(tiny_policy: Policy) -> None:
    problems = pool(MIXED)
    made = gatherer(tiny_policy, problems)
    found = steps(made, session(tiny_policy), 8)
    assert all(g.groups == g.seen and not g.replayed and len(g.groups) == 8 for g in found)
    asked = [group.problem.id for g in found for group in g.groups]
    assert sorted(asked[:60]) == sorted(p.id for p in problems)
    assert all(set(g.notes) == {"data/held_out"} for g in found)
    assert made.state_dict()["posteriors"] == {} and made.last_words() is None


@pytest.mark.parametrize("remedies", [{}, {"refill": Refill()}, EVERYTHING])
def test_everything_that_was_sampled_is_seen_once_and_counted(tiny_policy: Policy, remedies: dict[str, Any]) -> None:
    engine = session(tiny_policy)
    counting = Counting(engine.policy, engine.config, engine.script)
    made = gatherer(tiny_policy, pool(MIXED, lift=0.2), **remedies)
    hinted = replayed = 0
    for step in range(12):
        counting.given = []
        found = made.gather(step, counting)
        seen = [r.completion for group in found.seen for r in group.rollouts]
        assert len(seen) == len(counting.given) and all(a is b for a, b in zip(seen, counting.given, strict=True))
        assert found.tokens == sum(len(c.token_ids or ()) for c in counting.given)
        ids = [id(group) for group in found.seen]
        mine = [group for place, group in enumerate(found.groups) if place not in found.replayed]
        assert len(set(ids)) == len(ids) and all(id(group) in ids for group in mine)
        assert len({id(group) for group in found.groups}) == len(found.groups) == 8
        assert all(has_signal(found.groups[place]) for place in found.replayed)
        fresh = [group for group in found.seen if not group.given]
        rates = [sum(marks) / len(marks) for group in fresh if (marks := outcomes(group))]
        assert found.metrics["pass_rate"] == pytest.approx(sum(rates) / len(rates))
        hinted += len(found.seen) - len(fresh)
        replayed += len(found.replayed)
    assert (hinted > 0 and replayed > 0) == ("hints" in remedies)


def test_records_say_what_nothing_was_learned_from(tiny_policy: Policy) -> None:
    made = gatherer(tiny_policy, pool(MIXED, lift=0.2), **EVERYTHING)
    found = steps(made, session(tiny_policy), 6)[-1]
    assert found.replayed
    first_N = [float(n) for n in range(sum(len(group.rollouts) for group in found.groups))]
    advantages = found.advantages(first_N)
    records = made.roller.records(found.seen, stage="rl", step=6, split="train", advantages=advantages)
    assert len(records) == sum(len(group.rollouts) for group in found.seen)
    own = [n for g, group in enumerate(found.groups) if g not in found.replayed for n in group.rollouts]
    assert sum(r.advantage is not None for r in records) == len(own)
    starts = [sum(len(group.rollouts) for group in found.groups[:place]) for place in range(8)]
    place = next(p for p in range(8) if p not in found.replayed)
    at = sum(len(g.rollouts) for g in found.seen[: [id(g) for g in found.seen].index(id(found.groups[place]))])
    assert records[at].advantage == starts[place]
    assert {bool(r.given) for r in records} == {bool(group.given) for group in found.seen}


@pytest.mark.parametrize("remedies", [{}, EVERYTHING])
def test_a_restart_changes_nothing(tiny_policy: Policy, remedies: dict[str, Any]) -> None:
    problems = pool(MIXED, lift=0.2)
    whole = steps(gatherer(tiny_policy, problems, **remedies), session(tiny_policy), 16)
    for stop in (1, 7, 12):
        killed = gatherer(tiny_policy, problems, **remedies)
        begun = steps(killed, session(tiny_policy), stop)
        state = json.dumps(killed.state_dict(), allow_nan=False)
        resumed = gatherer(tiny_policy, problems, **remedies)
        resumed.load_state_dict(json.loads(state))
        assert json.dumps(resumed.state_dict()) == state
        found = [*begun, *steps(resumed, session(tiny_policy), 16 - stop, first=stop)]
        assert all(alike(a, b) for a, b in zip(found, whole, strict=True))


def test_the_order_in_which_an_engine_answers_decides_nothing(tiny_policy: Policy) -> None:
    problems = pool(MIXED, lift=0.2)
    one, other = (
        steps(gatherer(tiny_policy, problems, **EVERYTHING), session(tiny_policy, reverse=reverse), 8)
        for reverse in (False, True)
    )
    assert all(alike(a, b) for a, b in zip(one, other, strict=True))


def test_no_two_rounds_share_a_seed(tiny_policy: Policy) -> None:
    made = gatherer(
        tiny_policy, pool([0.0, 1.0], lift=0.3), prompts=2, refill=Refill(attempts=4, patience=99), hints=Hints()
    )
    found = steps(made, session(tiny_policy), 3)
    texts = [tuple(r.parsed.text[-6:] for r in group.rollouts) for g in found for group in g.seen]
    assert len(texts) > 20 and len(set(texts)) == len(texts)


def test_refill_fills_the_step_and_costs_what_it_must(tiny_policy: Policy) -> None:
    """Prompts of one chance of success: a live group costs 1 / (1 - p^8 - (1-p)^8) prompts, and the pass rate stays p."""
    p = 0.3
    made = gatherer(tiny_policy, pool([p] * 100), prompts=20, refill=Refill(attempts=10))
    found = steps(made, session(tiny_policy), 40)
    assert all(has_signal(group) for g in found for group in g.groups)
    prompts = sum(g.notes["refill/prompts"] for g in found)
    assert prompts / 800 == pytest.approx(1.0612484922046734, abs=0.03)  # standard error 0.009
    assert sum(g.metrics["pass_rate"] * len(g.seen) for g in found) / prompts == pytest.approx(p, abs=0.015)
    assert made.last_words() is None


def test_what_is_live_is_for_the_algorithm_to_say(tiny_policy: Policy) -> None:
    """pass@4 of 8 learns nothing from a group with five right or more; a chance of 0.6 makes a third of the groups live."""
    algorithm = PassAtK(k=4)
    teaches = partial(carries_signal, algorithm, tiny_policy.tokenizer, False)
    made = gatherer(
        tiny_policy,
        pool([0.6] * 100),
        prompts=10,
        live=teaches,
        refill=Refill(attempts=10),
        replay_groups=ReplayGroups(),
    )
    found = steps(made, session(tiny_policy), 20)
    assert any(has_signal(group) and not teaches(group) for g in found for group in g.seen)
    rights = [sum(outcomes(group)) for g in found for group in g.groups]
    assert all(0 < right < 5 for right in rights) and len(rights) == 200
    assert all(g.metrics["frac_reward_zero_std"] == 0 for g in found)


@pytest.mark.parametrize("by_number", [False, True])
def test_a_shaping_term_tells_no_round_of_a_refill_from_another(tiny_policy: Policy, by_number: bool) -> None:
    """by_number: some groups of equal rewards are learned from, as a method with a baseline of the step may have it."""
    problems = pool([1.0] * 20)
    stay = {p.id for p in problems[::2]} if by_number else set[str]()
    made = gatherer(
        tiny_policy, problems, live=lambda group: group.problem.id in stay, refill=Refill(attempts=2, patience=9)
    )
    made.asking = replace(made.asking, reward=(*correct_alone(), Weighted(use=LastDigit(), weight=0.5)))
    found = steps(made, session(tiny_policy), 3)
    for g in found:
        assert len(g.seen) == 24 if not by_number else 8 < len(g.seen) < 24
        assert len({r.reward for group in (*g.seen, *g.groups) for r in group.rollouts}) == 1
        assert len({r.reward_parts["LastDigit"] for group in g.seen for r in group.rollouts}) == 10
        assert g.metrics["groups/levelled"] == 1 and all(any(a is b for b in g.seen) for a in g.groups)
    again = gatherer(tiny_policy, problems, live=made.live, refill=Refill(attempts=2, patience=9))
    again.asking = made.asking
    steps(again, session(tiny_policy), 1)
    state = json.loads(json.dumps(again.state_dict()))
    again.load_state_dict(state)
    assert all(alike(a, b) for a, b in zip(found[1:], steps(again, session(tiny_policy), 2, first=1), strict=True))


def test_a_spent_budget_is_said_once_and_the_step_goes_on(tiny_policy: Policy) -> None:
    said: list[tuple[str, str]] = []
    made = gatherer(tiny_policy, pool([0.5] + [0.0] * 9), prompts=5, refill=Refill(attempts=3))
    made.tell = lambda event, sentence: said.append((event, sentence))
    found = steps(made, session(tiny_policy), 4)
    assert [len(g.groups) for g in found] == [5] * 4
    assert all(len(g.seen) <= 20 for g in found)
    ((event, sentence),) = said
    live, prompts = sum(map(has_signal, found[0].groups)), len(found[0].seen)
    assert event == "refill_spent" and sentence.startswith(
        f"step 1: {live} of 5 groups carry a signal after {prompts} prompts"
    )
    assert made.last_words() is not None and "in 4 of 4 steps" in str(made.last_words())


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_a_dead_pool_ends_with_a_sentence(tiny_policy: Policy, p: float) -> None:
    made = gatherer(tiny_policy, pool([p] * 30), refill=Refill(attempts=2, patience=3), curriculum=Curriculum())
    engine = session(tiny_policy)
    steps(made, engine, 2)
    with pytest.raises(GateRefused, match="not one group carried a signal in the last 3 steps") as caught:
        made.gather(2, engine)
    assert caught.value.exit_code == 3 and "of 72 groups" in caught.value.why
    assert ("harder" if p else "easier") in caught.value.remedy


def test_groups_that_could_not_be_graded_are_not_dead(tiny_policy: Policy) -> None:
    made = gatherer(
        tiny_policy, pool([0.5] * 20, broken=True), refill=Refill(attempts=1, patience=2), curriculum=Curriculum()
    )
    found = steps(made, session(tiny_policy), 4)  # errors have a ceiling of their own, here 1
    assert math.isnan(found[0].metrics["pass_rate"]) and found[0].metrics["verdict/error"] == 1
    assert made.posteriors.state_dict() == {}
    strict = gatherer(tiny_policy, pool([0.5] * 20, broken=True), ceiling=0.05, refill=Refill(attempts=10))
    engine = session(tiny_policy)
    with pytest.raises(GateRefused, match="the grader failed on 100% of the rollouts of step 1"):
        strict.gather(0, engine)
    assert engine.served == 64  # one round, not eleven


def test_a_curriculum_finds_what_can_be_learned_and_the_floor_tells_the_pool_s_rate(tiny_policy: Policy) -> None:
    """Nine prompts in ten are too easy or too hard: drawn in order, about one group in ten is live."""
    problems = pool(([0.5] + [0.0] * 8 + [1.0]) * 20)
    made = gatherer(tiny_policy, problems, prompts=16, curriculum=Curriculum(uniform=0.2, half_life=500))
    found = steps(made, session(tiny_policy), 120)

    def live(part: Sequence[Gathered]) -> float:
        return sum(has_signal(group) for g in part for group in g.groups) / sum(len(g.groups) for g in part)

    plain = steps(gatherer(tiny_policy, problems, prompts=16), session(tiny_policy), 25)
    assert live(plain) == pytest.approx(0.1, abs=0.02)
    assert live(found[:5]) < 0.25 and live(found[-40:]) > 0.45
    n = [g.notes["pass_rate/drawn_uniformly_n"] for g in found]
    total = sum(g.notes["pass_rate/drawn_uniformly"] * k for g, k in zip(found, n, strict=True) if k)
    assert sum(n) >= 120 * 16 * 0.2 - 1
    assert total / sum(n) == pytest.approx(0.15, abs=0.05)  # the pool's; standard error 0.017
    assert sum(g.metrics["pass_rate"] for g in found[-40:]) / 40 > 0.25  # of the prompts that were chosen
    assert n[:5] == [3, 3, 3, 3, 4]
    assert found[-1].notes["curriculum/known"] == 1.0 and found[0].notes["curriculum/known"] == 0.0


def test_hard_prompts_get_larger_groups_and_count_no_more(tiny_policy: Policy) -> None:
    problems = pool([0.05] * 10 + [0.9] * 10)
    made = gatherer(tiny_policy, problems, prompts=20, hard=Hard(below=0.3, group_size=24))
    first, *later = steps(made, session(tiny_policy), 12)
    assert {len(group.rollouts) for group in first.groups} == {8} and first.notes["hard/groups"] == 0
    sizes = {(group.problem.meta["p"], len(group.rollouts)) for g in later for group in g.groups}
    assert (0.05, 24) in sizes and (0.9, 24) not in sizes
    rate = sum(g.metrics["pass_rate"] for g in later) / len(later)
    assert rate == pytest.approx(0.475, abs=0.03)  # each prompt once; by rollouts it would be below 0.3


def test_live_groups_of_earlier_steps_stand_in_for_dead_ones(tiny_policy: Policy) -> None:
    made = gatherer(tiny_policy, pool([0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]), replay_groups=ReplayGroups(share=0.25))
    found = steps(made, session(tiny_policy), 5)
    assert [len(g.replayed) for g in found] == [0, 2, 2, 2, 2]  # a quarter of eight
    for before, now in pairwise(found):
        kept = [group for group in before.groups if any(group is own for own in before.seen) and has_signal(group)]
        again = [now.groups[place] for place in sorted(now.replayed)]
        assert all(any(group is old for old in kept) for group in again)
        assert all(group.rollouts[0].completion.logprobs is not None for group in again)
        assert not any(group is own for group in again for own in now.seen)
    assert [g.notes["replay/age"] for g in found[1:]] == [1.0] * 4
    for g in found:  # of what is learned from, whatever learns from it
        assert g.metrics["frac_reward_zero_std"] == sum(not has_signal(group) for group in g.groups) / 8
    assert found[1].metrics["frac_reward_zero_std"] < 1 - found[1].metrics["groups/mixed"]


def test_what_is_replayed_is_learned_from_by_the_sampler_s_log_probs(tiny_policy: Policy) -> None:
    made = gatherer(tiny_policy, pool([0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]), replay_groups=ReplayGroups())
    planner = Planner(tiny_policy, GRPO(kl=KL()), Learning(seed=0, temperature=1.0, max_tokens=4096))
    source = OnPolicy(made, session(tiny_policy), planner, Rollouts(stage="rl"))  # whose log-probs are -1, all of them
    works = [source.work(step) for step in range(3)]
    assert all(sample.old_logprobs is None for sample in works[0].updates[0])
    for work in works[1:]:
        old = [bool((sample.old_logprobs == -1.0).all()) for update in work.updates for sample in update]
        assert sum(old) == 8 * work.metrics["replay/groups"] > 0 and sum(not stale for stale in old) == 16
        assert work.metrics["sampler/lag"] == 0 and work.metrics["groups/live"] == 0.5
        assert work.generated_tokens == 8 * 8 * 7 and len(work.records) == 64


@pytest.mark.parametrize("prompt", [None, Plain(think=True)])
def test_hints_bring_hopeless_prompts_to_life_and_never_count(tiny_policy: Policy, prompt: Plain | None) -> None:
    problems: list[Problem] = pool([0.0] * 20, lift=0.25)
    made = gatherer(tiny_policy, problems, prompts=10, hints=Hints(), prompt=prompt)
    found = steps(made, session(tiny_policy), 12)
    assert all(g.metrics["pass_rate"] == 0 and g.metrics["groups/mixed"] == 0 for g in found)
    assert all(g.notes["hints/groups"] == 10 for g in found)
    assert all(has_signal(group) for g in found for group in g.groups if group.given)
    assert 80 < sum(bool(group.given) for g in found for group in g.groups) < 120
    assert found[0].notes["hints/share"] == 0.75 and found[-1].notes["hints/share"] < 0.6
    assert found[0].notes["hints/pass_rate"] > 0.5
    opening = "<think>" if prompt else ""
    for group in (group for g in found for group in g.seen if group.given):
        rollout = group.rollouts[0]
        head = tiny_policy.tokenizer.decode(rollout.prompt_ids[-group.given :])
        assert rollout.parsed.text.startswith(head) and head.startswith(opening) and head.endswith(";")
        assert len(rollout.completion.token_ids or ()) == len(rollout.completion.sampled) == 7
    assert all(made.posteriors.at(p.id, 12).mean < 0.1 for p in problems)


def test_a_prompt_that_is_sometimes_right_is_given_nothing(tiny_policy: Policy) -> None:
    made = gatherer(tiny_policy, pool([0.5] * 10), hints=Hints())
    found = steps(made, session(tiny_policy), 10)
    assert not any(group.given for g in found for group in g.seen) and math.isnan(found[0].notes["hints/share"])
