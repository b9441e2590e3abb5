"""serene train over several processes: the bits of one, and an end for all when one fails."""
import functools
import json
import os
import pathlib
import signal
import subprocess
import time
import unittest

from mpi_support import MISSING, CliTest, Hosts, environment, launcher_of, mpirun, support

# 64 training clips: batches of 20 in shards of 8, the last batch of 4; batch norm in blocks, with a shortcut.
BLOCKS = {"layers": [
    {"name": "stem", "type": "conv2d", "filters": 2, "kernel_size": 3, "strides": [2, 2], "padding": "same", "use_bias": False},
    {"name": "bn", "type": "batch_norm", "channels": 2, "momentum": 0.9},
    {"name": "block", "type": "residual", "activation": "relu", "layers": [
        {"name": "conv", "type": "conv2d", "filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"},
        {"name": "bn", "type": "batch_norm", "channels": 4, "momentum": 0.9}], "shortcut": [
        {"name": "conv", "type": "conv2d", "filters": 4, "kernel_size": 1, "strides": 2, "padding": "same"},
        {"name": "bn", "type": "batch_norm", "channels": 4, "momentum": 0.9}]},
    {"name": "gru", "type": "gru", "units": 6, "return_sequences": False},
    {"name": "drop", "type": "dropout", "rate": 0.2},
    {"name": "out", "type": "dense", "units": "classes"}]}
RECIPES = {
    "smoke": [],
    "blocks": ["--set=model=" + json.dumps(BLOCKS), "--set=train.batch_size=20", "--set=train.shard_size=8",
               '--set=data.augment={"tempo": [0.8, 1.2], "gain_db": 3}', "--set=train.early_stopping.enabled=true",
               "--set=train.early_stopping.patience=2"],
}


def training(recipe: str, run, *more, threads=1) -> list:
    return support.on_corpus("train", support.SMOKE, "--run", run, *support.SMALL, *RECIPES[recipe], *more, threads=threads)


def lives(process: str) -> bool:
    """False too for one that has ended and that nobody has asked about since."""
    try:
        return pathlib.Path("/proc", process, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@functools.cache
def alone(recipe: str) -> pathlib.Path:
    """The run of one process."""
    run = support.temp() / f"alone-{recipe}"
    result = support.serene(*training(recipe, run))
    assert result.code == 0, result
    return run


@unittest.skipIf(MISSING, MISSING)
class MpiTest(CliTest):
    def runs(self, ranks: int, *args, **more) -> support.Result:
        result = mpirun(ranks, *args, **more)
        self.assertEqual(result.code, 0, result)
        self.assertNotIn("serene: ", result.err, result)
        return result

    def one_line(self, result: support.Result, code: int, *words):
        """One line of ours beside what mpirun says itself."""
        self.assertEqual(result.code, code, result)
        lines = [line for line in result.err.splitlines() if line.startswith("serene: ")]
        self.assertEqual(len(lines), 1, result)
        for word in words:
            self.assertIn(word, lines[0])

    def test_any_number_of_ranks_gives_the_bytes_of_one_process(self):
        for recipe, counts in (("smoke", (2, 3, 4)), ("blocks", (2, 4))):
            for ranks in counts:
                with self.subTest(recipe=recipe, ranks=ranks):
                    run = self.new_path(f"{recipe}{ranks}")
                    result = self.runs(ranks, *training(recipe, run, threads=1 + ranks % 2))
                    self.assert_same_tree(alone(recipe), run)
                    self.assertEqual(result.out.count("best.safetensors"), 1, "one rank speaks: " + repr(result))
                    self.assertEqual(result.err.count("epoch 1/"), 1, result)

    def test_one_rank_under_mpirun_is_one_process(self):
        run = self.new_path("run")
        self.runs(1, *training("smoke", run))
        self.assert_same_tree(alone("smoke"), run)

    def test_ranks_resume_what_one_process_began(self):
        run = self.new_path("run")
        self.ok(*training("blocks", run, "--set=train.epochs=1"))
        again = ["train", "--resume", "--run", run, f"--set=train.epochs={support.EPOCHS}", *support.on_corpus("")[1:]]
        result = self.runs(2, *again)
        self.assertEqual(result.err.count("resuming after epoch 1"), 1, result)
        for name in ("last.safetensors", "log.jsonl", "best.safetensors"):
            self.assertEqual((alone("blocks") / name).read_bytes(), (run / name).read_bytes(), name)

    def test_overfit_batch_and_dry_run_speak_once(self):
        result = self.runs(2, *training("smoke", self.new_path("run"), "--overfit-batch"))
        self.assertEqual(result.out.count("accuracy without dropout"), 1, result)
        result = self.runs(2, *training("smoke", self.new_path("run"), "--dry-run"))
        self.assertEqual(result.out.count("steps an epoch"), 1, result)

    def test_an_error_of_all_ranks_is_told_once(self):
        self.one_line(mpirun(3, *training("smoke", self.new_path("run"), "--set=train.epochs=many")), 2, "train.epochs")
        self.one_line(mpirun(3, "train", "no.json"), 2, "no.json")
        self.one_line(mpirun(2, "train", "a.json", "b.json"), 1, "one config")
        linear = {"layers": [{"type": "dense", "units": 32}, {"type": "global_average_pooling1d"},
                             {"type": "dense", "units": "classes"}]}
        diverging = training("smoke", self.new_path("diverges"), "--set=model=" + json.dumps(linear), "--set=normalize=none",
                             "--set=train.epochs=30",
                             '--set=train.optimizer={"type": "sgd", "learning_rate": 1000, "momentum": 0.99}')
        self.one_line(mpirun(2, *diverging), 2, "not finite")

    def test_a_rank_that_fails_alone_ends_all(self):
        good, broken = training("smoke", self.new_path("run")), training("smoke", self.new_path("run"))
        broken[broken.index("--data") + 1] = str(support.temp() / "nowhere")
        self.one_line(mpirun(1, *good, ":", "-n", 1, support.program(), *broken), 2, "rank 1", "nowhere")

    def test_a_rank_that_is_killed_ends_all(self):
        run = self.new_path("run")
        command = launcher_of(3) + [support.program(), *training("smoke", run, "--set=train.epochs=100000")]
        with subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              env=environment()) as job:
            end = time.monotonic() + support.LIMIT
            while not (run / "log.jsonl").exists() and time.monotonic() < end and job.poll() is None:
                time.sleep(0.05)
            children = pathlib.Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
            self.assertEqual(len(children), 3)
            os.kill(int(children[1]), signal.SIGKILL)
            self.assertNotEqual(job.wait(support.LIMIT), 0)
        self.assertTrue((run / "last.safetensors").exists())
        end = time.monotonic() + 10
        while any(map(lives, children)) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertFalse(any(map(lives, children)), "a rank lives on")

    def test_hosts_with_a_network_between_them(self):
        try:
            hosts = Hosts().__enter__()
        except OSError as problem:
            self.skipTest(f"no network namespaces here: {problem}")
        try:
            run = self.new_path("run")
            self.runs(4, *training("blocks", run), launcher=hosts.launcher())
            self.assert_same_tree(alone("blocks"), run)
        finally:
            hosts.__exit__()


if __name__ == "__main__":
    unittest.main()
