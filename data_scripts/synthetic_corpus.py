#!/usr/bin/env python3
"""Makes a small SYNTHETIC corpus with espeak-ng, named like RAVDESS, for trying serene without any download.

It is not speech of people: "emotions" are fixed settings of rate, pitch, loudness and pauses of a speech synthesiser.
A model trained on it knows nothing about human emotion. The result is the same for the same espeak-ng version.
DEST receives Actor_NN/03-01-EE-II-SS-RR-NN.wav (16 kHz, 16 bit, mono) and a README.txt that says what it is.
Exit codes: 0 done, 1 usage, 2 bad input (espeak-ng missing, DEST holds something else), 3 internal error.
"""
import argparse
import concurrent.futures
import io
import math
import operator
import os
import shutil
import subprocess
import sys
import traceback
import wave
import zlib
from array import array

RATE = 16000
SOURCE_RATE = 22050
UP, DOWN, HALF = 320, 441, 14
STATEMENTS = ("Kids are talking by the door", "Dogs are sitting by the door")
MARK = "SYNTHETIC CORPUS"

# Code: (name, words per minute, pitch 0-99, amplitude 0-200, pause between words in 10 ms, punctuation)
EMOTIONS = {
    1: ("neutral", 165, 45, 100, 0, "."),
    2: ("calm", 138, 38, 72, 2, "."),
    3: ("happy", 188, 68, 120, 0, "!"),
    4: ("sad", 116, 27, 62, 4, "."),
    5: ("angry", 204, 52, 150, 0, "!"),
    6: ("fearful", 222, 82, 92, 1, "."),
    7: ("disgust", 126, 33, 118, 1, "."),
    8: ("surprised", 178, 90, 130, 0, "?"),
}
MALE = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8")
FEMALE = ("f1", "f2", "f3", "f4", "f5")


class InputError(Exception):
    """One line for the user."""


def jitter(key, spread):
    """A fixed whole number in [-spread, spread] that depends on the key alone."""
    return zlib.crc32(key.encode()) % (2 * spread + 1) - spread


