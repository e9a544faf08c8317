"""The check of shapes can fail: at a first call, at a later one, and by a result that only its values decide."""

from __future__ import annotations

import pytest
import torch
from beartype import beartype
from jaxtyping import Float
from torch import Tensor

from tests import shapes


@shapes.jaxtyped(typechecker=beartype(conf=shapes.CONF))
def kept(codes: Float[Tensor, "rows latent"], count: int, how: str = "first") -> Float[Tensor, "rows few"]:
    return codes[:, :count] if how == "first" else codes[:count]


def test_what_was_right_once_is_right_again() -> None:
    for _ in range(2):
        assert kept(torch.ones(3, 5), 2).shape == (3, 2)
    assert kept(torch.ones(3, 5), 4).shape == (3, 4)  # another result of arguments that look the same


@pytest.mark.parametrize(
    "wrong", [torch.ones(3), torch.ones(3, 5, dtype=torch.int64), torch.ones(3, 5, 1), [[1.0, 2.0]]]
)
def test_an_argument_of_another_shape_or_type_is_refused(wrong: object) -> None:
    kept(torch.ones(3, 5), 2)
    for _ in range(2):
        with pytest.raises(Exception, match=r"codes|Type-check"):
            kept(wrong, 2)


def test_a_result_that_does_not_fit_its_arguments_is_refused_though_they_are_known() -> None:
    assert kept(torch.ones(4, 5), 4, "other").shape == (4, 5)
    for _ in range(2):
        with pytest.raises(Exception, match=r"(?s)violates|Type-check"):
            kept(torch.ones(4, 5), 2, "other")
    assert kept(torch.ones(4, 5), 4, "other").shape == (4, 5)


def test_a_number_where_words_are_asked_for_is_refused() -> None:
    kept(torch.ones(3, 5), 2, "first")
    with pytest.raises(Exception, match=r"how|Type-check"):
        kept(torch.ones(3, 5), 2, 1)
