"""Showing evidence to gates, and what follows from their answers: a line in the log and the terminal, or the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from earnest.errors import GateRefused
from earnest.gates.base import RUN, Gate, GateResult
from earnest.types import Json

LEVELS = {"passed": "info", "warned": "warning", "refused": "error"}


class Log(Protocol):
    """Where a gate's answer is kept: a run's or a stage's events."""

    def event(self, event: str, message: str, *, level: str = "info", **data: Json) -> None: ...


def ask(gates: Iterable[Gate], evidence: object, log: Log, allow: frozenset[str], echo: Callable[[str], None]) -> None:
    """Show the evidence to every gate, keep and print what each says. Raises GateRefused at the first that is not allowed."""
    for gate in gates:
        tell(gate.check(evidence), log, allow, echo)


def tell(result: GateResult, log: Log, allow: frozenset[str], echo: Callable[[str], None]) -> None:
    """Keep and print one answer. Raises GateRefused for a refusal that is not allowed by name."""
    refused = result.outcome == "refused"
    log.event(
        "gate", result.reason, level=LEVELS[result.outcome], gate=result.gate, stage=result.stage, outcome=result.outcome,
        reason=result.reason, remedy=result.remedy, numbers=dict(result.numbers),
        overridden=refused and result.gate in allow,
    )  # fmt: skip
    echo(f"[{result.stage}] gate {result.gate} {result.outcome}: {result.reason}")
    if refused and result.gate not in allow:
        whom = "the run" if result.stage == RUN else f"stage '{result.stage}'"
        raise GateRefused(
            f"the {result.gate} gate refused {whom}",
            why=result.reason, remedy=f"{result.remedy}; or override it by name: --allow {result.gate}",
        )  # fmt: skip
