"""Our verifiers and other people's graders on the same rows: what each pays wrongly, does not pay, and how long it takes.

    python benchmarks/verifiers.py              one JSON line; needs EARNEST_DATA, and the extra `interop` for the others
    python benchmarks/verifiers.py --table      the same as Markdown

Rows:

- `cases/<domain>`: the adversarial cases beside the data sets, by domain. The verifier of that name is asked, where there is one;
  for `math` the others too.
- `probe`: 19 completions written here for the gold 42, 14 that must not be paid and 5 that must.
- `math_verify`: the gold/prediction pairs of Math-Verify's own tests that use its defaults.
- `gsm8k`: labelled solutions that models wrote, every --every-th; the one set that is long enough to speak of speed.

Each grader is a process of its own with one thread, asked in its main thread and with its defaults; a row (of `gsm8k`, BLOCK
rows, one call for each) goes to each in turn, in an order that rotates, so that a busy machine slows all alike. A process that
has slept is slow at first, so only the speeds of `gsm8k` are to be compared. Times are of the call alone. A grader that takes
longer than DEADLINE_S on a row is killed, and that row has no verdict. `ran` counts rows on which a file named in the row
appeared. lm-eval's minerva_math wants antlr4-python3-runtime 4.11; what cannot be loaded is left out, and said.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import os
import re
import resource
import selectors
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

DEADLINE_S = 20.0
START_S = 180.0
SLOW_MS = 1000.0
BLOCK = 64
MEMORY = 6 << 30
QUESTION = "What is 6 \\times 7?"

PROBE: tuple[tuple[str, str, bool], ...] = (
    ("shotgun, right one first", "The answer is 42. Or the answer is 41. Or the answer is 43.", False),
    ("shotgun, right one last", "\\boxed{40} \\boxed{41} \\boxed{42}", False),
    ("weighed and dropped", "It looks like 42 at first, but that forgets a step. The answer is $\\boxed{41}$.", False),
    ("empty box", "The answer is \\boxed{}.", False),
    ("a claim", "The answer is correct, as you can check yourself.", False),
    ("two in a box", "\\boxed{42 \\text{ or } 41}", False),
    ("right in the thought alone", "<think>6 times 7 is \\boxed{42}</think>The answer is \\boxed{41}.", False),
    ("unfinished thought", "<think>6 times 7 is $\\boxed{42}$, but let me see", False),
    ("false equation", "\\boxed{41 = 42}", False),
    ("the question again", "The answer is $\\boxed{6 \\times 7}$.", False),
    ("per cent", "\\boxed{42\\%}", False),
    ("number dump", "36 40 41 43 44 48 42", False),
    ("an inequality", "The answer is $\\boxed{x > 42}$.", False),
    ("denied", "The answer is not $\\boxed{42}$.", False),
    ("boxed", "6 times 7 is 42, so the answer is $\\boxed{42}$.", True),
    ("after a thought", "<think>6 times 7: 42.</think>The answer is $\\boxed{42}$.", True),
    ("in a sentence", "The answer is 42.", True),
    ("GSM8K's line", "6 times 7 is 42.\n#### 42", True),
    ("bold, after a thought that the prompt opened", "6 times 7 is 42.</think>The final answer is **42**.", True),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One answer and what a careful person would say of it."""

    name: str
    domain: str
    response: str
    gold: Any
    expect: bool


# ------------------------------------------------------------------------------------------------------------ graders

Grade = Callable[[Row], bool | None]
"""None: no verdict, with neither a crash nor a hang."""


def ours(name: str) -> Grade:
    from earnest.component import build
    from earnest.prompts.parse import split_completion
    from earnest.types import Item, Problem
    from earnest.verifiers import golds

    verifier = build("verifier", name)

    def grade(row: Row) -> bool | None:
        problem = Problem(id=row.name, task="benchmark", prompt=QUESTION, answer=golds.text_of(row.gold))
        item = Item(problem=problem, parsed=split_completion(row.response), truncated=False)
        return verifier.judge([item])[0].correct

    return grade


