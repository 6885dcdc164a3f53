"""What is compiled means what its source says, and is never taken for another source."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from apps.runtime.native import build, store
from apps.runtime.native.finder import NativeFinder, loaded_compiled
from apps.runtime.native.modules import HOT_MODULES

SOURCE = '''"""A module."""
LIMIT = 10


def priced(units: int, micros: int) -> int:
    return units * micros + LIMIT
'''


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with one module, and an empty folder for its compiled form."""
    package = tmp_path / "shop"
    package.mkdir()
    (package / "prices.py").write_text(SOURCE)
    monkeypatch.setattr(store, "FOLDER", tmp_path / "native")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    (tmp_path / "native").mkdir()
    return package


def _compile(room: Path) -> Path:
    target = store.compiled_file("shop.prices", (room / "prices.py").read_bytes())
    build.compile_module("shop.prices", target, build.find_compiler())
    return target


def test_a_compiled_module_is_found_and_prices_beyond_64_bits_as_its_source_does(room: Path) -> None:
    target = _compile(room)
    spec = NativeFinder(["shop.prices"]).find_spec("shop.prices", [str(room)])
    assert spec is not None
    assert spec.origin == str(target)
    module = subprocess.run(
        [sys.executable, "-c", _LOAD.format(name="shop.prices", path=str(target))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert module.stdout.strip() == str(2**62 * 2**62 + 10)


_LOAD = """
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location({name!r}, {path!r}, loader=ExtensionFileLoader({name!r}, {path!r}))
module = module_from_spec(spec)
spec.loader.exec_module(module)
print(module.priced(2**62, 2**62))
"""


def test_a_changed_source_is_not_run_from_its_former_compiled_form(
    room: Path,
) -> None:
    former = _compile(room)
    (room / "prices.py").write_text(SOURCE.replace("10", "11"))
    assert NativeFinder(["shop.prices"]).find_spec("shop.prices", [str(room)]) is None
    assert _compile(room).is_file()
    assert not former.exists(), "the former one is taken away, or they would pile up"


def test_modules_that_are_not_compiled_or_not_hot_run_from_source(room: Path) -> None:
    finder = NativeFinder(["shop.prices"])
    assert finder.find_spec("shop.prices", [str(room)]) is None
    assert finder.find_spec("shop.others", [str(room)]) is None
    assert finder.find_spec("shop", None) is None


def test_a_module_that_cannot_be_compiled_says_why_and_leaves_nothing_behind(room: Path) -> None:
    (room / "prices.py").write_text("def broken(:\n")
    with pytest.raises(build.CompilationFailed, match=r"shop\.prices"):
        _compile(room)
    assert list((room.parent / "native").iterdir()) == []


def test_without_a_compiler_the_build_says_so_and_everything_runs_from_source(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _BUILD_ELSEWHERE.format(folder=str(tmp_path))],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": str(tmp_path), "CC": "", "BSS_NATIVE": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "the hot paths run from source" in done.stderr


_BUILD_ELSEWHERE = """
import sys, sysconfig
from pathlib import Path
from apps.runtime.native import build, store
store.FOLDER = build.FOLDER = Path({folder!r}) / "native"
sysconfig.get_config_var = lambda name: None
sys.exit(build.main())
"""


@pytest.mark.parametrize("value", ["0", "no", "off", "false"])
def test_it_can_be_switched_off(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BSS_NATIVE", value)
    assert store.is_switched_off()


def test_this_process_runs_compiled_where_the_environment_has_it_and_the_switch_allows_it() -> None:
    import apps.charging.services.batch
    import apps.diameter.protocol.decoding

    compiled, loaded = loaded_compiled()
    made = sum(name in sys.modules and _has_compiled_form(name) for name in HOT_MODULES)
    assert loaded >= 2
    assert compiled == (0 if store.is_switched_off() else made)
    ends = apps.diameter.protocol.decoding.__file__.endswith(tuple(EXTENSION_SUFFIXES))
    assert ends == (_has_compiled_form("apps.diameter.protocol.decoding") and not store.is_switched_off())


def _has_compiled_form(name: str) -> bool:
    return store.compiled_file(name, build.source_of(name).read_bytes()).is_file()


@pytest.mark.parametrize("module", HOT_MODULES)
def test_a_hot_module_holds_nothing_that_cython_compiles_to_another_meaning(module: str) -> None:
    for node in ast.walk(ast.parse(build.source_of(module).read_text())):
        if isinstance(node, ast.Compare) and len(node.ops) > 1:
            assert not any(isinstance(operator, ast.Is | ast.IsNot) for operator in node.ops), node.lineno
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            # len() and literals are C numbers to Cython, and their powers floats.
            assert not isinstance(node.right, ast.Call), node.lineno
            assert not (isinstance(node.left, ast.Constant) and isinstance(node.right, ast.Constant)), (
                node.lineno
            )
