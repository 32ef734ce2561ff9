"""Group relative policy optimisation, from a blank model to a reasoning one, in one file to be read from top to bottom.

The task is a chain of sums modulo 10: `3+7+2+9=` has the answer 1. A model may answer at once (`>1.`) or write its steps
first (`7=0,2=2,9=1>1.`: add 7, the sum is 0; add 2, it is 2; add 9, it is 1). Supervised fine-tuning teaches the steps until
they are reliable and then shows the leap three times as often, so that the model mostly leaps, and guesses one digit of ten.
Reinforcement learning is told only right or wrong, and finds out that writing the steps pays.

    python examples/grpo_in_200_lines.py          less than a minute on one CPU core

Left out on purpose: several updates per batch of rollouts (the ratio is 1 and the clip idle), a KL to a reference model, a
key-value cache, and every safeguard against measuring wrongly.
"""

from __future__ import annotations

import argparse
import random
import time

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM

SYMBOLS = "_0123456789+=,>."  # "_" pads, "." ends a completion
PAD, END = SYMBOLS.index("_"), SYMBOLS.index(".")
Rows = list[list[int]]  # token ids, one row per completion
TERMS = 4  # digits in a chain
PROMPT_LENGTH, MAX_NEW = 2 * TERMS, 4 * (TERMS - 1) + 3  # the longest right completion, and one token to spare


def encode(text: str) -> list[int]:
    return [SYMBOLS.index(c) for c in text]


def decode(ids: list[int]) -> str:
    return "".join(SYMBOLS[i] for i in ids)


# ------------------------------------------------------------------ the task: problems, demonstrations, the verifier


def make_problem(rng: random.Random) -> list[int]:
    """Digits of one chain; every seventh possible chain is kept for the test."""
    while held_out(digits := [rng.randrange(10) for _ in range(TERMS)]):
        pass
    return digits


def held_out(digits: list[int]) -> bool:
    return int("".join(map(str, digits))) % 7 == 0


def prompt(digits: list[int]) -> list[int]:
    return encode("+".join(map(str, digits)) + "=")


def demonstration(digits: list[int], worked: bool) -> list[int]:
    steps = [f"{digits[n]}={sum(digits[: n + 1]) % 10}" for n in range(1, TERMS)]
    return encode((",".join(steps) if worked else "") + f">{sum(digits) % 10}.")


def reward(digits: list[int], completion: list[int]) -> float:
    """1 if the text ended by itself, answered once, and rightly; the steps are not looked at."""
    text = decode(completion)
    return float(text.endswith(f">{sum(digits) % 10}.") and text.count(">") == 1)


# ------------------------------------------------------------------ the model: padded batches in, log-probs out


def make_model(seed: int) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(SYMBOLS), hidden_size=64, intermediate_size=192, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=PROMPT_LENGTH + MAX_NEW, tie_word_embeddings=True, initializer_range=0.1,
        )
    )  # fmt: skip


def completion_logprobs(model: Module, prompts: Rows, completions: Rows) -> tuple[Tensor, Tensor]:
    """(B, L) log-probs of the completions' tokens, 0 in the padding, and the (B, L) mask. The end token is inside."""
    width = max(len(p) + len(c) for p, c in zip(prompts, completions, strict=True))
    ids = torch.full((len(prompts), width), PAD)
    mask = torch.zeros(len(prompts), width, dtype=torch.bool)
    for i, (p, c) in enumerate(zip(prompts, completions, strict=True)):
        ids[i, : len(p) + len(c)] = torch.tensor(p + c)
        mask[i, len(p) : len(p) + len(c)] = True
    logits = model(input_ids=ids[:, :-1]).logits  # padding is on the right, where causal attention never looks
    logp = -cross_entropy(logits.transpose(1, 2).float(), ids[:, 1:], reduction="none")
    return logp * mask[:, 1:], mask[:, 1:]


@torch.no_grad()
def sample(model: Module, prompts: Rows, greedy: bool = False) -> Rows:
    """One completion each, at temperature 1: its tokens up to and including the first end token."""
    ids = torch.tensor(prompts)
    open_rows = torch.ones(len(prompts), dtype=torch.bool)
    for _ in range(MAX_NEW):
        logits = model(input_ids=ids).logits[:, -1]
        drawn = logits.argmax(-1) if greedy else torch.multinomial(logits.softmax(-1), 1).squeeze(1)
        ids = torch.cat([ids, torch.where(open_rows, drawn, PAD)[:, None]], dim=1)
        open_rows &= drawn != END
        if not open_rows.any():
            break
    rows = [row[PROMPT_LENGTH:] for row in ids.tolist()]
    return [row[: row.index(END) + 1] if END in row else row for row in rows]


