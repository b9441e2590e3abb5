"""serene train: what it prints, what it leaves in the run folder, what it refuses."""
import csv
import json
import shutil

import pages
import support
from support import EMOTIONS, EPOCHS, SMALL, SMOKE, CliTest, on_corpus, serene, trained

FILES = ["best.safetensors", "config.json", "confusion.svg", "curves.svg", "data.json", "last-1.safetensors", "last.safetensors",
         "log.csv", "log.jsonl", "model_card.md", "predictions.json", "report.html", "results.json", "split.json"]


class RunFolderTest(CliTest):
    def test_files(self):
        self.assertEqual(sorted(support.tree(trained()[0])), FILES)

    def test_model_card(self):
        run, _ = trained()
        card, results = (run / "model_card.md").read_text(), json.loads((run / "results.json").read_text())
        self.assertIn("| UAR | %.2f %%" % (100 * results["uar"]["estimate"]), card)
        for words in ("RAVDESS CC BY-NC-SA 4.0", "never for decisions about people", "what a person feels", "Art. 50", "Tested on: ravdess-"):
            self.assertIn(words, card.replace("\\", ""))
        for label in EMOTIONS:
            self.assertRegex(card, r"(?m)^\| %s \| \d+ \|" % label)
        self.assertNotIn("LEAKY", card)

    def test_result_on_stdout_progress_on_stderr(self):
        run, result = trained()
        self.assertIn("UAR", result.out)
        self.assertIn(f"model  {run}/best.safetensors", result.out)
        self.assertNotIn("epoch 1/", result.out)
        for epoch in range(1, EPOCHS + 1):
            self.assertRegex(result.err, rf"(?m)^epoch {epoch}/{EPOCHS}  train loss [\d.]+ acc +[\d.]+ %")
        self.assertIn("split holdout", result.err)
        self.assertNotIn("\x1b", result.out + result.err)
        self.assertNotIn("\r", result.out + result.err)

    def test_logs_have_a_line_an_epoch(self):
        run, _ = trained()
        lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        rows = list(csv.DictReader((run / "log.csv").read_text().splitlines()))
        self.assertEqual([line["epoch"] for line in lines], list(range(EPOCHS)))
        self.assertEqual(len(rows), EPOCHS)
        for line, row in zip(lines, rows):
            self.assertAlmostEqual(line["train_loss"], float(row["train_loss"]), places=6)
            self.assertGreater(line["val_loss"], 0)
        self.assertLess(lines[-1]["train_loss"], lines[0]["train_loss"])

    def test_config_and_split(self):
        run, _ = trained()
        config = json.loads((run / "config.json").read_text())
        self.assertEqual(config["train"]["epochs"], EPOCHS)
        self.assertEqual(config["split"]["test_speakers"], ["06"])
        split = json.loads((run / "split.json").read_text())
        parts = [set(split[part]) for part in ("train", "validation", "test")]
        self.assertEqual([len(p) for p in parts], [64, 16, 16])
        self.assertEqual(len(set.union(*parts)), 96)
        self.assertTrue(all(name.endswith("-06") for name in parts[2]), parts[2])

    def test_results_and_predictions(self):
        run, _ = trained()
        results = json.loads((run / "results.json").read_text())
        predictions = json.loads((run / "predictions.json").read_text())
        self.assertEqual(len(predictions), 16)
        right = sum(p["logits"].index(max(p["logits"])) == p["truth"] for p in predictions)
        self.assertAlmostEqual(results["war"]["estimate"], right / 16)
        self.assertEqual(results["labels"], EMOTIONS)
        self.assertFalse(results["leaky"])
        self.assertNotIn("LEAKY", json.dumps(results))

    def test_report_and_pictures(self):
        run, _ = trained()
        page = pages.read_page(self, run / "report.html")
        self.assertGreaterEqual(page.tags.count("svg"), 2)
        for emotion in EMOTIONS:
            self.assertIn(emotion, page.text)
        self.assertNotIn("LEAKY", page.text)
        pages.read_svg(self, run / "curves.svg")
        pages.read_svg(self, run / "confusion.svg")

    def test_refuses_to_overwrite(self):
        run, _ = trained()
        before = support.tree(run)
        self.refuses(1, [run, "holds a run already", "--resume", "--run"], *on_corpus("train", SMOKE, "--run", run, *SMALL))
        self.assertEqual(support.tree(run), before)

    def test_folder_that_cannot_be_made(self):
        self.one_error(serene(*on_corpus("train", SMOKE, "--run", support.a_clip() / "run", *SMALL)), 2, "cannot make the folder")
        self.one_error(serene(*on_corpus("train", SMOKE, "--run", "x" * 300, *SMALL)), 2, "xxx", "too long")

    def test_default_run_folder_is_named_after_the_config(self):
        work = self.new_path("work")
        work.mkdir()
        self.ok(*on_corpus("train", SMOKE, *SMALL, "--set=train.epochs=1", "--set=name=mine", "--quiet"), cwd=work)
        self.assertTrue((work / "runs" / "mine" / "report.html").exists())


