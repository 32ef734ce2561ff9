"""Learning curves of a stage, and under them, on the same axis of steps, when which health rule held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from earnest.evaluate import text
from earnest.evaluate.load import GateRow, Row, Spell, StageRun
from earnest.evaluate.report.curves import Point, Reader, dev_accuracy, points, solve_rate
from earnest.evaluate.report.earned import StageRollouts
from earnest.evaluate.report.figures.canvas import FIRST, INK, SECOND, Figure, canvas, plain, to_svg

WIDTH, LEFT, RIGHT = 3.25, 0.15, 0.95
AFTERWARDS = ("learning", "claim")
"""Gates whose last answer is about the whole stage; the others are asked before its first step."""
GATE_MARKS = {"passed": "o", "warned": "^", "refused": "X"}


@dataclass(frozen=True, slots=True)
class Curve:
    """A metric worth a picture. `read` gives its value in a row of metrics.jsonl, or None."""

    key: str
    title: str
    read: Reader
    percent: bool = False


def _of(key: str) -> Reader:
    return lambda row: row.get(key)


def _mixed(row: Row) -> float | None:
    if row.get("groups/mixed") is not None:
        return row["groups/mixed"]
    dead = row.get("frac_reward_zero_std")
    return None if dead is None else 1 - dead


def _entropy(row: Row) -> float | None:
    """The policy's own if the algorithm asked for it, else the estimate from what was drawn."""
    exact = row.get("entropy")
    return row.get("sampler/entropy") if exact is None else exact


SOLVED = Curve("pass_rate", "Solve rate on training problems, %", _of("pass_rate"), percent=True)
UNIFORM = Curve(
    "drawn_uniformly",
    "Solve rate on problems drawn whatever their difficulty, %",
    _of("pass_rate/drawn_uniformly"),
    percent=True,
)
CHOSEN = "These are the problems that the curriculum chose, harder ones as the policy improves."
DEV = Curve("worked_accuracy", "Dev accuracy of worked traces, %", _of("dev/worked_accuracy"), percent=True)
SAMPLED_CURVES = (
    Curve("length", "Mean completion length, tokens", _of("completions/mean_length")),
    Curve("clipped", "Cut at the token limit, %", _of("completions/clipped_ratio"), percent=True),
    Curve("entropy", "Entropy per token, nats", _entropy),
    Curve("grader_errors", "Grader errors, %", _of("verdict/error"), percent=True),
)
RL_CURVES = (
    SOLVED,
    UNIFORM,
    Curve("reward", "Mean reward", _of("reward")),
    Curve("mixed", "Groups with mixed rewards, %", _mixed, percent=True),
    *SAMPLED_CURVES,
)
PAIR_CURVES = (
    SOLVED,
    UNIFORM,
    Curve("live", "Prompts that made a pair, %", _of("groups/live"), percent=True),
    Curve("margins", "Margin of the implicit rewards", _of("rewards/margins")),
    Curve("chosen_change", "Change of log p of the chosen, nats", _of("logps/chosen_change")),
    *SAMPLED_CURVES,
)
OTHER_CURVES = (DEV, Curve("loss", "Loss per token, nats", _of("loss")))


def curves(stage: StageRun, rollouts: StageRollouts | None) -> list[Figure | None]:
    """Every metric of the stage that was measured twice at least; rates of known problems with a band."""
    banded = {SOLVED.key: solve_rate(rollouts), DEV.key: dev_accuracy(stage)}
    wanted = {"rl": RL_CURVES, "preference": PAIR_CURVES}.get(stage.kind, OTHER_CURVES)
    chosen = any("curriculum/known" in row for row in stage.metrics)
    notes = {SOLVED.key: CHOSEN} if chosen else {}
    return [
        _curve(stage.id, c, banded.get(c.key) or points(stage.metrics, c.read), notes.get(c.key, "")) for c in wanted
    ]


