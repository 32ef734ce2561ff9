"""How long the model thinks, by how hard the problem was: right and wrong completions apart, two models."""

from __future__ import annotations

from earnest.evaluate import text
from earnest.evaluate.report.difficulty import ALL, Difficulty
from earnest.evaluate.report.figures.canvas import FIRST, PAPER, SECOND, Figure, canvas, plain, to_svg


def lengths(difficulty: Difficulty) -> Figure | None:
    """One group of marks a bucket: circles and diamonds for the two models, filled where right, hollow where wrong."""
    buckets = [b for b in difficulty.buckets if b.name != ALL and b.lengths]
    if not buckets:
        return None
    figure = canvas(3.8, 2.3)
    axes = figure.add_axes((0.1, 0.24, 0.87, 0.72))
    series = [(m, right) for m in (difficulty.a, difficulty.b) for right in (True, False)]
    rows = []
    for place, bucket in enumerate(buckets):
        for number, (model, right) in enumerate(series):
            found = next((x for x in bucket.lengths if (x.model, x.right) == (model, right)), None)
            if found is None:
                continue
            colour, marker = (FIRST, "o") if model == difficulty.a else (SECOND, "D")
            x = place + 0.16 * (number - 1.5)
            low, high = found.tokens.ci95 or (found.tokens.value, found.tokens.value)
            axes.plot([x, x], [low, high], color=colour, linewidth=1.4, linestyle="-" if right else (0, (2, 1)))
            axes.plot([x], [found.tokens.value], color=colour, marker=marker, markersize=5,
                      markerfacecolor=colour if right else PAPER, linestyle="none")  # fmt: skip
            rows.append((
                bucket.name, model, "right" if right else "wrong", text.number(round(found.tokens.value, 1)),
                text.interval(found.tokens.ci95, scale=1), f"{found.tokens.n:,}", f"{found.tokens.distinct:,}",
                f"{found.cut:,}",
            ))  # fmt: skip
    axes.set_xticks(range(len(buckets)), [f"{b.name}\n{b.problems:,} problems" for b in buckets])
    axes.set_xlim(-0.5, len(buckets) - 0.5)
    axes.set_ylim(bottom=0)
    plain(axes)
    return Figure(
        "lengths", "difficulty", "Thought tokens by difficulty", to_svg(figure),
        ("bucket", "model", "completions", "thought tokens", "95 % interval", "n", "problems", "cut"), tuple(rows),
        f"Circles: {difficulty.a}. Diamonds: {difficulty.b}. Filled: right completions. Hollow and dashed: wrong ones.",
    )  # fmt: skip
