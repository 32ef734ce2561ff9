"""The verdict of a run: learned, not shown, regressed or no signal. Never just "completed".

The claim is that the last training stage's checkpoint beats the one it began from, on held-out problems, paired. The
95 % interval of that difference decides: above 0 learned, below 0 regressed, around 0 not shown. A run whose support
or learning gate refused, or whose RL never had one group with mixed rewards, had no signal to learn from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from earnest.evaluate.compare import Comparison, compare
from earnest.evaluate.load import BASE, EvalRun, GateRow, ModelRecords, Row, Run, StageRun
from earnest.evaluate.text import difference, points
from earnest.gates.base import RUN, Paired
from earnest.gates.claim import decide
from earnest.types import Json, Record

Outcome: TypeAlias = Literal["learned", "not shown", "regressed", "no signal"]
Role: TypeAlias = Literal["claim", "overall", "stage", "earlier", "control"]

METRICS = ("sampled", "greedy")
NO_SIGNAL = ("support", "learning")
"""Gates whose refusal means that there was nothing to learn from."""
CUT_SHORT = ("running", "killed", "interrupted")


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison and why it is in the report."""

    role: Role
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Claim:
    """The verdict, the sentence that says it, and what must stand beside it."""

    verdict: Outcome
    sentence: str
    caveats: tuple[str, ...]


def final_stage(run: Run) -> StageRun | None:
    """The last stage that trains a policy and is no control arm."""
    return run.trained[-1] if run.trained else None


def main_eval(run: Run) -> EvalRun | None:
    """The evaluation the verdict rests on: the last one on the test split, else the last one."""
    evals = [e for e in run.evals if not e.control and e.models]
    on_test = [e for e in evals if e.split == "test"]
    return (on_test or evals or [None])[-1]


def model_of(evaluation: EvalRun, policy: str) -> str:
    """The id under which a stage's policy was evaluated."""
    return evaluation.base if policy == BASE else policy


def comparisons(run: Run, evaluation: EvalRun) -> tuple[Compared, ...]:
    """The claim first, then base to final, earlier stages against the base, and final against each of them and each control."""
    final = final_stage(run)
    if final is None:
        return ()
    base = evaluation.base
    pairs: list[tuple[Role, str, str]] = []
    if final.input is not None:
        pairs.append(("claim", model_of(evaluation, final.input), final.id))
    pairs.append(("overall", base, final.id))
    for stage in run.trained[:-1]:
        pairs.append(("stage", base, stage.id))
    for stage in run.trained[:-1]:
        pairs.append(("earlier", model_of(evaluation, stage.id), final.id))
    for control in run.controls:
        pairs.append(("control", control.id, final.id))
    models = evaluation.models
    found: dict[tuple[str, str, str], Compared] = {}
    for role, a, b in pairs:
        for metric in METRICS:
            if a == b or a not in models or b not in models or (a, b, metric) in found:
                continue
            row = compare(a, _records(models[a], metric), b, _records(models[b], metric), metric)
            if row is not None:
                found[a, b, metric] = Compared(role, row)
    return tuple(found.values())


def judge(run: Run, evaluation: EvalRun | None, rows: Sequence[Compared]) -> Claim:
    """The verdict. `rows` are `comparisons(run, evaluation)`."""
    caveats = _caveats(run, rows)
    silent = _no_signal(run)
    if silent:
        return Claim("no signal", silent, caveats)
    missing = _nothing_to_claim(run, evaluation, rows)
    if missing or evaluation is None:
        return Claim("not shown", missing, caveats)
    claim = _deciding(rows)
    assert claim is not None and claim.ci95 is not None
    outcome = decide(claim.ci95)
    verb = {"learned": "beats", "regressed": "is worse than", "not shown": "is not shown to beat"}[outcome]
    start = "the base model" if claim.a == evaluation.base else "the one it was trained from"
    sentence = (
        f"This checkpoint ({claim.b}) {verb} that one ({claim.a}, {start}): {claim.metric} pass rate "
        f"{points(claim.b_value)} % against {points(claim.a_value)} % on the same {claim.n:,} {evaluation.split} "
        f"problems, a paired difference of {difference(claim.diff, claim.ci95)} points. The interval covers the choice "
        f"of problems, not the noise of training: this is one run with one seed ({run.info.get('seed', 'unknown')})."
    )
    return Claim(outcome, sentence, caveats)


