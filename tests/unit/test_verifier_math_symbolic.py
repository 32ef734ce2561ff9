"""`math` with sympy behind it: what it adds, what it must not, and that nothing it is asked takes it long."""

from __future__ import annotations

import importlib.util
import os
import signal
import threading
import time
from typing import Any

import pytest

from earnest.component import build
from earnest.errors import MissingDependency
from earnest.sandbox.worker import shared
from earnest.types import Status, Verdict
from earnest.verifiers.math import Math, symbolic
from grading import grade

pytest.importorskip("sympy")

ASKING, COUNTING = Math(symbolic=True), Math()


@pytest.fixture(scope="module", autouse=True)
def process() -> None:
    ASKING.conditions()


def graded(gold: str, answer: str, verifier: Math = ASKING) -> Verdict:
    return grade(verifier, f"\\boxed{{{answer}}}", gold)


BEYOND = [
    (r"10^{1000000}+1", r"1+10^{1000000}"),
    (r"e^{10000}", r"e^{5000}e^{5000}"),
    (r"\frac{2^{100001}-1}{3}", r"\frac{2\cdot 2^{100000}-1}{3}"),
    (r"\sum_{k=1}^{\infty}\frac{1}{k^2}", r"\frac{\pi^2}{6}"),
    (r"\sum_{k=0}^{\infty} \frac{1}{k!}", "e"),
    (r"\sum_{k=1}^{5000} k", "12502500"),
    (r"2^{2^{30}}-1", r"4^{2^{29}}-1"),
    (r"(10^{1000000}, 2)", r"(10^{500000}\cdot 10^{500000}, 2)"),
]


@pytest.mark.parametrize(("gold", "answer"), BEYOND)
def test_it_is_paid_what_counting_does_not_reach(gold: str, answer: str) -> None:
    assert graded(gold, answer, COUNTING).correct is False
    found = graded(gold, answer)
    assert (found.status, found.correct) == (Status.OK, True), found.reason


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"10^{1000000}+1", r"10^{1000000}+2"),
        (r"10^{1000000}", r"10^{1000001}"),
        (r"\sum_{k=1}^{\infty}\frac{1}{k^2}", r"\frac{\pi^2}{7}"),
        (r"\sum_{k=1}^{\infty}\frac{1}{k}", r"\infty + 1"),
        ("0", r"\frac{0}{0}"),
        (r"\frac{1}{0}", r"\frac{2}{0}"),
        (r"\frac{\pi^2}{6}", r"\sum_{k=1}^{\infty}\frac{1}{k^2}"),  # not worked out
        (r"12502500", r"\sum_{k=1}^{5000} k"),
        (r"f(10^{1000000})", r"g(10^{1000000})"),
    ],
)
def test_what_is_not_shown_to_be_equal_is_not_paid(gold: str, answer: str) -> None:
    assert graded(gold, answer).correct is False


BOMBS = [
    r"\sum_{k=1}^{\infty} \frac{\sin(k)\cos(k^2)}{k^3+\sqrt{k}}", r"\prod_{k=1}^{\infty} (1+\frac{\sin(k)}{k^{k}})",
    r"7^{7^{7^{7^7}}}", r"10^{10^{10}}!", r"(10^{9})!", r"\binom{10^9}{5\cdot 10^8}", r"\sum_{k=1}^{10^9} k!",
    r"(10^{20}+39)^{10^{9}}", r"\prod_{k=1}^{10^8} (x+k)", r"(x+y+z+w)^{9999}", r"\sin(\sin(\sin(10^{1000000})))",
    r"2^{2^{30}}", r"\lfloor 10^{10^8} \pi \rfloor",
]  # fmt: skip


def test_nothing_takes_long_from_64_threads_at_once_and_it_is_there_again() -> None:
    took: list[float] = []

    def one(number: int) -> None:
        begun = time.monotonic()
        found = graded(BOMBS[number % len(BOMBS)] + f"+{number}", BOMBS[number % len(BOMBS)] + f"+{number + 1}")
        took.append(time.monotonic() - begun)
        assert found.correct is False

    threads = [threading.Thread(target=one, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(took) == 64 and max(took) < 4.0  # 2.0 by its limits, and others run on these cores
    deadline = time.monotonic() + 60
    while graded(r"10^{2000000}+1", r"1+10^{2000000}").correct is not True:
        symbolic._asked.cache_clear()
        assert time.monotonic() < deadline, "no process came back"
        time.sleep(0.2)


def test_a_process_that_is_killed_costs_one_question() -> None:
    symbolic._asked.cache_clear()
    worker = shared(symbolic._CALLEE)
    assert worker._process is not None
    os.kill(worker._process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while graded(r"10^{3000000}+1", r"1+10^{3000000}").correct is not True:
        symbolic._asked.cache_clear()
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_pair_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    symbolic._asked.cache_clear()
    asked: list[Any] = []
    worker = shared(symbolic._CALLEE)
    original = worker.call
    monkeypatch.setattr(worker, "call", lambda *a: asked.append(a) or original(*a))
    for _ in range(3):
        assert graded(r"10^{4000000}+1", r"1+10^{4000000}").correct is True
    assert len(asked) == 1
    graded("41", "42")
    graded(r"x+1", r"1+x")
    assert len(asked) == 1, "only what counting could not decide"


def test_no_text_reaches_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(symbolic, "_asked", lambda *pair: seen.extend(pair) or False)
    graded(r"10^{1000000}+x", r"\text{__import__('os')}+10^{1000000}")
    graded(r"10^{1000000}+x", r"__class__+10^{1000000}")
    assert not seen, "the grammar reads neither"
    graded(r"10^{1000000}+x", r"x+1+10^{1000000}")
    assert seen and all(set(part) <= set('[]", +*/^-0123456789x') for part in seen), seen


def test_without_sympy_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match="needs sympy") as caught:
        ASKING.conditions()
    assert caught.value.exit_code == 4 and COUNTING.conditions() == {}
    with pytest.raises(MissingDependency):
        graded("1", "1")
    assert graded("1", "1", COUNTING).correct


def test_it_is_named() -> None:
    assert (ASKING.label, COUNTING.label) == ("math+sympy", "math")
    both = build("verifier", {"name": "combine", "of": [{"use": {"name": "math", "symbolic": True}}, "number"]})
    assert set(ASKING.conditions()) == {"sympy"} == set(both.conditions())
