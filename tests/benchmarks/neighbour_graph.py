"""Seconds and peak memory of the graph of nearest neighbours on all of MNIST. ``DCTUTOR_DATA`` says where that lies."""

import argparse
import resource
import time

import torch

from dctutor import load_dataset
from dctutor.classical import neighbour_graph


def peak_gb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # kilobytes on Linux


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=70_000)
    parser.add_argument("--neighbors", type=int, default=10)
    parser.add_argument("--block-size", type=int, default=512)
    options = parser.parse_args()
    x = torch.from_numpy(load_dataset("mnist").X[: options.samples])
    before, begun = peak_gb(), time.perf_counter()
    graph = neighbour_graph(x, options.neighbors, block_size=options.block_size)
    seconds = time.perf_counter() - begun
    print(
        f"{tuple(x.shape)}, k = {options.neighbors}, blocks of {options.block_size}, {torch.get_num_threads()} threads"
    )
    print(f"{seconds:.1f} s; peak {peak_gb():.2f} GB, of which {before:.2f} GB before the call")
    print(f"graph: {sum(part.nbytes for part in graph) / 2**20:.1f} MB")


if __name__ == "__main__":
    main()
