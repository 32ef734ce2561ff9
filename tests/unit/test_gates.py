"""The support gate: a guesser is refused however often it hits, and a group without a mixture teaches nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from earnest.gates.base import GateResult, Samples
from earnest.gates.support import Support
from earnest.types import Completion, Finish, Group, Parsed, Problem, Rollout, Sampling, Status, Verdict


def verdict(right: bool) -> Verdict:
    return Verdict(status=Status.OK, correct=right, score=float(right))


def group(number: int, rights: Sequence[bool], cut: int = 0, how: Finish = Finish.LENGTH) -> Group:
    problem = Problem(id=str(number), task="t", prompt=f"p{number}", answer="1")
    completion = Completion(
        tag="0", index=0, token_ids=(1,), sampled=(True,), logprobs=(0.0,), finish=Finish.STOP, policy_version=0,
        sampling=Sampling(),
    )  # fmt: skip
    parsed = Parsed(text="1", thought=None, answer_text="1", well_formed=True)
    return Group(
        problem,
        tuple(
            Rollout(
                problem=problem, prompt_ids=(1,), parsed=parsed, verdict=verdict(right),
                completion=replace(completion, finish=how if index < cut else Finish.STOP),
                reward=float(right), reward_parts={},
            )
            for index, right in enumerate(rights)
        ),
    )  # fmt: skip


def checked(real: Sequence[Sequence[bool]], permuted: Sequence[Sequence[bool]], cut: int = 0) -> GateResult:
    groups = [group(i, row, cut) for i, row in enumerate(real)]
    return Support().check(Samples(stage="rl", groups=groups, permuted=[[verdict(r) for r in row] for row in permuted]))


NEVER = [[False] * 4] * 100
MIXED = [[True, False, False, False]] * 50 + [[False] * 4] * 50


def test_a_model_that_is_sometimes_right_passes() -> None:
    result = checked(MIXED, NEVER)
    assert (result.outcome, result.gate, result.stage) == ("passed", "support", "rl")
    assert result.numbers["pass_at_1"] == 0.125 and result.numbers["mixed"] == 0.5


def test_a_guesser_is_refused_although_half_of_its_groups_are_mixed() -> None:
    elsewhere = MIXED[50:] + MIXED[:50]  # the same rate, on other problems: what guessing looks like
    result = checked(MIXED, elsewhere)
    assert result.outcome == "refused" and "not shown to be better than chance" in result.reason


def test_a_model_that_is_always_right_or_always_wrong_is_refused_with_the_fitting_remedy() -> None:
    solved = checked([[True] * 4] * 100, NEVER)
    assert solved.outcome == "refused" and "harder problems" in solved.remedy
    hopeless = checked([[True] * 4] * 30 + [[False] * 4] * 70, NEVER)
    assert hopeless.outcome == "refused" and "easier problems" in hopeless.remedy


def test_a_grader_that_fails_is_not_blamed_on_the_model() -> None:
    failed = Verdict(status=Status.ERROR, correct=None, score=None, reason="broken")
    groups = [
        Group(g.problem, tuple(replace(r, verdict=failed) for r in g.rollouts)) for g in map(group, range(9), MIXED)
    ]
    result = Support().check(Samples(stage="rl", groups=groups, permuted=[[failed] * 4] * 9))
    assert result.outcome == "refused" and "the grader failed on 36 samples, first: broken" in result.reason


def test_a_failure_beside_a_right_answer_is_no_mixture() -> None:
    failed = Verdict(status=Status.ERROR, correct=None, score=None, reason="broken")
    right = group(0, [True] * 30)
    groups = [replace(right, rollouts=(replace(right.rollouts[0], verdict=failed), *right.rollouts[1:]))] * 100
    result = Support().check(Samples(stage="rl", groups=groups, permuted=[[verdict(False)] * 30] * 100))
    assert result.numbers["mixed"] == 0.0 and result.outcome == "refused"


def test_few_mixed_groups_are_warned_about() -> None:
    few = checked([[True, False, False, False]] * 15 + [[False] * 4] * 85, NEVER)
    assert few.outcome == "warned"
    fewer = checked([[True, False, False, False]] * 6 + [[False] * 4] * 94, NEVER)
    assert fewer.outcome == "refused"


def test_samples_that_are_cut_are_named_and_the_limit_is_the_first_remedy() -> None:
    passed = checked(MIXED, NEVER)
    assert passed.outcome == "passed" and passed.numbers["cut"] == 0.0 and "cut" not in passed.reason
    cut = checked(MIXED, NEVER, cut=1)
    assert (cut.outcome, cut.remedy, cut.numbers["cut"]) == ("warned", "a higher max_tokens", 0.25)
    refused = checked(NEVER, NEVER, cut=1)
    assert refused.outcome == "refused" and "25% of the samples were cut" in refused.reason
    assert refused.remedy.startswith("a higher max_tokens first; then more or better SFT")


def test_samples_that_the_engine_gave_up_on_are_not_cut_at_the_limit() -> None:
    groups = [group(i, row, cut=1, how=Finish.ABORT) for i, row in enumerate(MIXED)]
    result = Support().check(Samples(stage="rl", groups=groups, permuted=[[verdict(False)] * 4] * 100))
    assert (result.outcome, result.numbers["cut"]) == ("passed", 0.0)


def of(task: str, number: int, rights: Sequence[bool]) -> Group:
    found = group(number, rights)
    problem = replace(found.problem, task=task)
    return Group(problem, tuple(replace(r, problem=problem) for r in found.rollouts))


def test_the_support_gate_names_the_part_without_support() -> None:
    mixed = [of("chain", i, [True, False, False, False]) for i in range(60)]
    dead = [of("algebra", i + 60, [False] * 4) for i in range(60)]
    nothing = [[Verdict(status=Status.OK, correct=False, score=0.0)] * 4] * 60
    good = Support().check(Samples(stage="rl", groups=mixed, permuted=nothing))
    result = Support().check(Samples(stage="rl", groups=mixed + dead, permuted=nothing * 2))
    assert good.outcome == "passed" and result.outcome == "refused"
    assert result.reason.startswith("algebra: the model is not shown to be better than chance")
    assert "chain:" not in result.reason and result.remedy.startswith("algebra: ")
    assert result.numbers["chain"] == good.numbers
    both = [of("algebra", i + 60, [True, False, False, False]) for i in range(60)]
    well = Support().check(Samples(stage="rl", groups=mixed + both, permuted=nothing * 2))
    assert well.outcome == "passed" and "chain: pass@1 0.250" in well.reason and "; algebra: pass@1" in well.reason
