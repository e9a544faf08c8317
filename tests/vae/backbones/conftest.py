"""A T5 of every shape."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vae.backbones.tiny import VARIANTS, MakeT5


@pytest.fixture(params=VARIANTS, ids=list(VARIANTS))
def t5(request: pytest.FixtureRequest, make_t5: MakeT5) -> Any:
    return make_t5(3, **VARIANTS[request.param])
