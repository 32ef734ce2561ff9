"""The same model, the same rollouts, the same settings: TRL's loss and gradient are ours. TRL 1.16, the extra `interop`.

Where the two differ by choice, the case below says with which switch of ours they do not; where no switch makes them equal, a
test of its own says why. Methods that only one side has are not compared: TRL's `vespo`; our `gmpo`, `ppo`, `reinforce_pp` and
others.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from earnest.component import find, names
from earnest.train.mismatch import Mismatch
from earnest.train.updates import Entropy
from trl_trainers import TOKENS, Case, Pull, assert_same, our_pull, their_pull, trainer_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("trl") is None, reason="trl is not installed: the extra `interop`"),
]

SPREAD = {"std": "sample", "eps": 1e-4}  # ours is the population's, and nothing is added to it
HIGH = {"epsilon_high": 0.28}  # DAPO's; TRL's `dapo` has 0.2 if nothing is said
WHOLE = {"importance_sampling_level": "sequence"}
RANGE = {"epsilon": 0.05, "epsilon_high": 0.1}
OFF: dict[str, Any] = {"use_bias_correction_kl": False}
K3 = {"in_loss": 0.1}
NEAR_K3 = {"in_loss": 0.1, "ratio_weight": True}  # TRL's default


def grpo(**settings: Any) -> dict[str, Any]:
    return {"name": "grpo", "kl": None, **SPREAD, **settings}


def of(name: str, **settings: Any) -> dict[str, Any]:
    return {"name": name, **SPREAD, **settings}


def ranged(name: str, **settings: Any) -> dict[str, Any]:
    return of(name, clip_low=0.05, clip_high=0.1, **settings)


CASES: dict[str, Case] = {
    "grpo": Case(theirs={"loss_type": "grpo"}, ours=grpo()),
    "grpo, first update": Case(theirs={"loss_type": "grpo"}, ours=grpo(), updates=1),
    "grpo, clip": Case(theirs={"loss_type": "grpo", "epsilon": 0.1, **HIGH}, ours=grpo(clip_low=0.1, clip_high=0.28)),
    "grpo, temperature": Case(theirs={"loss_type": "grpo"}, ours=grpo(), temperature=0.7),
    "grpo, scale_rewards batch": Case(
        theirs={"loss_type": "grpo", "scale_rewards": "batch"}, ours=grpo(std="batch")),
    "grpo, scale_rewards none": Case(
        theirs={"loss_type": "grpo", "scale_rewards": "none"}, ours={"name": "grpo", "kl": None, "std": "none"}),
    "grpo, delta": Case(theirs={"loss_type": "grpo", "delta": 1.25}, ours=grpo(delta=1.25)),
    "grpo, beta": Case(theirs={"loss_type": "grpo", "beta": 0.1, **OFF}, ours=grpo(kl=K3)),
    "grpo, beta, bias correction": Case(theirs={"loss_type": "grpo", "beta": 0.1}, ours=grpo(kl=NEAR_K3)),
    "dr_grpo": Case(theirs={"loss_type": "dr_grpo", "scale_rewards": "none"}, ours={"name": "dr_grpo"}),
    "dr_grpo, beta": Case(
        theirs={"loss_type": "dr_grpo", "scale_rewards": "none", "beta": 0.1}, ours={"name": "dr_grpo", "kl": NEAR_K3}),
    "dapo": Case(theirs={"loss_type": "dapo", **HIGH}, ours=of("dapo")),
    "dapo, clip": Case(theirs={"loss_type": "dapo"}, ours=of("dapo", clip_high=0.2)),
    "dapo, first update": Case(theirs={"loss_type": "dapo"}, ours=of("dapo"), updates=1),
    "dapo, beta": Case(theirs={"loss_type": "dapo", "beta": 0.1, **HIGH}, ours=of("dapo", kl=NEAR_K3)),
    "bnpo in one micro-batch": Case(theirs={"loss_type": "bnpo"}, ours=grpo(aggregation="token")),
    # The value of TRL's loss, -sg(w) A log pi, is not what its gradient is the gradient of; ours is.
    "cispo": Case(theirs={"loss_type": "cispo", "epsilon_high": 1.2}, ours=of("cispo", ratio_max=1.2), value=False),
    "cispo, first update": Case(
        theirs={"loss_type": "cispo", "epsilon_high": 5.0}, ours=of("cispo"), updates=1, value=False),
    "cispo, beta": Case(
        theirs={"loss_type": "cispo", "epsilon_high": 1.2, "beta": 0.1}, ours=of("cispo", ratio_max=1.2, kl=NEAR_K3),
        value=False),
    "sapo": Case(theirs={"loss_type": "sapo"}, ours=of("sapo")),
    "sapo, temperatures": Case(
        theirs={"loss_type": "sapo", "sapo_temperature_pos": 0.5, "sapo_temperature_neg": 3.0},
        ours=of("sapo", tau_pos=0.5, tau_neg=3.0)),
    "sapo, beta": Case(theirs={"loss_type": "sapo", "beta": 0.1}, ours=of("sapo", kl=NEAR_K3)),
    "gspo": Case(theirs={"loss_type": "grpo", **WHOLE, "epsilon": 3e-4, "epsilon_high": 4e-4}, ours=of("gspo")),
    "gspo, wide": Case(theirs={"loss_type": "grpo", **WHOLE, **RANGE}, ours=ranged("gspo")),
    "gspo, beta": Case(theirs={"loss_type": "grpo", **WHOLE, **RANGE, "beta": 0.1, **OFF}, ours=ranged("gspo", kl=K3)),
    "luspo": Case(theirs={"loss_type": "luspo", **WHOLE, **RANGE}, ours=ranged("luspo")),
    "luspo, beta": Case(theirs={"loss_type": "luspo", **WHOLE, **RANGE, "beta": 0.1, **OFF}, ours=ranged("luspo", kl=K3)),
    "dapo, entropy_coef": Case(
        theirs={"loss_type": "dapo", **HIGH, "entropy_coef": 0.3}, ours=of("dapo"), entropy=Entropy(bonus=0.3)),
    "grpo, entropy_coef": Case(
        theirs={"loss_type": "grpo", "entropy_coef": 0.3}, ours=grpo(), entropy=Entropy(bonus=0.3)),
    "dr_grpo, entropy_coef": Case(
        theirs={"loss_type": "dr_grpo", "scale_rewards": "none", "entropy_coef": 0.3}, ours={"name": "dr_grpo"},
        entropy=Entropy(bonus=0.3)),
    "top_entropy_quantile": Case(
        theirs={"loss_type": "dapo", "top_entropy_quantile": 0.2}, ours=of("dapo"), updates=1,
        entropy=Entropy(top_share=0.2)),
    # TRL keeps what is not below the 0.75-quantile, interpolated as torch does: 14 of these 53 tokens. Ours is a count: 13.
    "top_entropy_quantile, one token more": Case(
        theirs={"loss_type": "dapo", "top_entropy_quantile": 0.25}, ours=of("dapo"), updates=1,
        entropy=Entropy(top_share=14 / TOKENS)),
}  # fmt: skip
MODE, MOST, LEAST = (f"vllm_importance_sampling_{name}" for name in ("mode", "clip_max", "clip_min"))
CORRECTIONS: dict[str, tuple[dict[str, Any], Mismatch]] = {
    "token_truncate": ({MODE: "token_truncate", MOST: 1.2}, Mismatch(method="token_tis", cap=1.2)),
    "token_mask": ({MODE: "token_mask", LEAST: 0.8, MOST: 1.3}, Mismatch(method="token_mask", low=0.8, high=1.3)),
    # TRL's own lower bound is none.
    "token_mask above": ({MODE: "token_mask", MOST: 1.3}, Mismatch(method="token_mask", low=1e-9, high=1.3)),
    "sequence_truncate": ({MODE: "sequence_truncate", MOST: 1.2}, Mismatch(method="sequence_tis", cap=1.2)),
    "sequence_mask": ({MODE: "sequence_mask", MOST: 1.5}, Mismatch(method="sequence_mask", cap=1.5)),
    "sequence_mask, defaults": ({}, Mismatch(method="sequence_mask")),
    "none": ({"vllm_importance_sampling_correction": False}, Mismatch()),
    "off_policy_mask_threshold": (
        {"vllm_importance_sampling_correction": False, "off_policy_mask_threshold": 0.05}, Mismatch(stale_negatives=0.05)),
    "both": (
        {MODE: "token_truncate", MOST: 1.2, "off_policy_mask_threshold": 0.05},
        Mismatch(method="token_tis", cap=1.2, stale_negatives=0.05)),
}  # fmt: skip
SAMPLER = {
    f"{loss}, {name}": replace(
        Case(theirs={"loss_type": loss, **theirs}, ours=ours), mismatch=mismatch, sampler_error=0.3, updates=updates
    )
    for name, (theirs, mismatch) in CORRECTIONS.items()
    for loss, ours, updates in (("grpo", grpo(), 2), ("bnpo", grpo(aggregation="token"), 1), ("sapo", of("sapo"), 2))
}


def offered(cases: dict[str, Case]) -> Any:
    """Those whose algorithm there is, with all its settings."""
    known = names("algorithm")
    chosen = {
        name: case
        for name, case in cases.items()
        if case.ours["name"] in known
        and case.ours.keys() - {"name"} <= find("algorithm", case.ours["name"]).model_fields.keys()
    }
    return pytest.mark.parametrize("case", chosen.values(), ids=chosen.keys())


def agree(kind: Any, folder: Path, case: Case, *, micro_batches: int = 1, max_tokens: int = 4096) -> dict[str, float]:
    """Compare the two, and tell the last of each of TRL's metrics."""
    trainer = trainer_of(kind, folder, case, micro_batches)
    assert_same(our_pull(case, max_tokens=max_tokens), their_pull(trainer, case, micro_batches), value=case.value)
    return {name: values[-1] for name, values in trainer._metrics["train"].items() if values}


