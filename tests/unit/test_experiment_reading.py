"""How experiments are read: when an arm got good, where a KL comes to rest, when a prediction held; and the tasks they bring."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmark_scripts import benchmark
from earnest.component import BuildContext, build

benchmark("runs")
base: Any = benchmark("trials.base")
reading: Any = benchmark("trials.reading")
kl: Any = benchmark("trials.kl")
length_bias: Any = benchmark("trials.length_bias")
RECIPES = Path(__file__).parents[2] / "recipes" / "experiments"


@pytest.mark.parametrize(
    ("rates", "weights", "expected"),
    [
        ([0.2, 0.6, 0.4, 0.9], [1, 1, 1, 1], [0.2, 0.5, 0.5, 0.9]),
        ([0.1, 0.2, 0.3], [1, 1, 1], [0.1, 0.2, 0.3]),
        ([0.9, 0.5, 0.1], [1, 1, 1], [0.5, 0.5, 0.5]),
        ([0.6, 0.3], [1, 3], [0.375, 0.375]),
        ([0.5, 0.7, 0.2], [2, 1, 1], [0.475, 0.475, 0.475]),
        ([], [], []),
    ],
)
def test_falling_neighbours_are_pooled(rates: list[float], weights: list[float], expected: list[float]) -> None:
    assert reading.monotone(rates, weights) == pytest.approx(expected)


def test_an_arm_is_there_when_it_stays_there() -> None:
    lucky = [(2, 4, 10), (4, 4, 10), (1, 4, 10), (3, 4, 20), (4, 4, 20)]  # all right once, by luck
    found = reading.reached([reading.Tried(*step) for step in lucky], 0.65)
    assert (found.steps, found.tokens, found.of) == (4, 50, 5)
    never = reading.reached([reading.Tried(1, 4, 10)] * 3, 0.65)
    assert (never.steps, never.tokens, never.least) == (None, 30, 4)
    silent = reading.reached([reading.Tried(0, 0, 10), reading.Tried(4, 4, 10)], 0.65)
    assert (silent.steps, silent.tokens) == (2, 20), "a step that was asked nothing still costs"


def test_tokens_are_of_all_rollouts_and_the_pass_rate_of_those_asked_about(tmp_path: Path) -> None:
    folder = tmp_path / "arm" / "rollouts"
    folder.mkdir(parents=True)
    rows = [
        {"step": step, "tokens": tokens, "given": given, "verdict": {"correct": correct}}
        for step, tokens, given, correct in ((1, 3, 0, True), (1, 5, 2, True), (1, 7, 0, None), (2, 4, 0, False))
    ]
    (folder / "rollouts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert reading.tried(tmp_path, "arm") == [reading.Tried(1, 1, 15), reading.Tried(0, 1, 4)]


def test_a_kl_comes_to_rest_where_its_gradient_and_the_rewards_cancel() -> None:
    seed = kl.Seed({}, worked_before=0.25, right_worked=0.98, right_direct=0.1)
    for beta, loss, reward in ((0.1, 0.917, 1.0), (0.3, 0.770, 0.862), (1.0, 0.469, 0.446)):
        assert kl.foreseen(seed, "loss", beta) == pytest.approx(loss, abs=1e-3)
        assert kl.foreseen(seed, "reward", beta) == pytest.approx(reward, abs=1e-3)

    def objective(p: float, place: str) -> float:
        a, b = (p, 0.25) if place == "reward" else (0.25, p)
        return 0.88 * p - 0.3 * (a * math.log(a / b) + (1 - a) * math.log((1 - a) / (1 - b)))

    for place in kl.PLACES:
        best = max((i / 10_000 for i in range(1, 10_000)), key=lambda p: objective(p, place))
        assert kl.foreseen(seed, place, 0.3) == pytest.approx(best, abs=1e-3)


def test_lines_between_points() -> None:
    xs, ys = [1.0, 0.0, 2.0], [10.0, 0.0, 30.0]
    assert [kl.between(x, xs, ys) for x in (-1.0, 0.5, 1.5, 5.0)] == [0.0, 5.0, 20.0, 30.0]


def test_five_seeds_need_their_interval_and_three_need_every_seed() -> None:
    apart, mixed = [1.0, 1.1, 0.9, 1.2, 0.8], [1.0, -1.0, 0.9, -0.8, 0.1]
    assert base.above("x", apart, str).holds and not base.above("x", mixed, str).holds
    assert not base.below("x", apart, str).holds and base.below("x", [-x for x in apart], str).holds
    assert base.around("x", mixed, str).holds and not base.around("x", apart, str).holds
    assert base.above("x", [1.0], str).holds is None, "one seed has no interval"
    assert "Not decided" in str(base.around("x", [0.0], str))
    assert base.each("x", apart, str, lambda x: x > 0).holds and not base.each("x", mixed, str, lambda x: x > 0).holds
    assert "MISSED" in str(base.each("x", mixed, str, lambda x: x > 0))


def test_rows_are_those_of_the_first_and_the_last_steps() -> None:
    def row(step: int, text: str, correct: bool) -> dict[str, Any]:
        return {"step": step, "text": text, "finish": "stop", "verdict": {"correct": correct}}

    rows = [row(s, "10101" + "x" * s + "</think>1", False) for s in range(1, 41)]
    rows += [row(s, "10101oo</think>1", True) for s in range(1, 41)]
    found = length_bias._rows(rows)
    assert (found.wrong, found.right, found.grown("wrong")) == ((5.5, 35.5), (2.0, 2.0), 30.0)


# ----------------------------------------------------------------------------------------------------------------- tasks


def task(name: str, **options: Any) -> Any:
    return build("task", {"name": name, **options}, BuildContext(RECIPES))


def test_the_pool_is_nine_parts_out_of_reach() -> None:
    pool = task("pool.py:Pool")
    for split in ("train", "test"):
        problems = pool.problems(split)
        kinds = Counter(p.meta["kind"] for p in problems)
        assert kinds == {"easy": 144, "hard": 144, "between": 32}
        assert len({p.prompt for p in problems}) == len({p.id for p in problems}) == 320
        for p in problems:
            chain = p.prompt[: p.prompt.index("=")]
            total = sum(int(term) for term in chain.replace("-", "+-").split("+"))
            assert {"easy": p.answer == str(total % 10) and p.prompt == f"{chain}={p.answer}=",
                    "hard": p.answer == str(total) and len(p.answer) == 2 and p.prompt == f"{chain}==",
                    "between": p.answer == str(total % 10) and p.prompt == f"{chain}="}[p.meta["kind"]]  # fmt: skip


def test_traces_of_the_rambler_say_what_is_so() -> None:
    taught = task("rambling.py:Rambling", misses=0.5).problems("train")
    rows: dict[bool, list[int]] = {True: [], False: []}
    for p in (taught[i] for i in range(4000)):
        trace, parity = str(p.meta["trace"]), p.prompt.count("1") % 2
        guess, work, row = trace[0], trace[1:5], trace[5:]
        assert work == "".join(str(p.prompt[:n].count("1") % 2) for n in (2, 4, 6, 8))
        right = guess == str(parity)
        assert p.answer == guess and row == ("o" if right else "x") * len(row)
        rows[right].append(len(row))
    assert 0.47 < len(rows[True]) / 4000 < 0.53
    for lengths in rows.values():  # 1 + geometric with mean 0.85 / 0.15
        assert sum(lengths) / len(lengths) == pytest.approx(1 + 0.85 / 0.15, abs=0.5)
    asked = task("rambling.py:Rambling").problems("train")
    assert all(asked[i].answer == str(asked[i].prompt.count("1") % 2) for i in range(200))
