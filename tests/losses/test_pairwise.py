"""Agreement of pairs, against a loop over them."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from sklearn.metrics.pairwise import cosine_similarity

from dctutor.losses import pairwise_agreement


def test_is_the_log_loss_of_cosines():
    p = torch.rand(7, 4, dtype=torch.float64).softmax(1)
    together = torch.rand(7, 7) > 0.5
    above = np.triu_indices(7, 1)
    expected = log_loss(together.numpy()[above], cosine_similarity(p.numpy())[above], labels=[False, True])
    assert pairwise_agreement(p, together).item() == pytest.approx(expected, rel=1e-6)


def test_equal_and_orthogonal_rows_have_a_finite_loss():
    p = torch.eye(3).repeat(2, 1).requires_grad_()
    right = torch.arange(3).repeat(2)
    loss = pairwise_agreement(p, right[:, None] == right)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-3) and torch.isfinite(p.grad).all()
    assert pairwise_agreement(p, right[:, None] != right) > 5


@pytest.mark.parametrize(
    ("p", "together", "words"),
    [(torch.rand(1, 3), torch.ones(1, 1) > 0, "p: expected"), (torch.rand(4, 3), torch.ones(3, 3) > 0, "together:")],
)
def test_shapes_have_to_fit(p, together, words):
    with pytest.raises(ValueError, match=words):
        pairwise_agreement(p, together)
