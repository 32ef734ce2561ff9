"""A critic costs a second model with a body of its own, and next to nothing without."""

from __future__ import annotations

import pytest

from benchmark_scripts import benchmark


def test_what_a_critic_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    state = benchmark("state")
    small = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    monkeypatch.setattr(state, "SHAPE", {**state.SHAPE, **small, "vocab_size": 1024})
    grpo, shared, separate = (state.measured(method) for method in state.METHODS)
    assert (
        grpo.weights == grpo.gradients == 4 * (1024 * 64 + 2 * (64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 128 + 2 * 64) + 64)
    )
    assert grpo.optimizer == pytest.approx(2 * grpo.weights, rel=1e-3)
    assert shared.total / grpo.total == pytest.approx(1.0, abs=0.05) and shared.weights == grpo.weights + 4 * 65
    assert separate.total / grpo.total == pytest.approx(2.0, abs=0.01)
