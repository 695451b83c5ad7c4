"""A value → an opaque object that shows it only when asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, SupportsIndex

_SHOWN = "<secret, not shown>"


class Secret:
    """A value that no repr, str, format, pickle, copy or JSON shows; `reveal` gives it.

    The value lives in a closure and not in a slot, so that tools that print an object's attributes
    find none. Two Secrets are equal only when they are the same object: compare what they reveal,
    in constant time.
    """

    __slots__ = ("_reveal",)
    _reveal: Callable[[], Any]

    def __init__(self, value: Any) -> None:
        self._reveal = lambda: value

    def reveal(self) -> Any:
        """The value: str for `text` and `url`, bytes for `bytes`, the parsed value for `json`."""
        return self._reveal()

    def __repr__(self) -> str:
        return _SHOWN

    def __format__(self, spec: str) -> str:
        return _SHOWN

    def _refuse(self, how: str) -> NoReturn:
        raise TypeError(f"a Secret cannot be {how}: reveal() its value where it is used")

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        self._refuse("pickled")

    def __getstate__(self) -> NoReturn:
        self._refuse("pickled")

    def __copy__(self) -> NoReturn:
        self._refuse("copied")

    def __deepcopy__(self, memo: object) -> NoReturn:
        self._refuse("copied")
