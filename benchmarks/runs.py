"""What benchmarks of whole runs share: making a run or finding it again, and writing a section of docs/results.md."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from earnest.functional.stats import spread_over_seeds
from earnest.recipe import load, resolved

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results.md"


def finished(recipe: Path, run: Path, seed: int) -> Path:
    """The run of a recipe (relative to the repository) with a seed: read if it is done, else resumed or made."""
    if (run / "run.json").is_file():
        wanted = json.loads(json.dumps(resolved(load(ROOT / recipe, seed=seed).recipe)))
        if json.loads((run / "config" / "resolved.json").read_text()) != wanted:
            raise SystemExit(f"{run} is of another recipe: name another --runs, or delete it yourself")
        if json.loads((run / "run.json").read_text())["status"] in ("done", "refused"):
            return run
        command = ["resume", str(run)]
    else:
        command = ["run", str(recipe), "--seed", str(seed), "--run-dir", str(run)]
    print(f"{run.name}: earnest {' '.join(command)}", file=sys.stderr, flush=True)
    earnest = Path(sys.executable).with_name("earnest")
    child = subprocess.Popen([str(earnest), *command], cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 3):  # 3: a verdict or a gate's refusal, which is a result
        raise SystemExit(f"{run.name} failed with exit code {code}: earnest resume {run}")
    spent = run / "cpu.json"
    before = json.loads(spent.read_text())["cpu_s"] if spent.is_file() else 0.0
    spent.write_text(json.dumps({"cpu_s": before + usage.ru_utime + usage.ru_stime}) + "\n")
    return run


def report_of(run: Path) -> dict:
    return json.loads((run / "report" / "report.json").read_text())


def percent(x: float) -> str:
    return f"{100 * x:.1f} %"


def points(x: float) -> str:
    return f"{100 * x:+.1f}"


def number(x: float) -> str:
    return f"{x:.1f}"


def without_unit(show: Callable[[float], str], value: float) -> str:
    return show(value).removesuffix(" %")


def mean_over_seeds(values: Sequence[float], show: Callable[[float], str]) -> str:
    """The mean with its t interval over seeds."""
    if not values:
        return "?"
    found = spread_over_seeds(values)
    ends = [] if found.ci95 is None else [without_unit(show, end) for end in found.ci95]
    return show(found.value) + (f" [{', '.join(ends)}]" if ends else "")


def write_section(name: str, text: str, file: Path = RESULTS) -> None:
    """Replace what stands between the section's markers, or add it at the end; the rest of the file is not ours."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    marked = f"{begin}\n\n{text}\n\n{end}"
    old = file.read_text() if file.is_file() else "# Results\n"
    block = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    new = block.sub(lambda _: marked, old) if block.search(old) else f"{old.rstrip()}\n\n## {name}\n\n{marked}\n"
    file.parent.mkdir(exist_ok=True)
    file.write_text(new)


def describe_machine(run: Path) -> str:
    report = report_of(run)
    where, packages = report["machine"], report["versions"]
    cores = f"{platform.system()}, {os.cpu_count()} CPU cores"
    return (
        f"{cores}; {where['device']}, {where['dtype']}, threads per run: {where['threads']}; "
        f"Python {packages['python']}, PyTorch {packages['torch']}, Transformers {packages['transformers']}."
    )
