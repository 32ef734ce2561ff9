"""Turns by weight, and the orders that take them: exact shares at every position, whatever the sizes, from one integer."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earnest.data.select import Order, Weighted, order_of, subset
from earnest.data.turns import Turn, Turns, quotas
from earnest.tasks.union import Portion, Union
from earnest.types import Problem


def pool(name: str, size: int, weight: float) -> Portion:
    return Portion(
        name, [Problem(id=f"{name}/{i}", task=name, prompt=f"{name} {i}", answer="1") for i in range(size)], weight
    )


def parts(problems: Union, indices: list[int]) -> dict[str, int]:
    return dict(Counter(problems[i].task for i in indices))


SMALL_AND_LARGE = Union([pool("small", 100, 3), pool("large", 7_000, 1)])


def test_turns_by_hand() -> None:
    """Shares 3/4 and 1/4. Windows of a: 0-1, 1-2, 2-3; of b: 0-3, which closes last of those that are open at 0, 1 and 2."""
    turns = Turns([3, 1])
    assert turns.period == 4
    assert [turns.at(i) for i in range(4)] == [Turn(0, 0), Turn(0, 1), Turn(0, 2), Turn(1, 0)]
    assert turns.at(4_000_003) == Turn(1, 1_000_000) and turns.at(4_000_001) == Turn(0, 3_000_001)


def test_a_decimal_weight_is_what_it_says() -> None:
    assert Turns([0.1, 0.2]).period == 3 and Turns([0.7, 0.2, 0.1]).period == 10 and Turns([2.0, 2.0]).period == 2


@settings(max_examples=150, deadline=None, database=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(1, 1_000))
def test_every_prefix_has_every_share_but_for_rounding(weights: list[int], scale: int) -> None:
    turns = Turns([weight / scale for weight in weights])
    exact = [Fraction(str(weight / scale)) for weight in weights]
    had = [0] * len(weights)
    for n in range(1, 400):
        turn = turns.at(n - 1)
        assert turn.count == had[turn.part]
        had[turn.part] += 1
        assert all(abs(count - n * share / sum(exact)) < 1 for count, share in zip(had, exact, strict=True)), (n, had)


def test_a_step_of_sixteen_has_twelve_and_four_whatever_the_sizes() -> None:
    order = order_of(SMALL_AND_LARGE, seed=5)
    for _ in range(50):
        assert parts(SMALL_AND_LARGE, order.take(16)) == {"small": 12, "large": 4}
    order = order_of(SMALL_AND_LARGE, seed=5)
    assert parts(SMALL_AND_LARGE, order.take(4 * 7_000)) == {"small": 21_000, "large": 7_000}


def test_every_part_goes_through_its_own_epochs() -> None:
    order = order_of(SMALL_AND_LARGE, seed=5)
    taken = order.take(4 * 7_000)
    small = [i for i in taken if i < 100]
    assert all(sorted(small[at : at + 100]) == list(range(100)) for at in range(0, len(small), 100))
    assert small[:100] != small[100:200]
    assert sorted(i for i in taken if i >= 100) == list(range(100, 7_100))


def test_the_seed_decides_and_a_part_does_not_depend_on_the_others_sizes() -> None:
    assert order_of(SMALL_AND_LARGE, 5).take(200) == order_of(SMALL_AND_LARGE, 5).take(200)
    assert order_of(SMALL_AND_LARGE, 5).take(200) != order_of(SMALL_AND_LARGE, 6).take(200)
    other = Union([pool("small", 100, 3), pool("large", 50, 1)])
    ours, theirs = order_of(SMALL_AND_LARGE, 5).take(200), order_of(other, 5).take(200)
    assert [i for i in ours if i < 100] == [i for i in theirs if i < 100]


@pytest.mark.parametrize("cut", [0, 1, 17, 399])
def test_a_position_is_all_there_is_to_save(cut: int) -> None:
    whole = order_of(SMALL_AND_LARGE, seed=5).take(400)
    first = order_of(SMALL_AND_LARGE, seed=5)
    assert first.take(cut) == whole[:cut]
    second = order_of(SMALL_AND_LARGE, seed=5)
    second.position = first.position
    assert second.take(400 - cut) == whole[cut:]


def test_what_cannot_be_used_is_replaced_from_the_same_part_and_shifts_no_share() -> None:
    order = order_of(SMALL_AND_LARGE, seed=5)
    used: list[int] = []
    for _ in range(400):
        index = order.take(1)[0]
        while index < 100 and index % 2:  # half of the small part is of no use
            index = order.instead()
        used.append(index)
    assert parts(SMALL_AND_LARGE, used) == {"small": 300, "large": 100}
    assert Counter(i for i in used if i < 100) == dict.fromkeys(range(0, 100, 2), 6)
    resumed = order_of(SMALL_AND_LARGE, seed=5)
    resumed.load_state_dict(order.state_dict())
    assert resumed.take(40) == order.take(40)
    order.go_to(0)
    assert order.take(400) == order_of(SMALL_AND_LARGE, seed=5).take(400)


def test_rivals_are_of_the_same_part() -> None:
    order = order_of(SMALL_AND_LARGE, seed=5)
    assert isinstance(order, Weighted)
    assert (order.rivals(99), order.rivals(100)) == (100, 7_000)


def test_one_pool_is_drawn_from_as_before() -> None:
    """The order of a plain pool: a permutation an epoch, the next one in place of what cannot be used."""
    problems = list(SMALL_AND_LARGE)[:10]
    order, plain = order_of(problems, seed=5), Order(10, 5)
    assert type(order) is Order and order.take(25) == plain.take(25)
    assert order.instead() == plain.take(1)[0] and order.state_dict() == {"position": 26}


def test_a_subset_has_the_shares_and_all_is_all() -> None:
    assert dict(Counter(p.task for p in subset(SMALL_AND_LARGE, 80))) == {"small": 60, "large": 20}
    assert dict(Counter(p.task for p in subset(SMALL_AND_LARGE, 1_000))) == {"small": 100, "large": 900}
    assert subset(SMALL_AND_LARGE, 10_000) == list(SMALL_AND_LARGE) and len(subset(SMALL_AND_LARGE, 1)) == 1
    assert subset(SMALL_AND_LARGE, 80) == subset(SMALL_AND_LARGE, 80)


def test_quotas_by_hand() -> None:
    assert quotas([3, 1], [100, 7_000], 10) == [8, 2]  # turns a a a b a a a b a a
    assert quotas([3, 1], [2, 7_000], 10) == [2, 8]
    assert quotas([1, 1, 1], [1, 0 + 1, 9], 11) == [1, 1, 9]
    assert quotas([5], [3], 0) == [0]


def test_a_union_is_a_sequence_over_its_portions() -> None:
    union = Union([pool("a", 2, 1), pool("b", 3, 1)])
    ids = ["a/0", "a/1", "b/0", "b/1", "b/2"]
    assert [p.id for p in union] == ids and len(union) == 5
    assert union[-1].id == "b/2" and union[2].id == "b/0" and [p.id for p in union[1:4]] == ids[1:4]
    for index in (5, -6):
        with pytest.raises(IndexError):
            union[index]