def paired(evaluation: EvalRun, rows: Sequence[Compared]) -> Paired | None:
    """The deciding comparison as the claim gate sees it; None if there is none with an interval."""
    claim = _deciding(rows)
    if claim is None or claim.ci95 is None:
        return None
    return Paired(
        stage=claim.b, before=claim.a, metric=claim.metric, diff=claim.diff, ci95=claim.ci95, problems=claim.n,
        split=evaluation.split,
    )  # fmt: skip


def _records(model: ModelRecords, metric: str) -> tuple[Record, ...]:
    return model.sampled if metric == "sampled" else model.greedy


def _deciding(rows: Sequence[Compared]) -> Comparison | None:
    """The claim's comparison that decides: sampled, or greedy where nothing was sampled."""
    claims = [row.comparison for row in rows if row.role == "claim"]
    claims.sort(key=lambda c: METRICS.index(c.metric))
    return claims[0] if claims else None


def _no_signal(run: Run) -> str:
    controls = {stage.id for stage in run.controls}
    for gate in run.gates:
        if gate.gate in NO_SIGNAL and gate.outcome == "refused" and not gate.allowed and gate.stage not in controls:
            remedy = f" What would help: {gate.remedy.rstrip('.')}." if gate.remedy else ""
            refused = f"The {gate.gate} gate refused {gate.stage}: {gate.reason.rstrip('.')}."
            return f"{refused} Nothing could be learned from it.{remedy}"
    final = final_stage(run)
    if final is None or final.status in CUT_SHORT:  # a signal might yet have come
        return ""
    if final.metrics and not any(map(is_live, final.metrics)):
        return (
            f"In all {len(final.metrics):,} steps of {final.id} not one rollout carried a signal: "
            "there was nothing to learn from, whatever the pass rates say."
        )
    return ""


def is_live(row: Row) -> bool:
    """True if a step had a rollout to learn from (or does not say, as where rollouts are not what is learned from)."""
    if (live := row.get("update/live")) is not None:
        return live > 0
    mixed, dead = row.get("groups/mixed"), row.get("frac_reward_zero_std")
    if mixed is not None:
        return mixed > 0
    return dead is None or dead < 1


def _nothing_to_claim(run: Run, evaluation: EvalRun | None, rows: Sequence[Compared]) -> str:
    """Why there is no claim to judge; "" if there is one."""
    final, status = final_stage(run), run.status
    refused = [g for g in run.gates if g.outcome == "refused" and not g.allowed]
    if refused and status == "refused":
        return f"The {refused[-1].gate} gate refused {whom(refused[-1])}: {refused[-1].reason.rstrip('.')}."
    if status == "refused" and (reason := _refusal(run)):
        return f"The run was refused: {reason}."
    if final is None:
        return f"No stage of this run trained a policy (status: {status})."
    if evaluation is None:
        return f"Nothing was evaluated: the run's status is {status}, that of {final.id} {final.status}."
    if not evaluation.protocol.get("verifier"):
        return "No verifiable claim: this run has no verifier, so no pass rate says that anything was learned."
    if evaluation.split != "test":
        return f"No held-out claim: the evaluation is on {evaluation.split} problems, which training or its choices have seen."
    claim = _deciding(rows)
    if claim is None:
        return f"{final.id} and the model it began from were not both evaluated: the run is {status}."
    if claim.ci95 is None:
        return f"{claim.n} problem is too few for an interval, so nothing is claimed."
    return ""


