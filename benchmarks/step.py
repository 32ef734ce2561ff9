"""Time and memory of one GRPO step of the chain task, beside TRL's on the same model, prompts and hyperparameters.

    python benchmarks/step.py --json            one JSON line; needs the extra `interop` (TRL 1.16)

Three measurements, all with 16 prompts x 8 completions, graded by the same function of the text (so that every reward in a group
is another one and all 128 completions are trained on), and one optimizer step on all of them:

- `chain`: the step as the recipe begins it. The model is the policy that reinforcement learning starts from, a quarter of whose
  completions are worked (27 tokens) and the rest direct (3); completions end where they end, so the two sides draw as many tokens
  on average, and the counts of both stand beside the times. The learning rate is next to nothing, so that it stays that policy.
- `full_length`: every completion has exactly 27 tokens on both sides. The model is the embedded one, freshly made, with an end
  token that lies outside its output layer, so that neither side is asked to suppress anything.
- `full_length_default`: the same against TRL as it comes, which is with gradient checkpointing: it computes the forward pass
  twice to hold fewer activations. In the two others that is turned off, in TRL's favour.

Each side is a process of its own, so that its memory is its own. Both are alive together but never work together: the parent
lets them take one step each in turn and swaps the order every time, so that a busy machine slows both alike. A step reaches
from the start of one step to the start of the next: sampling, grading, training, logging.

TRL runs in float32, as ours does.

ratio: TRL's seconds by ours for each pair of neighbouring steps; ratio_per_token: the same for the seconds a drawn token takes,
which is the fair number where the two sides drew different completions. memory: the peak of each process (imports included)
and what it had before the first step.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

PROMPTS, GROUP, TOKENS = 16, 8, 27
BEFORE_RL = ("base", "worked", "sft")


def reward(text: str) -> float:
    """Any number that differs between two texts."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) / 2**32


# ------------------------------------------------------------------------------------------------------------ one side


class Turn:
    """A worker's place in the alternation: `begin` ends the last step, reports it, and waits for leave to take the next."""

    def __init__(self, steps: int, pipe: IO[str]) -> None:
        self.left, self.pipe, self.started = steps, pipe, (0.0, 0.0)
        self.first = True
        self.rss_before = 0
        self.counts: dict[str, int] = {}

    def begin(self) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        if self.first:
            self.first, self.rss_before = False, peak_kib()
            self._say({"ready": True})
        else:
            self._say({"wall_s": wall - self.started[0], "cpu_s": cpu - self.started[1], **self.counts})
        if self.left == 0:
            self._say({"rss_before_kib": self.rss_before, "rss_peak_kib": peak_kib()})
            os._exit(0)
        self.left -= 1
        assert sys.stdin.readline() == "go\n"
        self.started = time.perf_counter(), time.process_time()

    def _say(self, row: dict[str, Any]) -> None:
        self.pipe.write(json.dumps(row) + "\n")
        self.pipe.flush()


def peak_kib() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # the system call's number begins with that of the process which started this one
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    scale = 1024 if sys.platform == "darwin" else 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // scale


def earnest_side(folder: Path, turn: Turn, steps: int, out: Path) -> None:
    import torch

    from earnest.component import build
    from earnest.data.gathering.gatherer import Asking, Gatherer
    from earnest.data.rollouts import Roller
    from earnest.models.tiny import Tiny
    from earnest.runlog import StageLog
    from earnest.stages.machine import machine
    from earnest.train.health import Health
    from earnest.train.loop import Job, StopRequest, Work, train
    from earnest.train.losses import PolicyGradient
    from earnest.train.on_policy import OnPolicy, Rollouts
    from earnest.train.optim import Optim
    from earnest.train.updates import Learning, Planner
    from earnest.types import Item, Sampling, Status, Verdict
    from earnest.verifiers.base import Verifier

    class AnyText(Verifier):
        """Grades a text by its checksum."""

        def judge(self, items: Sequence[Item]) -> list[Verdict]:
            return [Verdict(status=Status.OK, correct=False, score=reward(i.parsed.text)) for i in items]

    class Watched(OnPolicy):
        def work(self, step: int) -> Work:
            turn.begin()
            found = super().work(step)
            turn.counts = {
                "generated": found.generated_tokens,
                "trained": sum(sum(s.mask) for u in found.updates for s in u),
            }
            return found

    policy = Tiny().open(machine("cpu", "float32", torch.get_num_threads()), folder=folder)
    lr = json.loads((folder / "asked.json").read_text())["lr"]
    algorithm = build("algorithm", "dapo")
    roller = Roller(build("prompt", "chat"), AnyText(), build("strategy", "plain"), policy.tokenizer)
    with build("engine", "torch").open(policy) as engine:
        asking = Asking(
            prompts_per_step=PROMPTS, group_size=GROUP, sampling=Sampling(temperature=1.0, max_tokens=TOKENS), seed=0,
            error_ceiling=0.0,
        )  # fmt: skip
        problems = build("task", {"name": "chain", "length": 5}).problems("train")
        planner = Planner(policy, algorithm, Learning(seed=0, temperature=1.0, max_tokens=16384))
        source = Watched(Gatherer(problems, roller, asking), engine, planner, Rollouts(stage="rl"))
        train(
            Job(
                name="rl", policy=policy, source=source, loss=PolicyGradient(algorithm, 1.0),
                optim=Optim.model_validate({"lr": lr}), steps=steps + 1, log=StageLog(out),
                stop=StopRequest(), echo=print, max_tokens=16384, checkpoint_every=10**9, log_every=1, health=Health(),
            )
        )  # fmt: skip


