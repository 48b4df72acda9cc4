"""Answers: every stored number is computed again, from the solution in the chapter or another way."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from chapters import chapters, names, numbers, solution
from scipy.special import softmax
from scipy.stats import entropy

from dctutor import architectures, exercises, losses
from dctutor.exercises import check
from dctutor.exercises._check import answers
from dctutor.features import FullNetworkEmbedding


def row(weights):
    weights = torch.as_tensor(weights, dtype=torch.float64)
    return weights / weights.sum()


# For each exercise: answers, and words of what is said of them; "" where the answer is right. Every hint has its turn.


def first_acc():
    _, lines = solution("ex-first-acc")
    accuracies = [numbers(line)[0] for line in lines]
    yield accuracies, ""
    yield [1, 5 / 6, 1 / 2], ""
    yield [1, 0.0, 0.5], "may stay without"
    yield [1, 1, 0.5], "same class"  # purity
    toy, truth = (names("ex-first-acc", {"toy", "truth"}, table=lambda *a, **k: None)[n] for n in ("toy", "truth"))
    yield [np.mean(np.equal(truth, found)) for found in toy.values()], "numbers of clusters"


def arch_odd():
    generator = torch.Generator().manual_seed(0)
    network = architectures.ConvolutionalAutoencoder((1, 28, 28), (8, 16), embedding_dim=10)
    with torch.no_grad():
        for weights in network.parameters():
            weights.copy_(torch.randn(weights.shape, generator=generator) / 5)
    network.requires_grad_(False)
    _, lines = solution("ex-arch-odd", convolutional=network)
    said = [line.rpartition(" ")[2] == "True" for line in lines]
    yield said, ""
    yield ["False" not in line.partition("after")[0] for line in lines], "np.roll"
    yield [True, True], "every other place"
    yield said[::-1], "Which of the two"


def arch_count():
    network = architectures.ConvolutionalAutoencoder((1, 28, 28), (8, 16), embedding_dim=10)
    _, lines = solution("ex-arch-count", convolutional=network)
    by_hand, counted = numbers(lines[0])
    dense = numbers(lines[1].rpartition(":")[2])[0]
    yield [by_hand, dense], ""
    layer = torch.nn.Linear(28 * 28, 8 * 14 * 14)
    yield torch.tensor([counted, sum(w.numel() for w in layer.parameters())]), ""
    biasless = sum(w.numel() for w in network.encoder.parameters() if w.ndim > 1)
    yield [biasless, dense], "has a bias"
    yield [counted, layer.weight.numel()], "dense layer's outputs"
    yield [counted - 7 * 16 * 25, dense], "all 8 maps"


def arch_saturate():
    _, lines = solution("ex-arch-saturate")
    at = {numbers(line.partition(":")[0])[0]: numbers(line) for line in lines}
    yield at[-2], ""
    yield at[2], "a = 2"
    yield at[-8], "a = -8"
    yield at[0], "a = 0"
    d = torch.sigmoid(torch.tensor(-2.0)).requires_grad_()
    yield torch.stack(torch.autograd.grad((1 - d).log(), d) + torch.autograd.grad(-d.log(), d)), "respect to D"


def features_silence():
    _, lines = solution("ex-features-silence")
    share = [float(re.search(r"r = ([\d.]+)%", line)[1]) / 100 for line in lines]
    low, high = np.mean(share[:2]), np.mean(share[2:])
    assert "silent 0" in lines[0] and "silent -1" in lines[1] and "speaks 1" in lines[2] and "speaks 0" in lines[3]
    yield [low, high], ""
    found = []  # the same on a finer grid
    for silent, wanted in ((-1, -1), (0, 0)):
        news = [r for r in range(1, 10000) if _said(r)[silent] == wanted]
        found.append(news[0] / 10000)
    yield found, ""
    yield [found[0], 1 - found[1]], "in both questions"
    yield [1 - found[0], 1 - found[1]], "fractions of silent"
    yield [0.25 / 1.25, 1 / 1.15], "square root"


def _said(r, n=10000):
    """What the embedding makes of a neuron that speaks r times in n; its thresholds are FullNetworkEmbedding's."""
    spread = np.sqrt(r / n * (1 - r / n))
    embedding = FullNetworkEmbedding()
    values = np.array([1 - r / n, -r / n]) / spread
    return np.where(values > embedding.upper, 1, np.where(values < embedding.lower, -1, 0))


def metrics_mean():
    _, lines = solution("ex-metrics-mean")
    values = {line.split()[0]: float(line.split()[1]) for line in lines}
    full, strictest = max(values, key=values.get), min(values, key=values.get)
    assert values[full] == 1
    yield [full, strictest], ""
    yield np.array(["Min", " MAX "]), ""
    yield [full, "arithmetic"], "lower score"
    yield [strictest, full], "divided by the mean"


