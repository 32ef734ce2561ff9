"""Drift numbers beside lm-eval's: the same rows of HellaSwag, ARC-easy, MMLU and plain text through both, lm-eval being 0.4.13.

    python benchmarks/drift.py --model models/smollm2-135m-instruct --items 50 --json

Needs the extra `interop` (lm-eval) and EARNEST_DATA. The rows are those that `items: N` of a drift item draws; they are written
out in their public form, and both sides read the same files. lm-eval runs in a process of its own, offline, with its own task
definitions (hellaswag, arc_easy, mmlu_<subject>), of which only the source of the rows is replaced; plain text is its
`loglikelihood_rolling`. Both sides compute in float32 on the CPU.

For each benchmark: both accuracies (or bits per byte), items whose answer differs, the largest difference of a log-likelihood in
nats, and (--json) the smallest distance between the two best choices: if it is below that, rounding could turn an answer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

BATCH = 8
PLACE = "place"
"""Number of a row among those drawn: lm-eval's samples are put back into this order."""

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Beside:
    """One benchmark on both sides. Differences of log-likelihoods in nats, by item and choice; of a text, by document."""

    name: str
    metric: str
    n: int
    ours: float
    lm_eval: float
    other_acc: int  # items that are right on one side only
    other_acc_norm: int
    largest_difference: float
    largest_relative: float
    smallest_margin: float | None  # nats between the best two choices of an item, by either metric; None for text
    seconds: float  # ours


# ------------------------------------------------------------------------------------------------------------- the rows


