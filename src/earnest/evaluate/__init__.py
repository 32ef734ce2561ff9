"""Numbers and reports, from what a run left on disk. Nothing here trains.

load.py (and items.py) reads the run directory; summary.py, compare.py and drift.py make the numbers; claim.py makes the
verdict; report.py puts them together; figures.py, page.py, tables.py, views.py and render.py show them. run.py and
likelihood.py, which ask the models, are the only ones that need torch.
"""
