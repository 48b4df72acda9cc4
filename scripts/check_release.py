"""What has to hold before a version is published, as ``release.yml`` and RELEASING.md use it.

``--tag v0.2.0`` checks that the tag, pyproject.toml, CITATION.cff, CHANGELOG.md and the stored models name one version.
``--example`` prints the README's Python example, for a run with the wheel alone.
"""

import argparse
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def faults(tag: str, root: Path = ROOT) -> list[str]:
    """Return what is not ready for the version that ``tag`` names."""

    def text(name: str) -> str:
        return (root / name).read_text(encoding="utf-8")

    version = tomllib.loads(text("pyproject.toml"))["project"]["version"]
    found = []
    if tag != f"v{version}":
        found.append(f"the tag is {tag!r}, pyproject.toml has version {version!r}")
    if f"\nversion: {version}\n" not in text("CITATION.cff"):
        found.append(f"CITATION.cff does not name {version}")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", text("CHANGELOG.md"), re.MULTILINE):
        found.append(f"CHANGELOG.md has no dated section for {version}: ## [{version}] - YYYY-MM-DD")
    if not (root / "tests" / "models" / f"dec-{version}.safetensors").is_file():
        found.append(f"tests/models has no model that {version} saved")
    return found


def example(readme: str) -> str:
    """Return the README's Python example."""
    blocks = re.findall(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    if len(blocks) != 1:
        raise SystemExit(f"README.md: expected one Python example, got {len(blocks)}")
    return str(blocks[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--tag", help="the version to check, with a leading v")
    what.add_argument("--example", action="store_true", help="print the README's example")
    arguments = parser.parse_args()
    if arguments.example:
        print(example((ROOT / "README.md").read_text(encoding="utf-8")), end="")
    elif found := faults(arguments.tag):
        raise SystemExit("\n".join(found))


if __name__ == "__main__":
    main()