def metrics_silhouette():
    x, labels = np.array([[0.0], [1.0], [5.0]]), np.array([0, 0, 1])
    space, _ = solution("ex-metrics-silhouette", X=x, pixels=SimpleNamespace(labels_=labels))
    yield space["mine"], ""
    yield space["theirs"], ""
    a, b = np.array([1.0, 1.0, 0.0]), np.array([5.0, 4.0, 4.5])
    yield (b - a) / np.maximum(a, b), "over nobody"
    a /= 2
    yield (b - a) / np.maximum(a, b), "counts the sample itself"


def schedules_scale():
    _, lines = solution("ex-schedules-scale")
    yield [float(re.search(r"([\d.]+) for the sum", line)[1]) for line in lines], ""
    alpha = np.array([0.1, 0.5])
    yield 784 * alpha, "more than 1"
    yield 784 * alpha / (1 - alpha), "ratios"
    ratio = alpha / (1 - alpha) / 784
    yield ratio / (1 + ratio), "The other way"


def dac_noise():
    space, lines = solution("ex-dac-noise")
    yield [numbers(line)[0] for line in lines], ""
    label = torch.from_numpy(space["label"])
    yield [losses.feature_weights(c * label[:, None].double(), label)[0].item() for c in (1, 10)], "not yet in"


def dcn_forget():
    space, _ = solution("ex-dcn-forget")
    table = space["table"]
    yield list(table[5].values()), ""
    # In closed form: a mean of all codes and 100 more at 10; what is left of the distance after 200 steps.
    yield [(150 * 10 + 200) / 350, 1 + 9 * 0.99**200], ""
    yield list(table[30].values()), "30 epochs"
    counting, fixed = 10.0, 10.0
    for c in range(101, 351):
        counting += (1 - counting) / c
        fixed += (1 - fixed) / 100
    yield [counting, fixed], "throughout the first"
    yield [1 + 9 * np.prod([1 - 1 / c for c in range(150, 350)]), 0], "Count the code first"


def den_t():
    _, lines = solution("ex-den-t")
    small, middle, large = map(numbers, lines)
    yield middle, ""
    yield small, "t = 0.1"
    yield large, "t = 1000"
    d = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
    yield [(-d[k] / 2).exp() for k in range(3)], ""
    yield (-(d**2) / 2).exp(), "squared already"
    yield (-d / 4).exp(), "without a 2"
    yield (-d * 2).exp(), "Divide by t"


def depict_sharpness():
    space, _ = solution("ex-depict-sharpness")
    yield space["squared"].mean(0), ""
    yield losses.target_distribution(space["q"]).mean(0), ""
    yield losses.balanced_target(space["q"]).mean(0), "sharpness=1"
    yield space["q"].mean(0), "guesses q"


def depict_root():
    space, lines = solution("ex-depict-root")
    yield numbers(lines[0]), ""
    guess = space["same"][:1]
    yield row(guess[0].sqrt()), ""
    yield guess, "This is the guess"
    yield guess.sqrt(), "sum to 1"
    yield row(guess[0] ** 2), "square of the guess"
    yield np.full(3, 1 / 3), "first term"


def dmc_fuzziness():
    _, lines = solution("ex-dmc-fuzziness")
    least, this, two, ten = map(numbers, lines)
    yield this, ""
    yield row([1, 2.0**-4, 4.0**-4]), ""
    yield two, "m = 2"
    yield row([1, 2.0**-2, 4.0**-2]), "not squared"
    yield least, "m = 1.1"
    yield ten, "m = 10"


def dmc_components():
    cloud = torch.tensor(names("ex-dmc-components", {"points"})["points"])
    space, lines = solution("ex-dmc-components", cloud=cloud)
    found = {int(re.search(r"k = +(\d+)", line)[1]): numbers(line)[0] for line in lines}
    yield [found[k] for k in (4, 8, 12)], ""
    yield [space["components"](cloud, k) for k in (4, 8, 12)], ""
    yield [found[k] for k in (2, 4, 6)], "fewer neighbours"


def dec_nu():
    _, lines = solution("ex-dec-nu")
    one, ten, many = map(numbers, lines)
    yield ten, ""
    d = np.array([100.0, 36.0])
    yield row((1 + d / 10) ** -5.5), ""
    yield one, "nu = 1."
    yield many, "nu = 1000"
    yield row((1 + d**0.5 / 10) ** -5.5), "is squared"
    yield row((1 + d / 10) ** -1.0), "is missing"


