"""An expression: JMESPath of the config file, compiled once, and what it makes of an answer."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import jmespath
from jmespath import ast
from jmespath.exceptions import JMESPathError, JMESPathTypeError, LexerError, ParseError
from jmespath.functions import TYPES_MAP, Functions, signature
from jmespath.lexer import Lexer
from jmespath.parser import ParsedResult
from jmespath.visitor import TreeInterpreter
from pydantic import PlainValidator

LENGTH_LIMIT: Final = 1000


class _WithMinus(Functions):
    """Know one function more than JMESPath, which can add but not take away."""

    @signature({"types": ["number", "null"]}, {"types": ["number", "null"]})
    def _func_minus(self, whole: float | None, part: float | None) -> float | None:
        """Return what is left, at least 0; null when either is unknown, which -1 says too."""
        if whole is None or part is None or -1 in (whole, part):
            return None
        return max(0, whole - part)


_EQUALS: Final = frozenset({"eq", "ne"})
_JOINS: Final = frozenset({"and", "or"})
_OPENS: Final = frozenset({"lparen", "comma"})
_CLOSES: Final = frozenset({"rparen", "comma"})
_PATH: Final = frozenset({"dot", "lbracket", "flatten", "filter"})
"""By their tokens: what compares, what chooses, what an argument lies between, and what goes on
within a field."""
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""A name that needs no quotes."""
_PROJECTIONS: Final = frozenset({"projection", "filter_projection", "value_projection"})
_OPTIONS: Final = jmespath.Options(custom_functions=_WithMinus())
_FAILURES: Final = (ValueError, TypeError, ArithmeticError, LookupError, RecursionError)
"""What evaluation raises: the library's own errors, and Python's over values it did not expect."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression as it was written and as it was compiled."""

    text: str
    _compiled: ParsedResult = field(repr=False, compare=False)

    def evaluate(self, document: object, *, nulls: bool = False) -> object:
        """Return what it makes of a document; with `nulls` a list keeps those that JMESPath drops.

        Raises ValueError, whose text shows nothing of the document.
        """
        try:
            if nulls and self._compiled.parsed["type"] in _PROJECTIONS:
                return self._every(document)
            found: object = self._compiled.search(document, options=_OPTIONS)
        except JMESPathTypeError as error:
            wanted = " or ".join(error.expected_types)
            given = TYPES_MAP.get(error.actual_type, error.actual_type)
            reason = f"{error.function_name}() wants {wanted}, not {given}"
        except _FAILURES:
            reason = "it cannot be evaluated"
        else:
            return found
        # Outside of the handler: the foreign error holds what the provider said.
        raise ValueError(reason)

    def _every(self, document: object) -> list[object] | None:
        """Evaluate a projection, `calls[].status` say, for each of its elements.

        A filter passes over those that are null themselves.
        """
        visit = TreeInterpreter(_OPTIONS).visit
        projection: Any = self._compiled.parsed
        left, right, *condition = projection["children"]
        match projection["type"]:
            case "filter_projection":
                kept: Any = {**projection, "children": [left, ast.identity(), *condition]}
                elements = visit(kept, document)
            case "value_projection":
                found = visit(left, document)
                elements = list(found.values()) if isinstance(found, dict) else None
            case _:
                elements = visit(left, document)
        return [visit(right, one) for one in elements] if isinstance(elements, list) else None


def doubtful_fields(expression: Expression) -> list[str]:
    """Return the fields that were perhaps meant as texts: those in double quotes, compared.

    What `&&` and `||` choose as well, an argument, and what stands on the left, if it needs no
    quotes.
    """
    tokens: list[Any] = [{"type": "eof"}, *Lexer().tokenize(expression.text)]
    return [
        token["value"]
        for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if token["type"] == "quoted_identifier"
        and _is_doubtful(token["value"], before["type"], after["type"])
    ]


def _is_doubtful(name: str, before: str, after: str) -> bool:
    if before == "dot" or after in _PATH:
        return False
    beside = {before, after} & (_EQUALS | _JOINS)
    argument = before in _OPENS and after in _CLOSES
    return before in _EQUALS or bool((beside or argument) and _PLAIN.fullmatch(name))


def parse_expression(value: object) -> Expression:
    """Compile an expression; raise ValueError that says where it breaks."""
    if isinstance(value, Expression):
        return value
    if not isinstance(value, str) or not value.strip():
        raise ValueError('must be a JMESPath expression such as "status"')
    if len(value) > LENGTH_LIMIT:
        raise ValueError(f"must have at most {LENGTH_LIMIT} characters")
    try:
        compiled = jmespath.compile(value)
    except ParseError as error:
        raise ValueError(f"is no JMESPath expression: {_breaks(error, value)}") from error
    except (JMESPathError, RecursionError) as error:
        raise ValueError("is no JMESPath expression that can be read") from error
    for name, given in _calls(compiled.parsed):
        _check_call(name, given)
    return Expression(value, compiled)


def _breaks(error: ParseError, text: str) -> str:
    position = error.lexer_position if isinstance(error, LexerError) else error.lex_position
    if position >= len(text):
        return "it ends too early"
    hint = ", a key that holds one needs double quotes" if text[position] == "-" else ""
    return f"{text[position]!r} at character {position + 1} does not fit{hint}"


def _calls(node: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the functions that it calls, each with the number of its arguments."""
    if node["type"] == "function_expression":
        yield node["value"], len(node["children"])
    for child in node["children"]:
        if isinstance(child, dict):
            yield from _calls(child)


def _check_call(name: str, given: int) -> None:
    """Raise ValueError for a function that there is not, or that takes fewer or more arguments."""
    if name not in _WithMinus.FUNCTION_TABLE:
        known = ", ".join(sorted(_WithMinus.FUNCTION_TABLE))
        raise ValueError(f"there is no function {name}(); there are: {known}")
    parameters = _WithMinus.FUNCTION_TABLE[name]["signature"]
    wanted, more = len(parameters), parameters[-1].get("variadic", False)
    if given == wanted or (more and given > wanted):
        return
    least = "at least " if more else ""
    noun = "argument" if wanted == 1 else "arguments"
    raise ValueError(f"{name}() takes {least}{wanted} {noun}, not {given}")


JmesPath = Annotated[Expression, PlainValidator(parse_expression)]
"""A key of the config that holds an expression."""
