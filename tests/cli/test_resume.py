"""A run that was killed and resumed leaves the same bytes as one that was not."""
import json
import random
import shutil
import subprocess
import time

import support
from support import EPOCHS, SMALL, SMOKE, CliTest, on_corpus, serene, trained

KILLS = 5
LONG = 8  # epochs of the run that is killed


def long_run(run, *more, threads=2):
    return on_corpus("train", SMOKE, "--run", run, *SMALL, f"--set=train.epochs={LONG}", "--set=model.layers.lstm.units=48", *more, threads=threads)


class KillTest(CliTest):
    def kill_after(self, seconds, arguments) -> bool:
        """Starts the program and kills it; False when it had finished before."""
        child = subprocess.Popen([support.program(), *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 env=support.environment())
        try:
            child.wait(seconds)
            return False
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            return True

    def test_killed_at_random_moments(self):
        whole = self.new_path("whole")
        start = time.monotonic()
        self.ok(*long_run(whole))
        took = time.monotonic() - start
        dice = random.Random(4)
        killed = 0
        for trial in range(KILLS):
            run = self.new_path(f"run{trial}")
            for part in range(2):
                begun = (run / "config.json").exists()
                again = ["train", "--resume", "--run", run, *on_corpus("")[1:]] if begun else long_run(run, threads=1 + trial % 2)
                killed += self.kill_after(took * dice.uniform(0.1, 0.8), again)
            again = ["train", "--resume", "--run", run, *on_corpus("")[1:]] if (run / "config.json").exists() else long_run(run)
            self.ok(*again)
            self.assert_same_tree(whole, run)
        self.assertGreaterEqual(killed, 3, "hardly any run was killed in time")

    def test_resuming_a_finished_run_changes_nothing(self):
        run = self.new_path("run")
        shutil.copytree(trained()[0], run)
        result = self.ok(*on_corpus("train", "--resume", "--run", run))
        self.assertIn(f"resuming after epoch {EPOCHS}", result.err)
        self.assert_same_tree(trained()[0], run)

    def test_more_epochs_equal_one_long_run(self):
        run, long = self.new_path("run"), self.new_path("long")
        shutil.copytree(trained()[0], run)
        self.ok(*on_corpus("train", "--resume", "--run", run, f"--set=train.epochs={EPOCHS + 2}"))
        self.ok(*on_corpus("train", SMOKE, "--run", long, *SMALL, f"--set=train.epochs={EPOCHS + 2}"))
        self.assert_same_tree(long, run)


class DamageTest(CliTest):
    def copy(self):
        run = self.new_path("run")
        shutil.copytree(trained()[0], run)
        return run

    def damage(self, path):
        data = bytearray(path.read_bytes())
        data[-100] ^= 1
        path.write_bytes(data)

    def test_damaged_last_falls_back(self):
        run = self.copy()
        self.damage(run / "last.safetensors")
        result = serene(*on_corpus("train", "--resume", "--run", run))
        self.assertEqual(result.code, 0, result)
        self.assertRegex(result.err, r"last\.safetensors: .*checksum.*resuming from last-1")
        self.assertIn(f"resuming after epoch {EPOCHS - 1}", result.err)
        self.assert_same_tree(trained()[0], run)

    def test_lost_last_falls_back(self):
        run = self.copy()
        (run / "last.safetensors").unlink()
        result = serene(*on_corpus("train", "--resume", "--run", run))
        self.assertEqual(result.code, 0, result)
        self.assertIn("resuming from last-1", result.err)
        self.assert_same_tree(trained()[0], run)

    def test_both_damaged(self):
        run = self.copy()
        self.damage(run / "last.safetensors")
        self.damage(run / "last-1.safetensors")
        self.one_error(serene(*on_corpus("train", "--resume", "--run", run)), 2, "last-1.safetensors", "checksum")

    def test_left_over_temporary_files_go(self):
        run = self.copy()
        before = set(support.tree(run))
        self.ok(*on_corpus("train", "--resume", "--run", run))
        self.assertEqual(set(support.tree(run)), before)

    def test_damaged_config_and_split(self):
        for name in ("config.json", "split.json"):
            run = self.new_path("run-" + name)
            shutil.copytree(trained()[0], run)
            (run / name).write_text((run / name).read_text()[:40])
            self.one_error(serene(*on_corpus("train", "--resume", "--run", run)), 2, name)


class RefusalTest(CliTest):
    def test_nothing_to_resume(self):
        self.refuses(1, ["--run"], "train", "--resume")
        self.refuses(2, ["nowhere", "no run to resume"], "train", "--resume", "--run", "nowhere")

    def test_another_config(self):
        run, _ = trained()
        before = support.tree(run)
        for change in ("seed=5", "train.batch_size=8", "train.optimizer.learning_rate=0.1", "data.max_frames=70", "split.fold=1"):
            key = change.split("=")[0]
            self.refuses(1, [SMOKE, key, "differs from the run in", run], *on_corpus("train", SMOKE, "--resume", "--run", run, *SMALL, f"--set={change}"))
            self.refuses(1, [key], *on_corpus("train", "--resume", "--run", run, f"--set={change}"))
        self.assertEqual(support.tree(run), before)

    def test_the_same_config_is_welcome(self):
        run = self.new_path("run")
        shutil.copytree(trained()[0], run)
        self.ok(*on_corpus("train", run / "config.json", "--resume", "--run", run))
        self.assert_same_tree(trained()[0], run)

    def test_corpus_that_lost_a_clip(self):
        run, data = self.new_path("run"), self.new_path("data")
        shutil.copytree(trained()[0], run)
        shutil.copytree(support.corpus(), data)
        (data / "ravdess" / support.clip_path(0, 1, 1)).unlink()
        self.one_error(serene(*on_corpus("train", "--resume", "--run", run, data=data)), 2, "split.json")
        self.assertEqual(json.loads((run / "split.json").read_text()), json.loads((trained()[0] / "split.json").read_text()))
