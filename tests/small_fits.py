"""Fits small enough for tests: every method of the book, tiny networks, easy data."""

import multiprocessing
import random

import numpy as np
import torch
from sklearn.utils import check_random_state

from dctutor import methods
from dctutor.estimator.pretrained import PretrainedClusterer
from dctutor.methods import registry

# Processes forked from one that has imported much and computed nothing: each starts in milliseconds. The
# optimisers of PyTorch load torch._dynamo when the first of them is made.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["dctutor.methods", "dctutor.experiments", "torch._dynamo"])

METHODS = [getattr(methods, name) for name in methods.__all__]
PRETRAINED = [method for method in METHODS if issubclass(method, PretrainedClusterer)]
# A target that moves during training, all samples in one batch and labels of the method's own, weights that are
# averaged at the end: what shared code has to get right for these, it gets right for all.
UNLIKE = [methods.DEC, methods.DSCNet, methods.AECM]
# What every method takes; the registry has what is each one's own.
COMMON = {"n_clusters": 3, "batch_size": 32, "verbose": False, "random_state": 0}


def small_settings(method):
    """Those of a method of the book, or of the one that a class of a test's own is made from."""
    entries = registry()
    own = next((entries[base.__name__].small for base in method.__mro__ if base.__name__ in entries), {})
    return COMMON | own


def small(method, **changes):
    """An estimator with the small settings of its method."""
    return method(**small_settings(method) | changes)


def trained(method, pretrain_epochs=30, **changes):
    """One that trains for long enough to find easy groups: what has no pre-training trains longer and faster."""
    longer = {"pretrain_epochs": pretrain_epochs}
    if "pretrain_epochs" not in method().get_params():
        longer = {"epochs": 100, "learning_rate": min(10 * method().learning_rate, 0.1)}
    return small(method, **longer, **changes)


def blobs(n=120, d=8, seed=0):
    """Three well separated groups in [0, 1), in different directions, and which group each sample is of."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 3
    centers = np.array([0.1, 0.5, 0.9])[(np.arange(3)[:, None] + np.arange(d)) % 3]
    return np.clip(centers[truth] + rng.normal(0, 0.04, (n, d)), 0, 0.999), truth


def seed_global_generators(seed):
    """Seed what a user's own code may draw from."""
    torch.manual_seed(seed)
    random.seed(seed)
    check_random_state(None).seed(seed)  # NumPy's global one


def draw_from_global_generators():
    """A few numbers from each of them."""
    return [*torch.rand(4).tolist(), random.random(), *check_random_state(None).rand(4)]