class ThreadsTest(CliTest):
    def test_one_and_two_threads_leave_the_same_bytes(self):
        one = self.new_path("one")
        self.ok(*on_corpus("train", SMOKE, "--run", one, *SMALL, threads=1))
        self.assert_same_tree(trained()[0], one)

    def test_another_seed_leaves_others(self):
        other = self.new_path("other")
        self.ok(*on_corpus("train", SMOKE, "--run", other, *SMALL, "--seed=77"))
        a, b = support.tree(trained()[0]), support.tree(other)
        self.assertNotEqual(a["last.safetensors"], b["last.safetensors"])


class ConfigTest(CliTest):
    def printed(self, *args):
        return self.ok("train", *args, "--print-config")

    def test_printed_config_gives_itself(self):
        for config in (SMOKE, support.SOURCE / "configs" / "model_strong.json"):
            first = self.printed(config, "--set=train.optimizer.learning_rate=3e-4")
            self.assertEqual(first.err, "")
            copy = self.new_path(config.name)
            copy.write_text(first.out)
            self.assertEqual(self.printed(copy).out, first.out)

    def test_nested_keys(self):
        config = self.printed(SMOKE, "--set=train.optimizer.type=sgd", "--set=train.optimizer.momentum=0.9", "--set", "data.crop=random",
                              '--set=split.test_speakers=["01", "02"]', "--set=model.layers.conv.filters=5", "--set=model.layers.2.units=6",
                              "--set=features.n_mfcc=20", "--seed=9").json()
        self.assertEqual(config["train"]["optimizer"]["type"], "sgd")
        self.assertEqual(config["train"]["optimizer"]["momentum"], 0.9)
        self.assertEqual(config["data"]["crop"], "random")
        self.assertEqual(config["split"]["test_speakers"], ["01", "02"])
        self.assertEqual(config["model"]["layers"][0]["filters"], 5)
        self.assertEqual(config["model"]["layers"][2]["units"], 6)
        self.assertEqual(config["features"]["n_mfcc"], 20)
        self.assertEqual(config["seed"], 9)

    def test_unknown_keys_name_their_path(self):
        for key in ("train.epoch", "train.optimizer.rate", "data.folder", "split.folder", "splits", "features.mels"):
            self.refuses(2, [SMOKE, key, "unknown key"], "train", SMOKE, f"--set={key}=1", "--dry-run", "--data", support.corpus())
        self.refuses(2, ["train.optimizer.rate"], "train", SMOKE, "--set=train.optimizer.rate=1", "--print-config")
        self.one_error(serene(*on_corpus("train", SMOKE, "--set=model.layers.conv.width=1", "--dry-run")), 2, SMOKE, "model.layers", "width")

    def test_wrong_types_name_their_path(self):
        for assignment in ("train.epochs=many", "train.epochs=1.5", "train.epochs=0", "train.optimizer.learning_rate=fast",
                           "train.optimizer.learning_rate=1e30", "train.early_stopping.enabled=1", "labels=angry", "split.fold=-1",
                           "train.optimizer.type=magic", "data.max_frames=null", "train=3"):
            key = assignment.split("=")[0]
            self.refuses(2, [SMOKE, key], "train", SMOKE, f"--set={assignment}", "--print-config")

    def test_malformed_assignments(self):
        for assignment, word in (("train.epochs", "train.epochs"), ("=5", "=5"), ("name.of.it=3", "name.of"), ("model.layers.99.units=3", "model.layers.99")):
            self.refuses(1, [word], "train", SMOKE, f"--set={assignment}", "--print-config")

    def test_broken_files(self):
        path = self.new_path("config.json")
        for text, word in ((b"", ""), (b"{", ""), (b"[]", ""), (b'{"model": {"layers": []}}', "layers"), (b'{"seed": 1}', "model"),
                           (b'{"seed": 1, "seed": 2}', "seed"), (b"\xff\xfe{}", ""), (b"[" * 100000, ""), (b'{"seed": 1e999}', ""),
                           (b'{"model": {"file": "none.json"}}', "none.json")):
            path.write_bytes(text)
            self.refuses(2, [path, word], "train", path, "--print-config")
        self.refuses(2, ["none.json"], "train", "none.json", "--print-config")
        self.refuses(2, [support.temp()], "train", support.temp(), "--print-config")

    def test_layer_that_does_not_fit(self):
        self.one_error(serene(*on_corpus("train", SMOKE, *SMALL, "--dry-run", "--set=model.layers.out.units=5")), 2, SMOKE, "classes")


