"""The verifier proof for Coq: what counts as a script of tactics, and what the kernel alone turns away."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from time import perf_counter, process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earnest.types import Status
from earnest.verifiers.proof import Proof, coq
from earnest.verifiers.proof.coq import CoqGoal, sentences, tactics
from earnest.verifiers.refused import Refused
from grading import grade, make_item

needs_coq = pytest.mark.skipif(shutil.which("coqc", path=coq.PROGRAMS) is None, reason="no coqc on this machine")
ADD = "forall n : nat, n + 0 = n"
FALSE = "forall n : nat, n = 0"


def gold(statement: str, header: str = "") -> str:
    return json.dumps({"system": "coq", "header": header, "name": "goal", "statement": statement})


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("intros. auto.", ["intros", "auto"]),
        ("intros; auto.", ["intros; auto"]),
        ("- apply foo.bar.\n  + easy.", ["apply foo.bar", "easy"]),
        ("{ easy. } 2: { lia. }", ["easy", "lia"]),
        ("{ easy. } 2: lia.", ["easy", "lia"]),
        ("all: try (* no. *) easy.", ["try   easy"]),
        ("(* (* a. *) b. *) easy.", ["easy"]),
        ('idtac "a. b". easy.', ['idtac "a. b"', "easy"]),
        ("easy", None),
        ("easy. (* open", None),
        ('easy. "open.', None),
        ("", []),
    ],
)
def test_a_script_is_cut_into_sentences(script: str, expected: list[str] | None) -> None:
    found = sentences(script)
    assert (None if found is None else [s.text for s in found]) == expected


@pytest.mark.parametrize(
    ("script", "kept"),
    [
        ("easy.", "easy."),
        ("Proof. easy. Qed.", " easy. "),
        ("(* Proof. *) Proof.\n{ easy. }\nQed.", "\n{ easy. }\n"),
        ("{ easy. }\nDefined.", "{ easy. }\n"),
        ("induction n. Unshelve. easy.", "induction n. Unshelve. easy."),
    ],
)
def test_proof_and_qed_are_passed_over(script: str, kept: str) -> None:
    assert tactics(script) == kept


COMMANDS = [
    "Admitted.",
    "Proof. Admitted.",
    "easy. Qed. Qed.",
    "easy. Qed. Theorem other : True. easy.",
    "Abort. Axiom goal : False.",
    "- (* x *) Admitted.",
    "2: Abort.",
    "#[global] Unset Guard Checking. easy.",
    'Redirect "/tmp/x" Print nat. easy.',
    "Time easy.",
    "Qed.",
    "Proof. Qed.",
    "easy",
]


@pytest.mark.parametrize("script", COMMANDS)
def test_commands_are_no_tactics(script: str) -> None:
    assert isinstance(tactics(script), Refused)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (json.dumps({"system": "coq", "name": "goal"}), "there must be a statement"),
        (json.dumps({"system": "coq", "name": "goal", "statement": 3}), "must be text"),
        (json.dumps({"system": "coq", "name": "a b", "statement": ADD}), "'name' must be"),
        (json.dumps({"system": "coq", "name": "goal", "statement": ADD, "imports": ""}), "unknown key 'imports'"),
    ],
)
def test_a_gold_that_cannot_be_read_is_our_error(answer: str, reason: str) -> None:
    assert reason in (Proof().check_gold(answer) or "")
    assert grade(Proof(), "easy.", answer).status is Status.ERROR


def test_without_coq_nothing_is_graded_and_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(coq, "PROGRAMS", str(tmp_path))
    verdict = grade(Proof(), "easy.", gold(ADD))
    assert (verdict.status, verdict.correct) == (Status.ERROR, None) and "apt-get install coq" in verdict.reason


@needs_coq
@pytest.mark.parametrize(
    ("script", "statement", "header"),
    [
        ("intros; auto with arith.", ADD, "Require Import Arith."),
        ("```coq\nProof.\n  induction n as [|n IH].\n  - reflexivity.\n  - simpl. now rewrite IH.\nQed.\n```", ADD, ""),
        ("<think>easy</think>induction n.\n{ easy. }\n{ simpl; congruence. }", ADD, ""),
        ("intros [|]; [left|right]; easy.", "forall x, x = A \\/ x = B", "Inductive ab := A | B."),
        ("easy.", "length [1; 2] = 2", "Require Import List. Import ListNotations."),
    ],
)
def test_proofs_are_paid(script: str, statement: str, header: str) -> None:
    verdict = grade(Proof(), script, gold(statement, header))
    assert verdict.correct, verdict


@needs_coq
@pytest.mark.parametrize(
    "script",
    ["easy.", "intros. admit.", "give_up.", "intros n. destruct n. easy. easy.", "Admitted.", "exact goal.", "}"],
)
def test_what_proves_nothing_is_not_paid(script: str) -> None:
    verdict = grade(Proof(), script, gold(FALSE))
    assert (verdict.status, verdict.correct) == (Status.OK, False), verdict


ATTACKS = {
    "admitted": "Admitted. Theorem other : True. easy.",
    "an axiom": "Abort. Axiom goal : forall n : nat, n = 0. Theorem other : True. easy.",
    "a lemma that is admitted": "Abort. Lemma l : forall n : nat, n = 0. Admitted. Definition goal := l. Theorem o : True. easy.",
    "another statement": "Abort. Theorem goal : True. easy.",
    "another nat": "Abort. Inductive nat := O. Theorem goal : forall n : nat, n = O. destruct n. easy.",
    "another equality": 'Abort. Notation "a = b" := True. Theorem goal : forall n : nat, n = 0. easy.',
    "no guard": "Abort. Unset Guard Checking. Fixpoint goal (n : nat) : n = 0 := goal n. Theorem other : True. easy.",
    "type in type": "Abort. Unset Universe Checking. Theorem goal : forall n : nat, n = 0. Admitted. Theorem o : True. easy.",
    "no positivity": "Abort. Unset Positivity Checking. Inductive bad := c : (bad -> False) -> bad. "
    "Definition no (b : bad) : False := match b with c f => f b end. "
    "Theorem goal : forall n : nat, n = 0. destruct (no (c (fun b => no b))).",
    "a module in the way": "Abort. Module Spec. Definition spec := True. End Spec. Theorem goal : True. easy.",
    "a file": 'Abort. Redirect "Final" Print nat. Theorem goal : True. easy.',
    "a plug-in": 'Abort. Declare ML Module "nowhere". Theorem goal : True. easy.',
    "out of the section": "Abort. Section s. Hypothesis h : forall n : nat, n = 0. "
    "Theorem goal : forall n : nat, n = 0. exact h. Qed. End s. Theorem o : True. easy.",
}


@needs_coq
@pytest.mark.parametrize("attack", ATTACKS)
def test_the_kernel_alone_turns_attacks_away(attack: str) -> None:
    """Past the filter of commands, which refuses each of these before."""
    assert isinstance(tactics(ATTACKS[attack]), Refused)
    goal = coq.target(json.loads(gold(FALSE)), 20.0)
    assert isinstance(goal, CoqGoal)
    assert coq._fault(goal, ATTACKS[attack]), attack


@needs_coq
def test_the_way_of_the_attacks_is_open_to_a_proof() -> None:
    """What the test above shows is the attacks' fault: a proof in their form is accepted."""
    goal = coq.target(json.loads(gold(ADD)), 20.0)
    assert isinstance(goal, CoqGoal)
    assert coq._fault(goal, f"Abort. Theorem goal : {ADD}. induction n; simpl; congruence.") is None


