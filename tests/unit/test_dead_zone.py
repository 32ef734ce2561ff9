"""The remedies one by one: hand-worked posteriors, the window, what is kept, what a hint is, what a recipe may not ask."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from pydantic import ValidationError

from builders import NAN, make_step
from earnest.component import build
from earnest.data.gathering.curriculum import Curriculum, Draws
from earnest.data.gathering.groups import has_signal, is_all_wrong, kind
from earnest.data.gathering.hints import Hinting, Hints, check_traces, cut
from earnest.data.gathering.metrics import pass_rate, rollout_metrics
from earnest.data.gathering.posterior import Posteriors
from earnest.data.gathering.refill import Ledger, Refill
from earnest.data.gathering.replay import Buffer, ReplayGroups
from earnest.data.rollouts import Roller
from earnest.data.store import dump_line, group_from_json, group_to_json
from earnest.errors import ConfigError, GateRefused
from earnest.models.base import Policy
from earnest.prompts.chat import Chat
from earnest.prompts.plain import Plain
from earnest.sampling.plain import Plain as PlainSampling
from earnest.tasks.union import Portion, Union
from earnest.types import Finish, Group, Solution
from lottery import TASK, Lottery, pool


def group(rewards: Sequence[float], problem: str = "0", given: int = 0) -> Group:
    made = make_step([[float(r) for r in rewards]]).groups[0]
    asked = replace(made.problem, id=problem)
    return Group(asked, tuple(replace(r, problem=asked) for r in made.rollouts), given)


def back(state: object) -> object:
    return json.loads(json.dumps(state))


# --- what a group says


@pytest.mark.parametrize(
    ("rewards", "says"),
    [
        ([1, 0], "live"),
        ([1, NAN, 0], "live"),
        ([1, 1, 1], "all right"),
        ([0, 0], "all wrong"),
        ([0, NAN], "all wrong"),
        ([NAN, NAN], "not graded"),
        ([0.1 + 0.2, 0.3], "all wrong"),  # one and the same float32, in which they are learned from
        ([0.1, 0.2], "live"),  # wrong both, paid differently
        ([1.0, 1.0 + 1e-6], "live"),
    ],
)
def test_equality_decides_and_an_error_is_no_reward(rewards: list[float], says: str) -> None:
    assert kind(group(rewards)) == says
    assert has_signal(group(rewards)) == (says == "live")
    assert is_all_wrong(group(rewards)) == (says == "all wrong" or rewards == [0.1, 0.2])


def test_right_and_wrong_that_are_paid_alike_are_equal() -> None:
    rollouts = [replace(r, reward=0.5) for r in group([1, 0]).rollouts]
    assert kind(replace(group([1, 0]), rollouts=tuple(rollouts))) == "equal"


# --- posteriors


def test_outcomes_are_counted_and_fade() -> None:
    found = Posteriors(half_life=10)
    assert (found.at("0", 0).a, found.at("0", 0).b, "0" in found) == (1, 1, False)
    found.observe(group([1, 0, 0, 0, NAN]), step=0)
    assert (found.at("0", 0).a, found.at("0", 0).b) == (2, 4)  # the failure of the grader is not counted
    assert found.at("0", 0).mean == pytest.approx(1 / 3)
    assert (found.at("0", 10).a, found.at("0", 10).b) == (1.5, 2.5)
    found.observe(group([1, 1]), step=20)
    assert (found.at("0", 20).a, found.at("0", 20).b) == (1 + 0.25 + 2, 1 + 0.75)
    assert found.at("0", 2000).mean == pytest.approx(0.5)
    assert "1" not in found


def test_a_hinted_group_is_no_evidence() -> None:
    with pytest.raises(AssertionError):
        Posteriors().observe(group([1, 0], given=3), 0)


def test_a_group_that_was_not_graded_leaves_no_trace_and_the_rest_survives_json() -> None:
    found = Posteriors(half_life=7)
    found.observe(group([NAN, NAN]), 3)
    assert found.state_dict() == {}
    found.observe(group([1, 0, 0], "a"), 3)
    found.observe(group([1, 0, 0], "a"), 5)
    again = Posteriors(half_life=7)
    again.load_state_dict(back(found.state_dict()))  # type: ignore[arg-type]
    assert again.at("a", 9) == found.at("a", 9) and again.state_dict() == found.state_dict()


# --- curriculum


def seen(p: float, problem: str, posteriors: Posteriors, tries: int = 200) -> None:
    right = round(tries * p)
    posteriors.observe(group([1.0] * right + [0.0] * (tries - right), problem), 0)


def test_the_window_takes_what_is_inside_and_the_floor_takes_turns() -> None:
    problems = pool([0.5] * 100)
    posteriors = Posteriors()
    for place, problem in enumerate(problems):
        seen(0.5 if place < 10 else (0.0, 1.0)[place % 2], problem.id, posteriors)
    draws = Draws(problems, 0, Curriculum(uniform=0.25))
    drawn = [d for step in range(50) for d in draws.take(8, step, posteriors)]
    inside = {p.id for p in problems[:10]}
    chosen = [d for d in drawn if not d.uniform]
    assert all(d.problem.id in inside for d in chosen) and len(chosen) > 200
    in_turn = [d.problem.id for d in drawn if d.uniform]
    assert len(in_turn) >= 100 and {p.id for p in problems} == set(in_turn[:100])  # one epoch of the pool's own order


def test_the_share_of_the_floor_is_counted_out() -> None:
    draws = Draws(pool([0.5] * 50), 0, Curriculum(low=0.0, high=0.999, uniform=0.3))
    drawn = [d for step in range(20) for d in draws.take(5, step, Posteriors())]
    assert [sum(d.uniform for d in drawn[:n]) for n in (10, 50, 100)] == [3, 15, 30]


def test_the_window_takes_no_prompt_twice_in_a_step_and_never_hangs() -> None:
    problems = pool([0.5] * 12)
    draws = Draws(problems, 0, Curriculum(uniform=0.01))
    ids = [d.problem.id for d in draws.take(8, 0, Posteriors()) if not d.uniform]
    assert len(ids) == len(set(ids)) >= 6
    hopeless = Posteriors()
    for problem in problems:
        seen(0.0, problem.id, hopeless, tries=1_000)
    drawn = draws.take(30, 1, hopeless)  # more than there are, and none inside
    assert len(drawn) == 30 and all(d.uniform for d in drawn)


def test_the_window_shifts_no_share_of_a_mixture() -> None:
    """Nine of ten problems of one part are out of the window, none of the other's; both are drawn by their weights."""
    hard, fair = ([replace(p, id=f"{name}/{p.id}", task=name) for p in pool([0.5] * 100)] for name in ("hard", "fair"))
    posteriors = Posteriors()
    for problem in hard[10:]:
        seen(0.0, problem.id, posteriors, tries=1_000)
    draws = Draws(Union([Portion("hard", hard, 3.0), Portion("fair", fair, 1.0)]), 0, Curriculum(uniform=0.25))
    drawn = [d for step in range(100) for d in draws.take(4, step, posteriors) if not d.uniform]
    assert len(drawn) > 290 and {d.problem.task for d in drawn} == {"hard", "fair"}
    assert sum(d.problem.task == "hard" for d in drawn) / len(drawn) == pytest.approx(0.75, abs=0.02)


