"""The report of a run, from what it left on disk.

build.py makes it: equal_cost.py, difficulty.py, curves.py, earned.py and spent.py make the numbers of a chapter each; views/ and
tables.py arrange them, figures/ draws, page.py is what is shown, render.py and write.py write it.
"""