@offered(CASES)
def test_the_loss_and_its_gradient_are_trls(tmp_path: Path, case: Case) -> None:
    seen = agree("GRPO", tmp_path, case)
    for name in {"clip_ratio/low_mean", "clip_ratio/high_mean", "cispo_clip_ratio"} & seen.keys():
        assert (seen[name] > 0) == (case.updates == 2)


@offered(SAMPLER)
def test_corrections_for_another_sampler_are_trls(tmp_path: Path, case: Case) -> None:
    seen = agree("GRPO", tmp_path, case)
    if "mask" in case.theirs.get(MODE, ""):
        assert seen["sampling/importance_sampling_ratio/min"] == 0  # something was left out
    elif MODE in case.theirs:
        assert seen["sampling/importance_sampling_ratio/max"] == pytest.approx(case.theirs[MOST])
    if case.mismatch != Mismatch():
        assert our_pull(replace(case, mismatch=Mismatch())).distance(our_pull(case)) > 1e-2


@pytest.mark.parametrize("max_tokens", [16, 4096])
@pytest.mark.parametrize("name", ["grpo", "dr_grpo", "dapo", "dapo, beta"])
def test_micro_batches_change_nothing_on_either_side(tmp_path: Path, name: str, max_tokens: int) -> None:
    agree("GRPO", tmp_path, CASES[name], micro_batches=3, max_tokens=max_tokens)