def differences_of(control: StageRun, other: StageRun) -> str:
    """What sets a control arm apart from another stage. Example: "rl with reward random"; "sft" where it is another kind."""
    if control.kind != other.kind:
        return control.kind
    own, its = control.info.get("config") or {}, other.info.get("config") or {}
    named = [
        f"{key.replace('_', ' ')} {_brief(own.get(key))}"
        for key in dict.fromkeys((*own, *its))
        if key not in ("id", "from", "control") and own.get(key) != its.get(key)
    ]
    return f"{control.kind} with {', '.join(named)}" if named else f"{control.kind} with the same settings"


def _differs(run: Run, control: str) -> str:
    final, arm = final_stage(run), next((s for s in run.controls if s.id == control), None)
    return f" ({differences_of(arm, final)})" if arm is not None and final is not None else ""


def _brief(value: Json) -> str:
    """A setting in a word: of a plug-in its name."""
    if isinstance(value, Mapping):
        return str(value.get("name") or dict(value))
    if isinstance(value, list | tuple):
        return " + ".join(map(_brief, value)) or "none"
    return "none" if value is None else str(value)


def _how_far(run: Run) -> str:
    """The step at which a training stage stands that did not end."""
    for stage in run.stages:
        if stage.trained and stage.status not in ("done", "not started") and stage.metrics:
            planned = (stage.info.get("config") or {}).get("steps")
            of = f" of {planned:,}" if isinstance(planned, int) else ""
            return f", {stage.id} after step {int(stage.metrics[-1].get('step') or 0):,}{of}"
    return ""


def whom(gate: GateRow) -> str:
    """What a gate spoke about, for a sentence."""
    return "the run" if gate.stage == RUN else gate.stage


def _refusal(run: Run) -> str:
    """Why a run was refused by something else than a gate; "" if nothing says so."""
    reasons = [str(e.get("message")) for s in run.stages for e in s.events if e.get("event") == "refused"]
    return " ".join(reasons[-1].split()).rstrip(".") if reasons else ""


def _caveats(run: Run, rows: Sequence[Compared]) -> tuple[str, ...]:
    found = []
    if not run.finished:
        found.append(f"The run did not finish (status: {run.status}){_how_far(run)}; this report covers what there is.")
    found += _other_rewards(run)
    claim = _deciding(rows)
    if claim is not None and claim.ci95 is not None and decide(claim.ci95) == "learned":
        for row in rows:
            c = row.comparison
            if c.metric != claim.metric or c.ci95 is None or c.ci95[0] > 0:
                continue
            if row.role == "earlier":
                found.append(
                    f"An earlier checkpoint of this run, {c.a}, did as well ({difference(c.diff, c.ci95)} points from it "
                    f"to {c.b})."
                )
            if row.role == "control":
                found.append(
                    f"The control arm {c.a}{_differs(run, c.a)} did as well ({difference(c.diff, c.ci95)} points between "
                    "them): the gain is not shown to come from the verifier's reward."
                )
    if claim is not None and claim.errors:
        found.append(f"{claim.errors:,} records could not be graded and are in neither rate.")
    gates = [g for g in run.gates if g.gate != "claim"]  # that one is the verdict itself
    found += [f"The {g.gate} gate refused {whom(g)} and was overridden by name: {g.reason}" for g in gates
              if g.outcome == "refused" and g.allowed]  # fmt: skip
    found += [f"The {g.gate} gate warned about {whom(g)}: {g.reason}" for g in gates if g.outcome == "warned"]
    return tuple(found)


def _other_rewards(run: Run) -> list[str]:
    """A sentence for every stage on the road that maximised something else than the verifier's score."""
    settings = {stage.get("id"): stage for stage in run.recipe.get("stages") or []}
    found = []
    for stage in run.trained:
        terms = settings.get(stage.id, {}).get("reward") or []
        if any(term["use"]["name"] != "correct" or term["weight"] < 0 for term in terms):
            said = ", ".join(f"{term['name']} {term['weight']:g}" for term in terms)
            found.append(f"{stage.id} was trained on another reward than the verifier's: {said} (term and weight).")
    return found
