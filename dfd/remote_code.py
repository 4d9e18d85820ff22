"""The package's inference code as single files, for those who load a repository without installing the package.

`diffusers.DiffusionPipeline.from_pretrained("user/repo", trust_remote_code=True)` runs `pipeline.py` and
`<component>/<module>.py` of a repository, each on its own. So each is made of a module of this package and all that
it imports from this package, in the order in which they need each other. Nothing is kept by hand.
"""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

PACKAGE = __name__.partition(".")[0]

HEADER = '''"""{module} and what it needs, put together from the package {package} {version}. Licence: Apache-2.0."""

from __future__ import annotations
'''


def single_file(module: str, version: str) -> str:
    """Source of a module together with everything that it imports from this package.

    Args:
        module: such as "dfd.pipeline".
        version: of the package, for the first line.

    Raises:
        ValueError: two of the modules define the same name, or import in a way that cannot be put together.
    """
    parts: dict[str, str] = {}
    owners: dict[str, str] = {}
    _collect(module, parts, owners)
    text = HEADER.format(module=module, package=PACKAGE, version=version)
    return text + "".join(f"\n\n# --- {name} ---\n\n{source.strip()}\n" for name, source in parts.items() if source)


def _collect(module: str, parts: dict[str, str], owners: dict[str, str]) -> None:
    """Adds a module to `parts`, after all that it imports; `owners` says which module defines a name."""
    if module in parts:
        return
    source = Path(importlib.util.find_spec(module).origin).read_text("utf-8")
    lines = source.splitlines(keepends=True)
    for node in ast.parse(source).body:
        if _docstring(node) or _for_checkers(node) or getattr(node, "module", None) == "__future__":
            _blank(lines, node)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == PACKAGE:
            if any(alias.asname for alias in node.names) or node.module == PACKAGE:
                raise ValueError(f"{module}:{node.lineno}: only `from {PACKAGE}.module import name` can be joined")
            _collect(node.module, parts, owners)
            _blank(lines, node)
        for name in _defined(node):
            if owners.setdefault(name, module) != module:
                raise ValueError(f"both {owners[name]} and {module} define {name}: they cannot be put into one file")
    parts[module] = "".join(lines)


def _docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _for_checkers(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _blank(lines: list[str], node: ast.stmt) -> None:
    lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
