"""The house rules that no import graph sees: sizes, purity, function folders, first sentences."""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "layers" / "core" / "wharfage"
FOLDERS = ("agent", "benchmarks", "client", "functions", "infrastructure", "layers/core", "tests")

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
PARAMETERS_MAX = 7

#: The modules below the adapters: no clock, no chance, no outside.
PURE = ("domain", "messages", "operations", "ports", "schema", "transaction")
IMPURE_MODULES = {
    "asyncio", "ctypes", "http", "multiprocessing", "os", "pathlib", "random", "secrets", "select",
    "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tempfile",
    "threading", "time", "uuid",
}  # fmt: skip
IMPURE_CALLS = {
    "builtins.input",
    "builtins.open",
    "builtins.print",
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
}
FUNCTION_IMPORTS = (
    "wharfage.web",
    "wharfage.operations",
    "wharfage.domain",
    "wharfage.messages",
    "msgspec",
)
TEXT_SUFFIXES = {
    ".cfg", ".css", ".html", ".ini", ".js", ".json", ".md", ".py", ".service", ".sh", ".svg",
    ".toml", ".ts", ".txt", ".yaml", ".yml", "",
}  # fmt: skip
#: Where people and machines keep checkouts; no such path means anything to a reader elsewhere.
MACHINE_PATH = re.compile(r"(?<![\w.$}~-])/(home|Users|root|work|workspace)/[\w.-]")

Rule = Callable[[str], list[str]]


def modules(*folders: str) -> list[Path]:
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if "__pycache__" not in path.parts)


def pure_modules() -> list[Path]:
    packages = [path for name in PURE for path in (CORE / name).rglob("*.py")]
    return sorted(
        packages + [CORE / f"{name}.py" for name in PURE if (CORE / f"{name}.py").exists()]
    )


def complaints(paths: list[Path], rule: Rule) -> list[str]:
    """Apply *rule* to every file; a rule that finds no file to look at has something to say too."""
    found = [f"{path.relative_to(ROOT)}:{text}" for path in paths for text in rule(_read(path))]
    return found if paths else ["there is no file that this rule looks at"]


def too_long(source: str) -> list[str]:
    lines = len(source.splitlines())
    return [f"1: {lines} lines"] if lines > MODULE_LINES_MAX else []


def functions_too_long(source: str) -> list[str]:
    lengths = {node: (node.end_lineno or 0) - node.lineno + 1 for node in _functions(source)}
    return [
        f"{node.lineno}: {node.name} has {length} lines"
        for node, length in lengths.items()
        if length > FUNCTION_LINES_MAX
    ]


def too_many_parameters(source: str) -> list[str]:
    found = []
    for node in _functions(source):
        names = [each.arg for each in [*node.args.posonlyargs, *node.args.args]]
        count = len(names) + len(node.args.kwonlyargs) - (names[:1] in (["self"], ["cls"]))
        if count > PARAMETERS_MAX:
            found.append(f"{node.lineno}: {node.name} takes {count} parameters")
    return found


def without_first_sentence(source: str) -> list[str]:
    text = ast.get_docstring(ast.parse(source))
    if not text:
        return ["1: does not say what it is"]
    sentence = text.split("\n\n")[0]
    return [] if re.search(r"[.!?:]`*$", sentence) else ["1: does not open with a whole sentence"]


def impure(source: str) -> list[str]:
    """Find the clock, chance, files, sockets, threads and processes, also under other names."""
    tree = ast.parse(source)
    origin = {name: f"builtins.{name}" for name in ("input", "open", "print")} | _bindings(tree)
    found = [
        f"{node.lineno}: imports {name}"
        for node, name in _imports(tree)
        if name.split(".")[0] in IMPURE_MODULES
    ]
    for node in ast.walk(tree):
        # A field may be called `input`; to use what is called so is another thing.
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            first, *rest = ast.unparse(node).split(".")
            name = ".".join([origin.get(first, first), *rest])
            if name in IMPURE_CALLS:
                found.append(f"{node.lineno}: uses {name}")
    return found


def third_party(source: str) -> list[str]:
    known = {*sys.stdlib_module_names, "msgspec", "wharfage"}
    return [
        f"{node.lineno}: imports {name}"
        for node, name in _imports(ast.parse(source))
        if name.split(".")[0] not in known
    ]


def foreign_to_a_function(source: str) -> list[str]:
    return [
        f"{node.lineno}: imports {name}"
        for node, name in _imports(ast.parse(source))
        if name.split(".")[0] not in sys.stdlib_module_names
        and not any(name == each or name.startswith(each + ".") for each in FUNCTION_IMPORTS)
    ]


def foreign_to_set_up(source: str) -> list[str]:
    return [
        f"{node.lineno}: imports {name}"
        for node, name in _imports(ast.parse(source))
        if name.split(".")[0] not in sys.stdlib_module_names
        and not name.startswith("infrastructure.setup")
    ]


def machine_paths(source: str) -> list[str]:
    lines = enumerate(source.splitlines(), start=1)
    return [f"{number}: {line.strip()}" for number, line in lines if MACHINE_PATH.search(line)]


def test_no_module_is_longer_than_four_hundred_lines():
    assert complaints(modules(*FOLDERS), too_long) == []


def test_no_function_is_longer_than_sixty_lines():
    assert complaints(modules(*FOLDERS), functions_too_long) == []


def test_no_function_takes_more_than_seven_parameters():
    assert complaints(modules(*FOLDERS), too_many_parameters) == []


