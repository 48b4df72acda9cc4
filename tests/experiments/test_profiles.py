import pytest

from dctutor import methods
from dctutor.experiments import profile


@pytest.mark.parametrize("name", ["smoke", "book", "full"])
@pytest.mark.parametrize("method", methods.__all__)
def test_a_profile_is_what_its_method_takes(method, name):
    made = getattr(methods, method)
    found = profile(method, name)
    assert made(**found).get_params() == made().get_params() | found
    assert bool(found) == (name != "book" or method == "DNC")  # whose clusters are the most that it may find


def test_profiles_say_what_they_always_said():
    start = {"layerwise_epochs": 0, "pretrain_epochs": 60, "pretrain_weight_decay": 0.03, "weight_init": "pytorch"}
    assert profile("IDEC", "full") == start | {"epochs": 20, "noise": 0}
    assert profile("AutoencoderKMeans", "full") == start
    assert profile("DEPICT", "full") == {"pretrain_epochs": 60, "start_epochs": 2, "weight_decay": 0.03, "epochs": 20}
    assert profile("KMeans", "book") == profile("KMeans", "full") == {"n_init": 20}
    assert profile("DeepAutoencoderClustering", "smoke") == {"epochs": 1}


def test_a_profile_can_be_changed_by_whoever_asked_for_it():
    profile("DEC", "full").clear()
    assert profile("DEC", "full")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("DECK", "full"), "method: expected one of .*DEC.*got 'DECK'"),
        (("GATCluster", "full"), "method: expected one of"),
        (("DEC", "tiny"), "profile: expected one of smoke, book, full, got 'tiny'"),
    ],
)
def test_unknown_names(arguments, message):
    with pytest.raises(ValueError, match=message):
        profile(*arguments)
