"""Registries: what one file adds to the library registers itself where it is defined.

Imports :mod:`bayes_synth.errors` and :mod:`bayes_synth.words` only.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any, final

from bayes_synth.errors import OptionError
from bayes_synth.words import suggestion

__all__ = ["SAVED", "Registry", "Saved", "saved"]


@final
class Registry[T](Mapping[str, T]):
    """Hold named things of one kind in the order in which they were defined.

    Parameters
    ----------
    kind
        What they are called in messages, such as ``"check"``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}

    def add(self, name: str, item: T) -> T:
        """Register ``item``; a second one of that name, as from a notebook's cell, replaces it."""
        self._items[name] = item
        return item

    def remove(self, name: str) -> None:
        """Remove an item; tests that define one clean up with this."""
        del self._items[name]

    def known(self, name: object, option: str) -> T:
        """Return the item of this name.

        Raises
        ------
        OptionError
            O001 for a name that is not registered; ``option`` says which argument had it.
        """
        if not isinstance(name, str) or name not in self._items:
            hint = suggestion(str(name), tuple(self._items))
            raise OptionError("O001", f"{option} must name a {self.kind}, got {name!r}. {hint}")
        return self._items[name]

    def __getitem__(self, name: str) -> T:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


@final
@dataclass(frozen=True)
class Saved:
    """Describe a type of specification that a file can name, and which fields decide compiled code.

    Parameters
    ----------
    cls
        The type, a frozen dataclass.
    data
        Fields whose numbers enter the PyMC graph as data: they may change without compiling again.
        Every other field is taken to change the graph.
    any_length
        Whether one compiled graph serves any number of pre-periods.
    """

    cls: type
    data: frozenset[str] = frozenset()
    any_length: bool = False


SAVED: Registry[Saved] = Registry("specification")
"""Types that a saved model may consist of.

A file names them; nothing that a file names is ever imported.
"""


def saved[C: type](*, data: Iterable[str] = (), any_length: bool = False) -> Callable[[C], C]:
    """Register a frozen dataclass, so that fits that use it can be saved and loaded.

    Noise processes and priors on weights that inherit from the abstract classes of this library are
    registered by being defined.

    Parameters
    ----------
    data, any_length
        See :class:`Saved`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @bs.priors.saved()
    ... @dataclass(frozen=True)
    ... class Constant:
    ...     value: float = 1.0
    """

    def register(cls: C) -> C:
        SAVED.add(type_name(cls), Saved(cls, frozenset(data), any_length))
        return cls

    return register


def type_name(cls: type) -> str:
    """Return the name by which files know a type: ours by their own, others with their module."""
    ours = cls.__module__.startswith("bayes_synth.")
    return cls.__name__ if ours else f"{cls.__module__}:{cls.__qualname__}"


def entry(value: Any) -> Saved | None:
    """Return the registration of this value's type, or None when it has none."""
    registered = SAVED.get(type_name(type(value)))
    if registered is None or registered.cls is not type(value) or not is_dataclass(value):
        return None
    return registered
