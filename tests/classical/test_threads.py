"""One thread for BLAS and OpenMP, in blocks that overlap. In a process of its own, which may use two."""

import os
import subprocess
import sys

SCRIPT = """
import os, signal, threading
from concurrent.futures import ThreadPoolExecutor

import torch
from threadpoolctl import threadpool_info

from dctutor.classical import kmeans
from dctutor.classical._threads import one_thread


def threads():
    return [info["num_threads"] for info in threadpool_info() if info["user_api"] in ("blas", "openmp")]


def overlap(order):
    "Two threads, each with a block: capitals begin one, small letters end it."
    go, done = ({name: threading.Event() for name in order} for _ in range(2))
    found = {}

    def work(begin, end):
        go[begin].wait()
        with one_thread():
            done[begin].set()
            go[end].wait()
            found[end] = threads()
        done[end].set()

    workers = [threading.Thread(target=work, args=pair, daemon=True) for pair in ("Aa", "Bb")]
    for worker in workers:
        worker.start()
    for name in order:
        go[name].set()
        assert done[name].wait(60)
    for worker in workers:
        worker.join()
    assert set(found["a"]) == set(found["b"]) == {1}, (order, found)
    assert threads() == before, (order, before, threads())


before = threads()
for order in ("AaBb", "ABba", "ABab"):
    overlap(order)

try:
    with one_thread(), one_thread():
        assert set(threads()) == {1}
        raise KeyError
except KeyError:
    assert threads() == before, "nested blocks"

z = torch.randn(2000, 5, generator=torch.Generator().manual_seed(0))
fit = lambda seed: kmeans(z, 5, torch.Generator().manual_seed(seed), n_init=1 + seed % 3).tolist()
alone = [fit(seed) for seed in range(9)]
with ThreadPoolExecutor(3) as pool:
    assert list(pool.map(fit, range(9))) == alone
assert threads() == before, "k-means in threads"

if hasattr(os, "fork"):
    # A child has no other thread that would leave its block; nor may it wait for a lock that one held.
    inside, leave = threading.Event(), threading.Event()

    def stay():
        with one_thread():
            inside.set()
            leave.wait()

    worker = threading.Thread(target=stay)
    worker.start()
    inside.wait()
    child = os.fork()
    if not child:
        signal.alarm(60)
        with one_thread():
            os._exit(0 if set(threads()) == {1} else 1)
    assert os.waitpid(child, 0)[1] == 0, "a forked child"
    leave.set()
    worker.join()
    assert threads() == before, "after a fork"
"""


def test_blocks_that_overlap_use_one_thread_and_restore_the_numbers_from_before():
    two = {name: "2" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=os.environ | two, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
