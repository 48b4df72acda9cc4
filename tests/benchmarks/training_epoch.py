"""Seconds of one training epoch of 784-500-500-2000-10 on mnist-5k: bare PyTorch loops, and the package.

The bare loops do the same work: the same share of masked inputs, loss, batches and Adam. The first is written as one
writes it, with ``dropout`` and Adam's default implementation; the tuned one has what makes the package quick, fused
Adam and masks of bytes, in float32 and under plain autocast, which shows what the processor gives. All take turns, so
that a busy machine is busy for all of them; compare their minima. With ``--accuracy``, IDEC's ACC in both precisions
follows.
"""

import argparse
import statistics
import time

import numpy as np
import torch
from torch.nn import functional

from dctutor import IDEC, load_dataset
from dctutor.architectures import Autoencoder
from dctutor.augmentation import mask
from dctutor.devices import resolve_device, resolve_precision
from dctutor.metrics import clustering_accuracy
from dctutor.training import Loop
from dctutor.training.pretraining import pretrain

BATCH, NOISE, RATE = 256, 0.2, 1e-3


def synchronize(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(device, call):
    synchronize(device)
    begun = time.perf_counter()
    call()
    synchronize(device)
    return time.perf_counter() - begun


class Bare:
    """What a reader would write without the package."""

    def __init__(self, x, device, dtype, *, tuned):
        torch.manual_seed(0)
        self.tuned = tuned
        self.autocast = torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)
        self.x = torch.from_numpy(x).to(device)
        self.generator = torch.Generator(device).manual_seed(0)
        self.network = Autoencoder(x.shape[1]).to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=RATE, fused=tuned or None)

    def corrupt(self, x):
        """Mask a share of the entries."""
        return mask(x, NOISE, self.generator) if self.tuned else functional.dropout(x, NOISE)

    def epoch(self):
        """One pass over the data."""
        for index in torch.randperm(len(self.x)).to(self.x.device).split(BATCH):
            batch = self.x[index]
            with self.autocast:
                output = self.network(self.corrupt(batch))
            loss = functional.mse_loss(output.float(), batch)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()


class Package:
    """The same through the package's loop."""

    def __init__(self, x, device, precision):
        self.x, self.device, self.precision = x, device, precision
        self.network = Loop(x, seed=0, device=str(device)).build(lambda: Autoencoder(x.shape[1]))

    def prepare(self):
        """Make the loop, whose cost belongs to a fit and not to an epoch."""
        self.loop = Loop(self.x, seed=0, device=str(self.device), precision=self.precision)

    def epoch(self):
        """One pass over the data."""
        pretrain(
            self.loop, self.network, layerwise_epochs=0, epochs=1, noise=NOISE, learning_rate=RATE, batch_size=BATCH
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--accuracy", action="store_true", help="also fit IDEC in both precisions, seeds 0 to 2")
    options = parser.parse_args()
    device = resolve_device("auto")
    data = load_dataset("mnist-5k")
    x = data.X / np.float32(np.sqrt(np.mean(np.square(data.X, dtype=np.float64))))
    auto = Package(x, device, "auto")
    runners = {
        "bare, float32": Bare(x, device, torch.float32, tuned=False),
        "bare, tuned, float32": Bare(x, device, torch.float32, tuned=True),
        "bare, tuned, as auto": Bare(x, device, resolve_precision("auto", device), tuned=True),
        "dctutor, float32": Package(x, device, "float32"),
        "dctutor, auto": auto,
    }
    seconds = {name: [] for name in runners}
    for turn in range(options.rounds + 1):
        for name, runner in runners.items():
            if isinstance(runner, Package):
                runner.prepare()
            value = timed(device, runner.epoch)
            if turn:  # the first warms up
                seconds[name].append(value)
    print(f"{device}, {torch.get_num_threads()} threads, auto is {auto.loop.dtype}, {options.rounds} rounds")
    print(f"{'one epoch, n = 5,000':<26}{'min s':>8}{'median s':>10}")
    for name, values in seconds.items():
        print(f"{name:<26}{min(values):8.3f}{statistics.median(values):10.3f}")
    (bare, tuned, tuned_as_auto, plain, fast) = seconds.values()
    pairs = {
        "float32 / bare": (plain, bare),
        "float32 / tuned": (plain, tuned),
        "bare / auto": (bare, fast),
        "tuned / auto": (tuned, fast),
        "tuned / tuned as auto": (tuned, tuned_as_auto),
    }
    for name, (top, bottom) in pairs.items():
        middle = statistics.median(t / u for t, u in zip(top, bottom, strict=True))
        print(f"{name:<26}{min(top) / min(bottom):8.2f}{middle:10.2f}   (of minima; median of the rounds' ratios)")
    if options.accuracy:
        print(f"{'IDEC, ACC':<26}" + "".join(f"{f'seed {seed}':>9}" for seed in range(3)) + f"{'mean':>9}")
        for precision in ("float32", "auto"):
            found = [
                clustering_accuracy(
                    data.y, IDEC(10, precision=precision, random_state=seed, verbose=False).fit(data.X).labels_
                )
                for seed in range(3)
            ]
            print(f"{precision:<26}" + "".join(f"{acc:9.4f}" for acc in (*found, statistics.mean(found))))


if __name__ == "__main__":
    main()