def test_draws_go_on_alike_after_a_restart() -> None:
    problems, posteriors = pool([0.5] * 40), Posteriors()
    whole, first = (Draws(problems, 3, Curriculum()) for _ in range(2))
    expected = [d.problem.id for step in range(6) for d in whole.take(7, step, posteriors)]
    begun = [d.problem.id for step in range(3) for d in first.take(7, step, posteriors)]
    second = Draws(problems, 3, Curriculum())
    second.load_state_dict(back(first.state_dict()))  # type: ignore[arg-type]
    assert begun + [d.problem.id for step in range(3, 6) for d in second.take(7, step, posteriors)] == expected


# --- refill


def test_the_budget_ends_with_one_sentence_and_is_counted() -> None:
    ledger = Ledger(Refill(attempts=2, patience=9))
    dead, live = group([0, 0]), group([1, 0])
    assert ledger.note(0, 2, 2, [live, dead, live]) is None
    said = ledger.note(1, 2, 1, [live, dead, dead, dead])
    assert said is not None and said.startswith("step 2: 1 of 2 groups carry a signal after 4 prompts; the budget")
    assert "(attempts: 2)" in said and ledger.note(2, 2, 0, [dead] * 6) is None
    assert ledger.last_words(2) == (
        "in 2 of 3 steps the budget of the refill was spent: 0.5 of 2 groups carried a signal there after 5 prompts, on average"
    )
    again = Ledger(Refill(attempts=2, patience=9))
    again.load_state_dict(back(ledger.state_dict()))  # type: ignore[arg-type]
    assert again.state_dict() == ledger.state_dict() and again.last_words(2) == ledger.last_words(2)


