"""The study of starts compares runs that differ in their first clusters only."""

import pytest
from results_table import summarise
from start_study import collect, study_html
from test_results_table import recorded

SAMPLE = {"dataset": "mnist-5k", "profile": "book"}


def runs() -> list[dict]:
    shared = {"autoencoder": "mnist"}
    told = [recorded("DEC", seed, acc, **SAMPLE, settings=shared) for seed, acc in enumerate((0.80, 0.84))]
    told += [recorded("DEC", 0, 0.95, **SAMPLE, settings=shared | {"init": "ac-pic"})]
    told += [recorded("IDEC", 0, 0.85, **SAMPLE, settings=shared | {"init": "ward"})]
    told += [recorded("AutoencoderKMeans", 0, 0.78, **SAMPLE, settings=shared)]
    # What differs in something else: own pre-training, another autoencoder, one more setting, another method.
    told += [recorded("DEC", 0, 0.1, **SAMPLE), recorded("DEC", 0, 0.1, **SAMPLE, settings={"autoencoder": "fashion"})]
    told += [recorded("DEC", 0, 0.1, **SAMPLE, settings=shared | {"init": "ward", "epochs": 3})]
    return [*told, recorded("DCN", 0, 0.1, **SAMPLE, settings=shared)]


def test_rows_go_from_no_training_to_the_last_start():
    groups = collect(["mnist-5k", "fashion-5k"], summarise(runs()))
    (lines,) = groups.values()  # no run on Fashion-MNIST, no heading for it
    assert [line.label for line in lines] == [
        "k-means on the codes, no training",
        "DEC from k-means",
        "DEC from AC-PIC",
        "IDEC from Ward’s clusters",
    ]
    assert [line.mean["acc"] for line in lines] == pytest.approx([0.78, 0.82, 0.95, 0.85])
    assert lines[1].seeds["acc"] == [0.80, 0.84]


def test_the_picture_and_the_table_show_all_rows():
    html = study_html(None, "book/starts", collect(["mnist-5k"], summarise(runs())))
    assert html.count("<circle") == 5
    assert "DEC from k-means 82.0 ± 2.8, 2 seeds" in html
    assert html.count('<th scope="rowgroup"') == 4
    assert "No run" in study_html(None, "book/starts", {})
