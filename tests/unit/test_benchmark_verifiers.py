"""The comparison of graders: what it counts, and that a grader which hangs or dies costs a row and not the run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from benchmark_scripts import benchmark

verifiers = benchmark("verifiers")


def row(response: str, expect: bool = True, name: str = "r") -> Any:
    return verifiers.Row(name, "math", response, "42", expect)


def test_ours_pays_all_that_must_be_paid_of_the_probe_and_nothing_else() -> None:
    expected = [expect for _, _, expect in verifiers.PROBE]
    assert (expected.count(False), expected.count(True)) == (14, 5)
    grade = verifiers.ours("number")
    assert [grade(row(text, expect, name)) for name, text, expect in verifiers.PROBE] == expected


def test_what_is_counted() -> None:
    counts = verifiers.Counts()
    answers = [(True, True), (True, False), (False, True), (False, False), (None, True)]
    for place, (paid, expect) in enumerate(answers):
        found = {"paid": paid, "ms": 2000.0 if place == 4 else 1.0, "crash": "", "hung": paid is None}
        counts.add(row("x", expect, f"r{place}"), found, ran=place == 0)
    found = counts.to_json()
    assert (found["right"], found["wrong"], found["false_pass"], found["false_reject"]) == (3, 2, 1, 1)
    assert found["paid_wrongly"] == ["r1"] and found["not_paid"] == ["r2"]
    assert (found["no_verdict"], found["hung"], found["crashed"], found["slow"], found["ran"]) == (1, 1, 0, 1, 1)
    assert (
        found["ms_median"] == 1.0
        and found["ms_p99"] == 2000.0
        and found["verdicts_per_s"] == pytest.approx(5000 / 2004)
    )
    text = verifiers.table({"probe": {"mine": found}})
    assert (
        "### probe: 2 wrong answers, 3 right ones" in text
        and "| mine | 1 | 1 | 1 | 1 | 0 | 1 | 1 | 1.00 | 2000.0 |" in text
    )


FAKE = """
import json, os, sys, time
if sys.argv[-1] == "absent":
    print("ModuleNotFoundError: nothing of that name"); sys.exit()
print("ready", flush=True)
for line in sys.stdin:
    text = json.loads(line)["response"]
    if text == "hang": time.sleep(60)
    if text == "die": os._exit(1)
    print(json.dumps({"paid": text == "42", "ms": 0.1, "crash": ""}), flush=True)
"""


def test_a_grader_that_hangs_or_dies_costs_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "fake.py"
    fake.write_text(FAKE)
    monkeypatch.setattr(verifiers, "__file__", str(fake))
    monkeypatch.setattr(verifiers, "DEADLINE_S", 0.5)
    assert sys.executable
    rows = [row(text, text == "42", text) for text in ("42", "hang", "42", "die", "41")]
    found = verifiers.compare(rows, ["fake", "absent"])
    assert set(found) == {"fake"}, "what cannot be loaded is left out"
    counts = found["fake"]
    assert (counts["rows"], counts["false_pass"], counts["false_reject"]) == (5, 0, 0)
    assert (counts["no_verdict"], counts["hung"], counts["crashed"]) == (2, 1, 1)
