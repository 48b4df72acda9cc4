"""The reference covers all that the package promises, and nothing else."""

import re
from importlib import import_module

import pytest
from book_pages import ROOT

import dctutor

PAGES = "\n".join(path.read_text() for path in sorted((ROOT / "book" / "api").glob("*.md")))
# Aliases that stand in a table, and the facts of methods, of which `__all__` lists the classes alone.
IN_A_TABLE = {"Count", "Fraction", "NonNegative", "Positive", "PositiveFraction", "ProperFraction", "Sizes", "Whole"}


def documented():
    """Names that the pages document, each with the module that it is imported from."""
    found, module = set(), ""
    for kind, name, options in re.findall(r"^\.\. (\w+|py:data):: (\S+)\n((?:   :.*\n)*)", PAGES, flags=re.MULTILINE):
        if kind == "currentmodule":
            module = name
        elif kind == "automodule" and ":members:\n" in options:
            found |= {f"{name}.{member}" for member in import_module(name).__all__}
        elif kind == "py:data":
            found.add(re.search(r":module: (\S+)", options)[1] + f".{name}")
        elif kind.startswith("auto") and kind != "automodule":
            found.add(name if name.startswith("dctutor.") else f"{module}.{name}")
    return found


@pytest.mark.parametrize("module", dctutor._MODULES)
def test_every_public_name_has_an_entry(module):
    module = import_module(f"dctutor.{module}")
    promised = module.__all__ if hasattr(module, "__all__") else dir(module)
    missing = {f"{module.__name__}.{name}" for name in promised if name not in IN_A_TABLE} - documented()
    assert not missing
    for name in IN_A_TABLE & set(promised):
        assert f"`{name}`" in PAGES


def test_pages_document_what_can_be_imported():
    for name in documented():
        home, _, last = name.rpartition(".")
        assert hasattr(import_module(home), last), name
