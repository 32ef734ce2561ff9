"""The same model, the same pairs, the same settings: TRL's loss and gradient are ours. TRL 1.16, the extra `interop`.

TRL's methods that we do not have are not compared: `hinge`, `exo_pair`, `nca_pair`, `robust` and others.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from builders import make_rollout
from earnest.component import build
from earnest.data.pairs import Pair, referred, sides, together
from earnest.train.preference import PairedCompletions
from earnest.train.reference import Anchor
from earnest.train.step import accumulate
from trl_trainers import AWAY, DRIFT, Pull, assert_same, fresh_policy, move

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("trl") is None, reason="trl is not installed: the extra `interop`"),
]

PROMPTS = ((50, 51, 52), (60, 61), (70, 71, 72, 73))
LENGTHS = ((3, 8), (6, 1), (4, 5))  # of the chosen and of the rejected completion of each


def pairs(lengths: tuple[tuple[int, int], ...] = LENGTHS) -> list[Pair]:
    g = torch.Generator().manual_seed(0)

    def rollout(number: int, index: int, length: int) -> Any:
        made = make_rollout(number, index, 1.0 - index, length)
        ids = tuple(torch.randint(40, 90, (length,), generator=g).tolist())
        return replace(made, prompt_ids=PROMPTS[number], completion=replace(made.completion, token_ids=ids))

    return [Pair(*(rollout(n, i, length) for i, length in enumerate(two))) for n, two in enumerate(lengths)]


def our_pull(given: list[Pair], spec: dict[str, Any], max_tokens: int = 4096) -> Pull:
    policy, reference = fresh_policy(), fresh_policy()
    move(policy.module, *DRIFT)
    move(reference.module, *AWAY)
    samples = sides(given)
    samples = referred(samples, Anchor(reference, None).read(samples, max_tokens, 1.0))
    loss = PairedCompletions(build("preference", spec), 1.0)
    found = accumulate(policy, loss, together(samples, range(len(given))), max_tokens)
    return Pull(found.loss, {n: p.grad.clone() for n, p in policy.parameters() if p.grad is not None})


def their_pull(folder: Path, given: list[Pair], settings: dict[str, Any]) -> Pull:
    from datasets import Dataset
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer

    fresh_policy().save(folder / "model")
    config = DPOConfig(
        output_dir=str(folder / "out"), use_cpu=True, bf16=False, gradient_checkpointing=False, report_to=[],
        model_init_kwargs={"dtype": "float32"}, **settings,
    )  # fmt: skip
    rows = Dataset.from_list([{"prompt": "2+2=", "chosen": "4", "rejected": "5"}])
    trainer: Any = DPOTrainer(model=str(folder / "model"), args=config, train_dataset=rows)
    move(trainer.model, *DRIFT)
    move(trainer.ref_model, *AWAY)
    ids = [[list(r.completion.token_ids or ()) for r in (p.chosen, p.rejected)] for p in given]
    batch = trainer.data_collator(
        [
            {"prompt_ids": list(p.chosen.prompt_ids), "chosen_ids": chosen, "rejected_ids": rejected}
            for p, (chosen, rejected) in zip(given, ids, strict=True)
        ]
    )
    loss = trainer._compute_loss(trainer.model, batch, return_outputs=False)
    loss.backward()
    return Pull(loss.item(), {n: p.grad.clone() for n, p in trainer.model.named_parameters() if p.grad is not None})


def agree(
    folder: Path, given: list[Pair], settings: dict[str, Any], spec: dict[str, Any], max_tokens: int = 4096
) -> None:
    assert_same(our_pull(given, spec, max_tokens), their_pull(folder, given, settings))


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "dpo": ({}, {"name": "dpo", "alpha": 0.0}),
    "dpo, beta": ({"beta": 0.5}, {"name": "dpo", "alpha": 0.0, "beta": 0.5}),
    "ipo": ({"loss_type": ["ipo"]}, {"name": "ipo"}),
    "ipo, beta": ({"loss_type": ["ipo"], "beta": 0.4}, {"name": "ipo", "beta": 0.4}),
}


@pytest.mark.parametrize("max_tokens", [16, 4096])
@pytest.mark.parametrize(("settings", "spec"), CASES.values(), ids=CASES.keys())
def test_the_loss_and_its_gradient_are_trls(
    tmp_path: Path, settings: dict[str, Any], spec: dict[str, Any], max_tokens: int
) -> None:
    agree(tmp_path, pairs(), settings, spec, max_tokens)


LIKELY = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.7]}


def test_the_likelihood_term_is_trls_where_the_chosen_ones_have_one_length(tmp_path: Path) -> None:
    agree(tmp_path, pairs(((4, 8), (4, 1), (4, 5))), LIKELY, {"name": "dpo", "alpha": 0.7})


def test_trls_likelihood_term_is_a_mean_over_tokens_and_ours_one_over_pairs(tmp_path: Path) -> None:
    """Iterative RPO, arXiv:2404.19733, eq. 1, divides each pair's by its own length; so do we, and there is no switch."""
    theirs = their_pull(tmp_path, pairs(), LIKELY)
    assert our_pull(pairs(), {"name": "dpo", "alpha": 0.7}).distance(theirs) > 1e-2


def test_label_smoothing_is_trls_where_trl_has_it(tmp_path: Path) -> None:
    """`sigmoid` takes no notice of it in TRL 1.16. `aot` does, which for one pair is the loss of conservative DPO."""
    spec = {"name": "dpo", "alpha": 0.0, "label_smoothing": 0.2}
    agree(tmp_path, pairs()[:1], {"loss_type": ["aot"], "label_smoothing": 0.2}, spec)
    without = our_pull(pairs()[:1], {**spec, "label_smoothing": 0.0})
    theirs = their_pull(tmp_path / "ignored", pairs()[:1], {"label_smoothing": 0.2})
    assert without.distance(theirs) < 1e-5 < our_pull(pairs()[:1], spec).distance(theirs)


def test_the_papers_ipo_is_the_sum_and_not_trls(tmp_path: Path) -> None:
    """Azar et al. 2023 do not divide by lengths; its authors have since said that they do, and `mean` is our default too."""
    theirs = their_pull(tmp_path, pairs(), {"loss_type": ["ipo"]})
    assert our_pull(pairs(), {"name": "ipo", "over": "sum"}).distance(theirs) > 1e-2
