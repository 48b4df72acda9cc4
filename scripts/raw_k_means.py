"""k-means on the raw features, what DAC is compared with: ``python scripts/raw_k_means.py [--seeds 3] [--out FILE]``.

One row of CSV a data set and seed, for the test splits that the paper scores. The chapter
``notebooks/autoencoder/dac_autoencoder.ipynb`` has the means.
"""

import argparse
import csv
from pathlib import Path

from sklearn.cluster import KMeans

from dctutor import load_dataset
from dctutor.metrics import scores

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "book" / "results" / "raw-k-means.csv")
    options = parser.parse_args()
    rows = []
    for name in ("mnist", "fashion", "hapt"):
        data = load_dataset(name, "test")
        for seed in range(options.seeds):
            found = KMeans(len(data.label_names), n_init=10, random_state=seed).fit_predict(data.X)
            measured = {key: f"{value:.4f}" for key, value in scores(data.y, found).items()}
            rows.append({"data": name, "split": "test", "seed": seed, **measured})
            print(rows[-1], flush=True)
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
