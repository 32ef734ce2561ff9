"""The verifier proof for Metamath: the rules of a proof and of a database one by one, and a second checker that must agree."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import product
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earnest.component import build
from earnest.errors import DataError
from earnest.tasks.derivations import Formula
from earnest.tasks.derivations import read as formula
from earnest.types import Status
from earnest.verifiers.proof import BESIDE_THE_DATA, Proof, check, expand
from earnest.verifiers.proof.database import Assertion, Database, Hypothesis, parse, read
from earnest.verifiers.proof.metamath import MAX_CHARS, SHIPPED
from grading import grade, make_item
from plain_metamath import Plain

SMALL = """
$c ( ) + = |- term wff $.  $v x y z $.
tx $f term x $.  ty $f term y $.  tz $f term z $.
add $a term ( x + y ) $.
eq $a wff x = y $.
same $a |- x = x $.
${ sym.1 $e |- x = y $.  sym $a |- y = x $. $}
${ $d x y $.  apart $a |- ( x + y ) = ( y + x ) $. $}
${ other.1 $e |- x = ( y + z ) $.  other $p |- ( y + z ) = x $= tx ty tz add other.1 sym $. $}
open $p |- ( x + y ) = ( y + x ) $= ? $.
${ $d x y z $.  mixed $p |- ( ( x + y ) + z ) = ( z + ( x + y ) ) $= tx ty add tz apart $. $}
${ $d x z $.  partly $p |- ( x + z ) = ( z + x ) $= tx tz apart $. $}
${ goal.1 $e |- x = y $.  goal $p |- y = x $= tx ty goal.1 sym $. $}
later $p |- z = z $= tz same $.
"""
GOAL = "tx ty goal.1 sym"


@pytest.fixture
def small(tmp_path: Path) -> Proof:
    (tmp_path / "small.mm").write_text(SMALL)
    return Proof(databases=str(tmp_path))


def gold(label: str | None, statement: str, db: str = "small.mm") -> str:
    return json.dumps({"system": "metamath", "db": db, "label": label, "statement": statement})


def ask(label: str) -> str:
    return gold(label, " ".join(parse(SMALL).statements[label].symbols))


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("goal", GOAL),
        ("goal", "<think>tx ty</think>\n tx\nty  goal.1\tsym "),
        ("goal", f"By symmetry:\n```metamath\n{GOAL}\n```\nThat is all."),
        ("goal", f"```\nty\n```\nNo, that is too short.\n```\n{GOAL}\n```"),
        ("goal", f"```{GOAL}```"),
        ("goal", f"<answer>{GOAL}</answer>"),
        ("goal", f"\\boxed{{{GOAL}}}"),
        ("goal", "tx ty ty tx tx ty goal.1 sym sym sym"),
        ("later", "tz same"),
        ("mixed", "tx ty add tz apart"),
        ("partly", "tx tz apart"),
    ],
)
def test_paid(small: Proof, label: str, answer: str) -> None:
    assert grade(small, answer, ask(label)).correct, grade(small, answer, ask(label))


@pytest.mark.parametrize(
    ("label", "answer", "reason"),
    [
        ("goal", "tx ty goal.1", "3 statements are left"),
        ("goal", f"tx {GOAL}", "2 statements are left"),
        ("goal", "tx goal.1 sym", "takes 3 statements, 2 are there"),
        ("goal", "sym", "takes 3 statements, 0 are there"),
        ("goal", "ty tx goal.1 sym", "its hypothesis sym.1 is not what was given"),
        ("goal", "tx tx same same", "takes a term for x, was given a |-"),
        ("goal", "goal.1", "proves another statement"),
        ("goal", "tx ty eq", "proves another statement"),
        ("goal", "tx ty cheat sym", "unknown label"),
        ("goal", "tx ty x sym", "unknown label"),
        ("goal", "goal", "does not stand before the theorem"),
        ("goal", "tx ty goal.1 goal", "does not stand before the theorem"),
        ("partly", "tx ty goal.1 sym", "does not stand before the theorem"),
        ("mixed", "tx tz partly", "does not stand before the theorem"),
        ("goal", "tx ty sym.1 sym", "a hypothesis of another statement"),
        ("goal", "tx ty tz other.1 other", "a hypothesis of another statement"),
        ("mixed", "tx ty add tz open", "its own proof is unfinished"),
        ("open", "tx ty apart", "x and y must be distinct"),
        ("partly", "tx tx apart", "x and y must be distinct"),
        ("goal", "tx ty apart", "x and y must be distinct"),
        ("mixed", "tx ty add tx apart", "x and y must be distinct"),
    ],
)
def test_not_paid(small: Proof, label: str, answer: str, reason: str) -> None:
    verdict = grade(small, answer, ask(label))
    assert (verdict.status, verdict.correct) == (Status.OK, False) and reason in verdict.reason, verdict
    assert not Plain(SMALL).proves(label, answer.split())


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("", Status.NO_ANSWER),
        (" \n", Status.NO_ANSWER),
        ("<think>tx ty goal.1 sym", Status.NO_ANSWER),
        ("?", Status.NO_ANSWER),
        ("tx ty ? sym", Status.NO_ANSWER),
        ("$= tx ty goal.1 sym $.", Status.NO_ANSWER),
        ("$( it is $) tx ty goal.1 sym", Status.NO_ANSWER),
        ("$[ /etc/passwd $] tx ty goal.1 sym", Status.NO_ANSWER),
        ("goal $p |- y = x $= tx ty goal.1 sym $.", Status.NO_ANSWER),
        ("( sym ) ABCD", Status.NO_ANSWER),
        ("tx, ty, goal.1, sym", Status.NO_ANSWER),
        ("```\ntx ty goal.1 sym", Status.NO_ANSWER),
        ("```\n```", Status.NO_ANSWER),
        ("text ``` text", Status.NO_ANSWER),
        ("<answer>tx ty goal.1 sym", Status.NO_ANSWER),
        ("\\boxed{tx} \\boxed{tx ty goal.1 sym}", Status.NO_ANSWER),
        ("tx ty goal.1 sym or tx", Status.OK),
        ("The proof is tx ty goal.1 sym", Status.OK),
        ("tx " * (check.MAX_STEPS + 1), Status.LIMIT),
        ("t" * (MAX_CHARS + 1), Status.LIMIT),
    ],
)
def test_not_read_as_a_proof(small: Proof, answer: str, status: Status) -> None:
    verdict = grade(small, answer, ask("goal"))
    assert (verdict.status, verdict.correct) == (status, False), verdict


def test_a_cut_proof_is_truncated(small: Proof) -> None:
    assert grade(small, GOAL, ask("goal"), truncated=True).status is Status.TRUNCATED


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "empty"),
        ("42", "no object"),
        ("[1]", "no object"),
        ("{}", "'system' must be"),
        ('{"system": "lean"}', "'system' must be"),
        ('{"system": "metamath"}', "'db' must be the name of a file"),
        (gold("goal", "|- y = x", db="../small.mm"), "'db' must be the name of a file"),
        (gold("goal", "|- y = x", db="/etc/passwd"), "'db' must be the name of a file"),
        (gold("goal", "|- y = x", db="no.mm"), "databases: FOLDER"),
        (gold("goal", ""), "'statement' must be"),
        (gold("goal", "|- x = y"), "states another thing"),
        (gold("nowhere", "|- x = y"), "no theorem nowhere"),
        (gold("same", "|- x = x"), "no theorem same"),
        (gold("tx", "term x"), "no theorem tx"),
        (gold(None, "|- x = w"), "'w' in the statement"),
        (gold(None, "x = y"), "'x' in the statement"),
        (ask("goal")[:-1] + ', "hints": 1}', "unknown key 'hints'"),
    ],
)
def test_a_gold_that_cannot_be_used_is_our_error(small: Proof, answer: str, reason: str) -> None:
    assert reason in (small.check_gold(answer) or "")
    verdict = grade(small, GOAL, answer)
    assert (verdict.status, verdict.correct, verdict.score) == (Status.ERROR, None, None) and reason in verdict.reason


def test_without_a_folder_the_shipped_database_is_there(small: Proof) -> None:
    nowhere = Proof(databases=None)
    assert "no folder was named" in (nowhere.check_gold(ask("goal")) or "")
    assert nowhere.files() == () and [f.name for f in small.files()] == ["small.mm"]
    for verifier in (nowhere, small):
        assert grade(verifier, "vp refl", gold("weaken", "|- ( p -> p )", SHIPPED.name)).status is Status.ERROR
        assert grade(verifier, "vp refl", gold(None, "|- ( p -> p )", SHIPPED.name)).correct


def test_the_default_folder_is_the_one_beside_the_data_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARNEST_DATA", str(tmp_path / "data"))
    assert Proof().databases is None
    beside = tmp_path / "verify" / "metamath"
    (tmp_path / "data").mkdir()
    beside.mkdir(parents=True)
    assert Proof().databases == str(beside)
    monkeypatch.delenv("EARNEST_DATA")
    assert Proof().databases is None
    assert Proof.model_fields["databases"].get_default(call_default_factory=True) == BESIDE_THE_DATA


def test_a_new_theorem_may_use_everything_and_has_no_hypothesis(small: Proof) -> None:
    assert grade(small, "tz later", gold(None, "|- z = z")).correct
    assert grade(small, "tx ty add same", gold(None, "|- ( x + y ) = ( x + y )")).correct
    assert grade(small, GOAL, gold(None, "|- y = x")).correct is False
    assert "distinct" in grade(small, "tx tz partly", gold(None, "|- ( x + z ) = ( z + x )")).reason


def test_a_database_that_changed_is_read_again(small: Proof) -> None:
    assert small.databases is not None
    file = Path(small.databases) / "small.mm"
    assert grade(small, "tz same", ask("later")).correct
    file.write_text(SMALL.replace("same $a", "equal $a").replace("tz same", "tz equal"))
    os.utime(file, ns=(1, 1))
    assert grade(small, "tz same", ask("later")).correct is False
    file.write_text("$c")
    assert grade(small, "tz same", ask("later")).status is Status.ERROR


def test_the_same_verdicts_from_any_thread(small: Proof) -> None:
    texts = [GOAL, "", "tx ty goal.1", f"<think>{GOAL}", "cheat"] * 20
    items = [make_item(text, ask("goal")) for text in texts]
    expected = small.judge(items)
    assert [v.correct for v in expected[:5]] == [True, False, False, False, False]
    with ThreadPoolExecutor(4) as pool:
        assert all(verdicts == expected for verdicts in pool.map(small.judge, [items] * 8))
    assert small.judge([]) == [] and build("verifier", small.model_dump()) == small


MALFORMED = [
    ("$c a", "does not end"),
    ("$c a a $.", "declared twice"),
    ("$c $.", "empty"),
    ("${ $c a $. $}", "within a block"),
    ("$c a $. $v a $.", "declared twice"),
    ("${ $v a $. $} $c a $.", "a constant and a variable"),
    ("$v x y $. $v x $.", "declared twice"),
    ("$}", "without ${"),
    ("${", "not closed"),
    ("x ${ $}", "a label before"),
    ("$c a $. l $c b $.", "a label before"),
    ("$c a $. $a a $.", "without a label"),
    ("$c a $. l m $a a $.", "two labels"),
    ("$c a $. l $a a $. l $a a $.", "there twice"),
    ("$c a $. l* $a a $.", "is no label"),
    ("$c a $. a $a a $.", "both a label and a symbol"),
    ("$c a$ $.", "is no symbol"),
    ("$c \u00e4 $.", "is no symbol"),
    ("$c a $. l $a b $.", "does not begin with a constant"),
    ("$c a $. l $a $.", "does not begin with a constant"),
    ("$c a $. $v x $. l $a a x $.", "has no type here"),
    ("$c a $. $v x $. ${ f $f a x $. $} l $a a x $.", "has no type here"),
    ("$c a $. $v x $. f $f a $.", "a typecode and a variable"),
    ("$c a $. $v x $. f $f x a $.", "no constant"),
    ("$c a b $. f $f a b $.", "no active variable"),
    ("$c a $. $v x $. f $f a x $. g $f a x $.", "has a type already"),
    ("$c a $. $v x $. $d x $.", "two or more"),
    ("$c a $. $v x $. $d x x $.", "two or more"),
    ("$c a $. $v x $. $d x a $.", "no active variable"),
    ("$c a $. l $p a $.", "without one"),
    ("$c a $. l $p a $= $.", "an empty proof"),
    ("$c a $. l $a a $= l $.", "no symbol"),
    ("$c a $. l $p a $= l $= l $.", "in a proof"),
    ("$[ other.mm $]", "not known here"),
    ("$x", "not known here"),
    ("$( a", "a comment"),
    ("$( a $( b $) $)", "a comment"),
    ("a $)", "a comment"),
    ("$( a $) $)", "a comment"),
    ("$c a $.$( a $)", "a comment"),
]


@pytest.mark.parametrize(("text", "what"), MALFORMED)
def test_a_malformed_database_is_refused_with_its_line(text: str, what: str) -> None:
    with pytest.raises(DataError, match=re.escape(what)) as caught:
        parse("\n\n" + text, "here.mm")
    assert caught.value.where == "here.mm:3"


def test_scopes_of_variables_types_and_hypotheses() -> None:
    found = parse("""
        $c wff |- ( ) $. $v p q r $. vq $f wff q $. vp $f wff p $.
        ${ $d p q r $. ${ h.1 $e |- p $. $v x $. vx $f wff x $. first $a |- ( q ) $. $} second $a |- ( p q ) $. $}
        ${ $v x $. wx $f |- x $. third $a |- x $. $}
        """).statements
    first, second, third = (found[label] for label in ("first", "second", "third"))
    assert isinstance(first, Assertion) and isinstance(second, Assertion) and isinstance(third, Assertion)
    assert [h.label for h in first.hypotheses] == ["vq", "vp", "h.1"], "in their order, not in that of their use"
    assert [h.label for h in second.hypotheses] == ["vq", "vp"]
    assert first.distinct == second.distinct == (("p", "q"),), "r is in neither"
    assert [h.label for h in third.hypotheses] == ["wx"] and third.distinct == ()


def test_a_dummy_variable_needs_its_own_distinct_condition() -> None:
    """The proof goes through a variable that the theorem does not mention: its $d conditions count too."""
    text = """
        $c wff |- o $. $v p q r $. vp $f wff p $. vq $f wff q $. vr $f wff r $.
        ${ $d p q $. ax $a |- p o q $. $}
        ${ cut.1 $e |- p o q $. cut $a |- p $. $}
        ${ DISTINCT th $p |- p $= vp vr vp vr ax cut $. $}
        """
    for distinct, holds in (("$d p r $.", True), ("", False), ("$d p q $.", False)):
        said = text.replace("DISTINCT", distinct)
        database = parse(said)
        assert (fault(database, "th", ["vp", "vr", "vp", "vr", "ax", "cut"]) is None) is holds
        assert Plain(said).proves("th", ["vp", "vr", "vp", "vr", "ax", "cut"]) is holds


def fault(database: Database, label: str, labels: list[str]) -> check.Fault | None:
    theorem = database.statements[label]
    assert isinstance(theorem, Assertion)
    return check.check(check.theorem(database, theorem), labels)


def test_an_empty_expression_may_be_put_for_a_variable() -> None:
    database = parse(
        "$c wff |- M $. $v x $. vx $f wff x $. none $a wff $. m $a wff M x $. t $a |- M x $. l $p |- M $= none t $."
    )
    assert fault(database, "l", ["none", "t"]) is None
    assert fault(database, "l", ["none", "m", "t"]) is not None


def test_expressions_that_grow_are_a_limit_and_soon() -> None:
    database = parse(
        "$c wff |- d $. $v x y $. vx $f wff x $. vy $f wff y $. dbl $a wff d x x $. two $a wff d x y $."
        " ${ $d x y $. far $a wff x y $. $} l $p wff d x x $= vx dbl $."
    )
    for labels in (
        ["vx", *["dbl"] * 60],
        ["vx", *["dbl"] * 12] + ["vx", *["dbl"] * 12, "two", "vx", *["dbl"] * 5] * 800,
    ):
        start = perf_counter()
        found = fault(database, "l", labels)
        assert found is not None and found.limit and perf_counter() - start < 3, found


def valuations(variables: Iterator[str]) -> Iterator[dict[str, bool]]:
    names = sorted(set(variables))
    for values in product([False, True], repeat=len(names)):
        yield dict(zip(names, values, strict=True))


def is_true(of: Formula, by: dict[str, bool]) -> bool:
    if isinstance(of, str):
        return by[of]
    assert isinstance(of, tuple)
    return not is_true(of[1], by) if of[0] == "~" else not is_true(of[1], by) or is_true(of[2], by)


def test_every_statement_of_the_shipped_database_is_true() -> None:
    """By truth tables, whatever the proofs say: where its hypotheses are true, it is."""
    assertions = [s for s in read(SHIPPED).statements.values() if isinstance(s, Assertion) and s.symbols[0] == "|-"]
    assert len(assertions) >= 70
    for assertion in assertions:
        given = [formula(h.symbols[1:]) for h in assertion.hypotheses if not h.floating]
        for by in valuations(h.symbols[1] for h in assertion.hypotheses if h.floating):
            assert is_true(formula(assertion.symbols[1:]), by) or not all(is_true(g, by) for g in given), assertion


def data(name: str) -> Path:
    root = os.environ.get("EARNEST_DATA")
    file = Path(root, "..", "verify", "metamath", name).resolve() if root else None
    if file is None or not file.is_file():
        pytest.skip(f"EARNEST_DATA is not set, or {name} is not beside it")
    return file


@cache
def proofs(file: Path, most: int) -> dict[str, tuple[str, ...]]:
    database = read(file)
    found = {t.label: expand.proof(database, t, most) for t in database.theorems}
    return {label: labels for label, labels in found.items() if labels is not None}


@pytest.mark.parametrize(
    ("name", "count"),
    [(SHIPPED.name, 72), ("ql.mm", 1138), ("hol.mm", 138), ("demo0.mm", 1), ("miu.mm", 1), ("peano.mm", 0)],
)
def test_every_proof_of_a_database_is_accepted(name: str, count: int) -> None:
    file = SHIPPED if name == SHIPPED.name else data(name)
    database, milliseconds = read(file), []
    assert len(database.theorems) == len(proofs(file, check.MAX_STEPS)) == count
    for label, labels in proofs(file, check.MAX_STEPS).items():
        theorem = database.statements[label]
        assert isinstance(theorem, Assertion)
        target = check.theorem(database, theorem)
        start = perf_counter()
        assert check.check(target, labels) is None, label
        milliseconds.append(1000 * (perf_counter() - start))
    assert not count or median(milliseconds) < (1 if count > 1 else 5)


def test_a_compressed_proof_is_written_out_as_its_plain_one() -> None:
    theorem = "tx tx add tx tx add tx tx add same sym"
    for written in (
        theorem,
        "( add same sym ) AABZEECD",
        "( add same sym ) AABZ EEC D",
        "( add same sym ) AABAABAABCD",
    ):
        database = parse(f"{SMALL} long $p |- ( x + x ) = ( x + x ) $= {written} $.")
        found = database.statements["long"]
        assert isinstance(found, Assertion)
        assert expand.proof(database, found, 11) == tuple(theorem.split())
        assert expand.proof(database, found, 10) is None
        assert fault(database, "long", theorem.split()) is None


def test_letters_of_a_compressed_proof_count_in_bases_of_5_and_20() -> None:
    many = "".join(f"v{i} $f term w{i} $. " for i in range(140))
    declared = " ".join(f"w{i}" for i in range(140))
    database = parse(f"$c term $. $v {declared} $. {many} $p term w0 $= v0 $.".replace(" $p", " l $p"))
    labels = " ".join(f"v{i}" for i in range(1, 140))
    for letters, number in (
        ("A", 0),
        ("T", 19),
        ("UA", 20),
        ("UT", 39),
        ("VA", 40),
        ("YT", 119),
        ("UUA", 120),
        ("UUT", 139),
    ):
        text = f"$c term $. $v {declared} $. {many} l $p term w0 $= ( {labels} ) {letters} $."
        theorem = parse(text).theorems[0]
        assert expand.proof(database, theorem, 9) == (f"v{number}",)


@pytest.mark.parametrize(
    "written", ["( add", "( add ) A!", "( add ) C", "( add ) AZE", "( add ) B", "( nope ) AB", "( ) Z"]
)
def test_a_compressed_proof_that_cannot_be_read_is_a_data_error(written: str) -> None:
    database = parse(f"{SMALL} long $p |- x = x $= {written} $.")
    found = database.statements["long"]
    assert isinstance(found, Assertion)
    with pytest.raises(DataError):
        expand.proof(database, found, 50)


def mutated(labels: list[str], known: list[str], floating: set[str], source: random.Random) -> tuple[str, list[str]]:
    """Drops, swaps, replaces, repeats or cuts off, or puts one variable for another throughout."""
    kind = source.choice(["drop", "swap", "replace", "repeat", "truncate", "rename"])
    i, j = source.randrange(len(labels)), source.randrange(len(labels))
    match kind:
        case "drop":
            del labels[i]
        case "swap":
            labels[i], labels[j] = labels[j], labels[i]
        case "replace":
            labels[i] = source.choice(known)
        case "repeat":
            labels.insert(j, labels[i])
        case "truncate":
            labels = labels[:i]
        case _:
            here = sorted(floating.intersection(labels))
            old, new = source.choice(here or [""]), source.choice(sorted(floating))
            labels = [new if label == old else label for label in labels]
    return kind, labels


@pytest.mark.parametrize("name", [SHIPPED.name, "ql.mm", "hol.mm", "demo0.mm", "miu.mm"])
def test_a_mutation_is_paid_only_if_the_second_checker_pays_too(name: str) -> None:
    file = SHIPPED if name == SHIPPED.name else data(name)
    database, plain = read(file), Plain(file.read_text("utf-8"))
    known = list(database.statements)
    floating = {s.label for s in database.statements.values() if isinstance(s, Hypothesis) and s.floating}
    source = random.Random(0)
    tried: Counter[str] = Counter()
    paid = 0
    choices = sorted(proofs(file, 300).items())
    assert all(plain.proves(label, [*labels]) for label, labels in choices)
    for _ in range(1500):
        label, right = source.choice(choices)
        kind, labels = mutated([*right], known, floating, source)
        if labels == [*right]:
            continue
        tried[kind] += 1
        accepted = fault(database, label, labels) is None
        paid += accepted
        assert accepted == plain.proves(label, labels), (label, labels)
    assert sum(tried.values()) >= 1000 and min(tried.values()) > 50 and paid < 0.02 * sum(tried.values()), (tried, paid)


def test_proofs_that_need_a_distinct_condition_fail_without_it() -> None:
    """hol.mm without the $d statements of its theorems, which stand in blocks, but with those of its axioms."""
    file = data("hol.mm")
    text = file.read_text("utf-8")
    whole, plain = read(file), Plain(text)
    refused = 0
    for label, labels in proofs(file, 2000).items():
        theorem = whole.statements[label]
        assert isinstance(theorem, Assertion)
        target = check.theorem(whole, theorem)
        bare = check.Target(whole, target.symbols, target.order, target.scopes, {})
        found = check.check(bare, labels)
        assert (found is None) == plain.proves(label, [*labels], apart=False), label
        refused += found is not None and "must be distinct" in found.reason
    assert refused >= 30


TOKENS = [
    "$c",
    "$v",
    "$f",
    "$e",
    "$a",
    "$p",
    "$d",
    "$.",
    "$=",
    "${",
    "$}",
    "$(",
    "$)",
    "$[",
    "a",
    "b",
    "x",
    "y",
    "l1",
    "l2",
    "?",
]
DATABASES = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(TOKENS), max_size=60).map(" ".join),
    st.tuples(st.integers(0, len(SMALL)), st.integers(0, len(SMALL)), st.sampled_from(TOKENS)).map(
        lambda cut: f"{SMALL[: min(cut[:2])]} {cut[2]} {SMALL[max(cut[:2]) :]}"
    ),
)


@settings(max_examples=400, deadline=None, database=None)
@given(DATABASES)
def test_any_text_is_a_database_or_a_data_error(text: str) -> None:
    try:
        database = parse(text)
    except DataError:
        return
    assert isinstance(database, Database)
    for theorem in database.theorems:
        try:
            labels = expand.proof(database, theorem, 1000)
        except DataError:
            continue
        if labels is not None:
            fault(database, theorem.label, [*labels])


LABELS = [
    "tx",
    "ty",
    "tz",
    "add",
    "eq",
    "same",
    "sym",
    "sym.1",
    "apart",
    "goal.1",
    "goal",
    "open",
    "?",
    "```",
    "\n",
    "$(",
    "<answer>",
]


@settings(max_examples=400, deadline=None, database=None)
@given(st.one_of(st.text(max_size=100), st.lists(st.sampled_from(LABELS), max_size=30).map(" ".join)))
def test_any_answer_gets_a_verdict_and_pay_only_with_the_second_checker(text: str) -> None:
    database = parse(SMALL)
    labels = text.split()
    if all(label in database.statements for label in labels):
        accepted = fault(database, "goal", labels) is None
        assert accepted == Plain(SMALL).proves("goal", labels)
    verdict = grade(Proof(databases=None), text, gold(None, "|- ( p -> ( p -> q ) )", SHIPPED.name))
    assert verdict.correct is False


@pytest.mark.parametrize("piece", ["$( ", "$( $) ", "${ ", "$c a", "l ", "( ", "$d x y ", "$= ", "\n"])
def test_reading_a_database_takes_linear_time(piece: str) -> None:
    def seconds(text: str) -> float:
        gc.disable()  # a collection goes through everything that this process has, which is not the reader's time
        start = process_time()
        with contextlib.suppress(DataError):
            parse(text)
        spent = process_time() - start
        gc.enable()
        return spent

    text = piece * (100_000 // len(piece))
    assert min(seconds(2 * text) for _ in range(3)) < 4 * min(seconds(text) for _ in range(3)) + 0.05


@pytest.mark.parametrize(
    "piece", ["vp ", "```\n", "```", "<answer>", "<answer></answer>", "\\boxed{", "$( ", "- ", "{"]
)
def test_reading_an_answer_takes_linear_time(piece: str) -> None:
    asked = gold(None, "|- ( p -> p )", SHIPPED.name)
    verifier = Proof(databases=None)

    def seconds(text: str) -> float:
        start = process_time()
        assert grade(verifier, text, asked).correct is False
        return process_time() - start

    text = piece * (200_000 // len(piece))
    assert min(seconds(2 * text) for _ in range(3)) < 4 * min(seconds(text) for _ in range(3)) + 0.05
