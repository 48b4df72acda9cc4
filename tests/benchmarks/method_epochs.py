"""Seconds of one epoch of each method's clustering phase, beside a bare PyTorch loop over the same network.

The bare loop only reconstructs, in float32, in batches of the same size: what it takes is the least that a method with
this network can cost. A method's epoch is the difference of two fits of different length, so that it holds all that
comes once per epoch, such as a new target, and nothing that comes once per fit. They take turns; compare the ratios.
"""

import argparse
import copy
import csv
import statistics
from functools import partial
from pathlib import Path

import torch
from torch.nn import functional
from training_epoch import timed

from dctutor import load_dataset, methods
from dctutor.architectures import Identity
from dctutor.devices import resolve_device
from dctutor.methods import registry

# Methods with one weight for each pair of samples get fewer of them.
SAMPLES = {"DSCNet": 1000}
SHORT, LONG = 1, 4


def fit(name, data, n, epochs):
    """Fit with next to no pre-training and no early stop."""
    made = getattr(methods, name)
    known = made().get_params()
    settings = {
        **registry()[name].profiles["smoke"],
        "image_shape": data.image_shape,
        "tol": 0.0,
        "precision": "float32",
    }
    settings = {key: value for key, value in settings.items() if key in known} | {"epochs": epochs}
    return made(10, **settings, random_state=0, verbose=False).fit(data.X[:n])


def autoencoder(fitted):
    """A copy of the network that the method trains, and how it reconstructs."""
    network, head = copy.deepcopy(fitted.network_), copy.deepcopy(fitted.head_)
    if isinstance(network, Identity):  # the clustering module: its head is all there is
        return head.train(), lambda x: head.mix(head.assign(x))
    return network.train(), lambda x: network.decode(network.encode(x))


def bare_epoch(network, reconstruct, x, batch_size):
    """One epoch of plain reconstruction."""
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], fused=True)
    for index in torch.randperm(len(x)).to(x.device).split(min(batch_size, len(x))):
        loss = functional.mse_loss(reconstruct(x[index]), x[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--methods", nargs="+", default=[m for m in methods.__all__ if m != "AutoencoderKMeans"])
    parser.add_argument(
        "--out", type=Path, help="CSV to append the rows to; the book's is book/results/method-epochs.csv"
    )
    options = parser.parse_args()
    device = resolve_device("auto")
    data = load_dataset("mnist-5k")
    print(f"{device}, {torch.get_num_threads()} threads, float32, {options.rounds} rounds; medians")
    print("{:<27}{:>8}{:>10}{:>9}{:>6}".format("method", "ratio", "method s", "bare s", "n"))
    for name in options.methods:
        n = SAMPLES.get(name, len(data.X))
        fitted = fit(name, data, n, SHORT)
        x = torch.from_numpy(fitted.scaling_.apply(data.X[:n])).to(device)
        run_bare = partial(bare_epoch, *autoencoder(fitted), x, fitted.batch_size)
        bare, method = [], []
        for _ in range(options.rounds):
            bare.append(timed(device, run_bare))
            short, long = (timed(device, partial(fit, name, data, n, epochs)) for epochs in (SHORT, LONG))
            method.append((long - short) / (LONG - SHORT))
        ratio = statistics.median(m / b for m, b in zip(method, bare, strict=True))
        row = [name, f"{ratio:.2f}", *(f"{seconds:.3f}" for seconds in map(statistics.median, (method, bare))), n]
        print("{:<27}{:>8}{:>10}{:>9}{:>6}".format(*row), flush=True)
        if options.out:
            with options.out.open("a", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerow(row)


if __name__ == "__main__":
    main()
