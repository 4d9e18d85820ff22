"""What the package's code does not do, wherever that is."""

import ast
from pathlib import Path

import pytest

SOURCES = [Path(__file__).parents[1] / "app.py", *sorted((Path(__file__).parents[1] / "dfd").rglob("*.py"))]

#: Whatever runs what it reads, or asks a shell.
FORBIDDEN = {
    "eval", "exec", "compile", "__import__",
    "pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve",
    "os.system", "os.popen", "yaml.load", "subprocess.getoutput", "subprocess.getstatusoutput",
}  # fmt: skip


def findings(source: str) -> list[str]:
    """Forbidden calls and imports, `torch.load` and `numpy.load` that may unpickle, and shells."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in FORBIDDEN]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN:
            found.append(node.module)
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            options = {option.arg: ast.unparse(option.value) for option in node.keywords}
            if (
                name in FORBIDDEN
                or (name == "torch.load" and options.get("weights_only") != "True")
                or (name in ("np.load", "numpy.load") and options.get("allow_pickle", "False") != "False")
                or options.get("shell", "False") != "False"
            ):
                found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_nothing_runs_what_it_reads(path):
    assert findings(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "eval(text)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(line, shell=True)",
        "os.system(line)",
    ],
)
def test_it_would_be_found(source):
    assert findings(source)


def test_what_is_safe_passes():
    assert findings("torch.load(path, weights_only=True)\nnp.load(path)\nmodel.eval()\nsubprocess.run([a])") == []