def trl_side(folder: Path, turn: Turn, steps: int, out: Path) -> None:
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    class Watch(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            turn.begin()

    def grade(completions: list[str], completion_ids: list[list[int]], **_: Any) -> list[float | None]:
        count = sum(map(len, completion_ids))
        turn.counts = {"generated": count, "trained": count}
        return [reward(text) for text in completions]

    asked = json.loads((folder / "asked.json").read_text())
    config = GRPOConfig(
        output_dir=str(out), max_steps=steps + 1, learning_rate=asked["lr"], lr_scheduler_type="constant",
        per_device_train_batch_size=PROMPTS * GROUP, gradient_accumulation_steps=1, num_generations=GROUP,
        max_completion_length=TOKENS, temperature=1.0, beta=0.0, epsilon=0.2, epsilon_high=0.28, loss_type="dapo",
        scale_rewards="group", adam_beta2=0.95, max_grad_norm=1.0, shuffle_dataset=False,
        gradient_checkpointing=asked["gradient_checkpointing"],
        use_cpu=True, bf16=False, logging_steps=1, save_strategy="no", report_to="none", disable_tqdm=True,
    )  # fmt: skip
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder, dtype="float32"), reward_funcs=grade, args=config,
        train_dataset=Dataset.from_list([{"prompt": text} for text in asked["prompts"]]),
        processing_class=AutoTokenizer.from_pretrained(folder), callbacks=[Watch()],
    )  # fmt: skip
    trainer.train()


def worker(side: str, folder: Path, steps: int, threads: int) -> None:
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever is printed must not mix with the report

    import torch

    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as out:
        {"earnest": earnest_side, "trl": trl_side}[side](folder, Turn(steps, pipe), steps, Path(out))


# --------------------------------------------------------------------------------------------------------- both in turn


def make_model(folder: Path, steps: int, trained: Path | None, checkpointing: bool) -> None:
    """The model and what the run will ask of it. `trained` None: the embedded model and an end token that it cannot emit."""
    from earnest.component import build
    from earnest.data.select import Order
    from earnest.models.tiny import Tiny
    from earnest.types import Machine

    policy = Tiny().open(Machine(device="cpu", dtype="float32", threads=1), folder=trained, seed=0)
    if trained is None:
        policy.tokenizer.add_special_tokens({"eos_token": "<never>"})
        end = policy.tokenizer.eos_token_id
        assert end == policy.head.weight.shape[0], "the end token must lie outside the output layer"
        policy.module.config.eos_token_id = policy.module.generation_config.eos_token_id = end
    policy.save(folder)
    problems, prompt = build("task", {"name": "chain", "length": 5}).problems("train"), build("prompt", "chat")
    chosen = [problems[i] for i in Order(len(problems), 0).take(PROMPTS * (steps + 2))]
    texts = [prompt.render(problem, policy.tokenizer).text for problem in chosen]
    asked = {"prompts": texts, "lr": 3e-4 if trained is None else 1e-12, "gradient_checkpointing": checkpointing}
    (folder / "asked.json").write_text(json.dumps(asked))


