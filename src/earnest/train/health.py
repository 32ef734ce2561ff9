"""Health rules: what the metrics of the last steps say about a stage while it trains, each in a plain sentence.

A rule is a row of a table: an id, the metrics it reads, and a function from thresholds and windows of rows to a sentence or
nothing. A rule whose metrics are missing says nothing, so one table serves every stage. The monitor reports a
rule when it begins to hold and again when it has not for a whole window. It sees nothing but rows of `metrics.jsonl`, so
that a resumed stage, or a reader of a finished one, finds the same.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Literal, TypeAlias, TypeGuard

from pydantic import BaseModel, ConfigDict, Field

from earnest.functional.stats import Interval, welch

Row: TypeAlias = Mapping[str, float | None]
Level: TypeAlias = Literal["info", "warning", "error"]

SPIKES = 3
"""Large gradients of a window that are worth a word; fewer are clipped and forgotten."""
FALLING = 0.8
"""Share of a window's steps in which the chosen completions of pairs may lose probability before it is a rule, not noise."""
CLEAR = 0.05
"""Change of a rate that matters: smaller ones are flat, whatever their interval."""


class Health(BaseModel):
    """Thresholds of the health rules."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    window: int = Field(default=10, ge=2)
    """Steps a rule looks at; trends compare the first so many steps of the stage with the last."""
    dead_groups: float = Field(default=0.8, gt=0, le=1)
    """H1: share of groups without a signal; H2: share in which all tries were right."""
    truncated: float = Field(default=0.2, gt=0, le=1)
    """H3: share of completions that are cut."""
    entropy_fall: float = Field(default=0.4, gt=0, lt=1)
    """H6: share of its first entropy that the policy may lose while the pass rate does not rise."""
    ratio_error: float = Field(default=0.05, gt=0)
    """H7: mean distance from 1 of the trainer's probability of a token by the engine's."""
    length_growth: float = Field(default=2.0, gt=1)
    """H8: factor by which completions may grow while the pass rate does not rise."""
    grader_errors: float = Field(default=0.005, ge=0, lt=1)
    """H9: share of rollouts on which the grader or a reward term may fail."""
    no_answer: float = Field(default=0.1, gt=0, le=1)
    """H10: share of completions that end, but without an answer that can be read."""
    gradient_spike: float = Field(default=10.0, gt=1)
    """H13: by what factor several gradients of a window may exceed its median norm."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The first and the last rows of a stage so far. They do not overlap where `apart`."""

    first: Sequence[Row]
    last: Sequence[Row]
    apart: bool

    def mean(self, metric: str) -> float:
        """Over the last steps in which it was measured; nan if in none."""
        found = _values(self.last, metric)
        return fmean(found) if found else math.nan

    def begun(self, metric: str) -> float:
        """The same over the first steps."""
        found = _values(self.first, metric)
        return fmean(found) if found else math.nan

    def change(self, metric: str) -> Interval | None:
        """95 % interval of the change from the first to the last steps; None if that cannot be said yet."""
        first, last = _values(self.first, metric), _values(self.last, metric)
        return welch(first, last) if self.apart and min(len(first), len(last)) > 1 else None

    def rose(self, metric: str) -> bool:
        change = self.change(metric)
        return change is not None and change[0] > 0

    def is_flat(self, metric: str) -> bool:
        """A rate that had room to rise and is not seen to have done so: the interval of its change reaches 0, and its middle
        is below CLEAR."""
        change = self.change(metric)
        has_room = self.begun(metric) < 1 - 2 * CLEAR
        return change is not None and has_room and change[0] <= 0 and sum(change) / 2 < CLEAR

    def broken(self, metric: str) -> int:
        """Of the last steps, those in which it was measured and is not a number."""
        return sum(metric in row and not _is_number(row[metric]) for row in self.last)


