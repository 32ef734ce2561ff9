"""`python -m earnest`: the command line."""

from __future__ import annotations

from earnest.cli.main import main

if __name__ == "__main__":
    main()
