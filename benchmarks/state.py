"""What a step of GRPO and of PPO keeps in memory, on a model of SmolLM2-135M's shape with random weights.

    python benchmarks/state.py          one table; about two minutes and 6 GB
    python benchmarks/state.py --json   one JSON line

For each method one update is taken in a process of its own. State: bytes of weights, gradients and optimizer moments of what is
trained. Peak: the largest resident memory of the process.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
from dataclasses import asdict, dataclass

METHODS = ("grpo", "ppo, shared body", "ppo, separate body")
SHAPE = {
    "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
    "vocab_size": 49152, "max_position_embeddings": 2048, "tie_word_embeddings": True,
}  # fmt: skip
PROMPT, COMPLETION, GROUPS, GROUP = 16, 32, 2, 4


@dataclass(frozen=True, slots=True)
class State:
    """Of one method, in bytes."""

    method: str
    weights: int
    gradients: int
    optimizer: int
    peak: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer


def measured(method: str) -> State:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from earnest.component import build
    from earnest.models.critic import Critic
    from earnest.models.policy import Policy
    from earnest.train.losses import PolicyGradient
    from earnest.train.optim import Optim, build_optimizer
    from earnest.train.step import accumulate
    from earnest.train.updates import Learning, Planner

    def opened() -> Policy:
        return Policy(LlamaForCausalLM(LlamaConfig(**SHAPE)), tokenizer)

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=_one_token())
    policy = opened()
    algorithm = build("algorithm", {"name": "ppo"} if method.startswith("ppo") else {"name": "grpo", "kl": None})
    critic = None
    if "critic" in algorithm.needs:
        critic = Critic(policy, opened() if "separate" in method else None)
    loss = PolicyGradient(algorithm, 1.0, critic)
    optimizer = build_optimizer(policy, loss, Optim.model_validate({"lr": 1e-6}))
    planner = Planner(policy, algorithm, Learning(seed=0, temperature=1.0, max_tokens=512), critic=critic)
    (samples,) = planner.plan(_groups(), 0).updates
    accumulate(policy, loss, samples, 512)
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    gradients = sum(p.grad.nbytes for p in trained if p.grad is not None)
    optimizer.step()
    moments = sum(x.nbytes for p in trained for x in optimizer.state[p].values() if isinstance(x, torch.Tensor))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return State(method, sum(p.nbytes for p in trained), gradients, moments, peak)


def _in_silence(method: str) -> State:
    """In a process of its own, whose loggers are nobody else's."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    return measured(method)


def _one_token() -> object:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    return Tokenizer(WordLevel({"<unk>": 0}, unk_token="<unk>"))


def _groups() -> list:
    """Groups of made-up completions, half of them right."""
    from earnest.types import Completion, Finish, Group, Parsed, Problem, Rollout, Sampling, Status, Verdict

    groups = []
    for g in range(GROUPS):
        problem = Problem(id=str(g), task="made-up", prompt="?", answer="!")
        rollouts = [
            Rollout(
                problem=problem, prompt_ids=tuple(range(g, g + PROMPT)),
                completion=Completion(
                    tag=str(g), index=i, token_ids=tuple(range(100 * i, 100 * i + COMPLETION)), sampled=(True,) * COMPLETION,
                    logprobs=(-1.0,) * COMPLETION, finish=Finish.STOP, policy_version=0, sampling=Sampling(),
                ),
                parsed=Parsed(text="", thought=None, answer_text=None, well_formed=False),
                verdict=Verdict(status=Status.OK, correct=i % 2 == 0, score=float(i % 2 == 0)),
                reward=float(i % 2 == 0), reward_parts={},
            )
            for i in range(GROUP)
        ]  # fmt: skip
        groups.append(Group(problem, tuple(rollouts)))
    return groups


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = []
    for method in METHODS:  # one after the other, each in a fresh process: peaks do not mix
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found.append(pool.apply(_in_silence, (method,)))
    rows = [{**asdict(s), "total": s.total, "of_grpo": s.total / found[0].total} for s in found]
    if asked.json:
        print(json.dumps({"benchmark": "state", "rows": rows}))
        return
    print(
        "| method | weights | gradients | optimizer | together | of GRPO's | peak memory |\n|---|---|---|---|---|---|---|"
    )
    for row in rows:
        sizes = " | ".join(f"{row[name] / 2**20:,.0f} MiB" for name in ("weights", "gradients", "optimizer", "total"))
        print(f"| {row['method']} | {sizes} | {row['of_grpo']:.3f} | {row['peak'] / 2**20:,.0f} MiB |")


if __name__ == "__main__":
    main()
