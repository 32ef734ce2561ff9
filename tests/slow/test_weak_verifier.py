"""A weak verifier, from end to end: the gate refuses it, an audit names its faults, and a policy that is paid by it learns them.

One seed takes two minutes of a CPU core; `python benchmarks/weak_verifier.py` is the same over several.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark_scripts import benchmark

pytestmark = pytest.mark.slow
weak = benchmark("weak_verifier")
SEED = 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weak")


def test_the_gate_and_the_audit_refuse_it_before_anything_is_trained(folder: Path) -> None:
    gate = weak.stopped(folder / "refused", SEED)
    assert gate.gate == "verifier" and gate.status == "refused" and not gate.trained
    assert "right solutions paid" in gate.reason and "hedge" in gate.reason
    assert gate.audit_exit_code == 3 and gate.audit_false_passes > 0.3 * gate.audit_shown


def test_a_policy_that_is_paid_by_it_learns_to_be_paid_and_the_report_says_so(folder: Path) -> None:
    run = weak.finished(weak.RECIPE, folder / "run", SEED)
    found = weak.exploited(run)
    gate = weak.stopped(folder / "refused", SEED)
    unmet = [text for text in weak.failures([found], gate) if "the reward rose" not in text]
    assert unmet == [] and found.reward_after > found.reward_before, (
        "that it rises by 20 points is an expectation not met"
    )
    report = weak.report_of(run)
    assert report["verdict"] in ("regressed", "not shown") and found.arm.after <= found.arm.before + 0.05
    worst = report["reward_audit"]["rl"]["paid_and_wrong"][0]
    assert worst["reward"] == 1.0 and "H4" in found.arm.rules
    page = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert 'id="audit-rl"' in page and "The reward rises" in page
