import base64
import html
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.decomposition import PCA

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


def unpack(data, key):
    integers = np.frombuffer(base64.b64decode(data[key]), dtype="<u2").reshape(-1, 2)
    return np.array(data["origin"]) + data["step"] * integers


@pytest.mark.parametrize("p", [2, 4])
def test_payload_holds_the_projected_snapshots(p):
    shots, y = fit(p=p), np.arange(50) % 3
    animation = plots.embedding_animation(shots, y, label_names=["a", "b", "c"], seconds=3)
    data = payload(animation)
    last = PCA(2, svd_solver="full").fit(shots[-1].embedding.astype(float))
    project = (lambda Z: Z) if p == 2 else last.transform
    points = np.concatenate([project(s.embedding.astype(float)) for s in shots])
    assert np.abs(unpack(data, "points") - points).max() <= 0.5001 * data["step"]
    assert data["step"] < np.ptp(points) / 60_000
    centers = np.concatenate([project(s.centers) for s in shots[2:]])
    assert np.abs(unpack(data, "centers") - centers).max() <= 0.5001 * data["step"]
    assert data["counts"] == [0, 0, 3, 3, 3]
    assert data["groups"] == y.tolist() and data["names"] == ["a", "b", "c"] and data["seconds"] == 3
    assert data["frames"][1:3] == ["pretrain, epoch 2", "cluster, epoch 3"]
    assert ("PC 1" in animation.html) == (p == 4)


def test_animation_is_small_and_self_contained():
    animation = plots.embedding_animation(fit(n=1000, steps=40), np.arange(1000) % 10)
    assert len(animation.html) < 300_000
    assert not re.search(r"(?:https?:)?//[a-z0-9]+\.|src=|@import|url\(", animation.html)
    assert not re.search(r"@[A-Z]+@", animation.html)
    assert not re.search(r'\sid="', animation.html)  # so that several fit into one page
    assert repr(animation) == "EmbeddingAnimation(n_snapshots=40, n_points=1000)"


def test_many_points_are_thinned_evenly_with_their_labels():
    shots, y = fit(n=301, p=2), np.arange(301)
    data = payload(plots.embedding_animation(shots, y, max_points=4))
    assert [data["names"][g] for g in data["groups"]] == ["0", "100", "200", "300"]
    expected = np.concatenate([s.embedding[::100] for s in shots])
    assert np.abs(unpack(data, "points") - expected).max() <= 0.51 * data["step"]


def test_animation_speaks_and_escapes_names():
    names = ['<b class="x">', "@PAYLOAD@", "c"]
    page = plots.embedding_animation(fit(), np.arange(50) % 3, label_names=names)._repr_html_()
    assert "<b class" not in page
    assert payload(SimpleNamespace(html=page))["names"] == names
    label = html.unescape(re.search(r'<canvas role="img" aria-label="([^"]*)"', page)[1])
    assert "50 embedded samples" in label and "from pretrain, epoch 1 to cluster, epoch 5" in label
    assert 'type="range"' in page and "<noscript>" in page and "prefers-reduced-motion" in page


@pytest.mark.parametrize("k", [40, 41, 300])
def test_the_names_of_many_groups_are_left_out(k):
    labels = np.arange(300) % k
    animation = plots.embedding_animation(fit(n=300, p=2), labels)
    data = payload(animation)
    assert data["names"] == ([str(i) for i in range(40)] if k == 40 else [])
    assert data["groups"] == (labels % 40).tolist()  # four shapes in ten colours
    assert ("Groups: 0, 1, 2" if k == 40 else f"cluster, epoch 5. {k} groups.") in animation.html


def test_same_input_gives_the_same_page():
    assert plots.embedding_animation(fit()).html == plots.embedding_animation(fit()).html


def test_one_snapshot_of_equal_points():
    shot = SimpleNamespace(phase="pretrain", epoch=0, embedding=np.ones((3, 2)), centers=None)
    data = payload(plots.embedding_animation([shot]))
    assert np.allclose(unpack(data, "points"), 1) and data["names"] == []


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
    ],
)
def test_animation_refuses(change, arguments, message):
    shots = fit()
    change(shots)
    with pytest.raises(ValueError, match=message):
        plots.embedding_animation(shots, **arguments)
