"""Inference of model_strong: latency of one clip, throughput of batches, against ONNX Runtime, PyTorch and libtorch."""
from . import figures
from .training import own
from .workers import Mismatch, Team

STYLES = ("eager", "frozen", "optimized")


def team_of(context, team, batch, threads):
    """Adds all that is installed; returns {peer: names of its settings}."""
    c = context.commands
    team.add("serene", c.serene("inference", batch, threads))
    peers = {}
    if c.has_onnx:
        team.add("ONNX Runtime", c.onnx("inference", batch, threads))
        peers["ONNX Runtime"] = ["ONNX Runtime"]
    if c.python:
        peers["PyTorch"] = ["torch " + style for style in STYLES]
        for style, name in zip(STYLES, peers["PyTorch"]):
            team.add(name, c.torch("inference", batch, threads, "--style", style))
    if c.has_libtorch:
        team.add("libtorch", c.libtorch(batch, threads))
        peers["libtorch"] = ["libtorch"]
    return peers


def verify(team, tolerance=1e-4):
    """Everyone gives the same probabilities as serene, or nothing is timed."""
    ours = team.workers["serene"].ask("probabilities")["probabilities"]
    if max(ours) - min(ours) < 0.1:
        raise Mismatch("verify: the probabilities are too alike to tell a right peer from a wrong one")
    worst = {}
    for name, worker in team.workers.items():
        theirs = worker.ask("probabilities")["probabilities"]
        worst[name] = max(abs(a - b) for a, b in zip(ours, theirs)) if len(ours) == len(theirs) else float("inf")
        if not worst[name] <= tolerance:
            raise Mismatch("verify: %s differs from serene by %g in a probability" % (name, worst[name]))
    return max(worst.values())


def choose(team, peers):
    for peer, names in peers.items():
        if len(names) > 1:
            peers[peer] = team.keep(names, figures.without_slow(team.workers, names))


def latency(context):
    with Team() as team:
        peers = team_of(context, team, 1, 1)
        worst = verify(team)
        choose(team, peers)
        answers = figures.interleave(team.workers, context.rounds, context.seconds)
    ours = figures.medians(answers["serene"])
    rows = []
    goals = {"ONNX Runtime": (">=", 1 / 0.8), "PyTorch": (">=", 1 / 0.3), "libtorch": None}
    for peer, names in peers.items():
        theirs = figures.best_of(answers, names)
        rows.append(figures.row("latency", "one clip (T = 300), 1 thread", [1e3 * s for s in ours], "ms", peer,
                                [1e3 * s for s in theirs], figures.ratios(theirs, ours), goals[peer],
                                "probabilities agree within %.0e" % worst))
    tail = [a["p99_s"] / a["median_s"] for a in answers["serene"]]
    rows.append(figures.row("latency", "one clip: 99th percentile over the median", tail, "x", goal=("<=", 1.3)))
    return rows


def throughput(context):
    rows = []
    for threads in context.thread_counts[:2]:
        with Team() as team:
            peers = team_of(context, team, 64, threads)
            worst = verify(team)
            choose(team, peers)
            answers = figures.interleave(team.workers, context.rounds, context.seconds)
        ours = figures.medians(answers["serene"])
        for peer, names in peers.items():
            theirs = figures.best_of(answers, names)
            rows.append(figures.row("throughput", "inference, batch 64, %d thread%s" % (threads, "s" * (threads > 1)),
                                    figures.rates(64, ours), "samples/s", peer, figures.rates(64, theirs),
                                    figures.ratios(theirs, ours), (">=", 1.15) if peer == "ONNX Runtime" else None,
                                    "probabilities agree within %.0e" % worst))
    return rows


def precision(context):
    c = context.commands

    def one(name):
        return [own(context, "inference in %s, batch 64, 1 thread" % name,
                    {name: c.serene("inference", 64, precision=name), "own float32": c.serene("inference", 64)}, "precision",
                    goal=(">=", 1.6))]

    return context.optional("bf16", lambda: one("bf16")) + context.optional("int8", lambda: one("int8"))


def native(context):
    """The default binary against a build for this very processor: within 5 %."""
    if not context.native_build:
        return []
    c = context.commands
    other = context.native_build + "/benchmarks/bench_worker"
    rows = []
    for work, batch in (("training", 64), ("inference", 1)):
        row = own(context, "%s, batch %d, 1 thread" % (work, batch),
                  {"default build": c.serene(work, batch), "-march=native build": c.serene(work, batch, program=other)},
                  "native", batch=batch, goal=(">=", 0.95))
        rows.append(row)
    return rows