RLOO = {
    "plain": Case(theirs={"beta": 0.0}, ours={"name": "rloo", "kl": None}),
    "first update": Case(theirs={"beta": 0.0}, ours={"name": "rloo", "kl": None}, updates=1),
    "beta": Case(theirs={"beta": 0.03}, ours={"name": "rloo"}),  # the group of equal rewards has advantages too
    "clip": Case(
        theirs={"beta": 0.1, "epsilon": 0.05, "epsilon_high": 0.1},
        ours={"name": "rloo", "kl": {"in_reward": 0.1}, "clip_low": 0.05, "clip_high": 0.1}),
    "temperature": Case(theirs={"beta": 0.05}, ours={"name": "rloo", "kl": {"in_reward": 0.05}}, temperature=0.7),
}  # fmt: skip


@offered(RLOO)
def test_rloo_is_trls(tmp_path: Path, case: Case) -> None:
    seen = agree("RLOO", tmp_path, case)
    for side in ("low", "high"):
        assert (seen[f"clip_ratio/{side}_mean"] > 0) == (case.updates == 2)


def apart(folder: Path, case: Case, micro_batches: int = 1) -> float:
    """How far our gradient is from TRL's where no switch of ours makes them equal."""
    return our_pull(case).distance(their_pull(trainer_of("GRPO", folder, case, micro_batches), case, micro_batches))


def test_bnpo_depends_on_how_a_step_is_split_and_nothing_of_ours_does(tmp_path: Path) -> None:
    """A mean over each micro-batch's tokens: two tokens of one step weigh differently by the company they were put in."""
    assert apart(tmp_path, CASES["bnpo in one micro-batch"], micro_batches=3) > 0.02


def test_trls_entropy_bonus_depends_on_how_a_step_is_split(tmp_path: Path) -> None:
    """Its mean is each micro-batch's own, whatever the loss; ours is over the tokens of the whole update."""
    assert apart(tmp_path, CASES["dapo, entropy_coef"], micro_batches=3) > 1e-3


