"""The tasks detachment and metamath: derivations, questions, splits, and answers that cannot be proofs."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

from earnest.component import KeyedConfigError, build
from earnest.errors import DataError
from earnest.tasks.derivations import Formula, Rule, Syntax, Tree, derive, is_instance, read, text
from earnest.tasks.detachment import MOST_SYMBOLS, Detachment
from earnest.tasks.generated import split_of
from earnest.tasks.metamath import Metamath
from earnest.types import Problem, Split
from earnest.verifiers.proof import Proof
from earnest.verifiers.proof.database import read as read_database
from earnest.verifiers.proof.metamath import SHIPPED
from grading import grade
from plain_metamath import Plain

SYNTAX = Syntax({v: f"v{v}" for v in "pqrs"}, implication="imp", negation="neg")


def said(formula: str) -> Formula:
    return read(tuple(formula.split()))


AX1 = Rule("ax1", ("p", "q"), (), said("( p -> ( q -> p ) )"))
AX2 = Rule(
    "ax2",
    ("p", "q", "r"),
    (),
    said("( ( p -> ( q -> r ) ) -> ( ( p -> q ) -> ( p -> r ) ) )"),
)
MP = Rule("mp", ("p", "q"), ("p", ("->", "p", "q")), "q")


def detached(minor: Tree, major: Tree) -> Tree:
    return Tree(MP, (minor, major))


def test_identity_from_the_first_two_axioms() -> None:
    """Meredith's DD211: p -> p, by hand."""
    tree = detached(Tree(AX1), detached(Tree(AX1), Tree(AX2)))
    found = derive(tree, SYNTAX)
    assert found is not None and text(found.statement) == "( p -> p )" and tree.size == 5
    plain = Plain(SHIPPED.read_text("utf-8"))
    assert plain.proves("refl2", ["vp", "vp", "imp", "vq", "vp", "vp", "imp", "ax1", "mp"]) is False
    labels = [*found.labels]
    assert labels[-1] == "mp" and labels.count("ax1") == 2 and labels.count("ax2") == 1
    assert plain.proves("refl", labels), "as the theorem of that name"


def test_a_result_is_the_most_general_one_with_its_variables_in_order() -> None:
    found = derive(detached(Tree(AX1), Tree(AX1)), SYNTAX)
    assert found is not None and text(found.statement) == "( p -> ( q -> ( r -> q ) ) )"


def test_rules_that_do_not_fit_derive_nothing() -> None:
    contradiction = Rule("no", ("p",), (), ("~", "p"))
    assert derive(detached(Tree(AX1), Tree(contradiction)), SYNTAX) is None
    itself = Rule(
        "w",
        ("p", "q"),
        (),
        said("( ( p -> ( p -> q ) ) -> ( p -> q ) )"),
    )
    apply = Rule("a", ("p", "q"), (), said("( p -> ( ( p -> q ) -> q ) )"))
    assert derive(detached(Tree(apply), Tree(itself)), SYNTAX) is None, "p would be ( p -> q )"


def test_more_variables_than_there_are_derive_nothing() -> None:
    few = Syntax({"p": "vp", "q": "vq"}, "imp", "neg")
    assert derive(detached(Tree(AX1), Tree(AX1)), few) is None
    assert derive(Tree(AX1), few) is not None


@pytest.mark.parametrize(
    ("formula", "of", "holds"),
    [
        ("( p -> p )", "( p -> q )", True),
        ("( p -> q )", "( p -> p )", False),
        ("( ~ p -> ( q -> ~ p ) )", "( p -> ( q -> p ) )", True),
        ("~ p", "( p -> q )", False),
        ("p", "~ p", False),
    ],
)
def test_instances(formula: str, of: str, holds: bool) -> None:
    assert is_instance(said(formula), said(of)) is holds


def statement(problem: Problem) -> str:
    return json.loads(problem.answer or "")["statement"].removeprefix("|- ")


def is_valid(formula: str) -> bool:
    """By truth tables, with Python's operators."""
    letters = sorted({token for token in formula.split() if token.isalpha()})

    def value(of: object, by: dict[str, bool]) -> bool:
        if isinstance(of, str):
            return by[of]
        assert isinstance(of, tuple)
        return not value(of[1], by) if of[0] == "~" else not value(of[1], by) or value(of[2], by)

    parsed = said(formula)
    return all(
        value(parsed, dict(zip(letters, row, strict=True))) for row in product([False, True], repeat=len(letters))
    )


def test_derived_theorems_are_true_and_new() -> None:
    task = Detachment(test_size=60, dev_size=60)
    database = read_database(SHIPPED)
    lines = {" ".join(t.symbols) for t in database.theorems}
    problems = [*task.problems("dev"), *task.problems("test"), *task.problems("train")[:60]]
    for problem in problems:
        assert is_valid(statement(problem)), problem
        assert f"|- {statement(problem)}" not in lines and len(statement(problem).split()) <= MOST_SYMBOLS
        steps = problem.meta["steps"]
        assert isinstance(steps, int) and steps == len(str(problem.meta["proof"]).split()) <= task.max_steps
    assert not is_valid("( p -> q )"), "and the test can tell"