def _curve(stage: str, curve: Curve, found: Sequence[Point], about: str) -> Figure | None:
    if len(found) < 2 or (curve.key == "grader_errors" and not any(p.value for p in found)):
        return None
    scale = 100 if curve.percent else 1
    values, places = [scale * p.value for p in found], [(p.first + p.last) / 2 for p in found]
    figure = canvas(WIDTH, 1.9)
    axes = figure.add_axes((LEFT, 0.2, RIGHT - LEFT, 0.74))
    axes.plot(places, values, color=FIRST, linewidth=1.4, marker="o", markersize=2.2)
    banded = any(p.ci95 for p in found)
    if banded:
        ends = [p.ci95 or (p.value, p.value) for p in found]
        axes.fill_between(places, [scale * a for a, _ in ends], [scale * b for _, b in ends], color=FIRST, alpha=0.16,
                          linewidth=0)  # fmt: skip
    if curve.percent:
        axes.set_ylim(-3, 103)
        axes.set_yticks([0, 25, 50, 75, 100])
    elif min(values) >= 0:
        axes.set_ylim(bottom=0, top=1.08 * max(values) or 1)
    _steps_axis(axes, found[-1].last)
    plain(axes)
    joined = any(p.first != p.last for p in found)
    rows = [(_steps(p), text.number(round(v, 4))) for p, v in zip(found, values, strict=True)]
    if banded:
        rows = [
            (*row, text.interval(p.ci95, scale=scale), text.number(p.n), text.number(p.distinct))
            for row, p in zip(rows, found, strict=True)
        ]
    notes = [about] if about else []
    notes += ["Each point is the mean of neighbouring steps."] if joined else []
    notes += ["The band is the 95 % interval, clustered by problem."] if banded else []
    return Figure(
        name=f"{stage}-{curve.key}", group=f"stage:{stage}", title=curve.title, svg=to_svg(figure),
        columns=("steps" if joined else "step", curve.title, *(("95 % interval", "n", "problems") if banded else ())),
        rows=tuple(rows), note=" ".join(notes),
    )  # fmt: skip


def timeline(stage: StageRun, spells: Sequence[Spell], gates: Sequence[GateRow]) -> Figure | None:
    """Rules as rows, the steps over which each held as bars; gates before the first step. None if there is neither."""
    last = max((int(row["step"]) for row in stage.metrics if "step" in row), default=0)
    labels = [*dict.fromkeys(f"{s.rule} {s.name}" for s in spells), *dict.fromkeys(f"gate {g.gate}" for g in gates)]
    if not labels or not last:
        return None
    height = 0.42 + 0.2 * len(labels)
    figure = canvas(WIDTH, height)
    axes = figure.add_axes((LEFT, 0.36 / height, RIGHT - LEFT, 1 - 0.4 / height))
    for spell in spells:
        place, end = labels.index(f"{spell.rule} {spell.name}"), last if spell.last is None else spell.last
        error = spell.level == "error"
        axes.barh(place, max(end - spell.first, 0.5), left=spell.first, height=0.5, color=SECOND if error else FIRST,
                  edgecolor=INK, linewidth=0.5, hatch="////" if error else None, alpha=0.75)  # fmt: skip
    for gate in gates:
        step, place = last if gate.gate in AFTERWARDS else 0, labels.index(f"gate {gate.gate}")
        axes.plot([step], [place], marker=GATE_MARKS.get(gate.outcome, "D"), markersize=6,
                  color=FIRST if gate.outcome == "passed" else SECOND, clip_on=False, linestyle="none")  # fmt: skip
    for place, label in enumerate(labels):
        axes.text(0.015 * last, place - 0.28, text.visible(label), fontsize=7.5, color=INK, va="bottom")
    axes.set_yticks([])
    axes.set_ylim(len(labels) - 0.5, -0.75)
    _steps_axis(axes, last)
    plain(axes, vertical=True)
    rows = [(f"{s.rule} {s.name}", s.level, str(s.first), "the end" if s.last is None else str(s.last)) for s in spells]
    rows += [
        (f"gate {g.gate}", g.outcome, "after the last" if g.gate in AFTERWARDS else "before the first", "")
        for g in gates
    ]
    return Figure(
        f"{stage.id}-health", f"stage:{stage.id}", "Health rules and gates over the steps", to_svg(figure),
        ("rule", "level", "from step", "to step"), tuple(rows),
        "A bar is where a rule held (hatched: an error). Gates stand where they were asked: a circle passed, a triangle "
        "warned, a cross refused.",
    )  # fmt: skip


def _steps_axis(axes: Any, last: int) -> None:
    """From 0, where gates stand, to the last step: the same for every figure of a stage."""
    axes.set_xlim(-0.03 * last, 1.03 * last)
    axes.set_xlabel("step", fontsize=8.5, labelpad=2)


def _steps(point: Point) -> str:
    return str(point.first) if point.first == point.last else f"{point.first}–{point.last}"
