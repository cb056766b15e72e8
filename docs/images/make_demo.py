"""Draw docs/images/demo.svg: the terminal while `kinlight demo` runs.

python docs/images/make_demo.py
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text


def main() -> None:
    """Run the demo and export what it said."""
    said = subprocess.run(
        [sys.executable, "-m", "kinlight.node", "demo"], capture_output=True, text=True, check=True
    ).stdout
    console = Console(record=True, width=100, file=sys.stderr)
    console.print(Text("$ make demo", style="bold"))
    for line in said.splitlines():
        good = "the same bytes" in line or ": refused" in line
        console.print(Text(line, style="green" if good else ""))
    target = Path(__file__).with_name("demo.svg")
    drawn = console.export_svg(title="kinlight demo")
    # Without Rich's web fonts: the picture asks nobody for anything.
    target.write_text(re.sub(r"@font-face \{.*?\}\n", "", drawn, flags=re.DOTALL))


if __name__ == "__main__":
    main()
