"""A user's function as a reward and as the verifier: what it is called with, and what becomes of what it returns or does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import make_rollout
from earnest.component import BuildContext, KeyedConfigError, build
from earnest.prompts.parse import split_thought
from earnest.rewards.base import Failed
from earnest.rewards.function import Function
from earnest.sandbox.function import CALL, Case, arguments, columns, inline
from earnest.stages.road import _files_of
from earnest.types import Message, Problem, Rollout, Status
from grading import grade, make_item

CODE = '''
import functools, os, time
import numpy as np

def exact(completions, answer, **columns):
    return [float(c.rpartition("</think>")[2].strip() == a) for c, a in zip(completions, answer)]

def length(prompts, completions, completion_ids):
    return [len(ids) for ids in completion_ids]

async def level(completions, level, **kwargs):
    return [None if n is None else n / 10 for n in level]

def by(digit, completions, **columns):
    return [digit in c for c in completions]

sevens = functools.partial(by, "7")

def careful(completions, **columns):
    """Fails on some texts, each in its way."""
    for c in completions:
        if c == "raise": raise KeyError("no \\x1b[31m such")
        if c == "exit": raise SystemExit
        if c == "leave": os._exit(1)
        if c == "hang": time.sleep(60)
    return [len(c) for c in completions]

def odd(completions, **columns):
    values = {"text": "1.0", "nan": float("nan"), "inf": float("inf"), "none": None, "list": [1.0], "np": np.float32(0.5),
              "true": True, "huge": 10**400}
    return [values[c] for c in completions]

def quotes(completions, **columns):
    print(ascii(completions))
    raise ValueError("no number in " + completions[0])
def size(completions, **columns): return [len(completions)] * len(completions)
def short(completions, **columns): return [1.0]
def single(completions, **columns): return 1.0
def needs(completions, difficulty): return [1.0] * len(completions)
def three(completions, **columns): return [3.0] * len(completions)
def partly(completions, **columns): return [0.75] * len(completions)
def nothing(completions, **columns): return [None] * len(completions)
broken = 3
'''


@pytest.fixture
def here(tmp_path: Path) -> BuildContext:
    (tmp_path / "rewards.py").write_text(CODE, encoding="utf-8")
    return BuildContext(tmp_path)


def rollout(text: str, prompt: Any = "6*7?", answer: str = "42", tokens: int = 3, **meta: Any) -> Rollout:
    problem = Problem(id="p", task="t", prompt=prompt, answer=answer, meta=meta)
    return replace(
        make_rollout(0, 0, 0.0, tokens), problem=problem, parsed=split_thought(text, opened=False, required=False)
    )


def term(here: BuildContext, name: str, **settings: Any) -> Function:
    return build("reward", {"name": f"rewards.py:{name}", **settings}, here)


# ------------------------------------------------------------------------------------------------ in a recipe


def test_a_function_is_named_as_a_class_is(here: BuildContext) -> None:
    found = term(here, "exact", timeout_s=3)
    file = here.base_dir / "rewards.py"
    assert found == Function(path=f"{file}:exact", timeout_s=3.0)
    assert found == build("reward", {"name": "function", "path": "rewards.py:exact", "timeout_s": 3}, here)
    assert found.label == "exact" and found.code() == (file,) and found.files() == ()
    assert term(here, "sevens").score([rollout("7"), rollout("8")], 0) == [1.0, 0.0]  # what can be called is a function
    by_module = build("reward", "shutil:which")
    assert by_module.path == "shutil:which" and by_module.code()[0].name == "shutil.py"


def test_a_stage_depends_on_the_functions_file(here: BuildContext) -> None:
    stage = build("stage", {"name": "rl", "id": "rl", "steps": 1, "lr": 1e-3, "reward": "rewards.py:exact"}, here)
    assert list(_files_of(stage)) == [here.base_dir / "rewards.py"]


@pytest.mark.parametrize(
    ("kind", "spec", "what", "remedy"),
    [
        ("reward", "rewards.py:exakt", "'exakt' in rewards.py is not a reward", "did you mean 'exact'?"),
        ("verifier", "rewards.py:broken", "'broken' in rewards.py is not a verifier", "known: "),
        ("verifier", {"name": "function", "path": "rewards.py:exakt"}, "is not a function", "did you mean 'exact'?"),
        ("verifier", {"name": "function", "path": "exact"}, "'exact' names no function", "file.py:name"),
        ("reward", "nowhere.py:exact", "no such file", "relative to the recipe"),
        ("reward", {"name": "rewards.py:exact", "timeout_s": 0}, "greater than 0", ""),
        ("reward", {"name": "rewards.py:exact", "timeouts": 1}, "unknown key 'timeouts'", "timeout_s"),
        ("task", "rewards.py:exact", "is not a task", ""),
    ],
)
def test_what_is_refused(here: BuildContext, kind: str, spec: Any, what: str, remedy: str) -> None:
    with pytest.raises(KeyedConfigError) as caught:
        build(kind, spec, here)
    assert what in caught.value.what and remedy in caught.value.remedy


# ------------------------------------------------------------------------------------------------ what it is called with


def test_columns_and_shapes() -> None:
    talk = (Message("system", "Be brief."), Message("user", "6*7?"))
    cases = [
        Case(Problem(id="a", task="t", prompt="6*7?", answer="42", meta={"level": 3, "completion": "x"}), parsed("42"), (5, 6)),
        Case(Problem(id="b", task="t", prompt=talk, answer="7", meta={"solution": "seven"}), parsed("<think>a</think>7"), (7,)),
    ]  # fmt: skip
    further = columns([case.problem for case in cases])
    assert further == ["level"] and arguments(cases, further) == {
        "prompts": ["6*7?", [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "6*7?"}]],
        "completions": ["42", [{"role": "assistant", "content": "<think>a</think>7"}]],
        "completion_ids": [(5, 6), (7,)],
        "answer": ["42", "7"],
        "solution": ["42", "seven"],
        "level": [3, None],
    }
    assert "completion_ids" not in arguments([replace(cases[0], token_ids=None), cases[1]], further)


def parsed(text: str, opened: bool = False) -> Any:
    return split_thought(text, opened=opened, required=False)


@pytest.mark.parametrize(
    ("text", "opened", "seen"),
    [
        ("42", False, "42"),
        ("<think>6*7</think>42", False, "<think>6*7</think>42"),
        ("6*7</think>42", True, "<think>6*7</think>42"),
        ("6*7</think>42", False, "6*7</think>42"),  # the model did not open it, and nobody else did
        ("<think>6*7</think>42", True, "<think><think>6*7</think>42"),  # it opened it twice
        ("6*7</think>", True, "<think>6*7</think>"),
        ("still at it", True, "<think>still at it"),
    ],
)
def test_a_completion_is_seen_as_one_text(text: str, opened: bool, seen: str) -> None:
    assert inline(parsed(text, opened)) == seen


def test_it_is_given_what_it_asks_for(here: BuildContext) -> None:
    rollouts = [rollout("<think>6*7</think> 42", level=3), rollout("43", tokens=5)]
    assert term(here, "exact").score(rollouts, 0) == [1.0, 0.0]
    assert term(here, "length").score(rollouts, 0) == [3.0, 5.0]
    assert term(here, "level").score(rollouts, 0) == [0.3, None]
    (failed,) = set(term(here, "needs").score(rollouts[1:], 0))
    assert (
        isinstance(failed, Failed)
        and "asks for 'difficulty', which it cannot be given; there are: prompts," in failed.reason
    )


# ------------------------------------------------------------------------------------------------ what it returns


def test_one_bad_rollout_costs_one_score(here: BuildContext) -> None:
    texts = ["ok", "raise", "fine", "exit", "leave", "hang", "x"]
    found = term(here, "careful", timeout_s=5.0).score([rollout(t) for t in texts], 0)
    assert [None if isinstance(s, Failed) else s for s in found] == [2.0, None, 4.0, None, None, None, 1.0]
    reasons = {t: s.reason for t, s in zip(texts, found, strict=True) if isinstance(s, Failed)}
    assert "SystemExit" in reasons["exit"] and "exit code 1" in reasons["leave"]
    assert reasons["hang"].startswith("careful (rewards.py, ") and "failed: no answer within 5 s" in reasons["hang"]
    told = reasons["raise"].splitlines()
    assert told[1:4] == ["  question:   '6*7?'", "  answer:     '42'", "  completion: 'raise'"]
    assert told[4].startswith("Traceback") and "no \\x1b[31m such" in told[-1]
    assert sum(line.startswith("  File ") for line in told) == 1 and "\x1b" not in reasons["raise"]


def test_what_hangs_every_time_costs_a_few_limits_and_no_more(here: BuildContext) -> None:
    import time

    begun = time.monotonic()
    found = term(here, "careful", timeout_s=0.5).score([rollout("hang") for _ in range(40)], 0)
    assert time.monotonic() - begun < 15
    reasons = [s.reason for s in found if isinstance(s, Failed)]
    assert len(reasons) == 40 and "no answer within" in reasons[0] and "was not asked" in reasons[-1]


def test_many_completions_are_several_calls(here: BuildContext) -> None:
    rollouts = [rollout("x" * (i % 9)) for i in range(2 * CALL + 3)]
    assert term(here, "careful").score(rollouts, 0) == [float(i % 9) for i in range(2 * CALL + 3)]
    assert max(term(here, "size").score(rollouts, 0)) == CALL  # type: ignore[type-var]
    found = term(here, "needs").score(rollouts, 0)
    said = ["was not asked: it had failed on everything" in s.reason for s in found if isinstance(s, Failed)]
    assert said == [False] * CALL + [True] * (CALL + 3)


def test_what_is_no_number_is_no_score(here: BuildContext) -> None:
    texts = ["text", "nan", "inf", "list", "np", "true", "none"]
    found = term(here, "odd").score([rollout(t) for t in texts], 0)
    assert found[-3:] == [0.5, 1.0, None] and type(found[-2]) is float
    reasons = [s.reason for s in found[:4] if isinstance(s, Failed)]
    assert ["returned '1.0', a str and no number" in reasons[0], "returned nan" in reasons[1]] == [True, True]
    assert "returned inf" in reasons[2] and "a list and no number" in reasons[3]
    (huge,) = term(here, "odd").score([rollout("huge")], 0)
    assert isinstance(huge, Failed)


@pytest.mark.parametrize(
    ("name", "said"), [("short", "returned 1 scores for 2 completions"), ("single", "a float and no list")]
)
def test_a_result_that_cannot_be_told_apart_is_nobodys(here: BuildContext, name: str, said: str) -> None:
    found = term(here, name).score([rollout("a"), rollout("b")], 0)
    assert all(isinstance(s, Failed) and said in s.reason for s in found)


def test_a_hostile_completion_is_cut_and_made_printable(here: BuildContext) -> None:
    found = term(here, "exact").score([rollout("x" * 10**6, answer="\x1b]0;title\x07")], 0)
    assert found == [0.0]
    (failed,) = term(here, "needs").score([rollout("\x1b[2J\u202e\ud800\n" + "x" * 10**6, prompt="?\x1b[2J")], 0)
    assert isinstance(failed, Failed) and len(failed.reason) < 3000 and "characters left out" in failed.reason
    failed.reason.encode()
    (quoted,) = term(here, "quotes").score([rollout("\x1b[2J\u202e\ud800")], 0)
    assert isinstance(quoted, Failed) and "no number in ⟨U+001B⟩[2J" in quoted.reason
    for reason in (failed.reason, quoted.reason):
        assert not {"\x1b", "\u202e", "\ud800"} & set(reason)


# ------------------------------------------------------------------------------------------------ as the verifier


def test_one_is_correct_and_less_is_not(here: BuildContext) -> None:
    exact, partly = (build("verifier", f"rewards.py:{name}", here) for name in ("exact", "partly"))
    right, wrong, some = grade(exact, "<think>a</think>42", "42"), grade(exact, "43", "42"), grade(partly, "43", "42")
    assert [(v.correct, v.score) for v in (right, wrong, some)] == [(True, 1.0), (False, 0.0), (False, 0.75)]
    assert right.extracted == "42" and exact.label.startswith("exact (rewards.py, ")


@pytest.mark.parametrize(
    ("name", "said"), [("three", "between 0 and 1"), ("nothing", "must decide"), ("length", "completion_ids")]
)
def test_a_verifier_that_does_not_say_right_or_wrong_has_failed(here: BuildContext, name: str, said: str) -> None:
    verdict = grade(build("verifier", f"rewards.py:{name}", here), "43", "42")
    assert verdict.status is Status.ERROR and verdict.score is None and said in verdict.reason


def test_what_needs_no_function_is_not_asked(here: BuildContext) -> None:
    three = build("verifier", "rewards.py:three", here)  # which fails on everything
    items = [
        make_item("42", "42", truncated=True),
        make_item("<think>42", "42"),
        make_item(" ", "42"),
        make_item("42", "42"),
    ]
    statuses = [v.status for v in three.judge(items)]
    assert statuses == [Status.TRUNCATED, Status.NO_ANSWER, Status.NO_ANSWER, Status.ERROR]