@needs_coq
def test_a_script_that_does_not_end_is_a_limit() -> None:
    start = perf_counter()
    verdict = grade(Proof(seconds=1.0), "do 100000000 (try (repeat (rewrite <- plus_n_O))); repeat idtac.", gold(ADD))
    assert verdict.correct is False and perf_counter() - start < 20
    verdict = grade(Proof(seconds=1.0), "let rec f x := f x in f 0.", gold(ADD))
    assert verdict.correct is False and perf_counter() - start < 20
    assert grade(Proof(), "easy. " * 10_000, gold(ADD)).status is Status.LIMIT


@needs_coq
def test_a_statement_that_does_not_compile_is_our_error() -> None:
    verdict = grade(Proof(), "easy.", gold("forall n, n + = n"))
    assert verdict.status is Status.ERROR and "does not compile" in verdict.reason


@needs_coq
def test_many_at_once_come_back_in_order() -> None:
    texts = ["easy.", "", "reflexivity.", "induction n; simpl; congruence.", "<think>easy."]
    verdicts = Proof().judge([make_item(text, gold(ADD)) for text in texts])
    assert [v.correct for v in verdicts] == [True, False, False, True, False]


PIECES = ["Proof", "Qed", ".", ". ", "(*", "*)", '"', "easy", "-", "{", "}", "2:", " ", "\n", "A"]


@settings(max_examples=500, deadline=None, database=None)
@given(st.one_of(st.text(max_size=100), st.lists(st.sampled_from(PIECES), max_size=40).map("".join)))
def test_any_text_is_cut_or_refused(text: str) -> None:
    kept = tactics(text)
    assert isinstance(kept, Refused) or (kept and kept in text)


@pytest.mark.parametrize("piece", ["(*", "*)", '"', ". ", "easy. ", "{ ", "- ", "2 :", "all : ", "(* *)", "Qed. "])
def test_cutting_takes_linear_time(piece: str) -> None:
    def seconds(text: str) -> float:
        start = process_time()
        tactics(text)
        return process_time() - start

    text = piece * (100_000 // len(piece))
    assert min(seconds(2 * text) for _ in range(3)) < 4 * min(seconds(text) for _ in range(3)) + 0.05
