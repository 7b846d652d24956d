"""The ways in which a mutant differs from the code.

Most are operators of cosmic-ray. Those of this module change what cosmic-ray leaves alone:
whole statements, handlers of exceptions, membership tests and strings.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

# One or two replacements for each operator: more of them would only repeat each other.
_COSMIC_RAY = (
    "AddNot",
    "NumberReplacer",
    "ReplaceAndWithOr",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ReplaceFalseWithTrue",
    "ReplaceOrWithAnd",
    "ReplaceTrueWithFalse",
    "ReplaceUnaryOperator_Delete_Not",
    "ReplaceUnaryOperator_USub_UAdd",
    "ZeroIterationForLoop",
    *(
        f"ReplaceBinaryOperator_{change}"
        for change in (
            *("Add_Sub", "Sub_Add", "Mul_FloorDiv", "Div_Mul", "FloorDiv_Mul", "Mod_FloorDiv"),
            *("BitAnd_BitOr", "BitOr_BitAnd", "BitXor_BitAnd", "LShift_RShift", "Pow_Mul"),
        )
    ),
    *(
        f"ReplaceComparisonOperator_{change}"
        for change in (
            *("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is", "Lt_LtE", "Lt_GtE", "LtE_Lt"),
            *("LtE_Gt", "Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt"),
        )
    ),
)
Position = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change to the code of a module.

    Attributes:
        operator: the name of the operator.
        start: the line, from 1, and the column, from 0, where the changed code starts.
        end: where it ends.
        apply: returns the changed code of the module.
    """

    operator: str
    start: Position
    end: Position
    apply: Callable[[], str]


def changes(source: str) -> list[Change]:
    """Return every change to this code, sorted by position."""
    found = [*_cosmic_ray_changes(source), *_own_changes(source)]
    return sorted(found, key=lambda change: (change.start, change.end, change.operator))


@cache
def _cosmic_ray_operator(name: str) -> Any:  # noqa: ANN401 - cosmic-ray has no types
    return get_operator(f"core/{name}")()


def _cosmic_ray_changes(source: str) -> Iterator[Change]:
    tree = get_ast(source)
    for name in _COSMIC_RAY:
        operator = _cosmic_ray_operator(name)
        positions = [
            position for node in ast_nodes(tree) for position in operator.mutation_positions(node)
        ]
        for occurrence, (start, end) in enumerate(positions):

            def apply(name: str = name, occurrence: int = occurrence) -> str:
                changed: str = mutate_code(source, _cosmic_ray_operator(name), occurrence)
                return changed

            yield Change(operator=name, start=start, end=end, apply=apply)


def _own_changes(source: str) -> Iterator[Change]:
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        for operator, replaced, text in _replacements(node):
            start = _position(lines, replaced.lineno, replaced.col_offset)
            end = _position(lines, replaced.end_lineno or 0, replaced.end_col_offset or 0)

            def apply(start: Position = start, end: Position = end, text: str = text) -> str:
                first, last = lines[start[0] - 1], lines[end[0] - 1]
                changed = first[: start[1]] + text + last[end[1] :]
                return "".join([*lines[: start[0] - 1], changed, *lines[end[0] :]])

            yield Change(operator=operator, start=start, end=end, apply=apply)


def _position(lines: list[str], line: int, offset: int) -> Position:
    """Return a position in characters; the columns of `ast` count bytes."""
    return line, len(lines[line - 1].encode()[:offset].decode())


def _replacements(node: ast.AST) -> Iterable[tuple[str, ast.expr | ast.stmt, str]]:
    """Return the operator, the node to replace and its replacement, for each change of a node."""
    match node:
        case ast.Expr(value=ast.Call() | ast.Await() | ast.Yield()):
            yield "DeleteStatement", node, "pass"
        case ast.Raise() | ast.AugAssign() | ast.Delete():
            yield "DeleteStatement", node, "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "DeleteStatement", node, "pass"
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield "ReturnNone", node, "return None"
        case ast.ExceptHandler(type=ast.expr() as caught):
            yield "CatchNothing", caught, "()"
        case ast.Compare(ops=[ast.In() | ast.NotIn()]):
            text = ast.unparse(node)
            yield "ReplaceMembership", node, f"(not ({text}))"
        case ast.Constant(value=str() | bytes() as value):
            changed: str | bytes = "XX" + value if isinstance(value, str) else b"XX" + value
            yield "ReplaceString", node, repr(changed)
        case _:
            pass


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None