# ------------------------------------------------------------------ the algorithm


def advantages(rewards: Tensor, group_size: int) -> Tensor:
    """A_i = (r_i - mean) / std over each prompt's completions, with the population's std; 0 where all are equal."""
    groups = rewards.view(-1, group_size)
    centered = groups - groups.mean(dim=1, keepdim=True)
    std = groups.std(dim=1, correction=0, keepdim=True)
    return torch.where(std > 1e-6, centered / std.clamp(min=1e-6), 0.0).flatten()


def grpo_loss(logp: Tensor, old: Tensor, mask: Tensor, adv: Tensor, low: float = 0.2, high: float = 0.28) -> Tensor:
    """-sum_it min(rho A, clip(rho, 1 - low, 1 + high) A) / number of tokens, with rho = pi / pi_old of each token."""
    ratio, a = (logp - old).exp(), adv[:, None]
    surrogate = torch.minimum(ratio * a, ratio.clamp(1 - low, 1 + high) * a)
    return -(surrogate * mask).sum() / mask.sum()


def grpo_gradient(model: Module, prompts: Rows, completions: Rows, rewards: Tensor, size: int) -> dict[str, Tensor]:
    """The gradient of one step on given rollouts, `size` in a row for each prompt."""
    logp, mask = completion_logprobs(model, prompts, completions)
    loss = grpo_loss(logp, logp.detach(), mask, advantages(rewards, size))
    names, parameters = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


# ------------------------------------------------------------------ supervised fine-tuning, then reinforcement learning


def fine_tune(model: Module, rng: random.Random, steps: int, worked: float, lr: float, enough: float) -> None:
    """At most `steps` steps on demonstrations, a share `worked` of them with steps; ends at a running loss of `enough`."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0.0)
    running = 1.0
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * min(1.0, (step + 1) / 40, (steps - step) / 100)
        problems = [make_problem(rng) for _ in range(64)]
        texts = [demonstration(p, rng.random() < worked) for p in problems]
        logp, mask = completion_logprobs(model, [prompt(p) for p in problems], texts)
        loss = -logp.sum() / mask.sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        running = 0.9 * running + 0.1 * loss.item()
        if running < enough:
            break


def reinforce(model: Module, rng: random.Random, steps: int, prompts: int, group_size: int, lr: float) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0.0)
    for step in range(steps):
        problems = [p for p in (make_problem(rng) for _ in range(prompts)) for _ in range(group_size)]
        questions = [prompt(p) for p in problems]
        completions = sample(model, questions)
        rewards = torch.tensor([reward(p, c) for p, c in zip(problems, completions, strict=True)])
        if (advantages(rewards, group_size) != 0).any():  # Adam would take a step of full size on a gradient of zero
            for name, gradient in grpo_gradient(model, questions, completions, rewards, group_size).items():
                model.get_parameter(name).grad = gradient
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        if (step + 1) % 10 == 0:
            length = sum(map(len, completions)) / len(completions)
            print(f"  step {step + 1:3d}   reward {rewards.mean():.3f}   length {length:.1f}")


def evaluate(model: Module, greedy: bool, n: int = 500) -> float:
    """Pass rate on chains that no training step has seen."""
    rng = random.Random(1)
    chains = [d for d in ([rng.randrange(10) for _ in range(TERMS)] for _ in range(8 * n)) if held_out(d)][:n]
    completions = sample(model, [prompt(d) for d in chains], greedy)
    return sum(reward(d, c) for d, c in zip(chains, completions, strict=True)) / len(chains)


def main() -> None:
    parser = argparse.ArgumentParser(description="GRPO on chains of sums modulo 10")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    start, rng, model = time.perf_counter(), random.Random(args.seed), make_model(args.seed)

    fine_tune(model, rng, steps=1500, worked=1.0, lr=2e-3, enough=0.005)
    fine_tune(model, rng, steps=120, worked=0.25, lr=1e-3, enough=0.0)
    print(f"fine-tuned: sampled {evaluate(model, False):.3f}, greedy {evaluate(model, True):.3f}")
    reinforce(model, rng, steps=40, prompts=16, group_size=8, lr=3e-4)
    print(f"reinforced: sampled {evaluate(model, False):.3f}, greedy {evaluate(model, True):.3f}")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
