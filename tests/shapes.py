"""Shapes and types are checked as they are written, by jaxtyping and beartype, wherever they are new to a function.

Half of a short training went into checking the same shapes again. A call is checked in full the first time that a
function sees arguments like these, and its result whenever that looks like none of those that such arguments had.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Hashable
from typing import Any

import jaxtyping
import numpy as np
import torch
from beartype import BeartypeConf
from beartype.door import die_if_unbearable

ARRAYS = (torch.Tensor, np.ndarray)
CONF = BeartypeConf(is_pep484_tower=True)  # 1 is a float, too
_jaxtyped = jaxtyping.jaxtyped


def looks(value: Any) -> Hashable:  # noqa: PLR0911
    """What an annotation may ask of a value: types; of tensors and arrays dtype and shape; of words the words.

    Of a list or a dictionary it is its length and one of its items: beartype looks at no more.
    """
    kind = type(value)
    if issubclass(kind, ARRAYS):
        return kind, value.dtype, value.shape
    if kind is str:
        return value
    if issubclass(kind, tuple):
        return kind, *map(looks, value)
    if issubclass(kind, list):
        return kind, len(value), *map(looks, value[:1])
    if issubclass(kind, dict):
        return kind, len(value), *map(looks, itertools.islice(value.items(), 1))
    if hasattr(kind, "__dataclass_fields__"):
        return kind, *map(looks, vars(value).values())
    return kind


def jaxtyped(*, typechecker: Callable[..., Any]) -> Callable[..., Any]:
    """In the place of jaxtyping's own, which checks every call."""
    return functools.partial(checked, typechecker)


def checked(typechecker: Callable[..., Any], thing: Any) -> Any:
    """A function, or a class, that checks what it is given and what it gives."""
    whole = _jaxtyped(thing, typechecker=typechecker)
    if inspect.isclass(thing) or inspect.isgeneratorfunction(thing):
        return whole
    known: dict[Hashable, set[Hashable]] = {}

    @functools.wraps(thing)
    def call(*args: Any, **kwargs: Any) -> Any:
        asked = looks((args, tuple(kwargs.items())))
        if asked not in known:
            result = whole(*args, **kwargs)
            known[asked] = {looks(result)}
            return result
        result = thing(*args, **kwargs)
        if (answer := looks(result)) not in known[asked]:
            check_result(thing, args, kwargs, result)
            known[asked].add(answer)
        return result

    return call


def check_result(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
    """Hold a result against its annotation, beside the arguments, which give the sizes their names."""
    given = inspect.signature(function).bind(*args, **kwargs).arguments
    held = {name: value for name, value in given.items() if isinstance(value, ARRAYS)} | {"return": result}
    with _jaxtyped("context"):
        for name in [name for name in held if name in function.__annotations__]:
            hint = eval(function.__annotations__[name], function.__globals__)  # ours, written as a string
            die_if_unbearable(held[name], hint, conf=CONF)
