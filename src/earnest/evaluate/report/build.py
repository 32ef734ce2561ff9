"""The report of a run: a verdict, its numbers, and everything a reader needs to disbelieve them.

`build_report` reads a run directory (also one that was killed or refused) and makes every number from the records there.
Nothing is sampled or graded again, and the same directory gives the same numbers. Writing them down is `write`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from earnest.evaluate.claim import (
    Claim,
    Compared,
    Outcome,
    comparisons,
    final_stage,
    judge,
    main_eval,
    model_of,
    paired,
)
from earnest.evaluate.drift import Drift, measure
from earnest.evaluate.load import EvalRun, GateRow, Run, StageRun, load_run
from earnest.evaluate.report.curves import curves_json
from earnest.evaluate.report.difficulty import Difficulty, by_difficulty
from earnest.evaluate.report.earned import StageRollouts, read_stage
from earnest.evaluate.report.equal_cost import Spend, spends
from earnest.evaluate.report.spent import Asked, Phases, asked, phases
from earnest.evaluate.summary import ModelSummary, rate_json, summarize
from earnest.functional.stats import Interval
from earnest.gates.base import Paired
from earnest.seeding import rng
from earnest.types import Json, Record

SCHEMA = 1
SHOWN_ROLLOUTS = 8


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One evaluation and its numbers."""

    run: EvalRun
    models: Mapping[str, ModelSummary]
    compared: tuple[Compared, ...]
    drift: tuple[Drift, ...]  # every benchmark, every model but the base


@dataclass(frozen=True, slots=True)
class Report:
    """A run's report. `main` is the evaluation that the verdict rests on; `final` the model it is about, `start` its input."""

    run: Run
    claim: Claim
    main: Evaluated | None
    others: tuple[Evaluated, ...]
    final: str | None
    start: str | None
    rollouts: tuple[Record, ...]  # drawn at random, with a seed, from the final model's samples
    spends: tuple[Spend, ...]
    difficulty: Difficulty | None
    training: Mapping[str, StageRollouts]  # stages that stored rollouts
    phases: tuple[Phases, ...]
    asked: tuple[Asked, ...]

    @property
    def verdict(self) -> Outcome:
        return self.claim.verdict

    @property
    def verdict_sentence(self) -> str:
        return self.claim.sentence

    @property
    def paired(self) -> Paired | None:
        """What the claim gate looks at; None where nothing can be claimed."""
        if self.main is None or self.main.run.split != "test" or self.verdict == "no signal":
            return None
        return paired(self.main.run, self.main.compared)

    @property
    def final_summary(self) -> ModelSummary | None:
        return self.main.models.get(self.final) if self.main and self.final else None

    @property
    def base_summary(self) -> ModelSummary | None:
        return self.main.models.get(self.main.run.base) if self.main else None

    @property
    def worst_drift(self) -> Drift | None:
        """The final model's benchmark with the clearest loss (flagged, then in standard errors) of those that can show any."""
        rows = [d for d in (self.main.drift if self.main else ()) if d.model == self.final]
        rows = [d for d in rows if d.can_show] or rows
        return max(rows, key=lambda d: (d.flagged, d.z_loss)) if rows else None

    @property
    def wall_s(self) -> float:
        stages = sum(float(s.info.get("wall_s") or 0.0) for s in self.run.stages)
        return float(self.run.info.get("wall_s") or stages)

    def to_json(self) -> dict[str, Json]:
        """report.json. Differences are b minus a; rates are fractions; intervals are at 95 %."""
        info, main = self.run.info, self.main
        return {
            "schema": SCHEMA,
            "id": info.get("id"),
            "name": info.get("name"),
            "status": self.run.status,
            "verdict": self.verdict,
            "verdict_sentence": self.verdict_sentence,
            "caveats": list(self.claim.caveats),
            "headline": self._headline(),
            "evaluation": main.run.id if main else None,
            "final": self.final,
            "base": main.run.base if main else None,
            "models": _models_json(main) if main else {},
            "comparisons": [_compared_json(row) for row in main.compared] if main else [],
            "drift": [_drift_json(row) for row in main.drift] if main else [],
            "statuses": {
                name: {mode: counts.to_json() for mode, counts in found.statuses.items()}
                for name, found in (main.models.items() if main else ())
            },
            "gates": [_gate_json(gate) for gate in self.run.gates],
            "health": [dataclasses.asdict(spell) for spell in self.run.health],
            "stages": [_stage_json(stage) for stage in self.run.stages],
            "protocol": dict(main.run.protocol) if main else None,
            "other_evaluations": {
                e.run.id: {
                    "protocol": dict(e.run.protocol),
                    "models": _models_json(e),
                    "comparisons": [_compared_json(row) for row in e.compared],
                    "drift": [_drift_json(row) for row in e.drift],
                }
                for e in self.others
            },
            "equal_cost": [spend.to_json() for spend in self.spends],
            "difficulty": self.difficulty and self.difficulty.to_json(),
            "curves": {s.id: found for s in self.run.stages if (found := curves_json(s, self.training.get(s.id)))},
            "reward_audit": {stage: found.to_json() for stage, found in self.training.items()},
            "sources": [dict(source) for source in self.run.sources],
            "seconds_by_phase": {found.stage: dict(found.seconds) for found in self.phases},
            "evaluation_tokens": [found.to_json() for found in self.asked],
            "rollouts_shown": [{"problem": r.problem.id, "index": r.index} for r in self.rollouts],
            "seed": info.get("seed"),
            "command": info.get("command"),
            "wall_s": self.wall_s,
            "started": info.get("started"),
            "ended": info.get("ended"),
            "machine": info.get("machine"),
            "versions": info.get("versions"),
        }

    def _headline(self) -> dict[str, Json]:
        final, base = self.final_summary, self.base_summary
        worst = self.worst_drift
        return {
            "model": self.final,
            "base": self.main.run.base if self.main else None,
            "verifier_pass": _beside(final and rate_json(final.sampled), base and rate_json(base.sampled)),
            "substrate_drift": None if worst is None else _drift_json(worst),
            "trace_format": _beside(final and rate_json(final.trace_format), base and rate_json(base.trace_format)),
        }