def test_nothing_live_for_several_steps_ends_the_stage_and_says_what_was_seen() -> None:
    ledger = Ledger(Refill(attempts=1, patience=2))
    wrong, right, broken = group([0, 0]), group([1, 1]), group([NAN, NAN])
    ledger.note(0, 2, 0, [wrong, wrong, right])
    ledger.note(1, 2, 1, [group([1, 0]), wrong])  # begins anew
    ledger.note(2, 2, 0, [wrong, wrong, wrong, right])
    ledger.note(3, 2, 0, [broken, broken])  # says nothing about the prompts
    with pytest.raises(GateRefused) as caught:
        ledger.note(4, 2, 0, [wrong, broken, right, wrong])
    assert caught.value.exit_code == 3
    assert caught.value.what.startswith("not one group carried a signal in the last 2 steps (up to step 5)")
    assert caught.value.why == (
        "of 8 groups 5 were all wrong, 2 all right, 0 without credit for other reasons, 1 not graded; 0% of the completions of "
        "the last step were cut at the token limit"
    )
    assert caught.value.remedy.startswith("easier problems")
    with pytest.raises(GateRefused, match="harder problems"):
        Ledger(Refill(patience=1)).note(0, 1, 0, [right])
    ends = [replace(r, completion=replace(r.completion, finish=Finish.LENGTH)) for r in wrong.rollouts]
    with pytest.raises(GateRefused, match="100% of the completions of the last step") as caught:
        Ledger(Refill(patience=1)).note(0, 1, 0, [replace(wrong, rollouts=tuple(ends))])
    assert caught.value.remedy.startswith("a higher max_tokens")


# --- replay


def test_the_newest_come_back_once_and_the_old_are_gone() -> None:
    buffer = Buffer(ReplayGroups(capacity=3, max_age=2))
    buffer.keep([group([1, 0], name) for name in "ab"], 0)
    buffer.keep([group([1, 0], name) for name in "cd"], 1)
    assert [k.group.problem.id for k in buffer.kept] == ["b", "c", "d"]
    assert [(k.group.problem.id, k.step) for k in buffer.take(2, 2)] == [("d", 1), ("c", 1)]
    assert [k.group.problem.id for k in buffer.kept] == ["b"]
    assert buffer.take(2, 3) == [] and buffer.kept == []  # three steps old
    assert buffer.take(0, 3) == []


def test_a_kept_group_survives_json_whatever_it_holds() -> None:
    made = group([1, NAN, 0.5], "\ud800\x1b", given=2)
    odd = replace(
        made.rollouts[0], prompt_ids=(1, 2), reward_parts={"correct": 1.0, "mine": None},
        completion=replace(made.rollouts[0].completion, logprobs=(-0.1, -1e-45, -3.0), sampled=(True, False, True)),
        parsed=replace(made.rollouts[0].parsed, text="\u2028 </think> \ud800", opening="<think>"),
    )  # fmt: skip
    made = replace(made, rollouts=(odd, *made.rollouts[1:]))
    assert group_from_json(json.loads(dump_line(group_to_json(made)))) == made
    buffer, again = Buffer(ReplayGroups()), Buffer(ReplayGroups())
    buffer.keep([made], 4)
    again.load_state_dict(back(buffer.state_dict()))  # type: ignore[arg-type]
    assert again.kept == buffer.kept


# --- hints


@pytest.mark.parametrize("prompt", [Chat(), Plain(think=True), Plain(template="{question}<think>", think=True)])
def test_a_hint_is_the_beginning_of_the_gold_and_ends_with_a_step(tiny_policy: Policy, prompt: Chat | Plain) -> None:
    tokenizer, problem = tiny_policy.tokenizer, pool([0.0])[0]
    gold = TASK.gold(problem)
    rendered = prompt.render(problem, tokenizer)
    worked = prompt.complete(gold, rendered, tokenizer)
    direct = prompt.complete(Solution("", gold.answer), rendered, tokenizer)
    opening = "" if rendered.opened else "<think>"
    steps = [step + ";" for step in gold.thought.split(";")[:-1]]
    for share, count in ((0.25, 1), (0.5, 2), (0.74, 2), (0.75, 3), (0.99, 3)):
        head = cut(worked, direct, share, tokenizer)
        assert worked[: len(head)] == head and tokenizer.decode(head) == opening + "".join(steps[:count])
    assert tokenizer.decode(cut(worked, direct, 0.1, tokenizer)) == opening + gold.thought[:2]  # not one step fits
    assert cut(direct, direct, 0.5, tokenizer) == () and cut(worked, direct, 0.01, tokenizer) == ()
    assert tokenizer.decode([*rendered.ids, *head]).count("<think>") == 1


def test_a_full_stop_ends_a_step_where_space_follows(tiny_policy: Policy) -> None:
    tokenizer = tiny_policy.tokenizer
    if len(tokenizer.encode(". ", add_special_tokens=False)) != 2:
        pytest.fail("the tokenizer of the embedded model has no full stop of its own")
    worked = tokenizer.encode("3.5 and 4. So 8", add_special_tokens=False)
    head = cut((*worked, 0), (0,), 0.9, tokenizer)
    assert tokenizer.decode(head) == "3.5 and 4."