def dec_power():
    space, lines = solution("ex-dec-power")
    guess, square, fourth = map(numbers, (line.partition(":")[2].partition("row")[2] for line in lines))
    yield fourth, ""
    yield space["p"][0], ""
    yield row(np.array([0.8, 0.2]) ** 4), ""
    yield guess, "r = 1"
    yield square, "r = 2"
    yield space["weight"][0], "sum to 1"


def aecm_rank():
    _, lines = solution("ex-aecm-rank")
    yield [numbers(line)[0] for line in lines], ""
    yield [0, 0, 0], "right angles"
    angle = torch.arange(3) * 2 * torch.pi / 3
    star = torch.stack([angle.cos(), angle.sin()], 1)
    yield [0, losses.orthonormality(star), 2], "120 degrees"
    cross = torch.tensor([[1.0, 0], [0, 1], [1, 0], [0, -1]])
    yield [losses.orthonormality(cross[:k]) for k in (2, 3, 4)], "alike or opposite"


def aecm_soft():
    _, lines = solution("ex-aecm-soft")
    sharp, soft = map(numbers, lines)
    yield sharp, ""
    yield soft, "u / 4"
    q = 1 / (1 + np.exp(-np.arange(7)))
    yield 2 * q * (1 - q) * (2 * q - 1), ""
    yield 2 * q * (1 - q), "impurity itself"
    yield [-value for value in sharp], "signs"


def cm_alpha():
    _, lines = solution("ex-cm-alpha")
    alpha = [numbers(line)[0] for line in lines]
    yield alpha, ""
    yield [value - 1 for value in alpha], "without alpha"


def cm_batch():
    space, lines = solution("ex-cm-batch")
    above = {int(re.search(r"batch of +(\d+)", line)[1]): numbers(line)[0] for line in lines}
    yield [above[256], above[1000]], ""
    # To second order, a mean of -log g lies above its value at 1/10 by half the relative variance, ten times.
    yield [10 * (9 / size) * (1 + 1.5 * 9 / size) / 2 for size in (256, 1000)], ""
    yield [above[size] + space["whole"] for size in (256, 1000)], "the means themselves"
    yield [above[256] / 10, above[1000] / 10], "sum over clusters"
    yield [above[50], above[111]], "50 and 111"


def dac_adaptive_meet():
    _, lines = solution("ex-dac-adaptive-meet")
    lam, where, fraction = numbers(lines[0])
    yield [lam, where, fraction], ""
    yield [0.95 - 0.455, where, fraction], "from both sides"
    yield [lam, where, fraction**2], "five clusters"
    yield [lam, where, 1 / 10], "K = 10"


def sela_prior():
    _, lines = solution("ex-sela-prior")
    kept = [float(line.rpartition(" ")[2]) for line in lines]
    yield kept, ""
    yield kept[::-1], "other way round"
    yield [1 - fraction for fraction in kept], "change their label"


def imsat_prior():
    _, lines = solution("ex-imsat-prior")
    yield numbers(lines[0]), ""
    answers_, priors = np.array([[0.9, 0.1], [0.1, 0.9]]), ([0.5, 0.5], [0.8, 0.2])
    yield [entropy(answers_.mean(0), q) for q in priors], ""
    yield [entropy(q, answers_.mean(0)) for q in priors], "comes first"
    yield [np.mean([entropy(p, q) for p in answers_]) for q in priors], "mean of the answers first"


def gmvae_free():
    _, lines = solution("ex-gmvae-free")
    mean, last = (numbers(line)[0] for line in lines)
    yield [mean, last], ""
    sure = np.log(10)
    yield [sure / 2, 1.5], ""
    yield [mean, (max(sure, 1.5) + max(0, 1.5)) / 2], "not for each sample"
    yield [mean, mean], "does not follow"
    yield [sure, sure], "sure sample alone"


def vade_gamma():
    _, lines = solution("ex-vade-gamma")
    vague, point = (numbers(line)[-2:] for line in lines)
    yield [*vague, *point], ""

    def shares(s2, height=1.0):
        return softmax([-(height * np.log(v) + (s2 + 1) / v) / 2 for v in (1, 4)])

    yield [*shares(0.5), *shares(0)], ""
    yield [*shares(0.5, 0), *shares(0, 0)], "logarithm of the cluster's variance"
    yield [*shares(0), *shares(0.5)], "comes first"
    yield [*shares(0), *shares(0)], "divided by that of the cluster"


CASES = {f"ex-{case.__name__.replace('_', '-')}": case for case in (
    first_acc, arch_odd, arch_count, arch_saturate, features_silence, metrics_mean, metrics_silhouette, schedules_scale,
    dac_noise, dcn_forget, den_t, depict_sharpness, depict_root, dmc_fuzziness, dmc_components, dec_nu, dec_power,
    aecm_rank, aecm_soft, cm_alpha, cm_batch, sela_prior, imsat_prior, gmvae_free, vade_gamma, dac_adaptive_meet,
)}  # fmt: skip


