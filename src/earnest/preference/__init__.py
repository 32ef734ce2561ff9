"""Losses on pairs of completions, one file each; the file's name is its name in a recipe."""