Says: TypeAlias = Callable[[Health, Windows], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that goes wrong. `says` gives the sentence while it holds."""

    id: str
    name: str
    level: Level
    reads: tuple[str, ...]
    says: Says
    at_once: bool = False  # does not wait for a full window


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule that began to hold at `step`, or that held at `step` for the last time."""

    rule: str
    name: str
    step: int
    level: Level
    holds: bool
    message: str


class Monitor:
    """Follows one stage. `steps`: how many it will have; short stages are judged on shorter windows."""

    def __init__(self, health: Health, steps: int) -> None:
        self.health = health
        self.window = max(2, min(health.window, steps // 2))
        self.first: list[Row] = []
        self.last: deque[Row] = deque(maxlen=self.window)
        self.seen = 0
        self.holding: dict[str, tuple[int, int]] = {}
        """Rules that hold: the step at which each last did, and how often it has been asked in vain since."""

    def observe(self, row: Row) -> list[Finding]:
        """What changed with this step's metrics."""
        self.seen += 1
        self.last.append(row)
        if self.seen <= self.window:
            self.first.append(row)
        windows = Windows(self.first, tuple(self.last), apart=self.seen >= 2 * self.window)
        found: list[Finding] = []
        for rule in RULES:
            if not all(metric in row for metric in rule.reads) or (self.seen < self.window and not rule.at_once):
                continue
            sentence, step = rule.says(self.health, windows), int(row.get("step") or self.seen)
            if sentence is not None:
                if rule.id not in self.holding:
                    found.append(self._finding(rule, step, sentence))
                self.holding[rule.id] = step, 0
            elif rule.id in self.holding:
                held, quiet = self.holding[rule.id]
                self.holding[rule.id] = held, quiet + 1
                if quiet + 1 == self.window:
                    del self.holding[rule.id]
                    found.append(self._finding(rule, held, None))
        return found

    def _finding(self, rule: Rule, step: int, sentence: str | None) -> Finding:
        message = sentence or f"{rule.name}: not so for {self.window} steps."
        level: Level = "info" if sentence is None else rule.level
        return Finding(
            rule=rule.id, name=rule.name, step=step, level=level, holds=sentence is not None, message=message
        )


def _no_signal(health: Health, w: Windows) -> str | None:
    dead, solved = 1 - w.mean("groups/live"), w.mean("groups/all_right")
    if not dead > health.dead_groups or solved > dead / 2:
        return None
    return (
        f"No learning signal: {dead:.0%} of the groups of the last {len(w.last)} steps carried none, and in no more than "
        f"{solved:.0%} all tries were right. Easier problems, more supervised fine-tuning before, or a larger group."
    )


def _solved(health: Health, w: Windows) -> str | None:
    solved = w.mean("groups/all_right")
    if not solved > health.dead_groups:
        return None
    return (
        f"Solved: in {solved:.0%} of the groups of the last {len(w.last)} steps all tries were right. "
        "These problems have nothing left to teach; harder ones might."
    )


def _share_above(metric: str, limit: Callable[[Health], float], sentence: str) -> Says:
    """Speaks while the mean share `metric` exceeds a limit. `sentence` may name {share} and {steps}."""

    def says(health: Health, w: Windows) -> str | None:
        share = w.mean(metric)
        return sentence.format(share=f"{share:.1%}", steps=len(w.last)) if share > limit(health) else None

    return says


def _reward_alone(_: Health, w: Windows) -> str | None:
    if not (w.rose("reward") and w.is_flat("pass_rate")):
        return None
    return (
        f"The reward rises ({w.begun('reward'):.3g} to {w.mean('reward'):.3g}), the pass rate does not "
        f"({w.begun('pass_rate'):.1%} to {w.mean('pass_rate'):.1%}): something else than being right is paid. "
        f"{_risen_parts(w)}Look at the highest-reward wrong rollouts."
    )


def _risen_parts(w: Windows) -> str:
    """The terms of the reward that rise, where it has more than one."""
    parts = [metric for metric in w.last[-1] if metric.startswith("rewards/") and metric.endswith("/mean")]
    risen = [metric.split("/")[1] for metric in parts if w.rose(metric)]
    return f"The terms that rise: {', '.join(risen)}. " if len(parts) > 1 and risen else ""


def _format_alone(_: Health, w: Windows) -> str | None:
    gained = w.mean("trace_format") - w.begun("trace_format")
    if not (w.rose("trace_format") and gained > CLEAR and w.is_flat("pass_rate")):
        return None
    return (
        f"Only the format is being learned: it rose by {100 * gained:.0f} points, the pass rate from "
        f"{w.begun('pass_rate'):.1%} to {w.mean('pass_rate'):.1%}."
    )


def _entropy(health: Health, w: Windows) -> str | None:
    begun, now = w.begun("sampler/entropy"), w.mean("sampler/entropy")
    if not (w.is_flat("pass_rate") and now < (1 - health.entropy_fall) * begun):
        return None
    return (
        f"Entropy fell from {begun:.3g} to {now:.3g} nats a token while the pass rate did not rise: the policy commits itself "
        "to what it does already. A smaller lr, a KL term, or, with several updates a step, a higher clip_high."
    )


def _mismatch(health: Health, w: Windows) -> str | None:
    error = w.mean("sampler/ratio_error")
    if broken := w.broken("sampler/ratio_error"):
        return (
            f"In {broken} of the last {len(w.last)} steps the trainer's probabilities could not be compared with the engine's: "
            "their ratio is not finite. Check dtype and version of the engine's weights."
        )
    if not error > health.ratio_error:
        return None
    return (
        f"Engine and trainer disagree: a token's probabilities differ by {error:.1%} on average. Updates are made on samples of "
        "another policy; check dtype and version of the engine's weights."
    )


def _padding(health: Health, w: Windows) -> str | None:
    begun, now = w.begun("completions/mean_length"), w.mean("completions/mean_length")
    if not (w.is_flat("pass_rate") and now > health.length_growth * begun):
        return None
    return (
        f"Completions grew from {begun:.0f} to {now:.0f} tokens while the pass rate did not rise: length without use."
    )


def _not_finite(_: Health, w: Windows) -> str | None:
    if _is_number(w.last[-1].get("grad_norm")):
        return None
    if taken := w.last[-1].get("update/taken"):
        return (
            f"In {1 - taken:.0%} of this step's updates the gradient was not finite; they were not made. A smaller lr; look at "
            "this step's rollouts."
        )
    return "The gradient was not finite, and no update was made. A smaller lr; look at this step's rollouts."


def _contamination(_: Health, w: Windows) -> str | None:
    leaked = w.last[-1].get("data/held_out")
    if not leaked:
        return None
    return (
        f"{leaked:.0f} of the problems of this step are asked by an evaluation of this run as well: its numbers will say how "
        "well they are remembered. Take them out of the training data."
    )


def _spikes(health: Health, w: Windows) -> str | None:
    norms = _values(w.last, "grad_norm")
    usual = median(norms) if norms else 0.0
    spikes = [norm for norm in norms if norm > health.gradient_spike * usual]
    if not usual > 0 or len(spikes) < SPIKES:
        return None
    return (
        f"{len(spikes)} of the last {len(norms)} gradients were far larger than the rest: up to {max(spikes):.3g}, the median "
        f"being {usual:.3g}. A smaller lr may be calmer."
    )


def _stale(_: Health, w: Windows) -> str | None:
    lag = w.last[-1].get("sampler/lag")
    if not lag:
        return None
    return (
        f"The engine wrote this step's rollouts with weights that are {lag:.0f} updates old. They are samples of another policy; "
        "look why it did not load the new ones."
    )


def _broken(_: Health, w: Windows) -> str | None:
    before, now = w.first[0].get("pass_rate"), w.mean("pass_rate")
    if not (_is_number(before) and w.last[0] is not w.first[0] and before - now > 2 * CLEAR and now < before / 2):
        return None
    return (
        f"The pass rate was {before:.0%} before the first update and is {now:.0%} in the last {len(w.last)} steps: the updates "
        "destroy what the policy could do. A smaller lr, warm-up, or a KL term."
    )


def _chosen_falls(_: Health, w: Windows) -> str | None:
    changes = _values(w.last, "logps/chosen_change")
    falls = sum(change < 0 for change in changes)
    if not (changes and falls >= FALLING * len(changes) and w.is_flat("pass_rate")):
        return None
    return (
        f"Right completions became less likely in {falls} of the last {len(changes)} steps that taught them, by "
        f"{-fmean(changes):.2g} nats on average, and the pass rate does not rise: the margin to the wrong ones grows at their "
        "cost. A likelihood term (alpha of dpo), a larger beta, or a smaller lr."
    )


RULES: tuple[Rule, ...] = (
    Rule(id="H1", name="no learning signal", level="warning", says=_no_signal,
         reads=("groups/live", "groups/all_right")),
    Rule(id="H2", name="solved", level="info", says=_solved, reads=("groups/all_right",)),
    Rule(id="H3", name="truncation", level="warning", reads=("completions/clipped_ratio",), says=_share_above(
        "completions/clipped_ratio", lambda health: health.truncated,
        "{share} of the completions of the last {steps} steps were cut at the token limit, and a cut one counts as wrong. Raise "
        "max_tokens, or find out why they do not end.")),
    Rule(id="H4", name="reward without accuracy", level="warning", says=_reward_alone, reads=("reward", "pass_rate")),
    Rule(id="H5", name="format alone", level="warning", says=_format_alone, reads=("trace_format", "pass_rate")),
    Rule(id="H6", name="entropy collapse", level="warning", says=_entropy, reads=("sampler/entropy", "pass_rate")),
    Rule(id="H7", name="engine mismatch", level="error", says=_mismatch, reads=("sampler/ratio_error",)),
    Rule(id="H8", name="length without use", level="warning", says=_padding,
         reads=("completions/mean_length", "pass_rate")),
    Rule(id="H9", name="grader failures", level="error", reads=("reward/missing",), says=_share_above(
        "reward/missing", lambda health: health.grader_errors,
        "The grader or a reward term failed on {share} of the rollouts of the last {steps} steps. They have no reward and teach "
        "nothing; the reasons of the grader are in rollouts/, the first of all in events.jsonl.")),
    Rule(id="H10", name="unread answers", level="warning", reads=("verdict/no_answer",), says=_share_above(
        "verdict/no_answer", lambda health: health.no_answer,
        "No answer can be read in {share} of the completions of the last {steps} steps. Does the prompt say how to write it?")),
    Rule(id="H11", name="gradient not finite", level="error", says=_not_finite, reads=("grad_norm",), at_once=True),
    Rule(id="H12", name="contamination", level="error", says=_contamination, reads=("data/held_out",), at_once=True),
    Rule(id="H13", name="gradient spikes", level="warning", says=_spikes, reads=("grad_norm",)),
    Rule(id="H14", name="stale weights", level="error", says=_stale, reads=("sampler/lag",), at_once=True),
    Rule(id="H15", name="broken policy", level="error", says=_broken, reads=("pass_rate",)),
    Rule(id="H16", name="falling chosen", level="warning", says=_chosen_falls,
         reads=("logps/chosen_change", "pass_rate")),
)  # fmt: skip


def _values(rows: Sequence[Row], metric: str) -> list[float]:
    return [value for row in rows if _is_number(value := row.get(metric))]


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)