def test_less_is_given_as_it_succeeds_and_more_where_nothing_does(tiny_policy: Policy) -> None:
    roller = Roller(Chat(), Lottery(), PlainSampling(), tiny_policy.tokenizer)
    hinting = Hinting(Hints(start=0.75, step=0.25), TASK.gold, roller, tiny_policy.context_length)
    shares = [hinting.share("0")]
    for rewards in ([1, 0], [1, 1], [1, 1], [1, 0, 0], [0, 0], [NAN, NAN], [0, 0], [0, 0]):
        hinting.observe(group(rewards, given=1))
        shares.append(hinting.share("0"))
    assert shares == [0.75, 0.5, 0.25, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75]
    again = Hinting(hinting.hints, TASK.gold, roller, 256)
    hinting.observe(group([1], given=1))
    again.load_state_dict(back(hinting.state_dict()))  # type: ignore[arg-type]
    assert again.share("0") == hinting.share("0") == 0.5


def test_no_trace_no_hint(tiny_policy: Policy) -> None:
    problems = pool([0.0] * 3)
    roller = Roller(Chat(), Lottery(), PlainSampling(), tiny_policy.tokenizer)
    hinting = Hinting(Hints(), TASK.gold, roller, tiny_policy.context_length)
    hinting.check(problems)
    assert hinting.head(problems[0])
    bare = Hinting(Hints(), lambda p: Solution("", "1"), roller, 256)
    unknown = Hinting(Hints(), lambda p: None, roller, 256)
    short = Hinting(Hints(), TASK.gold, roller, 20)  # the gold does not fit
    answers = Hinting(Hints(), TASK.gold, replace(roller, prompt=Plain()), 256)  # the prompt writes no thought
    for none in (bare, unknown, short, answers):
        assert none.head(problems[0]) == ()
        with pytest.raises(ConfigError, match="hints have nothing to give"):
            none.check(problems)


def test_hints_need_a_task_with_traces() -> None:
    check_traces(TASK)
    with pytest.raises(ConfigError, match="no gold of task 'skills' has a trace"):
        check_traces(build("task", "skills"))


# --- metrics


def test_every_prompt_counts_once_where_groups_differ_in_size() -> None:
    even = [group([1, 0]), group([1, NAN])]
    assert pass_rate(even) == pytest.approx(2 / 3)
    uneven = [group([1, 0]), group([0, 0, 0, 0, 1, 1, 1, 1]), group([NAN] * 4), group([1, 1, 1])]
    assert pass_rate(uneven) == pytest.approx((0.5 + 0.5 + 1) / 3)
    metrics = rollout_metrics(uneven)
    assert metrics["pass_rate"] == metrics["reward"] == pytest.approx(2 / 3)
    assert metrics["groups/mixed"] == 0.5 and metrics["reward/missing"] == pytest.approx(4 / 17)


# --- settings


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"refill": {"attempts": 0}}, "greater than or equal to 1"),
        ({"refill": {"attemps": 3}}, "attemps"),
        ({"refill": {}, "group_size": 1, "algorithm": "reinforce"}, "`refill` with group_size 1"),
        ({"replay_groups": {}, "group_size": 1, "algorithm": "reinforce"}, "`replay_groups` with group_size 1"),
        ({"hints": {}, "group_size": 1, "algorithm": "reinforce"}, "`hints` with group_size 1"),
        ({"replay_groups": {"share": 0.1}, "prompts_per_step": 8}, "a share of 0.1 of 8 groups is none"),
        ({"hard": {"group_size": 8}}, "hard.group_size 8 has no effect"),
        ({"curriculum": {"low": 0.5, "high": 0.5}}, "the window is empty"),
        ({"curriculum": {"low": 0.0, "high": 1.0}}, "has no effect"),
        ({"curriculum": {"uniform": 0.0}}, "greater than 0"),
        ({"hints": {"start": 0.25, "step": 0.5}}, "cannot shrink"),
    ],
)
def test_what_could_not_work_is_refused(settings: dict[str, object], why: str) -> None:
    fields = {"name": "rl", "id": "rl", "steps": 3, "lr": 1e-3}
    assert build("stage", fields).refill is None
    with pytest.raises((ConfigError, ValidationError), match=why):
        build("stage", {**fields, **settings})


def test_hints_are_refused_while_the_recipe_is_read() -> None:
    stage = build("stage", {"name": "rl", "id": "rl", "steps": 3, "lr": 1e-3, "hints": {}})
    assert stage.reads(TASK)
    with pytest.raises(ConfigError, match="has a trace"):
        stage.reads(build("task", "skills"))
