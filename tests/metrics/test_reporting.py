from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import torch

from dctutor.metrics import Report, calinski_harabasz, davies_bouldin, report, scores, silhouette


def test_a_report_of_tensors():
    z = torch.tensor([[0.0], [1.0], [8.0], [9.0]], requires_grad=True)
    found = report(torch.tensor([0, 0, 1, 1]), y=torch.tensor([1, 1, 0, 0]), Z=z)
    assert found == report([0, 0, 1, 1], y=["a", "a", "b", "b"], Z=z.detach().numpy())


def blobs(n=90, k=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % k
    return rng.normal(size=(n, 4)) + 2 * rng.normal(size=(k, 4))[labels], labels


# Two pairs on a line, and a sample of its own: centres 1, 11 and 20.
LINE, OF_LINE = np.array([[0.0], [2.0], [10.0], [12.0], [20.0]]), [4, 4, 7, 7, 1]


def test_report_holds_what_is_known():
    Z, labels = blobs()
    y = np.roll(labels, 1)
    external, internal = report(labels, y=y), report(labels, Z=Z)
    assert external == scores(y, labels)
    assert list(internal) == ["silhouette", "davies_bouldin", "calinski_harabasz"]
    assert internal["silhouette"] == silhouette(Z, labels) and internal["davies_bouldin"] == davies_bouldin(Z, labels)
    assert internal["calinski_harabasz"] == calinski_harabasz(Z, labels)
    assert report(labels, y=y, Z=Z) == {**external, **internal}
    assert pd.DataFrame([external]).shape == (1, 3)


def test_report_prints_and_renders_as_a_table():
    found = report(OF_LINE, y=[0, 0, 1, 1, 1], Z=LINE)
    lines = str(found).splitlines()
    assert lines[0] == "5 samples in 3 clusters" and lines[1].split() == ["score", "value", "best"]
    assert [line.split()[:2] for line in lines[2:6]] == [
        ["ACC", "0.800"],
        ["NMI", f"{found['nmi']:.3f}"],
        ["ARI", f"{found['ari']:.3f}"],
        ["silhouette", f"{found['silhouette']:.3f}"],
    ]
    assert len(set(map(len, lines[1:]))) == 1
    table = ElementTree.fromstring(found._repr_html_())
    assert table.findtext("caption") == lines[0]
    assert [[cell.text for cell in row] for row in table.iter("tr")] == [line.split() for line in lines[1:]]
    assert {cell.tag for cell in table.find("thead/tr")} == {"th"} and len(table.findall("tbody/tr")) == 6


def test_report_says_what_is_undefined_and_what_was_estimated():
    Z, _ = blobs()
    assert str(report(np.zeros(90, int), Z=Z)).count("undefined") == 3
    found = report(np.arange(90) % 2, Z=Z, sample_size=30, random_state=1)
    assert str(found).splitlines()[0] == "90 samples in 2 clusters; silhouette from 30 of them"
    assert found["silhouette"] == silhouette(Z, np.arange(90) % 2, sample_size=30, random_state=1)


def test_report_refuses():
    with pytest.raises(ValueError, match="y, Z: expected classes, samples or both, got neither"):
        report([0, 1])
    with pytest.raises(ValueError, match=r"labels: expected shape \(2,\), that of y, got \(3,\)"):
        report([0, 1, 1], y=[0, 1])
    with pytest.raises(ValueError, match=r"^y: expected classes, .* got 0\.5"):
        report([0, 1], y=[0.5, 1])
    for known in ({"y": [0, 0, 1, 1]}, {"Z": np.eye(4)}):
        with pytest.raises(TypeError, match="labels: expected labels of one kind, got int and str"):
            report([0, 0, "a", "a"], **known)


def test_report_of_names_in_bytes():
    Z, labels = blobs()
    names = np.array([b"owl", b"cat", b"dog"])[labels]
    assert report(names, y=names, Z=Z) == report(labels, y=labels, Z=Z)


def test_a_report_escapes_what_it_shows():
    page = Report({"<img src=x onerror=alert(1)>": 1.0, "a & b": 2.0}, "<b>caption</b>")._repr_html_()
    table = ElementTree.fromstring(page)
    assert [row[0].text for row in table.iter("tr")] == ["score", "<img src=x onerror=alert(1)>", "a & b"]
    assert table.findtext("caption") == "<b>caption</b>" and not list(table.iter("img"))


def test_a_report_shows_scores_that_were_added():
    table = report([0, 0, 1, 1], y=[0, 0, 1, 1])
    table["seconds"] = 3.0
    assert "seconds" in repr(table) and "3.000" in table._repr_html_()