def test_trls_entropy_bonus_is_for_the_masked_tokens_alone(tmp_path: Path) -> None:
    """With both of its settings TRL raises the entropy where it is highest already. Ours masks the policy's loss alone, as the
    paper of the mask does, which knows no bonus (arXiv:2506.01939)."""
    case = CASES["top_entropy_quantile"]
    both = replace(case, theirs={**case.theirs, "entropy_coef": 0.3}, entropy=Entropy(top_share=0.2, bonus=0.3))
    assert apart(tmp_path, both) > 1e-2


def test_trl_corrects_the_kl_by_a_completions_ratio_where_its_loss_has_one(tmp_path: Path) -> None:
    """A geometric mean is the density of nothing, so that this estimates no KL; ours is each token's own ratio (DeepSeek-V3.2,
    arXiv:2512.02556, eq. 7) with every algorithm."""
    theirs = {"loss_type": "grpo", **WHOLE, **RANGE, "beta": 0.1}
    tokens = {"loss_type": "grpo", "beta": 0.1}
    for name in {"gspo"} & set(names("algorithm")):
        assert apart(tmp_path, Case(theirs=theirs, ours=ranged(name, kl=NEAR_K3))) > 1e-2
    assert apart(tmp_path, Case(theirs=tokens, ours=grpo(kl=NEAR_K3))) < 1e-5
    assert apart(tmp_path, Case(theirs={**tokens, **OFF}, ours=grpo(kl=NEAR_K3))) > 1e-2


def test_trls_dr_grpo_divides_by_the_spread_unless_it_is_told_not_to(tmp_path: Path) -> None:
    """Not dividing is what the method is, so ours has no spread to set."""
    assert apart(tmp_path, Case(theirs={"loss_type": "dr_grpo"}, ours={"name": "dr_grpo"})) > 1e-2


MASKED = {
    "grpo": Case(theirs={"loss_type": "grpo"}, ours=grpo(), cut=(1,)),
    "grpo, beta": Case(theirs={"loss_type": "grpo", "beta": 0.1}, ours=grpo(kl=NEAR_K3), cut=(1,)),
    "grpo, entropy_coef": Case(
        theirs={"loss_type": "grpo", "entropy_coef": 0.3}, ours=grpo(), entropy=Entropy(bonus=0.3), cut=(1,)),
    "dr_grpo": Case(theirs={"loss_type": "dr_grpo", "scale_rewards": "none"}, ours={"name": "dr_grpo"}, cut=(1, 3)),
    "dapo": Case(theirs={"loss_type": "dapo", **HIGH}, ours=of("dapo"), cut=(1,)),
    "sapo": Case(theirs={"loss_type": "sapo"}, ours=of("sapo"), cut=(1,)),
}  # fmt: skip


@offered(MASKED)
def test_what_is_cut_is_masked_as_trl_does(tmp_path: Path, case: Case) -> None:
    """With `count_truncated`. Without it a mean over completions is over fewer of them, so that the gradient is larger by their
    share; a mean over tokens is the same either way."""
    theirs = their_pull(trainer_of("GRPO", tmp_path, case), case)
    assert_same(our_pull(case), theirs)
    assert our_pull(replace(case, cut=())).distance(theirs) > 1e-2, "what is masked had a say"
    if case.entropy.bonus:
        return  # a mean over tokens, beside a mean over completions
    assert case.cut
    share = 1.0 if case.ours["name"] == "dapo" else 4 / (4 - len(case.cut))
    ours = our_pull(replace(case, count_truncated=False))
    assert_same(ours, Pull(theirs.loss * share, {n: g * share for n, g in theirs.grads.items()}))


def test_trl_tells_what_is_cut_by_its_last_token_and_we_by_how_it_ended(tmp_path: Path) -> None:
    """No completion here ends with <eos>, so that TRL's `mask_truncated_completions` masks them all; none was cut."""
    case = CASES["grpo"]
    trainer = trainer_of("GRPO", tmp_path, case)
    trainer.mask_truncated_completions = True
    found = their_pull(trainer, case)
    assert found.loss == 0 and all(not g.any() for g in found.grads.values())
    assert our_pull(case).loss != 0


DEFAULTS_APART = {
    "std": ({"loss_type": "grpo"}, {"name": "grpo", "kl": None}),
    "kl": ({"loss_type": "grpo"}, {"name": "grpo", **SPREAD}),
    "clip": ({"loss_type": "dapo"}, of("dapo")),
}


@pytest.mark.parametrize(("theirs", "ours"), DEFAULTS_APART.values(), ids=DEFAULTS_APART.keys())
def test_the_switches_are_what_makes_them_equal(tmp_path: Path, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    assert apart(tmp_path, Case(theirs=theirs, ours=ours)) > 1e-3
