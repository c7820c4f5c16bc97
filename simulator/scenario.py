"""A scenario: nodes, links, faults and a duration, as one value. Compare it, store it, change one field, run again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

import attrs
import cattrs
from attrs import field, frozen
from cattrs.gen import make_dict_structure_fn

from simulator.network import Fault, Link, LinkFault, NodeFault
from simulator.validation import broken_rules, did_you_mean, positive
from simulator.values import Part, part_types
from simulator.vocabulary import KINDS

if TYPE_CHECKING:
    from simulator.engine import Sim


class ScenarioError(ValueError):
    """A scenario that can't be run; ``problems`` holds one sentence for each thing that is wrong, with its remedy."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        listed = "".join(f"\n  {number}. {problem}" for number, problem in enumerate(self.problems, start=1))
        several = len(self.problems) > 1
        super().__init__(f"This scenario has {len(self.problems)} problems:{listed}" if several else "".join(self.problems))


@frozen
class Node(Part):
    """A named place where something happens. This base class does nothing: what reaches it stays there.

    A subclass is a frozen attrs class (its configuration) with one method that takes time, `behave`.
    """

    role: ClassVar[str] = "service"
    """Where pictures put it: "producer" left, "broker" and "service" in the middle, "consumer" right."""

    name: str

    def behave(self, sim: Sim) -> Any:
        """Begin to act: called when a run starts, and again after each crash.

        Either a generator that waits by yielding (``yield sim.sleep(5)``, ``reply = yield sim.receive()``), or a method that
        returns a function of (message, sender), called for each delivery, or None.
        """
        return None

    def problems(self, scenario: Scenario) -> Iterator[str]:
        """One sentence for each thing that keeps this node from working in this scenario."""
        return iter(())

    def __str__(self) -> str:
        return f'{type(self).__name__}("{self.name}")'


_Node = TypeVar("_Node", bound=Node)


# A converter's own types are what a type checker knows of the argument, and `tuple` alone has none.
def _as_nodes(nodes: Iterable[Node]) -> tuple[Node, ...]:
    return _listed(nodes)


def _as_links(links: Iterable[Link]) -> tuple[Link, ...]:
    return _listed(links)


