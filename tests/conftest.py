"""The marker ``full_data``: tests of the sets that are too large for the repository.

``@pytest.mark.full_data("mnist", "hapt")`` names the sets a test reads; without arguments it reads all.
A machine that lacks one leaves those tests out and says so at the end.

Every test computes on one thread, and so does every process that it starts: a batch of 32 x 16 does not pay for the
barriers of several, and the processors are taken by pytest-xdist's workers.
"""

import os
import sys
from pathlib import Path

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
os.environ.update(dict.fromkeys(THREADS, "1"))  # before torch is imported; processes that tests start inherit it

import pytest
import torch
from threadpoolctl import threadpool_limits

from dctutor.datasets._catalog import ENTRIES
from dctutor.datasets._fetch import data_folder, missing_files

DOWNLOADED = tuple(name for name, entry in ENTRIES.items() if entry.folder is not None)
LEFT_OUT = pytest.StashKey[int]()
torch.set_num_threads(1)
threadpool_limits(1)  # a plugin of pytest has imported NumPy already
sys.path.insert(0, str(Path(__file__).parent.parent / "book" / "api"))  # the method of one's own that a page shows


def pytest_configure(config):
    config.addinivalue_line("markers", "full_data(*names): reads the named downloaded data sets, or all of them")


def pytest_collection_modifyitems(config, items):
    home = data_folder(None)
    absent = {name for name in DOWNLOADED if missing_files(ENTRIES[name], home)}

    def needs(item):
        return {name for mark in item.iter_markers("full_data") for name in mark.args or DOWNLOADED}

    left_out = [item for item in items if needs(item) & absent]
    config.stash[LEFT_OUT] = len(left_out)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter, config):
    count = config.stash.get(LEFT_OUT, 0)
    if count:
        terminalreporter.write_line(
            f"{count} tests left out: they read full data sets that are not under {data_folder(None)}. "
            f"To run them, call dctutor.datasets.load_dataset on {', '.join(DOWNLOADED)} once with a "
            "network, or point DCTUTOR_DATA to a folder that holds them."
        )
