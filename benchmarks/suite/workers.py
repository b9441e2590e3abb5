"""The processes that do the work: serene's, and those of its peers. All speak the lines of bench_worker."""
import json
import os
import selectors
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(HERE, "..", "peers")


class Failure(Exception):
    """A side that did not run: left out of the table where it is an option."""


class Mismatch(Exception):
    """A side that is wrong: nothing is reported."""


class Worker:
    """A process that waits for lines and answers each by a line of JSON. Kept from round to round."""

    def __init__(self, name, command, settings=None, limit_s=300):
        self.name, self.limit_s = name, limit_s
        self.errors = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                        env={**os.environ, **(settings or {})})
        self.facts = self._answer()

    def _answer(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            line = self.process.stdout.readline() if selector.select(self.limit_s) else ""
        if line:
            return json.loads(line)
        self.process.kill()
        self.process.wait()
        self.errors.seek(0)
        last = self.errors.read().strip().splitlines()[-1:] or ["no answer within %d s" % self.limit_s]
        raise Failure("%s: %s" % (self.name, last[0]))

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # _answer tells why it ended
        return self._answer()

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()


class Team:
    """Everyone of a comparison, closed together."""

    def __init__(self):
        self.workers = {}

    def add(self, name, command, settings=None):
        self.workers[name] = Worker(name, command, settings)
        return self.workers[name]

    def keep(self, settings, chosen):
        """Closes the settings of a peer that were not chosen; returns those that were."""
        for name in settings:
            if name not in chosen:
                self.workers.pop(name).close()
        return chosen

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for worker in self.workers.values():
            worker.close()


class Commands:
    """How each side is started; a peer that is not installed is None."""

    def __init__(self, build, peers, case):
        self.case = case
        self.program = os.path.join(build, "benchmarks", "bench_worker")
        self.build, self.modules = build, peers
        self.python = self._python_with_torch()
        self.libtorch_program = os.path.join(peers, "libtorch", "libtorch_worker")
        self.has_libtorch = os.path.exists(self.libtorch_program)
        self.has_onnx = os.path.isdir(os.path.join(peers, "node_modules", "onnxruntime-node"))

    @staticmethod
    def _python_with_torch():
        """Debian's interpreter: python3-torch belongs to it."""
        found = subprocess.run(["/usr/bin/python3", "-c", "import torch, numpy"], stderr=subprocess.DEVNULL)
        return "/usr/bin/python3" if found.returncode == 0 else None

    def serene(self, work, batch=1, threads=1, frames=300, precision="full", program=None):
        return [program or self.program, work, "--batch", str(batch), "--threads", str(threads), "--frames", str(frames),
                "--precision", precision]

    def torch(self, work, batch=1, threads=1, *more):
        return [self.python, os.path.join(PEERS, "torch_worker.py"), work, "--case", self.case, "--batch", str(batch),
                "--threads", str(threads), *more]

    def onnx(self, work, batch=1, threads=1):
        return ["node", os.path.join(PEERS, "onnx_worker.mjs"), work, "--case", self.case, "--modules", self.modules,
                "--batch", str(batch), "--threads", str(threads)]

    def libtorch(self, batch=1, threads=1):
        return [self.libtorch_program, self.case, str(batch), str(threads)]


def output_of(command, what, settings=None, limit_s=600):
    """Last line of a program that runs to its end."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=limit_s,
                          env={**os.environ, **(settings or {})})
    if done.returncode != 0:
        raise Failure("%s: exit code %d: %s" % (what, done.returncode, " ".join(done.stderr.strip().splitlines()[-1:])))
    return done.stdout