def _as_faults(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    return _listed(faults)


def _listed(given: Any) -> tuple[Any, ...]:
    """What was given as a tuple; a single thing counts as a list of one."""
    return tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else (given,)


@frozen
class Scenario(Part):
    """All that a run depends on, but for its seed.

    Raises ScenarioError when made, naming everything that is wrong with it at once.
    """

    nodes: tuple[Node, ...] = field(converter=_as_nodes)
    links: tuple[Link, ...] = field(converter=_as_links, default=())
    faults: tuple[Fault, ...] = field(converter=_as_faults, default=())
    duration: float = field(default=10_000.0, metadata=positive("ms"), kw_only=True)
    name: str = field(default="", kw_only=True)

    def __attrs_post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise ScenarioError(problems)

    def node(self, name: str) -> Node:
        """The node of this name. Raises KeyError if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(f'There is no node "{name}"; {did_you_mean(name, self.names)}')

    def nodes_of(self, cls: type[_Node]) -> list[_Node]:
        """The nodes of this class, in the scenario's order."""
        return [node for node in self.nodes if isinstance(node, cls)]

    @property
    def names(self) -> list[str]:
        """The nodes' names, in the scenario's order."""
        return [node.name for node in self.nodes]

    def downstream(self, name: str) -> list[str]:
        """The nodes that links lead to from here, in the order of the links."""
        return [link.target for link in self.links if link.source == name]

    def upstream(self, name: str) -> list[str]:
        """The nodes that links come from, in the order of the links."""
        return [link.source for link in self.links if link.target == name]

    def linked(self, one: str, other: str) -> bool:
        """Whether a link joins the two, in either direction."""
        return any(
            (link.source, link.target) in ((one, other), (other, one)) for link in self.links if isinstance(link, Link)
        )

    def but(self, **changes: Any) -> Scenario:
        """The same scenario with some fields changed: ``scenario.but(faults=[])``."""
        return attrs.evolve(self, **changes)

    def but_node(self, name: str, **changes: Any) -> Scenario:
        """The same scenario with some fields of one node changed: ``scenario.but_node("billing", work=50)``."""
        changed = attrs.evolve(self.node(name), **changes)
        return self.but(nodes=[changed if node.name == name else node for node in self.nodes])

    def to_json(self) -> str:
        """The scenario as JSON text; every part names its class."""
        return json.dumps(_converter.unstructure(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Scenario:
        """The scenario that `to_json` wrote. Raises ValueError, in one sentence, for anything else."""
        try:
            made = _converter.structure(json.loads(text), Part)
        except ScenarioError:
            raise
        except cattrs.BaseValidationError as error:
            faults = cattrs.transform_error(error, format_exception=lambda each, _: str(each))
            raise ValueError(f"This is no stored scenario: {'; '.join(faults)}.") from None
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"This is no stored scenario: {error}") from None
        if not isinstance(made, Scenario):
            raise ValueError(f"This is a stored {type(made).__name__}, not a scenario.")
        return made


def _problems(scenario: Scenario) -> Iterator[str]:
    names = [node.name for node in scenario.nodes if isinstance(node, Node)]
    around = list(_node_problems(scenario, names))
    for link in scenario.links:
        around += _link_problems(link, scenario, names)
    yield from around
    yield from broken_rules(scenario, "Scenario")
    own = [
        problem
        for part in (*scenario.nodes, *scenario.links, *scenario.faults)
        if isinstance(part, Part)
        for problem in _own_problems(part)
    ]
    yield from own
    for fault in scenario.faults:
        yield from _fault_problems(fault, scenario, names)
    if not around and not own:
        # A node judges its surroundings only where these can be trusted.
        for node in scenario.nodes:
            yield from node.problems(scenario)


def _node_problems(scenario: Scenario, names: Sequence[str]) -> Iterator[str]:
    if not scenario.nodes:
        yield "nodes is empty; a scenario needs at least one node."
    for node in scenario.nodes:
        if not isinstance(node, Node):
            yield f"nodes holds {node!r}; a node is a Producer, a Topic, a Consumer or another class made from Node."
        elif not isinstance(node.name, str) or not node.name:
            yield f"{type(node).__name__}: its name is {node.name!r}; give it a text that is not empty."
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f'{names.count(name)} nodes are called "{name}"; give each a name of its own.'


def _own_problems(part: Part) -> Iterator[str]:
    """What is wrong with a part wherever it stands: its own fields, and those of the values inside it."""
    yield from broken_rules(part, told(part))
    for attribute in _fields(part):
        inner = getattr(part, attribute.name)
        check = getattr(inner, "problems", None)
        # What a value says of itself as a whole only makes sense where each of its fields does.
        if isinstance(inner, Part) and check is not None and not list(broken_rules(inner, "")):
            yield from check(f"{told(part)}, {attribute.name}")


def told(part: Part) -> str:
    """A part as sentences name it: ``Topic("orders")``, ``Link("shop", "orders")``."""
    if isinstance(part, Node):
        return str(part)
    if isinstance(part, Link | LinkFault):
        return f'{type(part).__name__}("{part.source}", "{part.target}")'
    if isinstance(part, NodeFault):
        return f'{type(part).__name__}("{part.node}")'
    return type(part).__name__


def _link_problems(link: Link, scenario: Scenario, names: Sequence[str]) -> Iterator[str]:
    if not isinstance(link, Link):
        yield f"links holds {link!r}; a link is written Link(source, target)."
        return
    for end in (link.source, link.target):
        if end not in names:
            yield f'{told(link)}: there is no node "{end}"; {did_you_mean(end, names)}'
    if link.source == link.target:
        yield f"{told(link)}: it joins a node to itself; a link needs two nodes."
    ends = {link.source, link.target}
    alike = [other for other in scenario.links if isinstance(other, Link) and {other.source, other.target} == ends]
    if len(alike) > 1 and alike[0] is link:
        yield f"{told(link)}: these two nodes are joined {len(alike)} times; one link carries both ways."


def _fault_problems(fault: Fault, scenario: Scenario, names: Sequence[str]) -> Iterator[str]:
    if isinstance(fault, LinkFault):
        unknown = [end for end in (fault.source, fault.target) if end not in names]
        for end in unknown:
            yield f'{told(fault)}: there is no node "{end}"; {did_you_mean(end, names)}'
        if not unknown and not scenario.linked(fault.source, fault.target):
            link = f'Link("{fault.source}", "{fault.target}")'
            yield f"{told(fault)}: no link joins these two; add {link}, or name two linked nodes."
    elif isinstance(fault, NodeFault):
        if fault.node not in names:
            yield f'{told(fault)}: there is no node "{fault.node}"; {did_you_mean(fault.node, names)}'
        if (fault.at is None) == (fault.after is None):
            yield f"{told(fault)}: say when, by exactly one of at=(ms) and after=(a kind of step)."
        if fault.after is not None and fault.after not in KINDS:
            yield f'{told(fault)}: there is no kind of step "{fault.after}"; {did_you_mean(fault.after, KINDS)}'
    else:
        yield f"faults holds {fault!r}; a fault is a Drop, Duplicate, Slow, Cut, Crash or Pause."


_converter = cattrs.Converter(forbid_extra_keys=True)
# A whole number and the same number as a float are one value, so they are stored as one text (and have one digest).
_converter.register_unstructure_hook(float, lambda number: int(number) if number.is_integer() else number)


def _fields(part: Part) -> tuple[Any, ...]:
    """The fields of a part: every class made from Part is an attrs class, which a type checker can't know."""
    return tuple(attrs.fields(type(part)))  # type: ignore[arg-type]


def _unstructure(part: Part) -> dict[str, Any]:
    fields = {attribute.name: getattr(part, attribute.name) for attribute in _fields(part)}
    return {"type": type(part).__name__, **{name: _converter.unstructure(held) for name, held in fields.items()}}


def _structure(data: Any, _: Any) -> Part:
    if not isinstance(data, dict) or "type" not in data:
        raise ValueError(f"{data!r} names no type.")
    cls = part_types.get(data["type"])
    if cls is None:
        near = did_you_mean(data["type"], part_types)
        raise ValueError(f'the class "{data["type"]}" is not known here; import or define it first ({near})')
    fields = {name: held for name, held in data.items() if name != "type"}
    return make_dict_structure_fn(cls, _converter, _cattrs_forbid_extra_keys=True)(fields, cls)


_converter.register_unstructure_hook_func(lambda cls: isinstance(cls, type) and issubclass(cls, Part), _unstructure)
_converter.register_structure_hook_func(lambda cls: isinstance(cls, type) and issubclass(cls, Part), _structure)


def _says_itself(cls: Any) -> bool:
    """Whether a field takes numbers or some words, as JSON has them: the field's own rule tells what is wrong with others."""
    members = get_args(cls) if get_origin(cls) in (Union, UnionType) else ()
    return any(get_origin(each) is Literal for each in members) and all(
        get_origin(each) is Literal or each in (int, float, str, bool, NoneType) for each in members
    )


_converter.register_structure_hook_func(_says_itself, lambda held, _: held)
