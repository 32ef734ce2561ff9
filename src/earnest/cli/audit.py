"""`earnest audit`: attack a verifier before you train on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from earnest.cli import say
from earnest.errors import ConfigError, GateRefused

if TYPE_CHECKING:
    from earnest.evaluate.audit import Audit, Line


def audit(
    verifier: str,
    /,
    *,
    task: str | None = None,
    problems: int = 100,
    cases: Path | None = None,
    ceiling: float = 0.0,
    json: say.AsJson = False,
) -> int:
    """Grade right answers, near misses and a list of attacks with a verifier, and say what it pays for.

    Exit code 3 if it pays for a larger share of the wrong answers than the ceiling, does not pay for a right one, or changes its
    mind. Other ways of writing a right answer (boxed, bold, in a sentence) that it does not pay for are counted, and no fault by
    themselves.

    Parameters
    ----------
    verifier
        One of `earnest list verifier`, or FILE.py:NAME of a class or a function.
    task
        One of `earnest list task`, FILE.py:CLASS, or {name: jsonl, path: …}: tried on its problems; by default on a few golds of
        common kinds.
    problems
        Problems of the task, at most.
    cases
        A file of further cases, a JSON object a line: {"id": …, "response": "{gold} or {wrong}", "expect": false, "why": …}.
    ceiling
        The share of near misses and attacks that may be paid.
    """
    from earnest import api

    if not 0 <= ceiling <= 1:
        raise ConfigError("the ceiling is a share, between 0 and 1", where=f"--ceiling {ceiling:g}")
    tried_on = None if task is None else say.plugin(task, "--task")
    named = say.plugin(verifier, "verifier")
    found = api.audit(named, task=tried_on, problems=problems, cases=cases, ceiling=ceiling)
    if json:
        say.result(found.to_json())
    else:
        say.lines(_text(found))
    return 0 if found.holds else GateRefused.exit_code


def _text(found: Audit) -> list[str]:
    rows = [f"{found.verifier} (version {found.version}) on {found.task}", ""]
    if found.golds == 0:
        return [*rows, *f"nothing was tried: {found.untried}".split("\n")]
    rows.append(f"  {'answers':<14}  shown   paid  failed  {'false passes':>14}  {'false rejects':>14}   ms p99")
    rows += [_class(line) for line in found.classes]
    faults = [line for line in found.lines if line.faults]
    if faults:
        width = max(len(line.name) for line in faults)
        rows += ["", "graded otherwise than they should be:"]
        for line in faults:
            what = "not paid" if line.must_pay else "paid"
            mark = _mark(line)
            rows.append(
                f"{mark} {line.name:<{width}}  {what} {line.faults} of {line.shown}"
                + (f": {line.why}" if line.why else "")
            )
            rows.append(f"    first: {line.example}")
    rows += [
        "",
        f"right answers     {found.golds - found.false_rejects} of {found.golds} paid",
        f"other ways        {found.formats - found.formats_rejected} of {found.formats} paid",
        f"wrong answers     {found.false_passes} of {found.shown:,} paid ({100 * found.false_pass_rate:.1f} %)",
        *([f"no verdict        {found.failed}: the grader failed"] if found.failed else []),
        f"asked twice       {'the same verdicts' if found.stable else 'OTHER VERDICTS: it is not deterministic'}",
    ]
    return rows


def _class(line: Line) -> str:
    counted = f"{line.faults} ({100 * line.faults / line.shown:.0f} %)"
    passes, rejects = ("", counted) if line.must_pay else (counted, "")
    return (
        f"{_mark(line)} {line.tag:<14}  {line.shown:>5}  {line.paid:>5}  {line.failed:>6}  {passes:>14}  {rejects:>14}"
        f"  {line.ms_p99:>7.2f}"
    )


def _mark(line: Line) -> str:
    if not line.faults:
        return "✓"
    return "!" if line.must_pay and line.tag == "formats" else "✗"
