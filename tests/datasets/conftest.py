"""A server on 127.0.0.1 with tiny stand-ins for the originals, which it can spoil."""

import contextlib
import dataclasses
import gzip
import hashlib
import http.server
import io
import threading
import time
import zipfile

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from dctutor.datasets import _catalog, _sources

N_TRAIN, N_TEST = 20, 10


def idx(array):
    lengths = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + lengths + array.astype(np.uint8).tobytes()


def image_files():
    rng = np.random.default_rng(0)
    files = {}
    for part, n in (("train", N_TRAIN), ("t10k", N_TEST)):
        files[f"{part}-images-idx3-ubyte"] = idx(rng.integers(0, 256, (n, 28, 28)))
        files[f"{part}-labels-idx1-ubyte"] = idx(np.arange(n) % 10)
    return files


def hapt_files():
    rng = np.random.default_rng(1)
    files = {}
    for part, n in (("Train", 24), ("Test", 12)):
        split = part.lower()
        rows, labels = rng.uniform(-1, 1, (n, 561)), np.arange(n) % 12 + 1
        rows[:, 3] = np.where(labels <= 3, 0.1, -0.99)  # the body moves in walking
        rows[:, 40] = np.where(labels == 6, -0.4, 0.9)  # the first axis is upright unless the person lies
        files[f"{part}/X_{split}.txt"] = "".join(" ".join(f"{v:.4f}" for v in row) + "\n" for row in rows)
        files[f"{part}/y_{split}.txt"] = "".join(f"{label}\n" for label in labels)
        files[f"{part}/subject_id_{split}.txt"] = "1\n" * n
    return {name: text.encode() for name, text in files.items()}


def faces_file():
    # As published: the 64x64 images of 40 people are the columns of a table, each image stored by columns.
    images = np.random.default_rng(2).integers(0, 256, (400, 64, 64), dtype=np.uint8)
    buffer = io.BytesIO()
    savemat(buffer, {"faces": images.transpose(0, 2, 1).reshape(400, -1).T})
    return buffer.getvalue(), images


def png(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png")
    return buffer.getvalue()


def objects_files(images):
    # Blocks of 16 pixels: small files, and each block of 4 has the value of its pixels as its mean.
    return {
        f"obj{thing + 1}__{turn}.png": png(images[thing, turn].repeat(16, 0).repeat(16, 1))
        for thing in range(20)
        for turn in range(72)
    }


def zipped(files, prefix=""):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in files.items():
            bundle.writestr(prefix + name, content)
    return buffer.getvalue()


# Each object has a brightness of its own.
OBJECTS = np.random.default_rng(3).integers(0, 12 * np.arange(2, 22)[:, None, None, None], (20, 72, 8, 8), np.uint8)
OBJECTS_ZIP = zipped(objects_files(OBJECTS), "coil-20-proc/")


class Mirror:
    """What the server gives for each path; `spoil` says how it fails."""

    def __init__(self):
        self.files = {}
        self.spoil = None  # or "truncated", "corrupted", "missing", "endless", "slow body", "slow header"
        self.requests = []
        self.before_answer = lambda: None
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.requests.append(self.path)
                body = mirror.files.get(self.path.rsplit("/", 1)[-1])
                if body is None or mirror.spoil == "missing":
                    return self.send_error(404)
                mirror.before_answer()
                self.send_response(200)
                with contextlib.suppress(ConnectionError):  # the client may have given up
                    if mirror.spoil == "slow header":
                        self.flush_headers()
                        for _ in range(1000):  # far longer than the limits of the tests
                            self.wfile.write(b"X")
                            time.sleep(0.02)
                    if mirror.spoil not in ("endless", "slow body"):
                        self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    if mirror.spoil == "endless":
                        for _ in range(1000):
                            self.wfile.write(bytes(2**16))
                    if mirror.spoil == "slow body":
                        for byte in body[:1000]:
                            self.wfile.write(bytes([byte]))
                            time.sleep(0.02)
                if mirror.spoil == "truncated":
                    body = body[: len(body) // 2]
                if mirror.spoil == "corrupted":
                    middle = len(body) // 2
                    body = body[:middle] + bytes(255 - b for b in body[middle : middle + 9]) + body[middle + 9 :]
                with contextlib.suppress(ConnectionError):  # the client may have given up
                    self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def mirror(monkeypatch):
    """A good mirror of all five sets; the catalogue knows its sizes and checksums."""
    server = Mirror()
    images, faces = image_files(), faces_file()[0]
    packed = {f"{name}.gz": gzip.compress(content) for name, content in images.items()}
    server.files = {**packed, "hapt.zip": zipped(hapt_files()), "orl.mat": faces, "coil.zip": OBJECTS_ZIP}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in images.items()}
    facts = {"sizes": (("train", N_TRAIN), ("test", N_TEST))}
    stand_ins = {
        "mnist": facts,
        "fashion": facts,
        "hapt": {"sizes": (("train", 24), ("test", 12)), "counts": (("train", (2,) * 6), ("test", (1,) * 6))},
        "coil-20": {"brightness": tuple(OBJECTS.mean((1, 2, 3)) / 255)},
    }
    for name, changes in stand_ins.items():
        monkeypatch.setitem(_catalog.ENTRIES, name, dataclasses.replace(_catalog.ENTRIES[name], **changes))
    for name in ("mnist", "fashion"):
        monkeypatch.setitem(_sources.SHA256, name, sums)
        monkeypatch.setitem(_sources.SOURCES, name, (f"{server.address}/{name}/",))
    for name, file in (("hapt", "hapt.zip"), ("orl", "orl.mat"), ("coil-20", "coil.zip")):
        monkeypatch.setitem(_sources.SOURCES, name, (f"{server.address}/{file}",))
    monkeypatch.setitem(_sources.SHA256, "orl", {"olivettifaces.mat": hashlib.sha256(faces).hexdigest()})
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield server
    server.close()


@pytest.fixture
def make_zip():
    return zipped


@pytest.fixture
def small_images():
    return {"orl": faces_file()[1], "coil-20": OBJECTS.reshape(-1, 8, 8)}


@pytest.fixture
def objects():
    """Images of the stand-in for COIL-20, (20, 72, 8, 8), and what makes the files of an archive of such images."""
    return OBJECTS.copy(), objects_files


@pytest.fixture
def make_png():
    return png


@pytest.fixture
def hapt_originals():
    return hapt_files()
