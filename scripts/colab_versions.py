"""Write the versions that Colab ships now into constraints-oldest.txt, from its own list.

``python scripts/colab_versions.py pip-freeze.txt`` reads the list that the repository googlecolab/backend-info has.
The names that are pinned stay the same, and so do comments.
"""

import argparse
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "constraints-oldest.txt"


def updated(pins: str, freeze: str) -> str:
    """Return the pins with the versions of ``freeze``, without local parts such as ``+cu128``.

    Raises
    ------
    ValueError
        If the list lacks a pinned library: Colab dropped it, or the list is of another form.
    """
    shipped = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^+\s]+)", freeze, re.MULTILINE))
    versions = {name.lower().replace("_", "-"): number for name, number in shipped.items()}
    # The builds of torch come from another index and are listed by their address.
    for name, number in re.findall(r"^(torch\w*) @ \S*/\1-([0-9][0-9.]*)", freeze, re.MULTILINE):
        versions[name] = number
    lines = []
    for line in pins.splitlines():
        name = line.partition("==")[0]
        if line and not line.startswith("#"):
            if name not in versions:
                raise ValueError(f"Colab's list has no version of {name!r}")
            line = f"{name}=={versions[name]}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("freeze", type=Path, help="Colab's pip-freeze.txt")
    arguments = parser.parse_args()
    pins = PINS.read_text(encoding="utf-8")
    PINS.write_text(updated(pins, arguments.freeze.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
