import base64
import html
import io
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import pdist
from sklearn.decomposition import PCA
from sklearn.metrics import confusion_matrix
from sklearn.neighbors import KNeighborsClassifier

from dctutor import plots


def fit(n=50, p=4, steps=5, seed=1):
    draw = np.random.default_rng(seed)
    return [
        SimpleNamespace(
            phase="pretrain" if t < 2 else "cluster",
            epoch=t + 1,
            embedding=(draw.normal(size=(n, p)) * (t + 1)).astype(np.float32),
            centers=None if t < 2 else draw.normal(size=(3, p)),
        )
        for t in range(steps)
    ]


def payload(animation):
    found = re.findall(r'data-payload="([^"]*)"', animation.html)
    assert len(found) == 1
    return json.loads(html.unescape(found[0]))


def unpack(panel, key):
    integers = np.frombuffer(base64.b64decode(panel[key]), dtype="<u2").reshape(-1, 2)
    return np.array(panel["origin"]) + panel["step"] * integers


def only_panel(animation):
    (panel,) = payload(animation)["panels"]
    return panel


def accuracy(y, Z, centers):
    """ACC of the nearest centres, the search and the counts made by scikit-learn."""
    nearest = KNeighborsClassifier(1).fit(centers, np.arange(len(centers))).predict(Z)
    counts = confusion_matrix(y, nearest)
    return counts[linear_sum_assignment(-counts)].sum() / len(y)