def test_every_stable_exercise_of_the_book_has_an_answer_and_a_test():
    stable = set().union(*(chapter.stable for chapter in chapters()))
    assert len(stable) >= 21
    assert stable <= answers().keys() <= {label for chapter in chapters() for label in chapter.exercises}
    assert CASES.keys() == answers().keys()


# Thousands of steps, where the others take a moment.
@pytest.mark.parametrize(
    "label", [pytest.param(label, marks=[pytest.mark.slow] * (label == "ex-aecm-rank")) for label in CASES]
)
def test_answers_and_hints_are_those_of_the_solution(label):
    said = set()
    for answer, words in CASES[label]():
        verdict = check(label, answer)
        assert bool(verdict) is verdict.right is (words == ""), (answer, verdict)
        assert words in verdict.message, (answer, verdict)
        said.add(verdict.message)
    assert said >= {slip.hint for slip in answers()[label].slips}, "a hint is never given"
    assert answers()[label].why in said


@pytest.mark.parametrize("label", CASES)
def test_no_message_tells_the_answer(label):
    entry = answers()[label]
    told = " ".join([entry.give, *(slip.hint for slip in entry.slips)])
    values = np.ravel(entry.right)
    if values.dtype.kind == "f":
        hard = [f"{value:g}" for value in values if value not in (0, 1, 2, 0.5)]
        assert not [value for value in hard if value in told]
    assert str(entry.right) not in told


def test_forms_of_an_answer():
    q = torch.tensor([[0.8, 0.2], [0.2, 0.8]], requires_grad=True)
    p = q**4 / q.sum(0)
    p = p / p.sum(1, keepdim=True)
    right = p.detach()[0]
    forms = [p[0], p[:1], [*p[0]], right.tolist(), tuple(right.numpy()), right.numpy()[:, None], right.half()]
    assert [bool(check("ex-dec-power", form)) for form in forms] == [True] * 7
    assert check("ex-arch-odd", np.array([False, True]))
    assert check("ex-arch-odd", torch.tensor([False, True]))
    assert check("ex-arch-count", (11274, 1230880))
    assert check("ex-metrics-mean", ["MIN", "max "])


@pytest.mark.parametrize(
    ("label", "answer", "said"),
    [
        ("ex-dec-power", torch.eye(2), r"two numbers, the first row.*an array of numbers of shape \(2, 2\)"),
        ("ex-dec-power", 0.9, "You gave one number"),
        ("ex-dec-power", [0.9, 0.1, 0.0], "You gave 3 numbers"),
        ("ex-dec-power", "0.9 0.1", "You gave one word"),
        ("ex-dec-power", [True, False], "You gave 2 truth values"),
        ("ex-dec-power", None, "NoneType without numbers"),
        ("ex-dec-power", [[1.0], [1.0, 2.0]], "list without numbers"),
        ("ex-dec-power", [1j, 2j], "list without numbers"),
        ("ex-dec-power", [np.nan, 0.0], "NaN"),
        ("ex-dec-power", [0.5, 0.5], "something else"),
        ("ex-dec-power", [0.99, 0.01], "Close"),
        ("ex-dec-power", [0.004, 0.996], "order is not"),
        ("ex-den-t", [0.607, 0.368, 0.9], "the first, second"),
        ("ex-metrics-mean", ["min", "min"], "the first"),
        ("ex-arch-odd", [0, 1], "truth values"),
    ],
)
def test_wrong_answers_hear_why(label, answer, said):
    verdict = check(label, answer)
    assert not verdict
    assert re.search(said, verdict.message)
    assert repr(verdict) == f"Not yet. {verdict.message}"


def test_verdicts_show_themselves():
    right = check("ex-metrics-mean", ["min", "max"])
    assert repr(right).startswith("Right. ")
    assert "✓" in right._repr_html_() and "Right." in right._repr_html_()
    wrong = exercises.Verdict(False, "1 < 2 & no <b>")
    assert "1 &lt; 2 &amp; no &lt;b&gt;" in wrong._repr_html_() and "✗" in wrong._repr_html_()


def test_labels_that_do_not_exist_name_the_nearest():
    with pytest.raises(ValueError, match=r"^label: expected .*'?ex-dec-power.*got 'ex-dec-pwer'"):
        check("ex-dec-pwer", 1)
    with pytest.raises(ValueError, match=r"^label: expected .*ex-"):
        check("", 1)
    with pytest.raises(TypeError, match=r"^label: expected a string .* got int"):
        check(3, 1)
