"""From parsed TOML to values: strict about types, and able to say which field is wrong and why."""

from __future__ import annotations

from typing import Any, TypeVar

import cattrs
from attrs import frozen
from cattrs import BaseValidationError, ClassValidationError, IterableValidationError
from cattrs.errors import AttributeValidationNote, ForbiddenExtraKeysError, IterableValidationNote

from quizzes.questions import Answer

T = TypeVar("T")


def _text(raw: Any, _: Any) -> str:
    if not isinstance(raw, str):
        raise TypeError(f'is {raw!r}; it must be text in quotes, like "{raw}"')
    return raw


def _number(raw: Any, _: Any) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise TypeError(f"is {raw!r}; it must be a number without quotes")
    return raw


def _answer(raw: Any, cls: Any) -> Answer | None:
    if raw is None and cls != Answer:
        return None
    if isinstance(raw, list) and all(isinstance(one, str) for one in raw):
        return tuple(raw)
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise TypeError(f'is {raw!r}; it must be an id, a list of ids, a number, or "computed:NAME"')
    return raw


def _text_or_number(raw: Any, _: Any) -> str | float:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise TypeError(f"is {raw!r}; it must be a number, or a fact's name in quotes")
    return raw


_converter = cattrs.Converter(forbid_extra_keys=True)
# cattrs would turn 5 into "5" and "no" into a number's error; a bank file is told instead.
_converter.register_structure_hook(str, _text)
_converter.register_structure_hook(float, _number)
_converter.register_structure_hook_func(lambda cls: cls in (Answer, Answer | None), _answer)
_converter.register_structure_hook_func(lambda cls: cls == float | str, _text_or_number)


def structure(raw: object, cls: type[T]) -> T:
    """`raw` as a `cls`; `cattrs.BaseValidationError` with all that is wrong with it."""
    return _converter.structure(raw, cls)


@frozen
class FieldProblem:
    """One thing that is wrong with a value, and where in it."""

    field: str
    sentence: str

    def __str__(self) -> str:
        return f"field {self.field}: {self.sentence}" if self.field else self.sentence

    @classmethod
    def all(cls, error: BaseValidationError, field: str = "") -> list[FieldProblem]:
        """Everything a validation error holds, in order."""
        found: list[FieldProblem] = []
        if isinstance(error, IterableValidationError):
            items, others = error.group_exceptions()
            for exception, item in items:
                found += cls._one(exception, f"{field}[{_place(item)}]")
        elif isinstance(error, ClassValidationError):
            attributes, others = error.group_exceptions()
            for exception, attribute in attributes:
                found += cls._one(exception, _joined(field, attribute))
        else:
            others = list(error.exceptions)
        for exception in others:
            found += cls._one(exception, field)
        return found

    @classmethod
    def _one(cls, exception: Exception, field: str) -> list[FieldProblem]:
        if isinstance(exception, BaseValidationError):
            return cls.all(exception, field)
        if isinstance(exception, ForbiddenExtraKeysError):
            return [
                cls(
                    f"{field}.{name}".lstrip("."),
                    f"is unknown here; {exception.cl.__name__} has {_fields(exception.cl)}",
                )
                for name in sorted(exception.extra_fields)
            ]
        if isinstance(exception, KeyError):
            return [cls(field, "is missing")]
        return [cls(field, str(exception))]


def _joined(field: str, attribute: AttributeValidationNote) -> str:
    return f"{field}.{attribute.name}".lstrip(".")


def _place(item: IterableValidationNote) -> int:
    return int(item.index) + 1


def _fields(cls: type) -> str:
    return ", ".join(attribute.name for attribute in getattr(cls, "__attrs_attrs__", ()))
