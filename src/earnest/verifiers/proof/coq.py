"""Coq's side of the proof verifier: the kernel says whether a script proves the statement, and the script has no say in
it.

Three files, each compiled in a sandboxed job of its own, in a folder of its own:

    Spec.v    ours: the gold's header, and `Definition spec : Prop := STATEMENT.`
    Cand.v    the header's imports, `Theorem NAME : STATEMENT. Proof.`, the script, `Qed.`
    Final.v   ours: `Definition final : Spec.spec := Cand.NAME. Print Assumptions final.`

Cand.v may do what it likes: Final.v compiles only if what it left under NAME has the type of our Spec.v, it must rest
on no axiom ("Closed under the global context"), and then `coqchk`, which knows no tactics, must accept all three.
Before any of this, a script with a command in it (a sentence that begins with a capital) is refused; a first `Proof.`
and a last `Qed.` are passed over.

Coq is a program of the system (Debian: `apt-get install coq`; tested with 8.16). The header is trusted, its axioms are
not allowed. Lean would have the same shape (`theorem final : spec := cand`, then `#print axioms`).
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from earnest.errors import MissingDependency
from earnest.sandbox.jobs import Limits, Output, SandboxError, command
from earnest.types import Status, Verdict
from earnest.verifiers.refused import Refused
from earnest.verifiers.verdicts import right, unanswered, ungradable, wrong

MAX_CHARS = 20_000
MEMORY_MB = 2048
WALL_FACTOR = 5
"""Seconds on the wall clock for each of processor time: how busy the machine is must not decide."""
PROGRAMS = "/usr/local/bin:/usr/bin:/bin"
"""Where the sandbox looks for programs."""
REMEDY = "Coq is not there: install it (Debian: apt-get install coq)"

_KEYS = {"system", "header", "name", "statement"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_COQC = ("coqc", "-q", "-noglob", "-w", "none")
_COQCHK = ("coqchk", "-silent", "-o", "-norec", "Spec", "-norec", "Cand", "-norec", "Final")
_CONFIGURATION = "/etc/ocamlfind.conf"  # coqc will not start without it where it is used
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class CoqGoal:
    """A statement to prove, with Spec.v compiled. imports: the sentences of the header that bring names into scope."""

    name: str
    statement: str
    imports: str
    spec: bytes
    seconds: float


def target(gold: Mapping[str, Any], seconds: float) -> CoqGoal | Refused:
    """What a gold asks to prove; refused where it does not compile, or there is no Coq."""
    unknown = gold.keys() - _KEYS
    if unknown:
        return Refused(f"unknown key '{min(unknown)}'")
    header, name, statement = (gold.get(key) for key in ("header", "name", "statement"))
    header = "" if header is None else header
    if not isinstance(header, str) or not isinstance(statement, str) or not statement.strip():
        return Refused("'header' and 'statement' must be text, and there must be a statement")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return Refused("'name' must be the name of the theorem")
    if shutil.which("coqc", path=PROGRAMS) is None or shutil.which("coqchk", path=PROGRAMS) is None:
        return Refused(REMEDY)
    try:
        return _compiled(header, name, statement, seconds)
    except MissingDependency as error:
        return Refused(str(error))
    except SandboxError as error:
        return Refused(f"Coq did not come to an end with the statement ({error.kind}): {error}")


@lru_cache(maxsize=4096)
def _compiled(header: str, name: str, statement: str, seconds: float) -> CoqGoal | Refused:
    text = f"{header}\nDefinition spec : Prop := {statement}.\n"
    output = _run([*_COQC, "Spec.v"], {"Spec.v": text.encode("utf-8", "replace")}, seconds)
    if "Spec.vo" not in output.files:
        return Refused(f"the statement does not compile: {_said(output)}")
    imports = " ".join(f"{s.text}." for s in sentences(header) or () if _IMPORT.match(s.text))
    return CoqGoal(name, statement, imports, output.files["Spec.vo"], seconds)


_IMPORT = re.compile(r"(?:(?:Local|Global)\s+)?(?:Require|From|Import|Export|Open|Close|Set|Unset)\b")
_MARK = re.compile(r'\(\*|\*\)|"|\.(?=\s|\Z)')
_LEAD = re.compile(r"(?:[-+*{}\s]|(?:[0-9]+|all|par|!)\s*:)*+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence without its full stop, comments and what leads into it, and where it begins and ends in the script."""

    text: str
    start: int
    end: int


