"""Numbers and reports, from what a run left on disk. Nothing here trains.

load.py reads the run directory; summary.py, compare.py, drift.py, equal_cost.py, difficulty.py, curves.py, rollouts.py and
spent.py make the numbers; claim.py makes the verdict; report.py puts them together; figures/, page.py, tables.py, views/
and render.py show them. run.py, which asks the models, is the only one that needs torch.
"""