def test_every_module_opens_with_a_sentence_that_says_what_it_is():
    assert complaints(modules(*FOLDERS), without_first_sentence) == []


def test_nothing_below_the_adapters_knows_the_clock_chance_or_the_outside():
    assert complaints(pure_modules(), impure) == []


def test_nothing_below_the_adapters_imports_a_third_party_package_but_msgspec():
    assert complaints(pure_modules(), third_party) == []


def test_every_pure_part_of_the_core_is_there_to_be_looked_at():
    looked_at = {path.relative_to(CORE).parts[0].removesuffix(".py") for path in pure_modules()}

    assert looked_at == set(PURE)


def test_a_function_folder_holds_one_file():
    folders = [path for path in (ROOT / "functions").iterdir() if path.is_dir()]

    held = {path.name: sorted(_kept(path)) for path in folders if path.name != "__pycache__"}

    assert held
    assert held == {name: ["app.py"] for name in held}


def test_a_function_imports_only_web_operations_and_domain():
    assert complaints(modules("functions"), foreign_to_a_function) == []


def test_set_up_imports_only_the_standard_library():
    paths = [ROOT / "dev", *modules("infrastructure/setup")]

    assert complaints(paths, foreign_to_set_up) == []


def test_no_file_names_a_path_of_the_machine_it_was_written_on():
    assert complaints(_texts(), machine_paths) == []


LONG_FUNCTION = "def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX


@pytest.mark.parametrize(
    ("rule", "bad"),
    [
        (too_long, "\n" * (MODULE_LINES_MAX + 1)),
        (functions_too_long, LONG_FUNCTION),
        (functions_too_long, "async " + LONG_FUNCTION),
        (too_many_parameters, "def f(a, b, c, d, /, e, f, *, g, h): ..."),
        (too_many_parameters, "class A:\n    def f(self, a, b, c, d, e, f, g, h): ..."),
        (without_first_sentence, ""),
        (without_first_sentence, "import re"),
        (without_first_sentence, '"""Jobs and things"""'),
        (impure, "from datetime import datetime\nat = datetime.now()"),
        (impure, "import datetime as dt\nat = dt.datetime.utcnow()"),
        (impure, "from datetime import date as day\nat = day.today()"),
        (impure, "import datetime\nfactory = datetime.datetime.now"),
        (impure, "import time"),
        (impure, "from time import monotonic as tick"),
        (impure, "def f():\n    import random"),
        (impure, "import uuid, secrets"),
        (impure, "import http.client"),
        (impure, "text = open('a').read()"),
        (third_party, "import boto3"),
        (third_party, "from pynamodb.models import Model"),
        (foreign_to_a_function, "from wharfage.adapters import sqs"),
        (foreign_to_a_function, "import chalice"),
        (foreign_to_a_function, "from functions.orders import app"),
        (foreign_to_a_function, "from wharfage import wiring"),
        (foreign_to_a_function, "import wharfage.website"),
        (foreign_to_set_up, "import wharfage.domain"),
        (foreign_to_set_up, "from infrastructure.local import engine"),
        (foreign_to_set_up, "import click"),
        (machine_paths, "cd " + "/home" + "/somebody/wharfage"),
        (machine_paths, 'place = "' + "/work" + '/shared"'),
    ],
)
def test_each_rule_sees_what_it_forbids(rule: Rule, bad: str):
    assert rule(bad)


@pytest.mark.parametrize(
    ("rule", "good"),
    [
        (too_long, "\n" * MODULE_LINES_MAX),
        (functions_too_long, LONG_FUNCTION.removesuffix("    x = 1\n")),
        (too_many_parameters, "class A:\n    def f(self, a, b, c, d, e, f, g): ..."),
        (without_first_sentence, '"""A job: one image run to its end."""'),
        (impure, "from datetime import UTC, datetime\nat = datetime(2026, 1, 1, tzinfo=UTC)"),
        (impure, "def f(ports):\n    return ports.clock.now()"),
        (third_party, "import msgspec\nfrom wharfage.domain import job"),
        (foreign_to_a_function, "from wharfage.operations import jobs\nimport json"),
        (foreign_to_set_up, "from infrastructure.setup import uv\nimport os"),
        (machine_paths, "https://example.com/home/page and $HOME/work/x and ~/root/x"),
    ],
)
def test_no_rule_forbids_what_is_right(rule: Rule, good: str):
    assert rule(good) == []


def test_a_rule_that_looks_at_nothing_says_so():
    assert complaints([], too_long)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _functions(source: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _imports(tree: ast.Module) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    """Give every imported name in full: `from a import b` may mean the module a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node, f"{'.' * node.level}{node.module or ''}.{alias.name}"


def _bindings(tree: ast.Module) -> dict[str, str]:
    """Give what each name means that an import binds: `from datetime import date as day`."""
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                bound[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return bound


def _kept(folder: Path) -> Iterator[str]:
    return (path.name for path in folder.iterdir() if path.name != "__pycache__")


def _texts() -> list[Path]:
    """List the project's text files: not what tools made, not the locks, not vendored files."""
    skipped = {"var", "vendor", "node_modules", "__pycache__"}
    found = []
    for path in ROOT.iterdir():
        hidden = path.name.startswith(".") and path.is_dir() and path.name != ".ci"
        if not hidden and path.name not in skipped:
            found += [path] if path.is_file() else list(path.rglob("*"))
    return sorted(
        path
        for path in found
        if path.is_file()
        and path.suffix in TEXT_SUFFIXES
        and skipped.isdisjoint(path.relative_to(ROOT).parts)
    )
