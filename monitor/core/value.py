"""Values that are made for every poll: immutable to the type checker, cheap to make."""

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def value(cls: type[T]) -> type[T]:
    """Make a class as `@dataclass(frozen=True, slots=True, kw_only=True)` does, but for one thing.

    Frozen only in the type checker's eyes: setting fields past a lock at run time makes an object
    three times as expensive, and a poll makes ten of them with a hundred fields.
    """
    return dataclass(slots=True, kw_only=True)(cls)
