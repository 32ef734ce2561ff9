"""Two checkpoints of any runs on the same problems, and in what their runs differ: `earnest compare`."""