def thumbnails(data):
    sprite = data["sprite"]
    assert sprite["source"].startswith("data:image/png;base64,")
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(sprite["source"].partition(",")[2])), formats=["PNG"]))
    w, h, columns = sprite["width"], sprite["height"], sprite["columns"]
    corners = [(h * (i // columns), w * (i % columns)) for i in range(data["n"])]
    return np.stack([sheet[top : top + h, left : left + w] for top, left in corners])


@pytest.mark.parametrize("p", [2, 4])
def test_payload_holds_the_projected_snapshots(p):
    shots, y = fit(p=p), np.arange(50) % 3
    animation = plots.embedding_animation(shots, y, label_names=["a", "b", "c"], seconds=3)
    data, panel = payload(animation), only_panel(animation)
    last = PCA(2, svd_solver="full").fit(shots[-1].embedding.astype(float))
    project = (lambda Z: Z) if p == 2 else last.transform
    points = np.concatenate([project(s.embedding.astype(float)) for s in shots])
    assert np.abs(unpack(panel, "points") - points).max() <= 0.5001 * panel["step"]
    assert panel["step"] < np.ptp(points) / 60_000
    centers = np.concatenate([project(s.centers) for s in shots[2:]])
    assert np.abs(unpack(panel, "centers") - centers).max() <= 0.5001 * panel["step"]
    assert panel["counts"] == [0, 0, 3, 3, 3]
    assert data["groups"] == y.tolist() and data["names"] == ["a", "b", "c"] and data["seconds"] == 3
    assert panel["frames"][1:3] == ["pretrain, epoch 2", "cluster, epoch 3"]
    assert panel["axes"] == (["Dimension 1", "Dimension 2"] if p == 2 else ["PC 1", "PC 2"])
    assert data["sprite"] is None and "classes" not in data and 'role="application"' not in animation.html


def test_animation_is_small_and_self_contained():
    animation = plots.embedding_animation(fit(n=1000, steps=40), np.arange(1000) % 10)
    assert len(animation.html) < 300_000
    assert not re.search(r"(?:https?:)?//[a-z0-9]+\.|src=|@import|url\(", animation.html)
    assert not re.search(r"@[A-Z]+@", animation.html)
    assert not re.search(r'\sid="', animation.html)  # so that several fit into one page
    assert repr(animation) == "EmbeddingAnimation(n_snapshots=40, n_points=1000)"


def test_many_points_are_thinned_evenly_with_their_labels():
    shots, y = fit(n=301, p=2), np.arange(301)
    animation = plots.embedding_animation(shots, y, max_points=4)
    data, panel = payload(animation), only_panel(animation)
    assert [data["names"][g] for g in data["groups"]] == ["0", "100", "200", "300"]
    expected = np.concatenate([s.embedding[::100] for s in shots])
    assert np.abs(unpack(panel, "points") - expected).max() <= 0.51 * panel["step"]


def test_animation_speaks_and_escapes_names():
    names = ['<b class="x">', "@PAYLOAD@", "c"]
    page = plots.embedding_animation(fit(), np.arange(50) % 3, label_names=names)._repr_html_()
    assert "<b class" not in page
    assert payload(SimpleNamespace(html=page))["names"] == names
    label = html.unescape(re.search(r'<canvas role="img" aria-label="([^"]*)"', page)[1])
    assert (
        "PC 1 and PC 2" in label
        and "50 embedded samples" in label
        and "from pretrain, epoch 1 to cluster, epoch 5" in label
    )
    assert 'type="range"' in page and "<noscript>" in page and "prefers-reduced-motion" in page


@pytest.mark.parametrize("k", [40, 41, 300])
def test_the_names_of_many_groups_are_left_out(k):
    labels = np.arange(300) % k
    animation = plots.embedding_animation(fit(n=300, p=2), labels)
    data = payload(animation)
    assert data["names"] == ([str(i) for i in range(40)] if k == 40 else [])
    assert data["groups"] == (labels % 40).tolist()  # four shapes in ten colours
    assert ("Groups: 0, 1, 2" if k == 40 else f" {k} groups.") in animation.html


def test_same_input_gives_the_same_page():
    assert plots.embedding_animation(fit()).html == plots.embedding_animation(fit()).html


def test_one_snapshot_of_equal_points():
    shot = SimpleNamespace(phase="pretrain", epoch=0, embedding=np.ones((3, 2)), centers=None)
    animation = plots.embedding_animation([shot])
    panel = only_panel(animation)
    assert np.allclose(unpack(panel, "points"), 1) and payload(animation)["names"] == []
    assert panel["spread"] == [None]  # of nothing, there is no fraction


@pytest.mark.parametrize("p", [2, 5])
def test_spread_and_accuracy_of_the_drawn_points(p):
    shots, y = fit(n=90, p=p), np.random.default_rng(3).integers(4, size=90)
    panel = only_panel(plots.embedding_animation(shots, y, max_points=31))
    kept = np.linspace(0, 89, 31).round().astype(int)
    # The mean squared distance of all pairs is in proportion to that from the mean.
    squares = np.array([(pdist(s.embedding[kept].astype(float)) ** 2).mean() for s in shots])
    assert panel["spread"] == pytest.approx(100 * squares / squares[0], rel=1e-3)
    assert panel["acc"][:2] == [None, None]
    expected = [accuracy(y[kept], s.embedding[kept], s.centers) for s in shots[2:]]
    assert panel["acc"][2:] == pytest.approx(expected, abs=1e-4)
    assert only_panel(plots.embedding_animation(shots))["acc"] == [None] * 5


def test_without_centres_the_last_accuracy_is_that_of_the_assignments():
    shots, y = fit()[:2], np.arange(50) % 3
    soft = np.full((50, 3), 0.2)
    soft[np.arange(50), (y + 1) % 3] = 0.6
    soft[:10] = [0.6, 0.3, 0.1]
    panel = only_panel(plots.embedding_animation(shots, y, assignments=soft))
    right = sum(y[:10] == 2) + 40  # cluster 0 is class 2 in the other forty
    assert panel["acc"] == [None, pytest.approx(right / 50)]
    centred = only_panel(plots.embedding_animation(fit(), y, assignments=soft))["acc"][-1]
    assert centred == pytest.approx(accuracy(y, fit()[-1].embedding, fit()[-1].centers), abs=1e-4)


@pytest.mark.parametrize("k", [2, 3, 7])
def test_the_largest_assignments_are_kept_in_order(k):
    soft = np.random.default_rng(5).dirichlet(np.ones(k), size=50)
    animation = plots.embedding_animation(fit(), np.arange(50) % 3, assignments=soft, max_points=20)
    panel, kept = only_panel(animation), np.linspace(0, 49, 20).round().astype(int)
    top = np.frombuffer(base64.b64decode(panel["top"]), dtype="<u2").reshape(20, panel["kept"], 2)
    assert panel["kept"] == min(3, k)
    for row, stored in zip(soft[kept], top, strict=True):
        ranked = sorted(range(k), key=lambda j: -row[j])[:3]
        assert stored[:, 0].tolist() == ranked
        assert np.abs(stored[:, 1] / 1000 - row[ranked]).max() <= 0.00051
    assert payload(animation)["classes"] == ["0", "1", "2"]


def test_sprite_holds_the_images_of_the_drawn_points():
    pixels = np.random.default_rng(2).integers(256, size=(50, 6, 4)).astype(np.uint8)
    kept = np.linspace(0, 49, 12).round().astype(int)
    forms = [
        (pixels, None),
        (pixels[:, None], None),
        (pixels.reshape(50, 24), (6, 4)),
        (pixels.reshape(50, 24) / 255, (1, 6, 4)),
        (pixels, (1, 6, 4)),
    ]
    for images, shape in forms:
        data = payload(plots.embedding_animation(fit(), images=images, image_shape=shape, max_points=12))
        assert np.array_equal(thumbnails(data), pixels[kept])


def test_colour_images_become_grey_and_large_images_small():
    colour = np.zeros((50, 3, 64, 32))
    colour[:, 1] = np.linspace(0, 1, 50)[:, None, None]
    data = payload(plots.embedding_animation(fit(), images=colour))
    assert (data["sprite"]["width"], data["sprite"]["height"]) == (16, 32)
    grey = thumbnails(data).mean(axis=(1, 2))
    assert np.allclose(grey, 0.587 * 255 * np.linspace(0, 1, 50), atol=1)  # the weight of green in luma


def test_a_thousand_digits_stay_small():
    from dctutor import load_dataset

    digits = load_dataset("mnist-5k")
    X, y = digits.X[:1000], digits.y[:1000]
    soft = np.random.default_rng(0).dirichlet(np.ones(10), size=1000)
    shots = fit(n=1000, steps=20)
    plain = len(plots.embedding_animation(shots, y).html)
    full = plots.embedding_animation(shots, y, images=X, image_shape=digits.image_shape, assignments=soft)
    assert len(full.html) - plain < 260_000


def test_classes_are_named_even_if_there_are_many():
    soft = np.full((300, 2), 0.5)
    data = payload(plots.embedding_animation(fit(n=300), np.arange(300) % 50, assignments=soft))
    assert data["names"] == [] and len(data["classes"]) == 50
    assert [data["classes"][i] for i in data["classOf"]] == [str(i % 50) for i in range(300)]


def test_panels_have_their_own_numbers_and_one_set_of_groups():
    long, short = fit(p=4, steps=5), fit(p=2, steps=2, seed=9)
    y = np.arange(50) % 3
    soft = np.random.default_rng(5).dirichlet(np.ones(3), size=50)
    animation = plots.embedding_animation({"long <run>": long, "short": short}, y, assignments={"short": soft})
    data = payload(animation)
    for shots, panel in zip((long, short), data["panels"], strict=True):
        alone = only_panel(plots.embedding_animation(shots, y))
        assert {key: panel[key] for key in alone if key != "acc"} == {k: v for k, v in alone.items() if k != "acc"}
    assert "top" in data["panels"][1] and "top" not in data["panels"][0]
    assert animation.html.count("<canvas") == 2 and '<div class="dct-title">long &lt;run&gt;</div>' in animation.html
    assert repr(animation) == "EmbeddingAnimation(n_snapshots=5, n_points=50)"
    assert animation.html.count('type="range"') == 1


def test_save_writes_a_page_of_its_own(tmp_path):
    animation = plots.embedding_animation(fit())
    animation.save(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>") and animation.html in text


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (lambda s: s.clear(), {}, "at least one snapshot"),
        (
            lambda s: setattr(s[1], "embedding", np.zeros((49, 4))),
            {},
            r"snapshots\[1\].embedding: expected shape \(50, 4\), .* got \(49, 4\)",
        ),
        (
            lambda s: setattr(s[3], "centers", np.zeros((3, 2))),
            {},
            r"snapshots\[3\].centers: expected finite numbers of shape \(k, 4\), got",
        ),
        (
            lambda s: setattr(s[0], "embedding", np.full((50, 4), np.inf)),
            {},
            r"snapshots\[0\].embedding: expected finite",
        ),
        (lambda s: None, {"labels": np.zeros(3, int)}, r"labels: expected shape \(50,\)"),
        (lambda s: None, {"seconds": 0}, "seconds"),
        (lambda s: None, {"seconds": float("inf")}, "seconds"),
        (lambda s: None, {"max_points": 0}, "max_points"),
        (lambda s: None, {"images": np.zeros((49, 3, 3))}, r"images: expected shape \(50, H, W\)"),
        (lambda s: None, {"images": 3}, r"images: expected shape \(50, H, W\)"),
        (lambda s: None, {"images": np.zeros((50, 9))}, r"image_shape: expected \(H, W\)"),
        (lambda s: None, {"images": np.zeros((50, 9)), "image_shape": (2, 2)}, r"images: expected shape \(k, 4\)"),
        (lambda s: None, {"images": np.zeros((50, 9)), "image_shape": 9}, "image_shape: expected"),
        (lambda s: None, {"images": np.zeros((50, 9)), "image_shape": (9,)}, "image_shape: expected"),
        (lambda s: None, {"image_shape": (2, 2)}, "image_shape: expected None"),
        (lambda s: None, {"assignments": np.ones((49, 1))}, r"assignments: expected 50 rows"),
        (lambda s: None, {"assignments": np.ones((50, 2))}, "assignments: .* sum to 1"),
        (lambda s: None, {"assignments": np.tile([1.5, -0.5], (50, 1))}, "assignments: .* minimum -0.5"),
    ],
)
def test_animation_refuses(change, arguments, message):
    shots = fit()
    change(shots)
    with pytest.raises(ValueError, match=message):
        plots.embedding_animation(shots, **arguments)


@pytest.mark.parametrize(
    ("panels", "arguments", "error", "message"),
    [
        ({}, {}, ValueError, "snapshots: expected at least one panel"),
        ({"a": []}, {}, ValueError, r"snapshots\['a'\]: expected at least one snapshot"),
        ({1: fit()}, {}, TypeError, "snapshots: expected titles that are strings, got 1"),
        ({"a": fit(), "b": fit(n=49)}, {}, ValueError, r"snapshots\['b'\]: expected 50 samples"),
        ({"a": fit()}, {"assignments": np.ones((50, 1))}, TypeError, "assignments: expected a mapping"),
        ({"a": fit()}, {"assignments": {"b": np.ones((50, 1))}}, ValueError, "assignments: expected titles among"),
        ({"a": fit()}, {"assignments": {"a": np.ones((5, 1))}}, ValueError, r"assignments\['a'\]: expected 50 rows"),
    ],
)
def test_panels_refuse(panels, arguments, error, message):
    with pytest.raises(error, match=message):
        plots.embedding_animation(panels, **arguments)


def test_pixels_of_another_unit_warn_at_the_call():
    with pytest.warns(UserWarning, match="images: expected pixels in") as caught:
        plots.embedding_animation(fit(), images=np.full((50, 2, 2), 255.0))
    assert caught[0].filename == __file__