class Side:
    """A worker process, seen from the parent."""

    def __init__(self, name: str, folder: Path, steps: int, threads: int) -> None:
        self.name = name
        command = [sys.executable, __file__, "--worker", name, "--folder", str(folder)]
        self.process = subprocess.Popen(
            [*command, "--steps", str(steps), "--threads", str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"},
        )  # fmt: skip
        assert self.listen() == {"ready": True}

    def listen(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the {self.name} side ended early with exit code {self.process.wait()}")
        return json.loads(line)

    def step(self) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.listen()


def measure(
    steps: int, warmup: int, threads: int, trained: Path | None = None, *, checkpointing: bool = False
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model(folder, steps + warmup, trained, checkpointing)
        sides = [Side(side, folder, steps + warmup, threads) for side in ("earnest", "trl")]
        rows: dict[str, list[dict[str, Any]]] = {side.name: [] for side in sides}
        for step in range(steps + warmup):
            for side in sides if step % 2 else reversed(sides):
                rows[side.name].append(side.step())
        memory = {side.name: side.listen() for side in sides}
        for side in sides:
            side.process.wait()
    ours, theirs = rows["earnest"][warmup:], rows["trl"][warmup:]
    expected = PROMPTS * GROUP * TOKENS
    for row in (*ours, *theirs):
        assert row["generated"] == row["trained"] and (trained or row["generated"] == expected), (row, expected)
    return {
        "prompts": PROMPTS, "group_size": GROUP, "max_completion_tokens": TOKENS, "threads": threads, "pairs": steps,
        "ratio": _spread([b["wall_s"] / a["wall_s"] for a, b in zip(ours, theirs, strict=True)]),
        "ratio_per_token": _spread([_per_token(b) / _per_token(a) for a, b in zip(ours, theirs, strict=True)]),
        "ratio_cpu": _spread([b["cpu_s"] / a["cpu_s"] for a, b in zip(ours, theirs, strict=True)]),
        "earnest": _side(ours, memory["earnest"]), "trl": _side(theirs, memory["trl"])
    }  # fmt: skip


def _per_token(row: dict[str, Any]) -> float:
    return row["wall_s"] / row["generated"]


def _side(rows: Sequence[dict[str, Any]], memory: dict[str, int]) -> dict[str, Any]:
    return {
        "tokens": _spread([row["generated"] for row in rows]), "wall_s": _spread([row["wall_s"] for row in rows]),
        "cpu_s": _spread([row["cpu_s"] for row in rows]),
        "peak_mib": round(memory["rss_peak_kib"] / 1024, 1),
        "before_first_step_mib": round(memory["rss_before_kib"] / 1024, 1),
    }  # fmt: skip


def _spread(values: Sequence[float]) -> dict[str, float]:
    rounded = {
        "median": statistics.median(values),
        "mean": statistics.fmean(values),
        "min": min(values),
        "max": max(values),
    }
    return {name: round(value, 4) for name, value in rounded.items()}


def versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("earnest", "trl", "torch", "transformers")}


def start_of_rl(runs: Path) -> Path:
    """The chain recipe's policy before reinforcement learning; trained once (a minute), then taken from `runs`."""
    import yaml

    from earnest import api

    recipe = yaml.safe_load((Path(__file__).parents[1] / "recipes" / "chain.yaml").read_text())
    recipe["stages"] = [stage for stage in recipe["stages"] if isinstance(stage, dict) and stage.get("id") in BEFORE_RL]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "recipe.yaml")
        path.write_text(yaml.safe_dump(recipe))
        run = api.run(path, runs=runs, command="benchmarks/step.py", echo=lambda line: None)
    return run.run_dir / "sft" / "model"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--steps", type=int, default=30, help="measured steps of each side")
    parser.add_argument("--warmup", type=int, default=3, help="steps before them that are not counted")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the policy of `chain` is kept")
    parser.add_argument("--json", action="store_true", help="one JSON line instead of a few readable ones")
    parser.add_argument("--worker", choices=("earnest", "trl"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.folder, options.steps, options.threads)
        return 0
    given = options.steps, options.warmup, options.threads
    found = {
        "chain": measure(*given, start_of_rl(options.runs)),
        "full_length": measure(*given),
        "full_length_default": measure(*given, checkpointing=True),
    }
    if options.json:
        print(json.dumps({"benchmark": "step", **found, "versions": versions()}))
        return 0
    for name, row in found.items():
        ratio, per_token = row["ratio"], row["ratio_per_token"]
        print(
            f"{name}: TRL takes {ratio['median']:.2f} times as long a step ({ratio['min']:.2f} to {ratio['max']:.2f}), "
            f"{per_token['median']:.2f} times as long a token"
        )
        for side in ("earnest", "trl"):
            told = row[side]
            print(
                f"  {side:<8} {told['wall_s']['median']:.3f} s and {told['tokens']['mean']:.0f} tokens a step, "
                f"{told['peak_mib']:.0f} MiB at most"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
