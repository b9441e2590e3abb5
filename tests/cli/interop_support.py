"""What the tests of `serene export` and `serene import` share: other programs' Pythons, and files of weights."""
import functools
import pathlib
import subprocess
import sys

INTEROP = pathlib.Path(__file__).resolve().parents[1] / "interop"
sys.path.insert(0, str(INTEROP))
import safetensors_file  # noqa: E402,F401

PYTHONS = [sys.executable, "/usr/bin/python3"]


@functools.cache
def python_with(*modules) -> str:
    """A Python that has the modules, "" when none has."""
    for python in PYTHONS:
        done = subprocess.run([python, "-c", "import " + ", ".join(modules)], capture_output=True, check=False)
        if done.returncode == 0:
            return python
    return ""


def run_script(test, modules, script, *args) -> str:
    """stdout of a script of tests/interop; skips the test where no Python has its modules."""
    python = python_with(*modules)
    if not python:
        test.skipTest("no Python with " + " and ".join(modules))
    done = subprocess.run([python, "-B", str(INTEROP / script), *map(str, args)], capture_output=True, check=False, timeout=120)
    test.assertEqual(done.returncode, 0, done.stderr.decode())
    return done.stdout.decode()


def weights_of(path) -> dict:
    """{name: (shape, bytes)} of a checkpoint's float32 weights, without normaliser and examples."""
    tensors, _ = safetensors_file.read(path)
    return {n: (s, d) for n, (t, s, d) in tensors.items() if t == "F32" and not n.startswith(("example.", "normalizer."))}