def build_report(run_dir: Path) -> Report:
    """Every number of a run, from what is on disk. Raises RunDirError if it is no run, DataError for a damaged file."""
    run = load_run(run_dir)
    chosen = main_eval(run)
    evaluated = {e.id: _evaluate(run, e) for e in run.evals if e.models}
    main = evaluated.pop(chosen.id) if chosen is not None else None
    stage = final_stage(run)
    final = model_of(main.run, stage.id) if main and stage and stage.id in main.run.models else None
    models = main.run.models if main else {}
    start = model_of(main.run, stage.input) if main and stage and stage.input else None
    start = start if start in models else None
    read = {s.id: read_stage(s.folder) for s in run.stages}
    return Report(
        run=run,
        claim=judge(run, chosen, main.compared if main else ()),
        main=main,
        others=tuple(evaluated.values()),
        final=final,
        start=start,
        rollouts=_random_rollouts(run, main.run, final) if main and final else (),
        spends=spends(models, final, [main.run.base, *([start] if start else [])]) if main and final else (),
        difficulty=by_difficulty(start, models[start], final, models[final]) if final and start else None,
        training={stage_id: found for stage_id, found in read.items() if found is not None},
        phases=tuple(found for s in run.stages if (found := phases(s)) is not None),
        asked=tuple(row for e in run.evals for row in asked(e)),
    )


def _evaluate(run: Run, evaluation: EvalRun) -> Evaluated:
    k = evaluation.protocol.get("k")
    models = {
        name: summarize(m.sampled, m.greedy, k if isinstance(k, int) else None) for name, m in evaluation.models.items()
    }
    return Evaluated(evaluation, models, comparisons(run, evaluation), _drift(evaluation))


def _drift(evaluation: EvalRun) -> tuple[Drift, ...]:
    base = evaluation.models.get(evaluation.base)
    if base is None:
        return ()
    found = [
        measure(benchmark, name, base, model)
        for benchmark in evaluation.benchmarks
        for name, model in evaluation.models.items()
        if name != evaluation.base
    ]
    return tuple(d for d in found if d is not None)


def _random_rollouts(run: Run, evaluation: EvalRun, model: str) -> tuple[Record, ...]:
    records = evaluation.models[model].sampled or evaluation.models[model].greedy
    ordered = sorted(records, key=lambda r: (r.problem.id, r.index))
    seed = run.info.get("seed")
    draw = rng("report", "rollouts", seed if isinstance(seed, int) else 0, evaluation.id, model)
    return tuple(draw.sample(ordered, min(SHOWN_ROLLOUTS, len(ordered))))


def _models_json(evaluated: Evaluated) -> dict[str, Json]:
    return {name: found.to_json() for name, found in evaluated.models.items()}


def _beside(final: Json, base: Json) -> Json:
    return {**final, "base": base} if isinstance(final, Mapping) else None


def _interval_json(ci95: Interval | None) -> list[Json] | None:
    return None if ci95 is None else list(ci95)


def _compared_json(row: Compared) -> dict[str, Json]:
    c = row.comparison
    return {
        "role": row.role, "a": c.a, "b": c.b, "metric": c.metric, "a_value": c.a_value, "b_value": c.b_value,
        "diff": c.diff, "ci95": _interval_json(c.ci95), "p_value": c.p_value, "n": c.n,
        "flips": {"gained": c.flips.gained, "lost": c.flips.lost, "same": c.flips.same},
        "errors": c.errors, "unmatched": c.unmatched,
    }  # fmt: skip


def _drift_json(d: Drift) -> dict[str, Json]:
    return {
        "name": d.name, "metric": d.metric, "model": d.model, "base_value": d.base, "value": d.value,
        "base_ci95": _interval_json(d.base_ci95), "diff": d.diff, "ci95": _interval_json(d.ci95),
        "relative": d.is_bytes, "lower_is_better": d.is_bytes, "p_value": d.p_value, "n": d.n, "z": d.z,
        "chance": d.chance, "can_show": d.can_show, "flagged": d.flagged, "cut": d.cut,
    }  # fmt: skip


def _gate_json(gate: GateRow) -> dict[str, Json]:
    return {
        "gate": gate.gate, "stage": gate.stage, "outcome": gate.outcome, "reason": gate.reason, "remedy": gate.remedy,
        "numbers": dict(gate.numbers), "allowed": gate.allowed,
    }  # fmt: skip


def _stage_json(stage: StageRun) -> dict[str, Json]:
    keys = ("steps", "updates", "trained_tokens", "generated_tokens", "flops", "wall_s", "cached_from")
    return {
        "id": stage.id, "stage": stage.kind, "status": stage.status, "control": stage.control, "input": stage.input,
        **{key: stage.info.get(key) for key in keys},
    }  # fmt: skip
