"""Seconds to import the package, beside those of the libraries it stands on. Fresh processes, in turn."""

import argparse
import statistics
import subprocess
import sys
import time

CASES = {
    "nothing": "pass",
    "torch, sklearn.cluster": "import torch, sklearn.cluster",
    "dctutor": "import dctutor",
    "from dctutor import DEC": "from dctutor import DEC",
}


def measure(code):
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begun


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    seconds = {name: [] for name in CASES}
    for code in CASES.values():
        measure(code)  # once, so that every file is in the cache
    for _ in range(rounds):
        for name, code in CASES.items():
            seconds[name].append(measure(code))
    base = seconds["torch, sklearn.cluster"]
    print(f"{'import, fresh process':<26}{'min s':>8}{'median s':>10}{'ratio of min':>14}{'of median':>11}")
    for name, values in seconds.items():
        low, middle = min(values), statistics.median(values)
        print(f"{name:<26}{low:8.3f}{middle:10.3f}{low / min(base):14.2f}{middle / statistics.median(base):11.2f}")


if __name__ == "__main__":
    main()
