"""serene import --keras: every layout that Keras writes, made by h5py, and files that are out for trouble.

--pytorch is tested with its way out, in test_export.py.
"""
import functools
import pathlib
import shutil
import struct
import subprocess
import unittest

from interop_support import run_script, safetensors_file, weights_of
from support import CliTest, Result, environment, program, serene, temp

LABELS = "--labels=low,middle,high"
GOOD = ["legacy.h5", "legacy_weights.h5", "legacy_3.h5", "v3.weights.h5", "v3_named.weights.h5", "model.keras"]
# What the error says beside the file's name.
BAD = {
    "bad_empty.h5": ["neither HDF5"], "bad_text.h5": ["neither HDF5"], "bad_truncated_20.h5": ["damaged"],
    "bad_truncated_60.h5": ["damaged"], "bad_truncated_95.h5": ["damaged"], "bad_missing_layer.h5": ["memory", "no such layer"],
    "bad_missing_tensor.h5": ["memory", "no bias"], "bad_extra_layer.weights.h5": ["dense_2"],
    "bad_extra_tensor.weights.h5": ["wide", "layers/dense/vars/2"], "bad_wrong_shape.weights.h5": ["wide", "[4,7]", "[7,4]"],
    "bad_words.weights.h5": ["layers/dense/vars/1", "numbers"], "bad_nan.weights.h5": ["layers/dense/vars/1", "NaN"],
    "bad_cycle.weights.h5": ["nested too deeply"], "bad_soft_link.weights.h5": ["not followed"],
    "bad_external_link.weights.h5": ["not followed"], "bad_external_storage.weights.h5": ["another file"],
    "bad_virtual.weights.h5": ["another file"], "bad_huge.weights.h5": ["too large"], "bad_many_numbers.weights.h5": ["too many"],
    "bad_no_weights.keras": ["model.weights.h5", "no such entry"], "bad_bomb.keras": ["model.weights.h5", "too large"],
    "bad_truncated.keras": ["zip"], "bad_truncated_h5.keras": ["damaged"], "bad_lie.keras": ["model.weights.h5", "damaged"],
    "missing.h5": ["missing.h5"],
}


def helper() -> pathlib.Path:
    return pathlib.Path(program()).resolve().with_name("serene-keras-import")


@functools.cache
def keras_folder() -> pathlib.Path:
    folder = temp() / "keras"
    folder.mkdir()
    return folder


class Keras(CliTest):
    def files(self) -> pathlib.Path:
        if not helper().exists():
            self.skipTest("built without libhdf5-dev or libzip-dev")
        folder = keras_folder()
        if not (folder / "config.json").exists():
            run_script(self, ["h5py"], "keras_files.py", folder)
        return folder

    def take(self, file, *more, out=None):
        folder = self.files()
        return ("import", "--keras", folder / file, "--config", folder / "config.json", LABELS, "-o",
                out or self.new_path("out.safetensors"), *more)

    def test_every_layout_gives_the_same_weights(self):
        wanted = {n: (s, d) for n, (_, s, d) in safetensors_file.read(self.files() / "expected.safetensors")[0].items()}
        for name in GOOD:
            with self.subTest(name):
                out = self.new_path(name + ".safetensors")
                self.ok(*self.take(name, out=out))
                self.assertEqual(weights_of(out), wanted)
                self.assertIn("low", self.ok("inspect", out).out)

    def test_what_is_wrong_is_said(self):
        out = self.new_path("out.safetensors")
        for name, words in BAD.items():
            with self.subTest(name):
                self.refuses(2, [name, *words], *self.take(name, out=out))
                self.assertFalse(out.exists())

    def test_flipped_bits_never_crash(self):
        folder = self.files()
        for file in sorted(folder.glob("flipped_*.h5")):
            with self.subTest(file.name):
                result = serene(*self.take(file.name))
                self.assertIn(result.code, (0, 2), result)  # a bit of a number shows nowhere
                self.assertNotIn("signal", result.err)
        self.assertFalse([p for p in folder.iterdir() if p.suffix in (".core", ".tmp")])

    def test_normalizer(self):
        folder, out = self.files(), self.new_path("out.safetensors")
        self.ok(*self.take("v3.weights.h5", "--normalizer", folder / "normalizer.npy", out=out))
        tensors, _ = safetensors_file.read(out)
        mean, scale = (struct.unpack("<40f", tensors["normalizer." + n][2]) for n in ("mean", "scale"))
        self.assertEqual((mean[0], mean[39], scale[0], scale[39]), (-3, 3, 2, 0.5))
        self.refuses(2, ["bad_normalizer.npy", "above 0"], *self.take("v3.weights.h5", "--normalizer", folder / "bad_normalizer.npy"))

    def test_a_config_of_other_layers(self):
        self.refuses(2, ["v3.weights.h5", "memory", "kernel", "[4,16]", "[4,12]"],
                     *self.take("v3.weights.h5", "--set", "model.layers.memory.units=4"))
        gate = '{"type": "squeeze_excitation", "name": "drop", "units": 2}'
        self.refuses(2, ["drop", "Keras has no layer"], *self.take("v3.weights.h5", "--set", "model.layers.drop=" + gate))

    def test_usage(self):
        for words, args in ((["--keras", "--pytorch"], ()), (["--config"], ("--keras", "x.h5")),
                            (["--keras", "--pytorch"], ("--keras", "x.h5", "--pytorch", "y")),
                            (["options alone"], ("x.h5",))):
            self.refuses(1, words, "import", *args)


class Child(CliTest):
    """What serene does when its child misbehaves: a copy of the program beside a child of the test's own."""

    def with_child(self, script) -> Result:
        folder = self.new_path("bin")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copy(program(), folder / "serene")
        if script is not None:
            child = folder / "serene-keras-import"
            child.write_text("#!/bin/sh\n" + script)
            child.chmod(0o755)
        config = folder / "config.json"
        config.write_text('{"model": {"layers": [{"type": "global_average_pooling1d"}, {"type": "dense", "units": "classes"}]}}')
        command = [folder / "serene", "import", "--keras", "x.h5", "--config", config, LABELS, "--out", folder / "out"]
        done = Result(subprocess.run(command, capture_output=True, cwd=folder, env=environment(), timeout=60, check=False))
        self.assertFalse((folder / "out").exists())
        self.assertFalse((folder / "written").exists() and (folder / "written").read_bytes(), "a child cannot write files")
        return done

    def test_no_child(self):
        self.one_error(self.with_child(None), 2, "serene-keras-import", "libhdf5-dev")

    def test_a_child_that_crashes(self):
        self.one_error(self.with_child("kill -SEGV $$\n"), 2, "x.h5", "signal 11")

    def test_a_child_that_talks_nonsense(self):
        self.one_error(self.with_child("echo nonsense\n"), 2, "x.h5")
        self.one_error(self.with_child("exit 0\n"), 2, "x.h5")
        self.one_error(self.with_child("echo 'one: line' >&2; echo two >&2; exit 2\n"), 2, "x.h5: one: line")

    def test_limits(self):
        limits = "echo time $(ulimit -t) memory $(ulimit -v) files $(ulimit -n) size $(ulimit -f) >&2\nexit 2\n"
        sanitized = any(name in pathlib.Path(program()).read_bytes() for name in (b"__asan_init", b"__tsan_init"))
        memory = "unlimited" if sanitized else "2097152"
        self.one_error(self.with_child(limits), 2, f"time 60 memory {memory} files 16 size 0")
        self.one_error(self.with_child("echo text > written\nexit 2\n"), 2, "x.h5")


if __name__ == "__main__":
    unittest.main()