def voice_of(actor):
    group = MALE if actor % 2 == 1 else FEMALE
    return "en-us+" + group[((actor - 1) // 2) % len(group)]


def settings(actor, emotion, intensity, statement, repetition):
    _, speed, pitch, amplitude, gap, mark = EMOTIONS[emotion]
    if intensity == 2:
        neutral = EMOTIONS[1]
        speed, pitch, amplitude = (round(n + 1.35 * (v - n)) for v, n in
                                   ((speed, neutral[1]), (pitch, neutral[2]), (amplitude, neutral[3])))
    key = "%d %d %d %d" % (actor, emotion, statement, repetition)
    own = "actor %d " % actor
    speed += jitter(key + " s", 8) + jitter(own + "s", 10)
    pitch += jitter(key + " p", 4) + jitter(own + "p", 5)
    amplitude += jitter(key + " a", 8)
    return {"speed": max(80, min(speed, 320)), "pitch": max(0, min(pitch, 99)),
            "amplitude": max(20, min(amplitude, 200)), "gap": gap, "text": STATEMENTS[statement - 1] + mark}


def kernel_table():
    """Polyphase Kaiser-windowed sinc of the rate change 320/441, cut-off at 0.92 of the new Nyquist frequency."""
    def bessel(x):
        total = term = 1.0
        for k in range(1, 30):
            term *= (x / (2.0 * k)) ** 2
            total += term
        return total

    cutoff, table = 0.92 * UP / DOWN, []
    for phase in range(UP):
        row = []
        for tap in range(1 - HALF, HALF + 1):
            x = tap - phase / UP
            window = bessel(8.0 * math.sqrt(max(0.0, 1.0 - (x / HALF) ** 2))) / bessel(8.0)
            arm = math.pi * cutoff * x
            row.append(cutoff * (math.sin(arm) / arm if abs(arm) > 1e-12 else 1.0) * window)
        scale = 1.0 / sum(row)
        table.append([v * scale for v in row])
    return table


def to_16k(samples, table):
    padded = [0] * (HALF - 1) + list(samples) + [0] * (HALF + 1)
    out = array("h", bytes(2 * (len(samples) * UP // DOWN)))
    for n in range(len(out)):
        at, phase = divmod(n * DOWN, UP)
        value = sum(map(operator.mul, table[phase], padded[at:at + 2 * HALF]))
        out[n] = max(-32768, min(32767, round(value)))
    return out


def synthesise(program, actor, chosen):
    command = [program, "-v", voice_of(actor), "-s", str(chosen["speed"]), "-p", str(chosen["pitch"]),
               "-a", str(chosen["amplitude"]), "-g", str(chosen["gap"]), "--stdout", chosen["text"]]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        raise InputError("%s: did not finish within 60 s" % program) from None
    except OSError as e:
        raise InputError("%s: cannot be started: %s" % (program, e.strerror)) from None
    if done.returncode != 0 or not done.stdout.startswith(b"RIFF"):
        text = done.stderr.decode(errors="replace").strip().splitlines()
        raise InputError("%s: failed: %s" % (program, text[-1] if text else "no sound"))
    with wave.open(io.BytesIO(done.stdout)) as w:
        if (w.getframerate(), w.getsampwidth(), w.getnchannels()) != (SOURCE_RATE, 2, 1):
            raise InputError("%s: wrote %d Hz instead of %d Hz" % (program, w.getframerate(), SOURCE_RATE))
    # A streamed header claims a wrong length; the samples begin after the 44-byte header.
    samples = array("h", done.stdout[44:len(done.stdout) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def write_wav(path, samples):
    if sys.byteorder == "big":
        samples.byteswap()
    with wave.open(path, "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(RATE)
        w.writeframes(samples.tobytes())


def clips_of(actor, intensities):
    for emotion in sorted(EMOTIONS):
        for intensity in range(1, 2 if emotion == 1 else intensities + 1):
            for statement in (1, 2):
                for repetition in (1, 2):
                    name = "03-01-%02d-%02d-%02d-%02d-%02d.wav" % (emotion, intensity, statement, repetition, actor)
                    yield name, settings(actor, emotion, intensity, statement, repetition)


def make_actor(program, folder, actor, intensities):
    table, place, count = kernel_table(), os.path.join(folder, "Actor_%02d" % actor), 0
    os.mkdir(place)
    for name, chosen in clips_of(actor, intensities):
        write_wav(os.path.join(place, name), to_16k(synthesise(program, actor, chosen), table))
        count += 1
    return count


def readme(program, actors, count):
    version = subprocess.run([program, "--version"], capture_output=True, timeout=60, check=False).stdout
    lines = [MARK, "",
             "%d clips of %d synthetic voices, made by data_scripts/synthetic_corpus.py with" % (count, actors),
             version.decode(errors="replace").split("  Data")[0].strip() + ".", "",
             "No person speaks here. File names follow the grammar of RAVDESS so that the same tools read them, but",
             "nothing of RAVDESS is in this folder. The emotions are settings of the synthesiser (words per minute,",
             "pitch, amplitude, pause between words in 10 ms, punctuation), with small fixed variations:", ""]
    lines += ["  %02d %-9s  %3d wpm  pitch %2d  amplitude %3d  pause %d  %s" % ((k,) + v) for k, v in EMOTIONS.items()]
    lines += ["", "A score on this corpus says that the program works. It says nothing about human emotion."]
    return "\n".join(lines) + "\n"


def build(options):
    program = shutil.which(options.espeak)
    if program is None:
        raise InputError("%s: not found; install it with: apt-get install espeak-ng" % options.espeak)
    final = os.path.abspath(options.dest)
    if os.path.isdir(final) and os.listdir(final):
        note = os.path.join(final, "README.txt")
        if os.path.isfile(note):
            with open(note, encoding="utf-8", errors="replace") as f:
                if f.readline().strip() == MARK:
                    print("%s: already there (synthetic)" % final, file=sys.stderr)
                    return final
        raise InputError("%s: holds something else; choose an empty folder" % final)
    temporary = final + ".making"
    shutil.rmtree(temporary, ignore_errors=True)
    os.makedirs(temporary)
    try:
        with concurrent.futures.ThreadPoolExecutor(1) if options.jobs == 1 else \
                concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
            futures = [pool.submit(make_actor, program, temporary, a, options.intensities)
                       for a in range(1, options.actors + 1)]
            count = 0
            for done, future in enumerate(futures, 1):
                count += future.result()
                print("synthetic corpus: actor %d of %d, %d clips" % (done, options.actors, count), file=sys.stderr)
        with open(os.path.join(temporary, "README.txt"), "w", encoding="utf-8") as f:
            f.write(readme(program, options.actors, count))
        if os.path.isdir(final):
            os.rmdir(final)
        os.rename(temporary, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return final


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(1, "%s: error: %s\n" % (self.prog, message))


def main(arguments=None):
    parser = Parser(prog="synthetic_corpus.py", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dest", help="folder to make")
    parser.add_argument("--actors", type=int, choices=range(1, 25), metavar="1..24", default=8, help="default: 8")
    parser.add_argument("--intensities", type=int, choices=(1, 2), default=1,
                        help="2 adds strong versions: 60 clips per actor instead of 32 (default: 1)")
    parser.add_argument("--jobs", type=int, choices=range(1, 65), metavar="1..64", default=min(os.cpu_count() or 1, 8),
                        help="processes (default: one per core)")
    parser.add_argument("--espeak", default="espeak-ng", help="the synthesiser's program (default: espeak-ng)")
    options = parser.parse_args(arguments)
    try:
        print(build(options))
        return 0
    except InputError as e:
        print("synthetic_corpus.py: error: %s" % e, file=sys.stderr)
    except OSError as e:
        print("synthetic_corpus.py: error: %s: %s" % (e.filename or options.dest, e.strerror or e), file=sys.stderr)
    except Exception as e:  # pylint: disable=broad-except
        traceback.print_exc()
        print("synthetic_corpus.py: internal error: %s" % e, file=sys.stderr)
        return 3
    return 2


if __name__ == "__main__":
    sys.exit(main())
