#!/usr/bin/python3
"""How fast serene is, against PyTorch, libtorch and ONNX Runtime, and against the machine's own limit.

One command, which writes JSON, prints the Markdown of README's performance section and draws a picture:

    cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DSERENE_BUILD_BENCHMARKS=ON && ninja -C build
    benchmarks/peers/install.sh
    benchmarks/performance.py

All sides have the same weights and the same input. Before anything is timed their probabilities, and PyTorch's loss and
gradients, are compared with serene's. Each side is a process of its own that is told when to go; sides take turns round
by round, ratios are taken within a round, so that a machine that slows down hits both alike. A peer that is not
installed is left out and named.
"""
import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time

from suite import growth, inference, picture, process, table, training
from suite.workers import PEERS, Commands, Failure, Mismatch, Team, output_of

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = {"training": training.rows, "latency": inference.latency, "throughput": inference.throughput,
        "precision": inference.precision, "start": process.cold_start, "memory": process.memory, "features": growth.features,
        "native": inference.native}
OTHERS = {"growth": growth.growth, "layers": growth.layers}


class Context:
    """What every part needs: how long, how often, and how each side is started."""

    def __init__(self, options, case):
        self.rounds = options.rounds or (3 if options.quick else 7)
        self.seconds = 0.4 if options.quick else 1.5
        self.starts = 5 if options.quick else 15
        self.thread_counts = list(range(1, (options.threads or len(os.sched_getaffinity(0))) + 1))
        self.native_build = options.native_build
        self.commands = Commands(options.build, options.peers, case)
        self.skipped = []

    def optional(self, what, body):
        """What an engine may lack: its error becomes a line below the table."""
        try:
            return body()
        except Failure as e:
            self.skipped.append("%s (%s)" % (what, e))
            return []


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = os.path.dirname(HERE)
    parser.add_argument("--build", default=os.path.join(root, "build"), help="serene's build folder (default: build)")
    parser.add_argument("--peers", help="where install.sh put the peers (default: build/peers)")
    parser.add_argument("--only", default="", help="parts, with commas: " + ",".join([*ROWS, *OTHERS]))
    parser.add_argument("--quick", action="store_true", help="3 short rounds")
    parser.add_argument("--rounds", type=int, default=0, help="default: 7")
    parser.add_argument("--threads", type=int, default=0, help="most threads (default: cores)")
    parser.add_argument("--native-build", help="build folder of the same source with -march=native, to compare with")
    parser.add_argument("--goals", nargs="+", metavar="JSON", help="measure nothing: the goals beside earlier runs, a column for each file")
    parser.add_argument("--out", default=os.path.join(HERE, "results"), help="folder of performance.json, .md and .svg")
    options = parser.parse_args()
    if options.goals:
        return options
    options.parts = [p for p in options.only.split(",") if p] or [*ROWS, *OTHERS]
    options.peers = os.path.abspath(options.peers or os.path.join(options.build, "peers"))
    for part in options.parts:
        if part not in ROWS and part not in OTHERS:
            parser.error("--only %s: unknown; there are %s" % (part, ", ".join([*ROWS, *OTHERS])))
    if not os.path.exists(os.path.join(options.build, "benchmarks", "bench_worker")):
        parser.error("no bench_worker in %s; build with -DSERENE_BUILD_BENCHMARKS=ON" % options.build)
    return options


def prepare_case(commands, skipped):
    """Weights and input for all sides, in each one's format; PyTorch's gradients are compared here."""
    output_of([commands.program, "write-case", commands.case], "bench_worker write-case")
    if not commands.python:
        skipped.append("PyTorch, libtorch and ONNX Runtime (python3-torch is not installed; see peers/install.sh)")
        commands.has_onnx = commands.has_libtorch = False
        return None
    verified = json.loads(output_of(commands.torch("verify", 16), "torch_worker verify"))
    if not verified["worst"] <= 1e-3:
        raise Mismatch("verify: PyTorch's %s differs from serene's by %g of its largest value" %
                       (verified["where"], verified["worst"]))
    print("verify: loss and gradients of PyTorch agree with serene's within %.1e (%s)" % (verified["worst"], verified["where"]),
          file=sys.stderr)
    if commands.has_onnx:
        output_of([commands.python, os.path.join(PEERS, "export_onnx.py"), commands.case], "export_onnx.py")
    else:
        skipped.append("ONNX Runtime (not installed; see peers/install.sh)")
    if commands.has_libtorch:
        output_of(commands.torch("write-traced"), "torch_worker write-traced")
    else:
        skipped.append("libtorch (not installed; see peers/install.sh)")
    return verified


def describe_machine(commands):
    with Team() as team:
        machine = team.add("peak", commands.serene("peak")).facts["machine"]
    packages = {"PyTorch": None, "ONNX Runtime": None}
    if commands.python:
        packages["PyTorch"] = output_of([commands.python, "-c", "import torch; print(torch.__version__)"], "torch").strip()
    if commands.has_onnx:
        with open(os.path.join(commands.modules, "node_modules", "onnxruntime-node", "package.json"), encoding="utf-8") as f:
            packages["ONNX Runtime"] = json.load(f)["version"]
    return {**machine, "system": platform.system() + " " + platform.release(), "peers": packages}


def measure(context, options):
    report = {"rows": [], "skipped": context.skipped}
    for part in options.parts:
        began = time.perf_counter()
        if part in ROWS:
            rows = context.optional(part, lambda part=part: ROWS[part](context))
            report["rows"] += rows
            for line in table.comparison(rows)[2:]:
                print(line, file=sys.stderr)
        else:
            report[part] = context.optional(part, lambda part=part: OTHERS[part](context)) or None
        print("%s: %.0f s" % (part, time.perf_counter() - began), file=sys.stderr, flush=True)
    return report


def write(options, report):
    os.makedirs(options.out, exist_ok=True)
    text = table.markdown(report)
    for name, content in (("performance.json", json.dumps(report, indent=1) + "\n"), ("performance.md", text),
                          ("performance.svg", picture.svg(report))):
        with open(os.path.join(options.out, name), "w", encoding="utf-8") as f:
            f.write(content)
    print(text)


def main():
    options = parse()
    if options.goals:
        reports = []
        for path in options.goals:
            with open(path, encoding="utf-8") as file:
                reports.append(json.load(file))
        print(table.goals(reports), end="")
        return 0
    began = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="serene-performance-") as case:
            context = Context(options, case)
            machine = describe_machine(context.commands)
            verified = prepare_case(context.commands, context.skipped)
            report = measure(context, options)
    except (Failure, Mismatch, OSError, subprocess.SubprocessError) as e:
        raise SystemExit("performance.py: error: %s" % e) from None
    shown = [a for a in ("--quick",) if options.quick] + (["--only " + options.only] if options.only else [])
    report = {"benchmark": "performance", "date": datetime.date.today().isoformat(), "machine": machine, "verified": verified,
              "command": " ".join(["benchmarks/performance.py", *shown]), "rounds": context.rounds,
              "seconds": round(time.perf_counter() - began, 1), **report}
    write(options, report)
    print("all of it: %.0f s; load average %.1f at the end" % (report["seconds"], os.getloadavg()[0]), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
