"""One thread for sums whose order must not differ from run to run."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["one_thread"]


_lock = threading.Lock()
_limits: list[Any] = []  # of the blocks now open; the first knows how many threads there were


def _after_fork() -> None:
    _limits.clear()  # a child has only the thread that forked, so no other one will leave its block there
    _lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_after_fork)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let BLAS and OpenMP use one thread within the block. Blocks of several Python threads may overlap.

    With more threads, the order in which sums are added differs from run to run. The number of BLAS threads belongs to
    the process: the first block to begin sets it, the last to end restores it. That of OpenMP belongs to each thread.
    """
    libraries = ThreadpoolController()
    # Selected: what is told to limit one kind restores the numbers of all that it knows.
    with libraries.select(user_api="openmp").limit(limits=1):
        with _lock:
            _limits.append(libraries.select(user_api="blas").limit(limits=1))
        try:
            yield
        finally:
            with _lock:
                limits = _limits.pop()
                if not _limits:
                    limits.restore_original_limits()