def test_a_theorem_is_on_the_side_of_its_hash_and_held_out_ones_are_distinct() -> None:
    task = Detachment(test_size=60, dev_size=60)
    splits: tuple[Split, ...] = ("train", "dev", "test")
    for split in splits:
        problems = task.problems(split)[:60]
        assert {split_of(statement(p)) for p in problems} == {split}
        assert split == "train" or len({statement(p) for p in problems}) == len(problems) == 60


def test_a_question_lists_what_its_proof_uses_and_some_more() -> None:
    for distractors in (0, 3):
        for problem in Detachment(distractors=distractors, dev_size=20).problems("dev"):
            listed = {line.split(":")[0] for line in problem.question.splitlines() if ": " in line} - {"Prove"}
            used = set(str(problem.meta["proof"]).split())
            assert used <= listed and len(listed - used) == distractors, problem
            assert problem.question.endswith(f"Prove: |- {statement(problem)}")


def test_a_curriculum_by_steps() -> None:
    for most in (30, 60):
        steps = [p.meta["steps"] for p in Detachment(max_steps=most).problems("train")[:100]]
        assert max(map(int, map(str, steps))) <= most
    hard = sorted(Detachment().problems("train")[:200], key=lambda p: int(str(p.meta["difficulty"])))
    assert hard[0].meta["difficulty"] == 2 and int(str(hard[-1].meta["difficulty"])) >= 5


def test_settings_that_leave_no_room_are_refused() -> None:
    with pytest.raises(KeyedConfigError):
        build("task", {"name": "detachment", "max_steps": 5})


DATABASE = """
$c ( ) -> |- wff $. $v p q r $. vp $f wff p $. vq $f wff q $. vr $f wff r $.
imp $a wff ( p -> q ) $. k $a |- ( p -> ( q -> p ) ) $.
${ mp.1 $e |- p $. mp.2 $e |- ( p -> q ) $. mp $a |- q $. $}
THEOREMS
"""


def database(tmp_path: Path, count: int) -> Path:
    """Theorems that differ: t0, t1, ...: p -> (q -> ... -> p) with i times q; the last two are the first with other letters."""
    lines = []
    for i in range(count - 1):
        antecedents = "( q -> " * i
        lines.append(f"${{ t{i}.1 $e |- {antecedents}p{' )' * i} $. t{i} $p |- ( r -> {antecedents}p{' )' * i} ) $=")
        formula = " ".join(["vq"] * i + ["vp"] + ["imp"] * i)
        lines.append(f"{formula} vr {formula} imp t{i}.1 {formula} vr k mp $. $}}")
    lines.append("${ again.1 $e |- q $. again $p |- ( p -> q ) $= vq vp vq imp again.1 vq vp k mp $. $}")
    file = tmp_path / "many.mm"
    file.write_text(DATABASE.replace("THEOREMS", "\n".join(lines)))
    return file


def test_sides_are_stretches_of_the_file(tmp_path: Path) -> None:
    file = database(tmp_path, 20)
    task = Metamath(path=str(file), max_steps=200)
    sides = {split: [p.meta["label"] for p in task.problems(split)] for split in task.splits}
    assert sides["train"] == [f"t{i}" for i in range(1, 14)], "t0 is said again in test, which keeps it"
    assert sides["dev"] == ["t14", "t15"] and sides["test"] == ["t16", "t17", "t18", "again"]
    assert "1 theorems dropped" in task.notices()[-1]
    later = set(sides["dev"]) | set(sides["test"])
    for problem in task.problems("train"):
        assert not any(f"{label}:" in problem.question for label in later)


def test_the_side_of_a_theorem_does_not_depend_on_the_settings(tmp_path: Path) -> None:
    file = database(tmp_path, 20)
    wide, narrow = Metamath(path=str(file), max_steps=200), Metamath(path=str(file), max_steps=95)
    for split, left in (("dev", {"t14"}), ("test", {"again"})):
        assert {p.meta["label"] for p in narrow.problems(split)} == left
        assert left < {p.meta["label"] for p in wide.problems(split)}
    with pytest.raises(DataError, match="split is empty"):
        Metamath(path=str(file), max_steps=5).problems("train")


def test_golds_are_paid_and_wrong_ones_are_not_by_both_checkers(tmp_path: Path) -> None:
    file = database(tmp_path, 20)
    task, plain = Metamath(path=str(file)), Plain(file.read_text("utf-8"))
    verifier = Proof(databases=str(tmp_path))
    for split in task.splits:
        for problem in task.problems(split):
            label = str(problem.meta["label"])
            assert grade(verifier, task.gold(problem).answer, problem.answer).correct
            assert plain.proves(label, task.gold(problem).answer.split())
            wrong = task.wrong(problem)
            assert len(wrong) >= 8
            for solution in wrong:
                assert grade(verifier, solution.answer, problem.answer).correct is False, solution
                assert not plain.proves(label, solution.answer.split())


def test_a_database_elsewhere_is_an_error_of_ours_that_says_what_to_do(tmp_path: Path) -> None:
    task = Metamath(path=str(database(tmp_path, 20)))
    problem = task.problems("train")[0]
    verdict = grade(Proof(databases=None), task.gold(problem).answer, problem.answer)
    assert verdict.correct is None and "databases: FOLDER" in verdict.reason
