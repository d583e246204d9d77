"""The docstrings under the fields of a class."""

import ast
import inspect
import textwrap
from itertools import pairwise


def docstrings(owner: type) -> dict[str, str]:
    """Return what stands under each field that is documented, on one line."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    return {
        key.target.id: inspect.cleandoc(text.value.value).replace("\n", " ")
        for key, text in pairwise(body)
        if isinstance(key, ast.AnnAssign)
        and isinstance(key.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
