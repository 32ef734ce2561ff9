"""`earnest audit` and `earnest data`: what they find, what they show, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from earnest import api
from earnest.cli.main import outcome
from earnest.errors import ConfigError

GENEROUS = '''
import time
from earnest.types import Status, Verdict
from earnest.verifiers.base import Verifier


class Generous(Verifier):
    """Looks for the gold anywhere in the answer."""

    def judge(self, items):
        found = [(i.problem.answer or "?") in (i.parsed.answer_text or "") for i in items]
        return [Verdict(status=Status.OK, correct=f, score=float(f)) for f in found]


class Fickle(Verifier):
    """Another verdict every time."""

    def judge(self, items):
        CALLS.append(1)
        right = len(CALLS) % 2 == 0
        return [Verdict(status=Status.OK, correct=right, score=float(right)) for _ in items]


class Silent(Verifier):
    """Pays for nothing."""

    def judge(self, items):
        return [Verdict(status=Status.OK, correct=False, score=0.0) for _ in items]


class Stuck(Verifier):
    """Fails, and takes its time to."""

    def judge(self, items):
        with open("asked.txt", "a") as file:
            file.write("asked\\n")
        time.sleep(0.01)
        raise ValueError("no answer")


CALLS = []


def whole(completions, answer, **columns):
    return [float(said == gold) for said, gold in zip(completions, answer)]


def asks_for_more(completions, level):
    return [1.0 for _ in completions]
'''


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(GENEROUS)
    return tmp_path


@pytest.mark.parametrize(
    ("verifier", "task"), [("number", None), ("string", None), ("number", "chain"), ("string", "skills")]
)
def test_the_verifiers_that_are_shipped_hold(verifier: str, task: str | None) -> None:
    found = api.audit(verifier, task=task, problems=20)
    assert found.holds and found.golds >= 5 and found.shown > 150 and found.false_passes == 0, found


def test_a_generous_verifier_is_shown_attack_by_attack(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["audit", "mine.py:Generous", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    by_name = {line["name"]: line for line in found["lines"]}
    assert by_name["gold"]["paid"] == found["golds"] == 10 and by_name["hedge, gold last"]["paid"] == 10
    assert (
        by_name["empty"]["paid"] == 0 and by_name["cut before its end"]["paid"] == 10
    )  # it does not look at `truncated`
    assert "or" in by_name["hedge, gold first"]["example"] and found["false_passes"] > 100
    assert outcome(["audit", "mine.py:Generous"]) == 3
    assert "✗ hedge, gold last" in capsys.readouterr().out


def test_a_verifier_that_changes_its_mind_does_not_hold(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["audit", "mine.py:Fickle", "--task", "chain"]) == 3
    assert "it is not deterministic" in capsys.readouterr().out


def test_a_verifier_that_pays_for_nothing_was_not_tried(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["audit", "mine.py:Silent"]) == 3
    said = capsys.readouterr().out
    assert "nothing was tried" in said and "completion  '<think></think>42'" in said and "verdict     ok" in said
    assert outcome(["audit", "mine.py:Silent", "--task", "chain"]) == 3
    assert "0 of 100 paid" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("function", "reason"), [("whole", "ok: the function gave 0"), ("asks_for_more", "it asks for 'level'")]
)
def test_a_function_that_can_read_no_gold_says_why(
    here: Path, capsys: pytest.CaptureFixture[str], function: str, reason: str
) -> None:
    assert outcome(["audit", f"mine.py:{function}"]) == 3
    said = capsys.readouterr().out
    assert "nothing was tried" in said and reason in said and "--task" in said


def test_a_verifier_that_hangs_is_asked_once(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = here / "asked.txt"
    monkeypatch.setattr("earnest.evaluate.audit.STUCK_S", 0.01)
    assert outcome(["audit", "mine.py:Stuck"]) == 3
    assert "verdict     error: ValueError: no answer" in capsys.readouterr().out
    assert len(asked.read_text().splitlines()) == 2  # together with nothing, and alone, because it raised
    monkeypatch.setattr("earnest.evaluate.audit.STUCK_S", 60.0)
    assert outcome(["audit", "mine.py:Stuck"]) == 3
    assert len(asked.read_text().splitlines()) > 20  # a quick failure may be one of the way of writing


def test_an_audit_on_a_task_without_right_answers_says_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("why", "where", "who", "when", "which way", "how many")
    for split in ("train", "dev", "test"):
        lines = [json.dumps({"prompt": f"{split}: {word}?", "answer": None}) for word in words]
        (here / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    task = "{name: jsonl, path: train.jsonl, dev: dev.jsonl, test: test.jsonl}"
    assert outcome(["audit", "number", "--task", task]) == 3
    assert "no problem of jsonl has a known right answer" in capsys.readouterr().out


def rows(file: Path, count: int, trace: str = "so it is") -> Path:
    lines = [json.dumps({"prompt": f"What is {word} in a word?", "trace": trace, "answer": str(n)})
             for n, word in enumerate("abcdefghijklmnopqrstuvwxyz"[:count])]  # fmt: skip
    file.write_text("\n".join(lines) + "\n")
    return file


def test_check_counts_measures_and_compares(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = rows(here / "rows.jsonl", 26)
    assert outcome(["data", "check", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (source,) = found["sources"]
    assert sum(source["sizes"].values()) == 26 and source["measured"] == source["sizes"]["train"]
    assert source["prompt"] == {"median": 21, "p95": 21, "longest": 21}  # 20 bytes and the open mark
    assert source["completion"]["longest"] in (11, 12)  # 8 bytes, the close mark, one or two digits, the end
    assert {gate["gate"]: gate["outcome"] for gate in found["gates"]} == {"template": "passed", "data": "passed"}
    assert outcome(["data", "check", str(file)]) == 0
    assert "prompt       21 tokens (median)" in capsys.readouterr().out


def test_check_refuses_a_leak_between_the_files_of_a_recipe(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows(here / "rows.jsonl", 26)
    (here / "other.jsonl").write_text('{"prompt": "Who was it?", "answer": "2"}\n')
    (here / "recipe.yaml").write_text(
        "name: leak\nmodel: tiny\ntask: {name: jsonl, path: rows.jsonl}\nstages:\n"
        "  - {stage: sft, steps: 1, lr: 1e-3}\n  - {stage: eval, task: {name: jsonl, path: other.jsonl, test: rows.jsonl}}\n"
    )
    assert outcome(["data", "check", str(here / "recipe.yaml")]) == 3
    assert "gate data refused" in capsys.readouterr().out


def test_show_marks_what_the_loss_is_on(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = rows(here / "rows.jsonl", 26, trace="eins\x1b[31m zwei \u00fc")
    assert outcome(["data", "show", str(file), "-n", "1"]) == 0
    out = capsys.readouterr().out
    assert "in a word?<think>⟦eins\\x1b[31m zwei ü</think>" in out and "<eos>⟧" in out and "\x1b" not in out
    assert "loss on " in out
    (example,) = api.show_data(file, count=1)
    assert "".join(t.text for t in example.tokens if not t.trained).endswith("<think>")
    assert example.tokens[-1].text == "<eos>" and example.tokens[-1].trained


def test_show_takes_the_stage_by_its_name(here: Path) -> None:
    recipe = Path(__file__).parents[2] / "recipes" / "chain.yaml"
    shown = api.show_data(recipe, stage="base", count=2)
    assert {example.task for example in shown} == {"skills"} and len(shown) == 2
    with pytest.raises(ConfigError, match="no stage 'eval' trains on data"):
        api.show_data(recipe, stage="eval")
    with pytest.raises(ConfigError, match="--model has no effect"):
        api.show_data(recipe, model="x")


def test_a_task_with_settings_is_written_as_in_a_recipe(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows(here / "rows.jsonl", 26)
    assert outcome(["audit", "number", "--task", "{name: jsonl, path: rows.jsonl}"]) == 0
    assert "number (version 2) on jsonl" in capsys.readouterr().out
    assert outcome(["audit", "number", "--task", "{name: jsonl"]) == 2
    assert "--task is not YAML" in capsys.readouterr().err
    assert outcome(["audit", "number", "--task", "7"]) == 2
    assert "--task names no plug-in" in capsys.readouterr().err


def test_on_a_terminal_what_the_loss_is_on_is_in_colour(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earnest.cli.paging.in_colour", lambda: True)
    file = rows(here / "rows.jsonl", 26, trace="eins\x1b[31m")
    assert outcome(["data", "show", str(file), "-n", "1"]) == 0
    out = capsys.readouterr().out
    assert "<think>\x1b[0m\x1b[32meins\\x1b[31m</think>" in out and "⟨U+001B⟩" not in out and "⟦" not in out