def public_form(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the hub has it. HellaSwag's `ctx` stands whole in ctx_a: where its second part began is not known any more."""
    if name == "hellaswag" and "ctx_a" not in row:
        label, _, context = row["ctx"].partition(": ")
        return {
            "activity_label": label,
            "ctx_a": context,
            "ctx_b": "",
            "endings": row["endings"],
            "label": str(row["label"]),
        }
    if name == "arc" and "query" in row:
        labels = list("ABCDE"[: len(row["choices"])])
        question = row["query"].removeprefix("Question: ")
        return {
            "question": question,
            "choices": {"text": row["choices"], "label": labels},
            "answerKey": labels[row["gold"]],
        }
    if name == "mmlu" and isinstance(row["answer"], str):
        return {**row, "answer": "ABCD".index(row["answer"])}
    return dict(row)


def write_rows(folder: Path, name: str, rows: Rows) -> Path:
    """The rows in their public form, numbered, as both sides read them."""
    file = folder / f"{name}.jsonl"
    numbered = [{**public_form(name, row), PLACE: place} for place, row in enumerate(rows)]
    file.write_text("".join(json.dumps(row) + "\n" for row in numbered), encoding="utf-8")
    return file


# --------------------------------------------------------------------------------------------------------------- lm-eval


def _write_tasks(folder: Path, name: str) -> list[str]:
    """Task files for the rows in `folder`: lm-eval's own definitions, reading ours. Returns the tasks' names."""
    import lm_eval
    import yaml

    own = Path(lm_eval.__file__).parent / "tasks"
    rows = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    if name == "text":
        task: dict[str, Any] = {
            "output_type": "loglikelihood_rolling", "doc_to_text": "", "doc_to_target": "{{text}}",
            "metric_list": [{"metric": "bits_per_byte"}],
        }  # fmt: skip
        parts = {"local_text": (task, rows)}
    elif name == "mmlu":
        subjects = {row["subject"] for row in rows}
        parts = {
            f"local_mmlu_{subject}": (
                {"include": str(own / "mmlu" / "default" / f"mmlu_{subject}.yaml"), "tag": None, "task_alias": None},
                [row for row in rows if row["subject"] == subject],
            )
            for subject in sorted(subjects)
        }
    else:
        file = {"hellaswag": "hellaswag/hellaswag.yaml", "arc": "arc/arc_easy.yaml"}[name]
        parts = {f"local_{name}": ({"include": str(own / file), "tag": None}, rows)}
    for task_name, (task, part) in parts.items():
        data = folder / f"{task_name}.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in part), encoding="utf-8")
        replaced = {
            "task": task_name, "dataset_path": "json", "dataset_name": None,
            "dataset_kwargs": {"data_files": {"test": str(data)}},
            "training_split": None, "validation_split": None, "test_split": "test", "fewshot_split": None,
        }  # fmt: skip
        (folder / "tasks").mkdir(exist_ok=True)
        (folder / "tasks" / f"{task_name}.yaml").write_text(yaml.safe_dump(task | replaced), encoding="utf-8")
    return list(parts)


def worker(model: str, folder: Path, names: Sequence[str], max_length: int | None, add_bos: bool | None) -> None:
    """What lm-eval says of the rows in `folder`, as JSON in `lm_eval.json`: per benchmark the samples in the rows' order."""
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    tasks = {name: _write_tasks(folder, name) for name in names}
    manager = TaskManager(include_path=str(folder / "tasks"), include_defaults=False)
    lm = HFLM(
        pretrained=model, dtype="float32", batch_size=BATCH, device="cpu", max_length=max_length, add_bos_token=add_bos
    )
    found = simple_evaluate(
        model=lm, tasks=[task for some in tasks.values() for task in some], task_manager=manager, bootstrap_iters=0
    )
    assert found is not None
    answer: dict[str, Any] = {}
    for name, some in tasks.items():
        samples = sorted((s for task in some for s in found["samples"][task]), key=lambda s: s["doc"][PLACE])
        keys = ("acc", "acc_norm", "bits_per_byte")
        answer[name] = [
            {"responses": s["filtered_resps"], **{key: s[key] for key in keys if key in s}} for s in samples
        ]
    bits = found["results"].get("local_text", {}).get("bits_per_byte,none")
    (folder / "lm_eval.json").write_text(json.dumps({"samples": answer, "bits_per_byte": bits}), encoding="utf-8")


def ask_lm_eval(
    model: str, folder: Path, names: Sequence[str], *, max_length: int | None = None, add_bos: bool | None = None
) -> dict[str, Any]:
    """`worker` in a process of its own: nothing of it reaches this one, and no hub is asked."""
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_DATASETS_CACHE": str(folder / "cache")}
    command = [sys.executable, __file__, "--model", model, "--worker", str(folder), "--only", *names]
    command += ["--max-length", str(max_length)] if max_length else []
    command += [] if add_bos is None else ["--add-bos" if add_bos else "--no-add-bos"]
    subprocess.run(command, env={**os.environ, **offline}, check=True, stdout=sys.stderr)
    return json.loads((folder / "lm_eval.json").read_text(encoding="utf-8"))


# ------------------------------------------------------------------------------------------------------------ both sides


def beside_choices(name: str, metric: str, ours: Sequence[Any], theirs: Rows, seconds: float) -> Beside:
    """Our answers (`Answered`) beside lm-eval's samples of the same rows."""
    differences, relative, margins = [], [], []
    for a, b in zip(ours, theirs, strict=True):
        for logp, response in zip(a.logps, b["responses"], strict=True):
            differences.append(abs(logp - float(response[0])))
            relative.append(differences[-1] / abs(logp))
        by_character = sorted(logp / n for logp, n in zip(a.logps, a.chars, strict=True))
        margins.append(sorted(a.logps)[-1] - sorted(a.logps)[-2])
        margins.append((by_character[-1] - by_character[-2]) * min(a.chars))
    norm = "acc_norm" if "acc_norm" in theirs[0] else "acc"  # of one-letter choices lm-eval has acc alone
    return Beside(
        name=name, metric=metric, n=len(ours), ours=sum(a.right(metric) for a in ours) / len(ours),
        lm_eval=sum(b[metric] for b in theirs) / len(theirs),
        other_acc=sum(a.acc != bool(b["acc"]) for a, b in zip(ours, theirs, strict=True)),
        other_acc_norm=sum(a.acc_norm != bool(b[norm]) for a, b in zip(ours, theirs, strict=True)),
        largest_difference=max(differences), largest_relative=max(relative), smallest_margin=min(margins), seconds=seconds,
    )  # fmt: skip


def beside_text(ours: Sequence[Any], theirs: Rows, bits_per_byte: float, seconds: float) -> Beside:
    """Our documents (`Document`) beside lm-eval's."""
    from math import log

    pairs = [(-a.bits * log(2), float(b["bits_per_byte"][0])) for a, b in zip(ours, theirs, strict=True)]
    return Beside(
        name="text", metric="bits_per_byte", n=len(ours), ours=sum(a.bits for a in ours) / sum(a.bytes for a in ours),
        lm_eval=bits_per_byte, other_acc=0, other_acc_norm=0,
        largest_difference=max(abs(a - b) for a, b in pairs), largest_relative=max(abs(a - b) / abs(a) for a, b in pairs),
        smallest_margin=None, seconds=seconds,
    )  # fmt: skip


def compare(policy: Any, model: str, folder: Path, rows: Mapping[str, Rows], **lm_eval: Any) -> list[Beside]:
    """Both sides on the rows (of hellaswag, arc, mmlu: as files have them; of text: {"text": …})."""
    from earnest.data.choices import read_choices
    from earnest.evaluate.likelihood import document_bits, score_choices
    from earnest.stages.drift import MICRO_BATCH_TOKENS, ChoiceDrift

    files = {name: write_rows(folder, name, some) for name, some in rows.items()}
    theirs = ask_lm_eval(model, folder, list(rows), **lm_eval)
    found = []
    for name, file in files.items():
        start, samples = time.perf_counter(), theirs["samples"][name]
        if name == "text":
            documents = [row["text"] for row in rows[name]]
            bits = document_bits(documents, policy, micro_batch_tokens=MICRO_BATCH_TOKENS)
            found.append(beside_text(bits, samples, theirs["bits_per_byte"], time.perf_counter() - start))
        else:
            item = ChoiceDrift.model_validate({"name": name, "choices": str(file), "format": name})
            scored = score_choices(read_choices(file, item.format), policy, micro_batch_tokens=MICRO_BATCH_TOKENS)
            found.append(beside_choices(name, item.headline, scored, samples, time.perf_counter() - start))
    return found


def draw(data: Path, items: int) -> dict[str, Rows]:
    """The rows that drift items with `items: N` measure, and twenty texts of 600 characters."""
    from earnest.data.documents import read_documents
    from earnest.data.select import subset
    from earnest.tasks.rows import read

    files = {
        "hellaswag": "derived/hellaswag_val_1000.jsonl",
        "arc": "arc/arc_easy.jsonl",
        "mmlu": "derived/mmlu_test_1140.jsonl",
    }
    rows: dict[str, Rows] = {
        name: [row.fields for row in subset(read(str(data / file)), items)] for name, file in files.items()
    }
    texts = read_documents(data / "drift_text" / "wiki_demo.txt")[:20]
    return rows | {"text": [{"text": text[:600]} for text in texts]}


def main() -> int:
    parser = argparse.ArgumentParser(description="Drift numbers beside lm-eval's.")
    parser.add_argument("--model", required=True, help="a Hugging Face folder")
    parser.add_argument("--items", type=int, default=50, help="of each multiple-choice benchmark")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--json", action="store_true", help="one JSON line instead of a table")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--only", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--max-length", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--add-bos", action=argparse.BooleanOptionalAction, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker(args.model, args.worker, args.only, args.max_length, args.add_bos)
        return 0
    import torch

    from earnest.models.hf import HF
    from earnest.types import Machine

    torch.set_num_threads(args.threads)
    policy = HF(path=args.model).open(Machine(device="cpu", dtype="float32", threads=args.threads))
    with tempfile.TemporaryDirectory() as folder:
        found = compare(policy, args.model, Path(folder), draw(Path(os.environ["EARNEST_DATA"]), args.items))
    if args.json:
        print(
            json.dumps({"benchmark": "drift", "model": Path(args.model).name, "items": [asdict(row) for row in found]})
        )
        return 0
    print("| benchmark | n | ours | lm-eval | answers that differ | largest difference of a log-likelihood, nats |")
    print("|---|---|---|---|---|---|")
    for row in found:
        values = f"{row.ours:.6g} | {row.lm_eval:.6g}"
        differ = "" if row.smallest_margin is None else f"{row.other_acc} acc, {row.other_acc_norm} acc_norm"
        print(f"| {row.name}, {row.metric} | {row.n} | {values} | {differ} | {row.largest_difference:.1e} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
