"""serene sweep: the search leaves the same results however it is run, and never looks at test speakers."""
import json
import shutil
import subprocess
import time

import pages
import support
from support import SMALL, SMOKE, CliTest, on_corpus, serene, temp

SPACE = {
    "train.optimizer.learning_rate": {"log_uniform": [1e-4, 1e-1]},
    "model.layers.lstm.units": {"int": [4, 12]},
    "train.schedule": {"choice": [{"type": "cosine"}, {"type": "constant"}]},
    "train.optimizer.type": {"choice": ["adam", "sgd"]},
    "train.optimizer.momentum": {"uniform": [0.5, 0.95], "when": {"train.optimizer.type": "sgd"}},
}
TRIALS = 5
HALVING = ["--method", "halving", "--eta", "2", "--min-epochs", "1"]


def space_file(space=None):
    path = temp() / "space.json" if space is None else temp() / "other_space.json"
    path.write_text(json.dumps(SPACE if space is None else space))
    return path


def sweep(run, *more, data=None, trials=TRIALS, space=None):
    return on_corpus("sweep", SMOKE, "--space", space_file(space), "--trials", trials, "--run", run, *SMALL, *more, data=data)


class SweepTest(CliTest):
    whole = None

    def reference(self):
        """Folder of a halving search that ran in one go, and what it printed."""
        if SweepTest.whole is None:
            run = temp() / "sweep-whole"
            SweepTest.whole = run, self.ok(*sweep(run, *HALVING))
        return SweepTest.whole

    def assert_same_results(self, run):
        self.assertEqual((run / "results.json").read_text(), (self.reference()[0] / "results.json").read_text())
        self.assertEqual((run / "best.json").read_text(), (self.reference()[0] / "best.json").read_text())

    def test_what_it_leaves(self):
        run, result = self.reference()
        self.assertIn("val UAR", result.out)
        self.assertIn("learning_rate", result.out)
        self.assertIn("never used: speakers 06", result.out.replace("ravdess-", ""))
        self.assertEqual(sum(line.startswith("trial ") for line in result.err.splitlines()), TRIALS + 2 + 1, result)
        names = sorted(support.tree(run))
        self.assertEqual(names, ["best.json", "config.json", "report.html", "results.json"] + [f"trials/trial-{k:04d}.json" for k in range(TRIALS)])
        results = json.loads((run / "results.json").read_text())
        self.assertTrue(results["complete"])
        self.assertEqual(results["epochs_of_rungs"], [1, 2, 3])
        self.assertEqual(results["best"], results["trials"][0]["trial"])
        self.assertEqual(sorted(t["trial"] for t in results["trials"]), list(range(TRIALS)))
        self.assertEqual({i["key"] for i in results["importance"]}, set(SPACE))
        self.assertNotIn("second", (run / "results.json").read_text())
        page = pages.read_page(self, run / "report.html")
        for word in ("What mattered", "Best trials", "Speakers never used", "Only 5 trials", "train.optimizer.learning_rate"):
            self.assertIn(word, page.text)

    def test_best_config_trains(self):
        run, _ = self.reference()
        best = json.loads((run / "best.json").read_text())
        values = json.loads((run / "results.json").read_text())["trials"][0]["values"]
        self.assertEqual(best["train"]["optimizer"]["learning_rate"], values["train.optimizer.learning_rate"])
        trained = self.new_path("run")
        self.ok(*on_corpus("train", run / "best.json", "--run", trained))
        uar = max(json.loads(line)["val_uar"] for line in (trained / "log.jsonl").read_text().splitlines())
        self.assertGreaterEqual(uar, json.loads((run / "results.json").read_text())["trials"][0]["val_uar"])

    def test_jobs(self):
        run = self.new_path("run")
        self.ok(*sweep(run, *HALVING, "--jobs", "2"))
        self.assert_same_results(run)

    def test_trial_by_trial_and_gather(self):
        run = self.new_path("run")
        for rung in range(3):
            for trial in reversed(range(TRIALS)):
                result = self.ok(*sweep(run, *HALVING, "--trial", trial))
                self.assertEqual(result.out, "")
                self.assertFalse((run / "report.html").exists())
            if rung == 0:
                early = self.ok(*sweep(run, *HALVING, "--gather", "--json"))
                self.assertFalse(early.json()["complete"])
                self.assertEqual(early.json()["missing"], 0)
                (run / "report.html").unlink()
        self.assertTrue(self.ok(*sweep(run, *HALVING, "--gather", "--json")).json()["complete"])
        self.assert_same_results(run)

    def test_gather_of_a_part(self):
        run = self.new_path("run")
        self.ok(*sweep(run, "--trial", "1"))
        result = self.ok(*sweep(run, "--gather"))
        self.assertIn(f"{TRIALS - 1} of {TRIALS} trials are not there yet", result.out)
        self.assertEqual(json.loads((run / "results.json").read_text())["best"], 1)

    def test_killed_and_resumed(self):
        long = ["--set=train.epochs=12", "--method", "halving", "--eta", "2", "--min-epochs", "3"]
        whole = self.new_path("whole")
        start = time.monotonic()
        self.ok(*sweep(whole, *long))
        took = time.monotonic() - start
        killed = 0
        for share in (0.35, 0.6, 0.85):
            run = self.new_path(f"run{share}")
            child = subprocess.Popen([support.program(), *map(str, sweep(run, *long, "--jobs", "2"))], stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL, env=support.environment())
            try:
                child.wait(took * share)
            except subprocess.TimeoutExpired:
                child.kill()
                killed += 1
            child.wait()
            self.ok(*sweep(run, *long))
            self.assertEqual((run / "results.json").read_text(), (whole / "results.json").read_text())
            self.assertEqual(sorted(support.tree(run)), sorted(support.tree(whole)))
        self.assertGreaterEqual(killed, 1, "no search was killed in time")

    def test_more_trials_keep_the_first(self):
        run = self.new_path("run")
        self.ok(*sweep(run, trials=2))
        result = self.ok(*sweep(run, trials=3))
        self.assertEqual([line.split()[1] for line in result.err.splitlines() if line.startswith("trial ")], ["2"])

    def swapped(self, actor):
        """A copy of the corpus in which this actor's recordings carry each other's labels."""
        data = self.new_path(f"data{actor}")
        shutil.copytree(support.corpus(), data)
        for take in (1, 2):
            files = [data / "ravdess" / support.clip_path(e, actor, take) for e in range(8)]
            contents = [f.read_bytes() for f in files]
            for file, content in zip(files, contents[3:] + contents[:3]):
                file.write_bytes(content)
        return data

    def test_test_speakers_are_never_touched(self):
        run = self.new_path("run")
        self.ok(*sweep(run, *HALVING, data=self.swapped(6)))
        self.assert_same_results(run)
        other = self.new_path("other")
        self.ok(*sweep(other, *HALVING, data=self.swapped(5)))
        self.assertNotEqual((other / "results.json").read_text(), (self.reference()[0] / "results.json").read_text())

    def test_folds_and_seeds(self):
        run = self.new_path("run")
        result = self.ok(*on_corpus("sweep", SMOKE, "--space", space_file(), "--trials", 1, "--run", run, "--set=train.epochs=1", "--seeds", "2", "--json"))
        self.assertEqual(result.json()["seeds"], 2)
        runs = json.loads((run / "trials" / "trial-0000.json").read_text())["runs"]
        self.assertEqual([(r["fold"], r["seed"]) for r in runs], [(0, 1), (0, 2)])
        self.refuses_sweep(1, ["no such fold"], "--folds", "0,7")

    def refuses_sweep(self, code, words, *more, space=None):
        return self.one_error(serene(*sweep(self.new_path("refused"), *more, "--quiet", space=space)), code, *words)

    def test_refusals(self):
        for space, words in (
            ({"train.optimizer.lr": {"uniform": [0, 1]}}, ["other_space.json", "train.optimizer.lr", "unknown key"]),
            ({"model.layers.lstm.unit": {"int": [4, 8]}}, ["other_space.json", "unit"]),
            ({"train.batch_size": {"int": [8, 4]}}, ["train.batch_size", "empty range"]),
            ({"seed": {"int": [0, 4]}}, ["seed", "cannot be searched"]),
            ({}, ["no key to search"]),
        ):
            self.refuses_sweep(2, words, space=space)
        self.refuses_sweep(1, ["--method"], "--method", "grid")
        self.refuses_sweep(1, ["--trial"], "--trial", "5")
        self.refuses_sweep(1, ["--gather"], "--trial", "1", "--gather")
        self.refuses_sweep(1, ["--eta"], *HALVING, "--eta", "1")
        self.refuses_sweep(1, ["--jobs"], "--jobs", "0")
        self.refuses_sweep(1, ["test speakers"], "--protocol", "random10")
        self.refuses(1, ["--trials"], *sweep(self.new_path("refused"), trials=0))
        self.refuses(1, ["--space"], "sweep", SMOKE)
        self.refuses(2, ["nowhere.json"], "sweep", SMOKE, "--space", "nowhere.json")