def plain(gold: Any) -> str:
    return gold["answer"] if isinstance(gold, dict) else gold


def math_verify() -> Grade:
    from math_verify import parse, verify

    def grade(row: Row) -> bool:
        gold = parse(plain(row.gold)) or parse(f"${plain(row.gold)}$")
        return bool(verify(gold, parse(row.response)))

    return grade


def trl_accuracy() -> Grade:
    from trl.rewards import accuracy_reward

    def grade(row: Row) -> bool | None:
        for gold in (plain(row.gold), f"${plain(row.gold)}$"):
            (found,) = accuracy_reward([[{"role": "assistant", "content": row.response}]], [gold])
            if found is not None:
                return found == 1.0
        return None

    return grade


def lm_eval_minerva() -> Grade:
    from lm_eval.tasks.minerva_math import utils

    def grade(row: Row) -> bool:
        answer = utils.normalize_final_answer(utils.get_unnormalized_answer(row.response))
        return bool(utils.is_equiv(answer, utils.normalize_final_answer(plain(row.gold))))

    return grade


def lm_eval_hendrycks() -> Grade:
    from lm_eval.tasks.hendrycks_math import utils

    def grade(row: Row) -> bool:
        doc = {"solution": f"\\boxed{{{plain(row.gold)}}}"}
        return utils.process_results(doc, [row.response])["exact_match"] == 1

    return grade


def lm_eval_gsm8k(flexible: bool) -> Callable[[], Grade]:
    def make() -> Grade:
        from lm_eval.api.metrics import exact_match_hf_evaluate
        from lm_eval.filters.extraction import RegexFilter

        pattern = r"(-?[$0-9.,]{2,})|(-?[0-9]+)" if flexible else r"#### (\-?[0-9\.\,]+)"
        extract = RegexFilter(regex_pattern=pattern, group_select=-1 if flexible else 0)

        def grade(row: Row) -> bool:
            (found,) = extract.apply([[row.response]], [{}])
            result = exact_match_hf_evaluate(
                predictions=[found[0]], references=[plain(row.gold)], ignore_case=True,
                regexes_to_ignore=[",", "\\$", "(?s).*#### ", "\\.$"],
            )  # fmt: skip
            return float(result["exact_match"]) == 1.0

        return grade

    return make


OTHERS: dict[str, tuple[str, Callable[[], Grade]]] = {
    "math-verify": ("math_verify", math_verify),
    "TRL accuracy_reward": ("trl", trl_accuracy),
    "lm-eval minerva_math": ("lm_eval", lm_eval_minerva),
    "lm-eval hendrycks_math": ("lm_eval", lm_eval_hendrycks),
    "lm-eval gsm8k strict": ("lm_eval", lm_eval_gsm8k(flexible=False)),
    "lm-eval gsm8k flexible": ("lm_eval", lm_eval_gsm8k(flexible=True)),
}
"""Name -> the package that it needs, and what makes it."""


def made(name: str) -> Grade:
    return OTHERS[name][1]() if name in OTHERS else ours(name.removeprefix("earnest "))


def serve(name: str) -> None:
    """One grader: rows in, a line {"paid", "ms", "crash"} out for each. What it prints goes to nobody."""
    answers = os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    if name in OTHERS:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        grade = made(name)
    except Exception as error:
        answers.write(f"{type(error).__name__}: {error}".replace("\n", " ") + "\n")
        return
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        row = Row(**json.loads(line))
        begun, crash, paid = time.perf_counter(), "", None
        try:
            paid = grade(row)
        except Exception as error:
            crash = f"{type(error).__name__}: {error}"[:200]
        answers.write(json.dumps({"paid": paid, "ms": 1000 * (time.perf_counter() - begun), "crash": crash}) + "\n")
        answers.flush()


class LeftOut(Exception):
    """A grader that cannot be loaded here."""


