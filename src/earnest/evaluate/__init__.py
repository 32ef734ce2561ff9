"""Numbers and reports, from what a run left on disk. Nothing here trains.

load.py (and items.py) reads the run directory; summary.py, compare.py, drift.py, equal_cost.py, difficulty.py, curves.py,
earned.py and spent.py make the numbers; claim.py makes the verdict; report.py puts them together; figures/, page.py,
tables.py, views/ and render.py show them. rollouts.py and where.py read single rollouts; sides.py, versus.py and settings.py
compare two checkpoints. run.py, likelihood.py and grid.py, which ask models (columns.py: in which ways), are the only ones
that need torch.
"""
