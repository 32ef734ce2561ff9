"""Numbers and reports, from what a run left on disk. Nothing here samples, grades or trains, or needs torch.

load.py reads the run directory; summary.py, compare.py and drift.py make the numbers; claim.py makes the verdict;
report.py puts them together, figures.py and render.py show them.
"""