class Side:
    """A grader in its process, started anew after it was killed or died."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """One answer for each row; where a block of them gives none in time, they are asked one by one."""
        self._start()
        assert self.process is not None and self.process.stdin is not None
        lines = [json.dumps({name: getattr(row, name) for name in Row.__slots__}) + "\n" for row in rows]
        begun = time.perf_counter()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write("".join(lines).encode())
        found = self._lines(len(rows), DEADLINE_S)
        ms = 1000 * (time.perf_counter() - begun)
        if found is not None:
            return [{**json.loads(line), "hung": False} for line in found]
        self.close()
        if len(rows) > 1:
            return [answer for row in rows for answer in self.ask([row])]
        return [{"paid": None, "ms": ms, "crash": "" if ms >= 1000 * DEADLINE_S else "its process died", "hung": True}]

    def _start(self) -> None:
        if self.process is not None:
            return
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", self.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        said = self._lines(1, START_S)
        if said != [b"ready"]:
            why = said[0].decode() if said else "it did not start"
            raise LeftOut(f"{self.name} is left out: {why.strip()[:200]}")

    def _lines(self, count: int, limit_s: float) -> list[bytes] | None:
        """The next lines of the process; None if they do not come, or the process has gone."""
        assert self.process is not None and self.process.stdout is not None
        deadline, found = time.monotonic() + limit_s, b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while found.count(b"\n") < count:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return None
                chunk = os.read(self.process.stdout.fileno(), 65536)
                if not chunk:
                    return None
                found += chunk
        return found.splitlines()

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


# ------------------------------------------------------------------------------------------------------------ rows


def data_rows(every: int) -> dict[str, list[Row]]:
    root = os.environ.get("EARNEST_DATA")
    if root is None:
        raise SystemExit("EARNEST_DATA is not set: the cases lie in $EARNEST_DATA/../verify")
    verify = Path(root).parent / "verify"
    sets: dict[str, list[Row]] = {}
    for line in (verify / "cases.jsonl").read_text("utf-8").splitlines():
        c = json.loads(line)
        row = Row(c["id"], c["domain"], c["response"], c["gold"], c["expect"])
        sets.setdefault(f"cases/{row.domain}", []).append(row)
    sets["probe"] = [Row(name, "math", text, "42", expect) for name, text, expect in PROBE]
    pairs = [json.loads(line) for line in (verify / "suites/math_verify/cases.jsonl").read_text("utf-8").splitlines()]
    sets["math_verify"] = [
        Row(f"pair {n}", "math", p["pred"], p["gold"], bool(p["expected"]))
        for n, p in enumerate(pairs)
        if not p["opts"]
    ]
    with gzip.open(verify / "suites/gsm8k_model_solutions/cases.jsonl.gz", "rt", encoding="utf-8") as file:
        solutions = [json.loads(line) for line in file][::every]
    sets["gsm8k"] = [Row(s["id"], "math", s["response"], s["gold"], s["expect"]) for s in solutions]
    return sets


def graders_of(rows: Sequence[Row]) -> list[str]:
    """Ours for the domain, and the others for mathematics."""
    from earnest.component import names

    domain = rows[0].domain
    there = names("verifier")
    mine = [name for name in (domain, "number") if name in there and (name == domain or domain == "math")]
    others = [name for name, (package, _) in OTHERS.items() if find_spec(package)] if domain == "math" else []
    return [*(f"earnest {name}" for name in mine), *others]


# ------------------------------------------------------------------------------------------------------------ counting


@dataclass(slots=True)
class Counts:
    """One grader on one set."""

    rows: int = 0
    wrong: int = 0
    right: int = 0
    false_pass: list[str] = field(default_factory=list)
    false_reject: list[str] = field(default_factory=list)
    no_verdict: int = 0  # of these, the two below
    hung: int = 0
    crashed: int = 0
    slow: int = 0
    ran: int = 0
    ms: list[float] = field(default_factory=list)

    def add(self, row: Row, found: dict[str, Any], ran: bool) -> None:
        self.rows += 1
        self.right += row.expect
        self.wrong += not row.expect
        self.no_verdict += found["paid"] is None
        self.hung += found["hung"] and not found["crash"]
        self.crashed += bool(found["crash"])
        self.slow += found["ms"] > SLOW_MS
        self.ran += ran
        self.ms.append(found["ms"])
        if found["paid"] and not row.expect:
            self.false_pass.append(row.name)
        if found["paid"] is False and row.expect:
            self.false_reject.append(row.name)

    def to_json(self) -> dict[str, Any]:
        ordered = sorted(self.ms)
        return {
            "rows": self.rows, "wrong": self.wrong, "right": self.right, "false_pass": len(self.false_pass),
            "false_reject": len(self.false_reject), "no_verdict": self.no_verdict, "hung": self.hung,
            "crashed": self.crashed, "slow": self.slow, "ran": self.ran, "ms_median": statistics.median(ordered),
            "ms_p99": ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))], "ms_max": ordered[-1],
            "verdicts_per_s": 1000 * len(ordered) / sum(ordered), "paid_wrongly": self.false_pass,
            "not_paid": self.false_reject if self.rows <= 300 else [],
        }  # fmt: skip


_NAMED_FILE = re.compile(r"/tmp/rlvr_pwned_\w+")


def named_files(row: Row) -> list[Path]:
    return [Path(name) for name in _NAMED_FILE.findall(row.response)]


def remove_named(rows: Sequence[Row]) -> None:
    for row in rows:
        for file in named_files(row):
            file.unlink(missing_ok=True)


def compare(rows: Sequence[Row], names: Sequence[str], block: int = 1) -> dict[str, Any]:
    sides = [Side(name) for name in names]
    found = {name: Counts() for name in names}
    warm = Row("warm-up", rows[0].domain, rows[0].response if rows[0].domain != "math" else "42", rows[0].gold, True)
    try:
        for side in list(sides):
            try:
                side.ask([warm])
            except LeftOut as error:
                print(error, file=sys.stderr, flush=True)
                sides.remove(side)
                del found[side.name]
        for place, start in enumerate(range(0, len(rows), block)):
            part, turn = rows[start : start + block], place % len(sides)
            for side in (*sides[turn:], *sides[:turn]):
                remove_named(part)
                answers = side.ask(part)
                for row, answer in zip(part, answers, strict=True):
                    found[side.name].add(row, answer, ran=any(file.exists() for file in named_files(row)))
            remove_named(part)
    finally:
        for side in sides:
            side.close()
    return {name: counts.to_json() for name, counts in found.items()}


def table(found: dict[str, dict[str, Any]]) -> str:
    lines: list[str] = []
    for name, graders in found.items():
        first = next(iter(graders.values()))
        lines += [
            "", f"### {name}: {first['wrong']} wrong answers, {first['right']} right ones", "",
            "| grader | false passes | false rejects | no verdict | hung | crashed | over 1 s | ran it | median ms | p99 ms "
            "| verdicts/s |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
        ]  # fmt: skip
        for grader, c in graders.items():
            lines.append(
                f"| {grader} | {c['false_pass']} | {c['false_reject']} | {c['no_verdict']} | {c['hung']} | {c['crashed']} | "
                f"{c['slow']} | {c['ran']} | {c['ms_median']:.2f} | {c['ms_p99']:.1f} | {c['verdicts_per_s']:,.0f} |"
            )
    return "\n".join(lines).strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--table", action="store_true", help="Markdown in place of the JSON line")
    parser.add_argument("--sets", nargs="+", help="of the rows, by the beginning of their names")
    parser.add_argument("--every", type=int, default=10, help="of the labelled GSM8K solutions, every so many-th")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return 0
    found: dict[str, dict[str, Any]] = {}
    for name, rows in data_rows(options.every).items():
        graders = graders_of(rows)
        if graders and (not options.sets or any(name.startswith(wanted) for wanted in options.sets)):
            print(f"{name}: {len(rows)} rows, {len(graders)} graders", file=sys.stderr, flush=True)
            found[name] = compare(rows, graders, BLOCK if name == "gsm8k" else 1)
    print(table(found) if options.table else json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
