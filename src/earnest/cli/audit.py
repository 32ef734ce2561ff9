"""`earnest audit`: attack a verifier before you train on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from earnest.cli import say
from earnest.errors import GateRefused

if TYPE_CHECKING:
    from earnest.evaluate.audit import Audit


def audit(verifier: str, /, *, task: str | None = None, problems: int = 100, json: say.AsJson = False) -> int:
    """Grade right answers, near misses and a list of attacks with a verifier, and say what it pays for.

    Exit code 3 if it pays for a wrong answer, does not pay for a right one, or changes its mind.

    Parameters
    ----------
    verifier
        One of `earnest list verifier`, or FILE.py:NAME of a class or a function.
    task
        One of `earnest list task`, FILE.py:CLASS, or {name: jsonl, path: …}: tried on its problems; by default on a few golds of
        common kinds.
    problems
        Problems of the task, at most.
    """
    from earnest import api

    tried_on = None if task is None else say.plugin(task, "--task")
    found = api.audit(say.plugin(verifier, "verifier"), task=tried_on, problems=problems)
    if json:
        say.result(found.to_json())
    else:
        say.lines(_text(found))
    return 0 if found.holds else GateRefused.exit_code


def _text(found: Audit) -> list[str]:
    width = max([len(line.name) for line in found.lines], default=0)
    rows = [f"{found.verifier} (version {found.version}) on {found.task}", ""]
    rows.append(f"  {'answer':<{width}}  shown   paid  failed   ms each")
    for line in found.lines:
        is_gold = line.name == "gold"
        fault = (line.paid != line.shown) if is_gold else (line.paid > 0)
        mark = "✗" if fault else "✓"
        rows.append(f"{mark} {line.name:<{width}}  {line.shown:>5}  {line.paid:>5}  {line.failed:>6}  {line.ms:>8.2f}")
        rows += [f"    first: {line.example}"] if line.example else []
    rows += [
        "",
        f"right answers     {found.golds - found.false_rejects} of {found.golds} paid",
        f"wrong answers     {found.false_passes} of {found.shown:,} paid",
        f"asked twice       {'the same verdicts' if found.stable else 'OTHER VERDICTS: it is not deterministic'}",
    ]
    if found.golds == 0:
        rows.append("nothing was tried: the verifier grades none of the golds as right; name a --task")
    return rows