def sentences(script: str) -> list[Sentence] | None:
    """The sentences of a script; None if it does not end with one. "intros n. (* x *) - auto." has `intros n` and `auto`."""
    found: list[Sentence] = []
    pieces: list[str] = []
    depth, quoted, start, begin = 0, False, 0, 0
    for mark in _MARK.finditer(script):
        token = mark[0]
        if token == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif token == "(*":
            pieces += [script[start : mark.start()], " "] if depth == 0 else []
            depth += 1
        elif token == "*)":
            depth -= depth > 0
            start = mark.end() if depth == 0 else start
        elif depth == 0:
            found.append(Sentence(_bare("".join([*pieces, script[start : mark.start()]])), begin, mark.end()))
            pieces, start, begin = [], mark.end(), mark.end()
    rest = _bare("".join([*pieces, script[start:]]))
    return None if depth or quoted or rest else found


def _bare(sentence: str) -> str:
    lead = _LEAD.match(sentence)
    return sentence[lead.end() if lead else 0 :].rstrip()


def tactics(script: str) -> str | Refused:
    """The script without a first `Proof.` and a last `Qed.`; refused if a sentence of it is a command."""
    said = sentences(script)
    if said is None:
        return Refused("the script does not end with a sentence")
    start, end = 0, len(script)
    if said and said[0].text == "Proof":
        start, said = said[0].end, said[1:]
    if said and said[-1].text in ("Qed", "Defined"):
        end = script.rindex(said[-1].text, said[-1].start, said[-1].end)  # a brace before it is the script's
        said = said[:-1]
    commands = [s.text for s in said if (s.text[:1].isupper() or s.text[:1] == "#") and s.text != "Unshelve"]
    if commands:
        return Refused(f"a command and no tactic: {commands[0][:60]}")
    return script[start:end] if said else Refused("there is no tactic in it")


def grade(goal: CoqGoal, script: str) -> Verdict:
    """The verdict on the text of a proof."""
    extracted = script if len(script) <= _SHOWN else script[: _SHOWN - 3] + "..."
    if len(script) > MAX_CHARS:
        return unanswered(Status.LIMIT, f"more than {MAX_CHARS:,} characters", extracted)
    proof = tactics(script)
    if isinstance(proof, Refused):
        return wrong(extracted, proof.reason)
    try:
        fault = _fault(goal, proof)
    except MissingDependency as error:
        return ungradable(str(error))
    except SandboxError as error:
        if error.kind == "unavailable":
            return ungradable(f"the sandbox was lost: {error}")
        return unanswered(Status.LIMIT, f"Coq was stopped: {error.kind}", extracted)
    return right(extracted) if fault is None else wrong(extracted, fault)


def _fault(goal: CoqGoal, proof: str) -> str | None:
    """None if the kernel has accepted the proof. Raises SandboxError for a limit."""
    spec = {"Spec.vo": goal.spec}
    cand = f"{goal.imports}\nRequire Import Spec.\nTheorem {goal.name} : {goal.statement}.\nProof.\n{proof}\nQed.\n"
    output = _run([*_COQC, "Cand.v"], {**spec, "Cand.v": cand.encode("utf-8", "replace")}, goal.seconds)
    if "Cand.vo" not in output.files:
        return f"Coq: {_said(output)}"
    both = {**spec, "Cand.vo": output.files["Cand.vo"]}
    final = f"Require Spec Cand.\nDefinition final : Spec.spec := Cand.{goal.name}.\nPrint Assumptions final.\n"
    output = _run([*_COQC, "Final.v"], {**both, "Final.v": final.encode()}, goal.seconds)
    if output.exit_code != 0 or "Final.vo" not in output.files:
        return f"it does not prove the statement: {_said(output)}"
    if output.stdout.split() != b"Closed under the global context".split():
        return f"it assumes what is not proved: {_said(output)}"
    all_three = {**both, "Final.vo": output.files["Final.vo"]}
    output = _run(_COQCHK, all_three, goal.seconds)
    summary = (output.stdout + output.stderr).decode(errors="replace")
    if output.exit_code != 0 or not all(f"{what}: <none>" in summary for what in _UNSAFE):
        return f"coqchk refuses it: {_said(output)}"
    return None


_UNSAFE = ("relying on type-in-type", "relying on unsafe (co)fixpoints", "whose positivity is assumed")


def _run(argv: Sequence[str], files: Mapping[str, bytes], seconds: float) -> Output:
    """One program on these files alone, in a job of its own."""
    readable = (_CONFIGURATION,) if Path(_CONFIGURATION).exists() else ()
    limits = Limits(wall_s=WALL_FACTOR * seconds, cpu_s=math.ceil(seconds), memory_mb=MEMORY_MB, processes=4)
    return command(argv, files, limits, readable=readable)


def _said(output: Output) -> str:
    """The end of what a program printed, in one line."""
    text = (output.stderr.strip() or output.stdout.strip()).decode(errors="replace")
    return " ".join(text.split())[-_SHOWN:] or f"exit code {output.exit_code}"
