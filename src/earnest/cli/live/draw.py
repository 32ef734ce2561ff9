"""The live view's picture: what is known of a run, as lines of text for a width and a height. Pure.

In reinforcement learning the pass rate stands first and the loss nowhere: it says nothing about progress. Questions and
completions are hostile text: what a terminal would obey is made visible, and the rest is cut to the width.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from earnest.cli.live.state import RunState, Sentence, StageState
from earnest.evaluate.text import MINUS, NONE, interval, number, points, seconds, visible

MARGIN = 1
"""Columns left free: a character that a terminal draws wider than it should does not wrap the line."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters of bars, curves and marks."""

    levels: str
    full: str
    rest: str
    right: str
    wrong: str
    unknown: str
    warning: str
    more: str


UNICODE = Glyphs("▁▂▃▄▅▆▇█", "━", "─", "✓", "✗", "?", "⚠", "…")
ASCII = Glyphs("_.-=+*#@", "#", ".", "+", "-", "?", "!", "...")
TO_ASCII = str.maketrans({NONE: "-", MINUS: "-"})
STYLES = {"info": "cyan", "warning": "yellow", "error": "bold red"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line, and how early it goes where there is no room: the highest first."""

    text: Text
    rank: int


class Picture:
    """Draws for a terminal of this width and height."""

    def __init__(self, width: int, height: int, glyphs: Glyphs) -> None:
        self.width, self.height, self.glyphs = max(20, width - MARGIN), height, glyphs

    def draw(self, run: RunState, now: float) -> list[Text]:
        """The lines of a run at this moment."""
        stage = run.current
        lines = [self._title(run, stage)]
        if stage is not None:
            lines += self._pace(stage, now)
            if "pass_rate" in (stage.rows[-1] if stage.rows else {}):
                lines += self._reinforcement(stage)
            elif stage.rows:
                lines += self._imitation(stage)
            for sentence in stage.holding.values():
                lines += self._sentence(sentence, rank=2)
            for sentence in stage.gates.values():
                lines += self._sentence(sentence, rank=5, rows=1)
            lines += self._last_group(stage)
        lines += self._road(run, now)
        return self._fit(lines)

    def _fit(self, lines: Sequence[Line]) -> list[Text]:
        room = max(3, self.height - 1)
        kept = list(lines)
        while len(kept) > room:
            worst = max(range(len(kept)), key=lambda i: (kept[i].rank, i))
            del kept[worst]
        for line in kept:
            line.text.no_wrap = True
            if self.glyphs is ASCII:
                line.text.plain = line.text.plain.translate(TO_ASCII)
            line.text.truncate(self.width, overflow="crop")
        return [line.text for line in kept]

    def _title(self, run: RunState, stage: StageState | None) -> Line:
        rest = self.glyphs.rest
        text = Text(f"{rest}{rest} ", style="dim")
        text.append(stage.id if stage is not None else str(run.info.get("name") or ""), style="bold not dim")
        text.append(f" {rest} {self._plain(str(run.info.get('id') or ''))} ")
        text.append(rest * max(0, self.width - text.cell_len))
        return Line(text, 0)

    def _pace(self, stage: StageState, now: float) -> list[Line]:
        spent = clock(stage.spent(now))
        if stage.steps is None:
            return self._flow([_item(spent, "so far")], rank=1)
        left, pace = stage.left(), stage.mean("time/step", 50)
        done = stage.step / stage.steps
        length = max(8, min(40, self.width // 4))
        bar = Text(self.glyphs.full * round(done * length), style="green")
        bar.append(self.glyphs.rest * (length - round(done * length)), style="dim")
        items = [Text.assemble(("step ", "dim"), (f"{stage.step}/{stage.steps}", "bold"), " ", bar), Text(spent)]
        if not stage.rows:
            return self._flow([*items, Text("before the first step", style="dim")], rank=1)
        end = "at most " if stage.config.get("until") or stage.config.get("match_compute") else ""
        items += [] if left is None else [_item(f"{end}{clock(left)}", "to go")]
        items += [] if pace is None else [_item(seconds(pace) if pace >= 1 else f"{1000 * pace:.0f} ms", "a step")]
        return self._flow(items, rank=1)

    def _reinforcement(self, stage: StageState) -> list[Line]:
        found = stage.solved()
        items = []
        if found is not None:
            rate = Text.assemble(
                ("pass rate ", "dim"), (f"{points(found.value)} %", "bold"), f" {interval(found.ci95)}"
            )
            about = f"{found.n:,} rollouts of {found.distinct:,} train problems, last {stage.steps_tried()} steps"
            items = [rate, Text(about, style="dim")]
        items.append(self._spark(stage.series("pass_rate"), 0.0, 1.0))
        lines = self._flow(items, rank=0)
        thought = stage.thought_length()
        lengths = _value("length", number(stage.mean("completions/mean_length")))
        lengths.append(f" (thought {number(thought)})" if thought is not None else "", style="dim")
        lines += self._flow(
            [
                _value("groups with signal", _percent(stage.mean("groups/live"))),
                _value("truncated", _percent(stage.mean("completions/clipped_ratio"))),
                lengths,
                _value("reward", number(stage.mean("reward"))),
                _value("entropy", number(stage.mean("sampler/entropy"))),
                _value("gradient", number(stage.mean("grad_norm"))),
            ],
            rank=1,
        )
        return lines + self._flow(self._time(stage), rank=4)

    def _time(self, stage: StageState) -> list[Text]:
        whole = stage.mean("time/step")
        if not whole:
            return []
        parts = {name: stage.mean(f"time/{name}") or 0.0 for name in ("generate", "grade", "train")}
        shares = [f"{name} {_percent(part / whole)}" for name, part in parts.items()]
        other = max(0.0, whole - sum(parts.values()))
        speed = stage.tokens_per_second()
        items = [_value("time", ", ".join([*shares, f"other {_percent(other / whole)}"]))]
        return items if speed is None else [*items, _item(number(round(speed)), "tokens/s generated")]

    def _imitation(self, stage: StageState) -> list[Line]:
        losses = stage.series("loss")
        lines = self._flow(
            [
                Text.assemble(("loss ", "dim"), (number(stage.mean("loss")), "bold")),
                self._spark(losses, 0.0, max(losses, default=1.0)),
                _value("gradient", number(stage.mean("grad_norm"))),
            ],
            rank=1,
        )
        measured = [row for row in stage.rows if isinstance(row.get("dev/worked_accuracy"), (int, float))]
        if measured:
            last, goal = measured[-1], (stage.config.get("until") or {}).get("worked_accuracy")
            accuracy = _value("worked dev pass rate", f"{points(last['dev/worked_accuracy'])} %")
            accuracy.append(f" at step {last['step']}" + (f", goal {points(goal)} %" if goal else ""), style="dim")
            lines += self._flow([accuracy, self._spark(stage.series("dev/worked_accuracy"), 0.0, 1.0)], rank=0)
        return lines

    def _sentence(self, sentence: Sentence, *, rank: int, rows: int = 2) -> list[Line]:
        mark = f"{self.glyphs.warning} " if sentence.level != "info" else ""
        whole = f"{mark}{sentence.label}  {self._plain(sentence.text)}"
        style = STYLES.get(sentence.level, "")
        wrapped = _wrap(whole, self.width)
        if len(wrapped) > rows:
            room = self.width - cell_len(self.glyphs.more)
            wrapped = [*wrapped[: rows - 1], set_cell_size(wrapped[rows - 1], room).rstrip() + self.glyphs.more]
        return [Line(Text(part, style=style), rank + place) for place, part in enumerate(wrapped)]

    def _last_group(self, stage: StageState) -> list[Line]:
        group = stage.last_group()
        if not group:
            return []
        marks = Text()
        for one in group[: max(8, self.width // 3)]:
            mark = {True: self.glyphs.right, False: self.glyphs.wrong, None: self.glyphs.unknown}[one.correct]
            marks.append(mark, style={True: "green", False: "red", None: "yellow"}[one.correct])
        gold = self._plain(str(group[0].gold))
        label, half = "last group ", self.width // 2
        question = self._cut(self._plain(group[0].question), half - len(label))
        head = Text.assemble((label, "dim"), question, ("  gold ", "dim"), self._cut(gold, half // 2), "  ", marks)
        end = Text("  " + self._end(self._plain(group[-1].text), self.width - 2), style="dim")
        return [Line(head, 3), Line(end, 3)]

    def _road(self, run: RunState, now: float) -> list[Line]:
        done = []
        for stage in run.done:
            took = "cached" if stage.id in run.cached else seconds(stage.spent(now))
            done.append(Text.assemble((f"{stage.id} ", ""), (took, "dim")))
        items = [Text("done", style="dim"), *done] if done else []
        items += [_value("then", ", ".join(run.to_come))] if run.to_come else []
        return self._flow(items, rank=3, gap=2)

    def _flow(self, items: Sequence[Text], *, rank: int, gap: int = 3) -> list[Line]:
        """Items side by side, on as many lines as they take."""
        rows: list[Text] = []
        for item in (item for item in items if item.cell_len):
            if rows and rows[-1].cell_len + gap + item.cell_len <= self.width:
                rows[-1].append(" " * gap).append_text(item)
            else:
                rows.append(item.copy())
        return [Line(row, rank) for row in rows]

    def _spark(self, values: Sequence[float], low: float, high: float) -> Text:
        """A curve of block characters between two fixed values; several steps become one block, their mean."""
        room = min(len(values), max(8, min(40, self.width // 4)))
        if room < 2 or not high > low:
            return Text()
        edges = [round(i * len(values) / room) for i in range(room + 1)]
        means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
        top = len(self.glyphs.levels) - 1
        places = [max(0, min(top, round((mean - low) / (high - low) * top))) for mean in means]
        return Text("".join(self.glyphs.levels[place] for place in places), style="cyan")

    def _plain(self, text: str) -> str:
        """Hostile text as one line that a terminal shows and does not obey."""
        text = "".join(_combining(c) for c in visible(re.sub(r"\s+", " ", text).strip()))
        return text if self.glyphs is UNICODE else text.encode("ascii", "backslashreplace").decode()

    def _cut(self, text: str, room: int) -> str:
        if cell_len(text) <= room:
            return text
        return set_cell_size(text, max(0, room - cell_len(self.glyphs.more))).rstrip() + self.glyphs.more

    def _end(self, text: str, room: int) -> str:
        if cell_len(text) <= room:
            return text
        tail = text[-room:]
        while cell_len(tail) > room - cell_len(self.glyphs.more):
            tail = tail[1:]
        return self.glyphs.more + tail


def clock(duration: float) -> str:
    """Example: 51 -> "0:51", 3723 -> "1:02:03"."""
    minutes, rest = divmod(round(duration), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _combining(character: str) -> str:
    """Marks that pile up on the character before them are shown as what they are."""
    return f"\u27e8U+{ord(character):04X}\u27e9" if unicodedata.category(character) in ("Mn", "Me") else character


def _percent(share: float | None) -> str:
    return f"{points(share, 0)} %" if share is not None else number(None)


def _value(label: str, value: str) -> Text:
    return Text.assemble((f"{label} ", "dim"), value)


def _item(value: str, unit: str) -> Text:
    return Text.assemble(value, (f" {unit}", "dim"))


def _wrap(text: str, width: int) -> list[str]:
    """Lines of whole words, by their width on a terminal."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(set_cell_size(word, min(width, cell_len(word))))
    return [line for line in lines if line]
