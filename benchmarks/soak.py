"""A long mixed load on the verifiers, one part in twenty of it hostile: is anything slower, larger or left over at its end?

    python benchmarks/soak.py --verdicts 50000 --json

A process of its own grades from several threads at once: fresh numbers for the arithmetic verifiers, and the public adversarial
rows (beside EARNEST_DATA; without Coq, which takes a second a proof) for all; each with a thought of its own, so that no cache
answers for a verifier. This process, which grades nothing, looks at it from outside: verdicts done, resident memory and number of
processes of the whole tree. "Flat" compares the second quarter of the load with the last. Then the load is started again and its
process killed (SIGKILL) in the middle: whatever it had started must be gone within a few seconds; this process adopts what is
orphaned, so that nothing can hide. Files that appeared in the temporary folders are listed.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from earnest import component
from earnest.prompts.parse import split_thought
from earnest.types import Item, Problem, Verdict
from earnest.verifiers import golds
from earnest.verifiers.base import Verifier

THREADS = 8
CHUNK = 16
"""Rows of one call of `judge`, all of one verifier, as a batch of rollouts has them."""
ROOM_S = 5.0
"""After the kill, time for the kernel to take everything down."""
DOMAINS = ("math", "number", "string", "choice", "constraint", "code", "proof", "steps")
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Glance:
    """What is seen of the load from outside. memory_mib is of all its processes together, shared pages counted in each."""

    at_s: float
    verdicts: int
    memory_mib: float
    processes: int


# ------------------------------------------------------------------------------------------------- the load (a child process)


def cases() -> dict[bool, list[dict[str, Any]]]:
    """The public adversarial rows: those to pay (True) and those not to (False)."""
    file = Path(os.environ["EARNEST_DATA"]).parent / "verify" / "cases.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    rows = [row for row in rows if '"coq"' not in json.dumps(row["gold"])]
    return {expect: [row for row in rows if row["expect"] is expect] for expect in (True, False)}


def item(response: str, gold: Any, number: int) -> Item:
    if not isinstance(gold, str):
        gold = golds.write(gold)
    if "<think>" not in response:
        response = f"<think>{number}</think>{response}"
    problem = Problem(id=str(number), task="soak", prompt="?", answer=gold)
    return Item(problem=problem, parsed=split_thought(response, opened=False, required=False), truncated=False)


def batches(verdicts: int, hostile: float, seed: int) -> Iterator[tuple[str, list[Item], list[bool]]]:
    """(verifier, items, whether each is to be paid) until there were `verdicts` items.

    Every quarter has the same rows: a few programs that run into limits of seconds outweigh a thousand others, and by chance one
    quarter would have more of them than another.
    """
    source = random.Random(seed)
    quarter = max(CHUNK, verdicts // 4 // CHUNK * CHUNK)
    public = cases()
    there = [name for name in DOMAINS if name in component.names("verifier")]
    by_domain = {expect: {d: [r for r in rows if r["domain"] == d] for d in there} for expect, rows in public.items()}
    for start in range(0, verdicts, CHUNK):
        if start % quarter == 0:
            source = random.Random(seed)
        name = source.choice(there)
        items, paid = list[Item](), list[bool]()
        for number in range(start, min(start + CHUNK, verdicts)):
            expect = source.random() >= hostile
            rows = by_domain[expect][name]
            if not rows:  # number and steps share the domain math, whose benign rows are made here
                a, b = source.randrange(10**6), source.randrange(10**6)
                text, gold = f"{a} + {b} = {a + b}. The answer is \\boxed{{{a + b}}}.", str(a + b + (not expect))
                expect = expect or name == "steps"  # what stands there is right, whatever the gold
            else:
                row = source.choice(rows)
                text, gold = row["response"], row["gold"]
            items.append(item(text, gold, number))
            paid.append(expect)
        yield name, items, paid


def load(verdicts: int, hostile: float, seed: int) -> None:
    """Grades, and prints a line of JSON now and then: verdicts done, statuses so far, and what was judged otherwise."""
    verifiers: dict[str, Verifier] = {}
    statuses: Counter[str] = Counter()
    otherwise: Counter[str] = Counter()

    def judged(batch: tuple[str, list[Item], list[bool]]) -> tuple[str, list[bool], list[Verdict]]:
        name, items, paid = batch
        return name, paid, verifiers[name].judge(items)

    for name in DOMAINS:
        if name in component.names("verifier"):
            verifiers[name] = component.build("verifier", name)
    done = 0
    with ThreadPoolExecutor(THREADS) as pool:
        waiting = batches(verdicts, hostile, seed)
        while window := list(islice(waiting, 2 * THREADS)):
            for name, paid, verdict in pool.map(judged, window):
                done += len(verdict)
                statuses.update(v.status.value for v in verdict)
                for expect, v in zip(paid, verdict, strict=True):
                    if expect != bool(v.correct):
                        otherwise[f"{name}: {'not paid' if expect else 'paid'}"] += 1
            print(json.dumps({"done": done, "statuses": statuses, "otherwise": otherwise}), flush=True)


# -------------------------------------------------------------------------------------------------- the look from outside


def tree(root: int) -> list[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found, waiting = list[int](), [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def memory_mib(pids: list[int]) -> float:
    pages = 0
    for pid in pids:
        try:
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except OSError:
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def start(args: argparse.Namespace) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--load", "--verdicts", str(args.verdicts), "--hostile", str(args.hostile)]
    return subprocess.Popen([*command, "--seed", str(args.seed)], stdout=subprocess.PIPE, text=True)


def soak(args: argparse.Namespace) -> tuple[list[Glance], dict[str, Any]]:
    begun, child, last = time.monotonic(), start(args), dict[str, Any]()
    glances: list[Glance] = []
    assert child.stdout is not None
    for line in child.stdout:
        last = json.loads(line)
        pids = tree(child.pid)
        glances.append(Glance(time.monotonic() - begun, last["done"], memory_mib(pids), len(pids)))
        if sys.stderr.isatty():
            print(f"\r{last['done']:,} verdicts, {glances[-1].memory_mib:.0f} MiB", end="", file=sys.stderr)
    if child.wait() != 0:
        raise SystemExit(f"the load ended with exit code {child.returncode}")
    return glances, last


def quarters(glances: list[Glance]) -> dict[str, float]:
    """The last quarter of the load over its second one: verdicts a second, memory, processes."""
    total = glances[-1].verdicts
    parts = [[g for g in glances if lo * total <= g.verdicts <= hi * total] for lo, hi in ((0.25, 0.5), (0.75, 1.0))]
    speed = [(p[-1].verdicts - p[0].verdicts) / (p[-1].at_s - p[0].at_s) for p in parts]
    memory = [statistics.median(g.memory_mib for g in p) for p in parts]
    count = [statistics.median(g.processes for g in p) for p in parts]
    return {"throughput": speed[1] / speed[0], "memory": memory[1] / memory[0], "processes": count[1] / count[0]}


def killed(args: argparse.Namespace) -> list[str]:
    """What is left of the load some seconds after its process was killed in the middle of it: command lines."""
    child = start(args)
    assert child.stdout is not None
    for line in child.stdout:
        if json.loads(line)["done"] >= min(2000, args.verdicts // 2):
            break
    before = len(tree(child.pid))
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    deadline = time.monotonic() + ROOM_S
    left = [pid for pid in tree(os.getpid()) if pid != os.getpid()]
    while left and time.monotonic() < deadline:
        with suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)  # orphans are ours now
        time.sleep(0.05)
        left = [pid for pid in tree(os.getpid()) if pid != os.getpid()]
    print(f"killed with {before} processes, {len(left)} left", file=sys.stderr)
    return [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip() for pid in left]


def files() -> set[str]:
    return {str(path) for folder in ("/tmp", "/dev/shm", "/var/tmp") for path in Path(folder).glob("*")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=50_000)
    parser.add_argument("--hostile", type=float, default=0.05, help="share of the rows that must not be paid")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--load", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.load:
        load(args.verdicts, args.hostile, args.seed)
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = files()
    glances, last = soak(args)
    left = killed(args)
    result = {
        "verdicts": glances[-1].verdicts, "hostile": args.hostile, "threads": THREADS,
        "per_second": glances[-1].verdicts / glances[-1].at_s, "last_over_second_quarter": quarters(glances),
        "end": asdict(glances[-1]), "statuses": last["statuses"], "judged_otherwise": last["otherwise"],
        "left_after_kill": left, "new_files": sorted(files() - before),
    }  # fmt: skip
    print(json.dumps(result) if args.json else json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
