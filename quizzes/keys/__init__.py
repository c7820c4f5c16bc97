"""Right answers computed from runs: a registered function per key, so no answer about a run is typed in.

A key function takes nothing, runs a scenario and returns a `Key`: the answer, the facts that the texts of the
question quote, and for a find-the-step question the steps of the run. Its docstring says in one sentence how
the answer was found; a learner reads it with the answers.

    @key_function
    def late_reply_outcome() -> Key:
        \"\"\"One order, its first reply lost; what the caller knows when its patience ends.\"\"\"
        trace = run(one_order(...), seed=1)
        return Key("unknown" if next(trace.select("timed_out"), None) else "known")

A bank file names it: ``key = "computed:late_reply_outcome"``. The functions of the course live in the modules
of this package, one per chapter.
"""

from __future__ import annotations

import inspect
import pkgutil
import threading
from collections.abc import Callable
from importlib import import_module

import attrs

from quizzes.questions import Key, Question

KeyFunction = Callable[[], Key]

_functions: dict[str, KeyFunction] = {}
_found: dict[str, Key] = {}
# Widgets answer in another thread than the notebook's cells; a key is computed once, whoever asks first.
_lock = threading.RLock()


def key_function(function: KeyFunction) -> KeyFunction:
    """Register a function as "computed:NAME"; `ValueError` if another module has one of that name already."""
    name = function.__name__
    with _lock:
        known = _functions.get(name)
        if known is not None and known.__module__ != function.__module__:
            where = f"{known.__module__} and {function.__module__}"
            raise ValueError(f'two key functions are called "{name}", in {where}; give one another name')
        _functions[name] = function
        _found.pop(name, None)
    return function


def known_keys() -> frozenset[str]:
    """The names of all key functions."""
    _load()
    return frozenset(_functions)


def key_of(question: Question) -> Key:
    """The key of a question, from the file or from its run (computed once in a process).

    Raises `LookupError` for a key function that does not exist, and `ValueError` when what it computed cannot
    be an answer to the question as written, which a scenario changed under the question's feet would cause.
    """
    if not question.computed:
        return Key(question.key)
    _load()
    with _lock:
        if question.computed not in _functions:
            raise LookupError(
                f'question "{question.id}": there is no key function "{question.computed}"; '
                f"there are {', '.join(sorted(_functions)) or 'none'}"
            )
        if question.computed not in _found:
            function = _functions[question.computed]
            how = " ".join((inspect.getdoc(function) or "").split())
            key = function()
            _found[question.computed] = key if key.how else attrs.evolve(key, how=how)
        key = _found[question.computed]
    problems = [f"{field} {sentence}" for field, sentence in question.key_problems(key)]
    if problems:
        raise ValueError(f'question "{question.id}" does not fit its run: {"; ".join(problems)}')
    return key


def _load() -> None:
    """Import the modules of this package, each of which registers its functions."""
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        import_module(f"{__name__}.{module}")