class PlanTest(CliTest):
    def test_dry_run_writes_nothing(self):
        work = self.new_path("work")
        work.mkdir()
        result = self.ok(*on_corpus("train", SMOKE, *SMALL, "--dry-run"), cwd=work)
        for word in ("conv1d", "self_attention", "dense", "steps an epoch", f"at most {EPOCHS} epochs", "MiB"):
            self.assertIn(word, result.out)
        self.assertEqual(support.tree(work), {})
        self.assertEqual(list(work.iterdir()), [])

    def test_overfit_batch_learns_and_writes_nothing(self):
        work = self.new_path("work")
        work.mkdir()
        result = self.ok(*on_corpus("train", SMOKE, *SMALL, "--overfit-batch", "--set=train.epochs=40", "--set=train.optimizer.learning_rate=0.03"), cwd=work)
        self.assertRegex(result.out, r"^16 clips, 40 steps: loss [\d.]+ -> [\d.]+, accuracy without dropout [\d.]+ %\n$")
        words = result.out.split()
        self.assertLess(float(words[7].rstrip(",")), 0.8 * float(words[5]))
        self.assertEqual(list(work.iterdir()), [])


class TroubleTest(CliTest):
    def test_divergence_stops_with_a_message(self):
        config, run = self.new_path("linear.json"), self.new_path("run")
        layers = [{"type": "dense", "units": 32}, {"type": "global_average_pooling1d"}, {"type": "dense", "units": "classes"}]
        config.write_text(json.dumps({"model": {"layers": layers}, "normalize": "none",
                                      "train": {"optimizer": {"type": "sgd", "learning_rate": 1000, "momentum": 0.99}}}))
        result = serene(*on_corpus("train", config, "--run", run, *SMALL, "--set=train.epochs=30"))
        line = self.one_error(result, 2, "epoch")
        self.assertRegex(line, r"not finite|non-finite|NaN|infinite")
        self.assertFalse((run / "report.html").exists())
        self.assertNotRegex((run / "log.csv").read_text() if (run / "log.csv").exists() else "", "(?i)nan|inf")

    def test_no_corpus(self):
        empty = self.new_path("empty")
        empty.mkdir()
        self.one_error(serene(*on_corpus("train", SMOKE, data=empty)), 2, "RAVDESS", empty, "--data")
        self.one_error(serene(*on_corpus("train", SMOKE, "--set=data.corpus=elvish")), 1, "elvish", "ravdess")
        self.one_error(serene(*on_corpus("train", SMOKE, '--set=split.test_speakers=["44"]', "--dry-run")), 1, "44")

    def test_broken_clips_are_left_out_and_listed(self):
        data = self.new_path("data")
        shutil.copytree(support.corpus(), data)
        folder = data / "ravdess"
        broken = {support.clip_path(0, 1, 1): b"", support.clip_path(1, 2, 1): support.a_clip().read_bytes()[:500],
                  support.clip_path(2, 3, 1): b"only words\n" * 100}
        for name, content in broken.items():
            (folder / name).write_bytes(content)
        run = self.new_path("run")
        result = self.ok(*on_corpus("train", SMOKE, "--run", run, *SMALL, "--set=train.epochs=1", data=data))
        page = pages.read_page(self, run / "report.html")
        skipped = json.loads((run / "data.json").read_text())["skipped"]
        self.assertEqual(len(skipped), 3)
        for name in broken:
            file = name.split("/")[1]
            self.assertRegex(result.err, rf"(?m)^skipped .*{file}: \S+")
            self.assertIn(file, page.text)
            self.assertIn(file, [s["file"] for s in skipped])
        self.assertTrue(all(s["reason"] for s in skipped))
        self.assertIn("3 skipped", result.err)
        self.assertEqual(len(json.loads((run / "split.json").read_text())["train"]), 61)
