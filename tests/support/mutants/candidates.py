"""The mutants of the scope, and random samples of them."""

from __future__ import annotations

import ast
import difflib
import itertools
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.mutants.operators import Change, Position, changes
from tests.support.mutants.scope import modules

# The texts of PyPI's rules: tests/project compares them with the documentation. The name of a rule
# and PyPI's own message are not among them, because clients use both.
_RULE_TEXTS = ("requires", "problem", "advice", "section", "source")
_POSITIONS_OF_RULE_TEXTS = (1, 3)
_LOGGER = re.compile(r"(^|[._])log(ger|s)?\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A module with one change.

    Attributes:
        path: the module, relative to the project's folder.
        change: what differs.
        source: the code of the module without the change.
        variant: the number among the changes of one operator at one position, from 1.
    """

    path: Path
    change: Change
    source: str
    variant: int

    @property
    def name(self) -> str:
        """The name of the mutant in the report."""
        line, column = self.change.start
        variant = "" if self.variant == 1 else f" {self.variant}"
        return f"{self.path.as_posix()}:{line}:{column + 1} {self.change.operator}{variant}"

    def code(self) -> str:
        """Return the code of the module with the change."""
        return self.change.apply()

    def is_code(self) -> bool:
        """Return whether Python can compile the module with the change.

        cosmic-ray takes the stars and slashes of parameters for operators.
        """
        try:
            ast.parse(self.code())
        except SyntaxError:
            return False
        return True

    def difference(self) -> tuple[str, str]:
        """Return the lines that differ, without the change and with it."""
        before, after = self.source.splitlines(), self.code().splitlines()
        lines = [
            line.rstrip() for line in difflib.ndiff(before, after) if line.startswith(("- ", "+ "))
        ]
        return (
            "\n".join(line[2:] for line in lines if line.startswith("-")),
            "\n".join(line[2:] for line in lines if line.startswith("+")),
        )


def candidates(project: Path) -> list[Mutant]:
    """Return every mutant of the scope, in a fixed order."""
    found: list[Mutant] = []
    for path in modules(project):
        source = path.read_text("utf-8")
        variants = Counter[tuple[str, Position]]()
        for change in _visible_changes(source):
            variants[change.operator, change.start] += 1
            found.append(
                Mutant(
                    path=path.relative_to(project),
                    change=change,
                    source=source,
                    variant=variants[change.operator, change.start],
                )
            )
    return found


def sample(mutants: list[Mutant], *, count: int, seed: int) -> list[Mutant]:
    """Return a random sample of this many mutants."""
    # These random numbers protect no secrets.
    shuffled = random.Random(seed).sample(mutants, len(mutants))  # noqa: S311
    return list(itertools.islice((mutant for mutant in shuffled if mutant.is_code()), count))


def _visible_changes(source: str) -> Iterator[Change]:
    """Yield the changes that can change what the code does, other than the wording of errors."""
    tree = ast.parse(source)
    ignored = [*_ignored(tree)]
    wording = [*_wording(tree)]
    for change in changes(source):
        if any(_contains(node, change) for node in ignored):
            continue
        if change.operator == "ReplaceString" and any(_contains(node, change) for node in wording):
            continue
        if change.operator == "DeleteStatement" and any(
            _is_log_call(node) and _contains(node, change) for node in wording
        ):
            continue
        yield change


def _ignored(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield annotations, decorators, the keywords of classes, docstrings and `__slots__`."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from node.decorator_list
                if node.returns is not None:
                    yield node.returns
            case ast.ClassDef():
                yield from node.decorator_list
                yield from (keyword.value for keyword in node.keywords)
            case (
                ast.arg(annotation=ast.expr() as annotation)
                | ast.AnnAssign(annotation=ast.expr() as annotation)
            ):
                yield annotation
            case ast.Assign(targets=[ast.Name(id="__slots__")]):
                yield node
            case ast.Assign(value=ast.BinOp(op=ast.BitOr())):
                # A union of types.
                yield node
            case (
                ast.Expr(value=ast.Constant(value=str()))
                | ast.If(test=ast.Name(id="TYPE_CHECKING"))
            ):
                yield node
            case ast.Call(func=ast.Name(id="_invalid")):
                # The line of PyPI's source code that has the rule, which the documentation shows.
                yield from (each.value for each in node.keywords if each.arg == "line")
            case _:
                pass


def _wording(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the nodes whose strings are the wording of errors, logs and rules, and f-strings."""
    texts: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise | ast.JoinedStr) or _is_log_call(node):
            yield node
        match node:
            case ast.Call(func=ast.Name(id="Rule" | "_invalid")):
                values = [each.value for each in node.keywords if each.arg in _RULE_TEXTS]
                values += [node.args[at] for at in _POSITIONS_OF_RULE_TEXTS if at < len(node.args)]
                texts.update(each.id for each in values if isinstance(each, ast.Name))
                yield from values
            case _:
                pass
    for node in tree.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name)) if name in texts:
                yield node
            case _:
                pass


def _is_log_call(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and _LOGGER.search(ast.unparse(node.value.func)) is not None
    )


def _contains(node: ast.AST, change: Change) -> bool:
    start: Position = (getattr(node, "lineno", 0), getattr(node, "col_offset", 0))
    end: Position = (getattr(node, "end_lineno", 0), getattr(node, "end_col_offset", 0))
    return start <= change.start and change.end <= end
