"""The first half of a step of reinforcement learning: problems in, judged and rewarded groups out.

`gatherer.py` does it; beside it is one module for each remedy against groups that teach nothing, all of them off unless a
recipe asks. Nothing here knows what is made of the groups.
"""
