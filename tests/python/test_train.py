"""serene.train against `serene train`."""
import json
import logging
import shutil
import signal
import subprocess
import sys
import time

from module_support import ModuleTest, temp  # first: it finds the others
import numpy
import serene
import support
from support import EPOCHS, SMALL, SMOKE, corpus, trained, tree

OVERRIDES = [option.removeprefix("--set=") for option in SMALL]

# Without on_epoch: no line of Python runs meanwhile.
INTERRUPTED = """
import sys
import serene
config, data, run, cache, *overrides = sys.argv[1:]
serene.train(config, data=data, run=run, cache=cache, overrides=overrides + ["train.epochs=1000000"], threads=2)
"""


class Train(ModuleTest):
    def train(self, name: str, config=SMOKE, overrides=OVERRIDES, **more):
        self.run_folder = temp() / "module-runs" / name
        more = {"data": corpus(), "cache": temp() / "cache"} | more
        return serene.train(config, run=self.run_folder, overrides=overrides, **more)

    def assert_same_as_the_program(self):
        ours, theirs = tree(self.run_folder), tree(trained()[0])
        self.assertEqual(sorted(ours), sorted(theirs))
        self.assertEqual([name for name in ours if ours[name] != theirs[name]], [])

    def test_the_same_bytes_as_the_program(self):
        epochs = []
        results, model = self.train("whole", on_epoch=epochs.append, threads=1)
        self.assert_same_as_the_program()
        self.assertEqual(results, json.loads((self.run_folder / "results.json").read_text()))
        self.assertEqual(epochs, [json.loads(line) for line in (self.run_folder / "log.jsonl").read_text().splitlines()])
        self.assertEqual(len(epochs), EPOCHS)
        self.assertEqual(model, str(self.run_folder / "best.safetensors"))
        self.assertEqual(serene.Recognizer(model).labels, support.EMOTIONS)

    def test_a_dict_is_a_config(self):
        self.train("dict", json.loads(SMOKE.read_text()))
        self.assert_same_as_the_program()

    def test_a_callback_ends_it(self):
        for name, answer in (("false", False), ("zero", numpy.False_)):
            seen = []
            results, model = self.train(name, on_epoch=lambda epoch: seen.append(epoch) or answer)
            self.assertEqual(len(seen), 1)
            self.assertEqual(len((self.run_folder / "log.jsonl").read_text().splitlines()), 1)
            self.assertEqual(results["clips"], 16)
            serene.Recognizer(model)
        self.train("true", on_epoch=lambda epoch: True)
        self.assert_same_as_the_program()

    def test_what_the_callback_raises_comes_out_and_the_run_goes_on_later(self):
        def stumble(epoch):
            raise LookupError("stumbled")

        self.assertRaisesRegex(LookupError, "stumbled", self.train, "raised", on_epoch=stumble)
        resumed = support.serene("train", "--resume", "--run", self.run_folder, "--data", corpus(), "--cache", temp() / "cache")
        self.assertEqual(resumed.code, 0, resumed)
        ours, theirs = tree(self.run_folder), tree(trained()[0])
        self.assertEqual([name for name in theirs if ours.get(name) != theirs[name]], [])

    def test_ctrl_c_ends_it(self):
        run = temp() / "module-runs" / "interrupted"
        process = subprocess.Popen([sys.executable, "-c", INTERRUPTED, SMOKE, corpus(), run, temp() / "cache", *OVERRIDES],
                                   stderr=subprocess.PIPE, text=True)
        try:
            end = time.monotonic() + 60
            while not (run / "log.csv").exists() and time.monotonic() < end:
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            _, problem = process.communicate(timeout=30)
        finally:
            process.kill()
        self.assertEqual(problem.splitlines()[-1], "KeyboardInterrupt")
        self.assertTrue((run / "last.safetensors").exists())
        self.assertFalse((run / "results.json").exists())

    def test_skipped_clips_are_logged(self):
        data = temp() / "with-a-broken-clip"
        shutil.copytree(corpus(), data)
        broken = data / "ravdess" / support.clip_path(0, 1, 1)
        broken.write_bytes(b"no sound")
        with self.assertLogs("serene", logging.WARNING) as logs:
            self.train("skipped", overrides=OVERRIDES + ["train.epochs=1"], data=data)
        self.assertEqual(len(logs.output), 1)
        self.assertIn(broken.name, logs.output[0])

    def test_hostile(self):
        config = json.loads(SMOKE.read_text())
        self.refuses("not_found", ["nowhere.json"], self.train, "refused", "nowhere.json")
        self.refuses("input", ["config: ", "colour"], self.train, "refused", config | {"colour": 1})
        self.refuses("not_found", ["config: model"], self.train, "refused", {"name": "no layers"})
        self.refuses("input", ["config: features.n_mels"], self.train, "refused", config | {"features": {"preset": "mfcc-40", "n_mels": 0}})
        self.refuses("input", ["train.epochs"], self.train, "refused", overrides=["train.epochs=many"])
        self.refuses("usage", ["train.epochs", "KEY=VALUE"], self.train, "refused", overrides=["train.epochs"])
        self.refuses("usage", ["split.fold"], self.train, "refused", overrides=["split.protocol=random10", "split.fold=10"])
        self.refuses("usage", ["threads"], self.train, "refused", threads=0)
        empty = temp() / "no-corpus"
        empty.mkdir(exist_ok=True)
        self.refuses("not_found", ["RAVDESS", empty], self.train, "refused", data=empty)
        for wrong in ({"on_epoch": 3}, {"threads": "two"}, {"config": 3}, {"overrides": "train.epochs=1"}, {"config": {"name": object()}}):
            self.assertRaises(TypeError, self.train, "refused", **wrong)
        self.assertFalse(self.run_folder.exists())

    def test_a_run_is_never_written_over(self):
        self.train("once", overrides=OVERRIDES + ["train.epochs=1"])
        before = tree(self.run_folder)
        self.refuses("usage", [self.run_folder, "holds a run"], self.train, "once")
        self.assertEqual(before, tree(self.run_folder))

    def test_divergence(self):
        layers = [{"type": "dense", "units": 32}, {"type": "global_average_pooling1d"}, {"type": "dense", "units": "classes"}]
        config = {"model": {"layers": layers}, "normalize": "none",
                  "train": {"optimizer": {"type": "sgd", "learning_rate": 1000, "momentum": 0.99}}}
        self.refuses("divergence", ["epoch"], self.train, "diverged", config, OVERRIDES + ["train.epochs=30"])
