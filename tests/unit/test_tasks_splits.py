"""Near-duplicate clusters and the splits made from them."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

import pytest

from earnest.errors import DataError
from earnest.tasks.clusters import THRESHOLD, clusters, jaccard, masked, normalised, shingles
from earnest.tasks.corpus import Corpus, Side, divide
from earnest.types import Problem, Split

WORDS = [
    "apple", "river", "stone", "cloud", "engine", "paper", "window", "garden",
    "silver", "copper", "marble", "violin", "rocket", "pepper", "ladder", "basket",
]  # fmt: skip


def problem(question: str, answer: str = "1") -> Problem:
    return Problem(id=question, task="t", prompt=question, answer=answer)


def unlike(count: int) -> list[str]:
    """Texts of which no two share a shingle to speak of."""
    source = random.Random(1)
    return [" ".join(source.choices(WORDS, k=12)) + f" {'abcdefghij'[i % 10] * 5}{i}" for i in range(count)]


def questions(corpus: Corpus, split: Split) -> set[str]:
    return {p.question for p in corpus.splits[split]}


def test_masking_forgets_numbers_case_and_punctuation():
    assert masked("Tom has 3,000.50 pens.") == masked("tom  HAS 7 pens") == "tom has 0 pens"
    assert masked("???") == "???"
    assert normalised(" A\n b  1") == "a b 1" != normalised("a b 2")


def test_twins_by_number_and_by_a_changed_word_share_a_cluster():
    base = "Joan found 70 seashells on the beach and she gave Sam some of her many seashells after lunch"
    texts = [
        base,
        base.replace("70", "9"),
        base.replace("lunch", "dinner"),
        "Something else was asked of nobody at all",
    ]
    names = clusters(texts)
    assert names[0] == names[1] == names[2] != names[3]


def test_cluster_names_do_not_depend_on_order():
    texts = unlike(60) + [text.replace("apple", "pear") for text in unlike(60)]
    shuffled = random.Random(0).sample(texts, len(texts))
    assert dict(zip(texts, clusters(texts), strict=True)) == dict(zip(shuffled, clusters(shuffled), strict=True))


def test_clusters_agree_with_comparing_every_pair():
    source = random.Random(3)
    texts = [" ".join(source.choices(WORDS[:6], k=8)) for _ in range(120)]
    texts += [" ".join([*text.split()[:-1], "ladder"]) for text in texts[:40]]
    names = clusters(texts)
    missed = [
        (a, b)
        for (a, x), (b, y) in combinations(zip(texts, names, strict=True), 2)
        if jaccard(shingles(masked(a)), shingles(masked(b))) >= 0.7 and x != y
    ]
    assert missed == []
    members = Counter(names)
    for a, x in zip(texts, names, strict=True):
        others = [b for b, y in zip(texts, names, strict=True) if y == x and masked(b) != masked(a)]
        alike = any(jaccard(shingles(masked(a)), shingles(masked(b))) >= THRESHOLD for b in others)
        assert not others or alike, (a, members[x])


def test_one_file_is_split_by_cluster():
    texts = unlike(300)
    corpus = divide({None: [problem(f"{text} {n}") for text in texts for n in (1, 2)]})
    sides = {split: {masked(q) for q in questions(corpus, split)} for split in corpus.splits}
    assert sides["train"].isdisjoint(sides["dev"] | sides["test"]) and sides["dev"].isdisjoint(sides["test"])
    assert [len(corpus.splits[s]) for s in ("test", "dev", "train")] == pytest.approx([120, 60, 420], rel=0.35)
    assert sum(map(len, corpus.splits.values())) == 600
    assert corpus.notices == ()


def test_a_file_of_its_own_is_kept_whole_and_its_twins_leave_training():
    texts = unlike(100)
    free = [problem(f"{text} 5") for text in texts] + [problem(f"{texts[0]} 6", "another answer")]
    test = [problem(f"{text} 6") for text in texts[:10]] + [problem("a question of its own")]
    corpus = divide({None: free, "test": test})
    assert corpus.splits["test"] == tuple(test)
    assert {masked(q) for q in questions(corpus, "train") | questions(corpus, "dev")} == {
        masked(f"{t} 0") for t in texts[10:]
    }
    assert any(notice.startswith("10 problems outside the test file dropped") for notice in corpus.notices)


@pytest.mark.parametrize("given", [("dev",), ("test",), ("dev", "test")])
def test_no_side_sees_a_twin_of_another_whatever_files_there_are(given: tuple[Split, ...]):
    texts = unlike(120)
    files: dict[Side, list[Problem]] = {None: [problem(f"{text} 1") for text in texts]}
    for number, split in enumerate(given, start=2):
        files[split] = [problem(f"{text} {number}") for text in texts[20 * number : 20 * number + 60]]
    corpus = divide(files)
    sides = [{masked(q) for q in questions(corpus, split)} for split in ("train", "dev", "test")]
    assert all(a.isdisjoint(b) for a, b in combinations(sides, 2))
    assert all(sides)
    if "test" in given:
        assert corpus.splits["test"] == tuple(files["test"])


def test_identical_questions_are_kept_once_and_conflicts_are_told():
    rows = [
        problem("Who  is it?", "Ann"),
        problem("who is it?", "Ann"),
        problem("WHO is it?", "Bob"),
        problem("Where now?", "x"),
    ]
    corpus = divide({None: rows})
    kept = [p for problems in corpus.splits.values() for p in problems]
    assert {(p.question, p.answer) for p in kept} == {("Who  is it?", "Ann"), ("Where now?", "x")}
    assert corpus.notices[0].startswith("2 rows dropped") and corpus.notices[1].startswith("1 of the dropped rows")


def test_an_empty_split_is_an_error_with_the_counts():
    corpus = divide({None: [problem("the only one")]})
    empty = next(split for split, problems in corpus.splits.items() if not problems)
    with pytest.raises(DataError, match=f"the {empty} split is empty") as error:
        corpus.problems(empty, "data.jsonl")
    assert error.value.where == "data.jsonl" and "1" in error.value.why


def test_limit_takes_the_first_of_every_split():
    corpus = divide({None: [problem(text) for text in unlike(100)]})
    assert all(corpus.limited(2).splits[s] == corpus.splits[s][:2] for s in corpus.splits)
