"""Numbers and reports, from what a run left on disk. Nothing here trains.

load.py (and items.py) reads the run directory; summary.py, compare.py and drift.py make numbers; claim.py makes the verdict.
report/ is the report, looking/ single rollouts, versus/ two checkpoints, grid/ tasks and ways to ask, audit.py a verifier under
attack, grading.py and verdict_file.py answers from elsewhere. run.py, likelihood.py and grid/asking.py, which ask models, are the
only ones that need torch.
"""
