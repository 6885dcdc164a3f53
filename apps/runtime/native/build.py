"""``python -m apps.runtime.native.build``: compiles the hot modules that are not yet compiled, beside one another.

Needs Cython (the ``native`` extra), a C compiler and Python's headers; without them it says so, and everything runs
from source as before.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from apps.runtime.native.modules import HOT_MODULES
from apps.runtime.native.store import FOLDER, compiled_file, is_switched_off

ROOT = Path(__file__).resolve().parents[3]

# The meaning of the source must not change: annotations are for mypy and not for C types, and functions stay
# what introspection and pickling expect.
_DIRECTIVES = ("annotation_typing=False", "binding=True", "infer_types=False", "emit_code_comments=False")
# -O2 takes twice as long and gains nothing that could be measured: the time goes into Python's own objects.
_C_FLAGS = ("-shared", "-fPIC", "-O1", "-DNDEBUG", "-fwrapv", "-fno-strict-aliasing")


class CannotCompile(Exception):
    """Something that compiling needs is missing; the message says what."""


class CompilationFailed(Exception):
    """A module could not be compiled; the message holds what the compiler said."""


def missing_modules() -> dict[str, Path]:
    """The hot modules whose source has no compiled form, with its path."""
    wanted = {module: compiled_file(module, source_of(module).read_bytes()) for module in HOT_MODULES}
    return {module: target for module, target in wanted.items() if not target.is_file()}


def source_of(module: str) -> Path:
    return ROOT / Path(*module.split(".")).with_suffix(".py")


def find_compiler() -> list[str]:
    """The command of the C compiler. Raises CannotCompile."""
    if importlib.util.find_spec("Cython") is None:
        raise CannotCompile("Cython is not installed (./run setup production installs it)")
    if not Path(sysconfig.get_paths()["include"], "Python.h").is_file():
        raise CannotCompile("Python's headers are missing (on Debian: apt-get install python3-dev)")
    for command in (os.environ.get("CC"), sysconfig.get_config_var("CC"), "cc", "gcc", "clang"):
        words = shlex.split(command or "")
        if words and shutil.which(words[0]):
            return words
    raise CannotCompile("there is no C compiler (on Debian: apt-get install gcc)")


def compile_module(module: str, target: Path, compiler: list[str]) -> None:
    """Make the compiled form of one module, whole or not at all. Raises CompilationFailed."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        c_file, library = Path(folder, "module.c"), Path(folder, "module.so")
        translate = [sys.executable, "-m", "cython", "-3", "--module-name", module, "-o", str(c_file)]
        for directive in _DIRECTIVES:
            translate += ["-X", directive]
        # A relative name, so that tracebacks show the source in every checkout.
        _run([*translate, str(source_of(module).relative_to(ROOT))], module)
        include = sysconfig.get_paths()["include"]
        _run([*compiler, *_C_FLAGS, "-I", include, str(c_file), "-o", str(library)], module)
        for former in target.parent.glob(f"{module}.*"):
            former.unlink(missing_ok=True)
        os.replace(library, target)


def _run(command: list[str], module: str) -> None:
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "BSS_NATIVE": "0"}
    )
    if done.returncode:
        raise CompilationFailed(f"{module}: {(done.stderr or done.stdout).strip()[-2000:]}")


def main() -> int:
    if is_switched_off():
        return 0
    missing = missing_modules()
    if not missing:
        return 0
    try:
        compiler = find_compiler()
    except CannotCompile as reason:
        print(f"native: the hot paths run from source: {reason}", file=sys.stderr)
        return 0
    FOLDER.mkdir(exist_ok=True)
    print(f"native: compiling {len(missing)} of {len(HOT_MODULES)} hot modules", file=sys.stderr, flush=True)
    failed = 0
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        # The long ones first, so that none is left over at the end.
        order = sorted(missing, key=lambda module: -source_of(module).stat().st_size)
        tasks = [pool.submit(compile_module, module, missing[module], compiler) for module in order]
        for task in as_completed(tasks):
            try:
                task.result()
            except CompilationFailed as problem:
                failed += 1
                print(f"native: {problem}", file=sys.stderr, flush=True)
    if failed:
        print(f"native: {failed} modules run from source instead", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
