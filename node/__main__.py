"""`python -m kinlight.node` is the same as the console script `kinlight`."""

from __future__ import annotations

from .cli import main

if __name__ == "__main__":
    main()
