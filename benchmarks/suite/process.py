"""Whole processes: from start to first probability, and the most memory they take."""
import json
import math
import os
import random
import struct
import subprocess
import time
import wave

from . import figures
from .workers import Failure, Team

MIB = 1024.0 * 1024.0


def write_clip(path, rate, seconds=3.5):
    """A voice-like tone with noise: as long as a clip of RAVDESS."""
    draw = random.Random(1)
    with wave.open(path, "wb") as out:
        out.setnchannels(1), out.setsampwidth(2), out.setframerate(rate)
        values = []
        for i in range(int(seconds * rate)):
            t = i / rate
            tone = sum(math.sin(2 * math.pi * 140 * k * t + 2 * math.sin(5 * t)) / k for k in range(1, 9))
            values.append(int(4000 * tone * (0.6 + 0.4 * math.sin(9 * t)) + draw.gauss(0, 200)))
        out.writeframes(struct.pack("<%dh" % len(values), *values))


def whole_process(command):
    """Seconds from the start of a process to its end, and what it printed."""
    before = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - before
    if done.returncode != 0:
        raise Failure("%s: exit code %d: %s" % (os.path.basename(command[0]), done.returncode, done.stderr.strip()[-200:]))
    return seconds, done.stdout


def cold_start(context):
    c = context.commands
    sides = {"serene": [c.program, "first", c.case]}
    predicted = {"%d kHz" % (rate // 1000): rate for rate in (16000, 48000)}  # the features' own rate; one to be changed
    if os.path.exists(os.path.join(c.build, "serene")):
        for name, rate in predicted.items():
            clip = os.path.join(c.case, "clip%d.wav" % rate)
            write_clip(clip, rate)
            sides[name] = [os.path.join(c.build, "serene"), "predict", os.path.join(c.case, "model.safetensors"), clip]
    if c.has_onnx:
        sides["ONNX Runtime"], sides["node alone"] = c.onnx("first"), ["node", "-e", "0"]
    if c.python:
        sides["PyTorch"], sides["python alone"] = c.torch("first"), [c.python, "-c", "0"]
    seconds, inner = {name: [] for name in sides}, []
    for number in range(context.starts + 1):  # the first round only fills the page cache
        for name, command in sides.items():
            taken, printed = whole_process(command)
            if number == 0:
                continue
            seconds[name].append(taken)
            if name == "ONNX Runtime":
                inner.append(json.loads(printed)["library_session_and_run_s"])
    ms = {name: [1e3 * s for s in values] for name, values in seconds.items()}
    rows = [figures.row("start", "`serene predict` of a 3.5 s file at %s, from start to end" % name, ms[name], "ms",
                        goal=("<=", 10) if name == "16 kHz" else None) for name in predicted if name in ms]
    rows.append(figures.row("start", "start of the process to first probability", ms["serene"], "ms", goal=("<=", 10)))
    if "ONNX Runtime" in ms:
        whole = ms["ONNX Runtime"]
        rows.append(figures.row("start", "start of the process to first probability", ms["serene"], "ms", "ONNX Runtime in node",
                                whole, figures.ratios(whole, ms["serene"]),
                                note="node's own start and end alone: %.0f ms" % figures.spread(ms["node alone"])["median"]))
        inside = [1e3 * s for s in inner]
        rows.append(figures.row("start", "the same, without node's own start", ms["serene"], "ms", "ONNX Runtime", inside,
                                figures.ratios(inside, ms["serene"]), note="library, session and first run alone; serene with all"))
    if "PyTorch" in ms:
        rows.append(figures.row("start", "start of the process to first probability", ms["serene"], "ms", "PyTorch", ms["PyTorch"],
                                figures.ratios(ms["PyTorch"], ms["serene"]),
                                note="python's own start and end alone: %.0f ms" % figures.spread(ms["python alone"])["median"]))
    return rows


def peak(context, command):
    """MiB that a fresh process took at most, after some calls."""
    with Team() as team:
        return team.add("memory", command).ask("run %g" % min(context.seconds, 0.5))["peak_memory_bytes"] / MIB


def memory(context):
    c = context.commands
    rows = []
    for work, batch, limit in (("inference", 1, 15), ("training", 64, 130)):
        ours = [peak(context, c.serene(work, batch)) for _ in range(3)]
        what = "peak memory, %s, batch %d" % (work, batch)
        rows.append(figures.row("memory", what, ours, "MiB", goal=("<=", limit)))
        if c.has_onnx and work == "inference":
            theirs = [peak(context, c.onnx(work, batch))] * len(ours)
            rows.append(figures.row("memory", what, ours, "MiB", "ONNX Runtime in node", theirs, figures.ratios(theirs, ours)))
        if c.has_libtorch and work == "inference":
            theirs = [peak(context, c.libtorch(batch))] * len(ours)
            rows.append(figures.row("memory", what, ours, "MiB", "libtorch", theirs, figures.ratios(theirs, ours)))
        if c.python:
            theirs = [peak(context, c.torch(work, batch))] * len(ours)
            rows.append(figures.row("memory", what, ours, "MiB", "PyTorch", theirs, figures.ratios(theirs, ours)))
    return rows
