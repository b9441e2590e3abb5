"""What the tests of `serene call` share: recordings, scenarios, recorded events, a terminal and a viewer."""
import base64
import fcntl
import functools
import json
import os
import pathlib
import pty
import re
import select
import socket
import struct
import subprocess
import termios
import time
import unittest

import support
from support import CliTest, RATE, SOURCE, temp

PLAYBOOK = SOURCE / "configs" / "call" / "playbook.json"
CONFIG = SOURCE / "configs" / "call" / "call.json"


def talk(emotion: int, actor: int, spans: list, seconds: float) -> list:
    """Speech in the given spans (seconds), a little noise elsewhere."""
    noise = support.random.Random(actor)
    samples = [noise.gauss(0, 0.0005) for _ in range(int(seconds * RATE))]
    for take, (start, stop) in enumerate(spans):
        piece = support.voice(emotion, actor, take, stop - start)
        # Syllables: four a second, so that it is no steady tone.
        for i, s in enumerate(piece):
            samples[int(start * RATE) + i] += s * (0.15 + 0.85 * support.math.sin(4 * support.math.pi * i / RATE) ** 2)
    return samples


@functools.cache
def recordings() -> tuple:
    """Customer and agent of a call of 12 s."""
    folder = temp() / "call"
    customer = support.wav(folder / "customer.wav", talk(4, 1, [(0.5, 3.5), (6.0, 10.5)], 12))
    agent = support.wav(folder / "agent.wav", talk(0, 2, [(3.8, 5.8), (9.5, 11.0)], 12))
    return customer, agent


def scenario(name: str, **changes) -> pathlib.Path:
    turns = [{"leg": "agent", "emotion": "neutral"}, {"leg": "customer", "emotion": "calm", "clips": 6},
             {"leg": "customer", "emotion": "angry", "clips": 8, "pause_s": 1.0}]
    path = temp() / f"{name}.json"
    path.write_text(json.dumps({"title": name.replace("_", " "), "seed": 3, "turns": turns} | changes))
    return path


def recorded_events() -> list:
    """A small call as it was told: anger, an alert and an advice."""
    def event(t_ms, kind, **more):
        return {"t_ms": t_ms, "type": kind} | more

    angry = {"neutral": 0.1, "angry": 0.8, "sad": 0.1}
    events = [event(0, "call", action="start", model="tiny", states=list(angry), negative={"neutral": 0, "angry": 1, "sad": 0.6},
                    agent_leg=True, consent=True),
              event(480, "speech", leg="customer", action="start", at_ms=400)]
    for i in range(6):
        events.append(event(1500 + 500 * i, "emotion", state="angry", top="angry", confidence=0.8, probabilities=angry, window=angry,
                            window_ms=1000 + 500 * i, speech_ms=1000 + 500 * i))
    events.insert(3, event(1500, "state", state="angry", previous="uncertain", confidence=0.8))
    events += [event(4000, "alert", action="raised", alert=1, rule="rising_anger", severity="critical", text="Anger is rising",
                     reason="angry at 0.80 for 3 s", value=0.8, for_ms=3000, supervisor=False),
               event(4000, "advice", action="shown", rule="rising_anger", text="Let the customer finish", reason="anger is rising",
                     value=0.8, for_ms=3000),
               event(5000, "speech", leg="customer", action="stop", at_ms=4700),
               event(8000, "call", action="end", reason="finished", customer_speech_ms=4300, agent_speech_ms=0)]
    return [{"seq": i} | e for i, e in enumerate(events)]


def replay_file(events=None) -> pathlib.Path:
    path = temp() / "recorded" / "events.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(e) + "\n" for e in events or recorded_events()))
    return path


def recognition() -> list:
    run, _ = support.trained()
    return ["--model", run, "--playbook", PLAYBOOK, "--config", CONFIG, "--data", support.corpus()]


@functools.cache
def has_server() -> bool:
    return bool(re.search(r"(?m)^  calls ", support.serene("--help").out))


def need_server(test):
    if not has_server():
        test.skipTest("built without dashboard and history")


def started(*args, **more) -> subprocess.Popen:
    work = temp() / "work"
    work.mkdir(exist_ok=True)
    return subprocess.Popen([support.program(), "call", *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, cwd=work, env=support.environment(), **more)


def address_of(process) -> str:
    """The address that the program says first."""
    for line in process.stderr:
        found = re.search(rb"http://[0-9.:]+/", line)
        if found:
            return found.group().decode()
    raise AssertionError("no address")


def fork_terminal() -> tuple:
    """As pty.fork(); a test is skipped where the system gives no terminals (a bare container)."""
    try:
        return pty.fork()
    except OSError as problem:
        raise unittest.SkipTest(f"no terminal here: {problem}") from problem


def on_terminal(args, columns=100, rows=30, **variables) -> str:
    """What the program writes to a terminal of this size."""
    pid, terminal = fork_terminal()
    if pid == 0:
        env = support.environment() | {"TERM": "xterm-256color"} | variables
        os.execve(support.program(), [support.program(), "call", *map(str, args)], env)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    output, end = b"", time.monotonic() + support.LIMIT
    while time.monotonic() < end and select.select([terminal], [], [], 1)[0] is not None:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        output += piece
    os.close(terminal)
    return output.decode("utf-8") if os.waitpid(pid, 0)[1] == 0 else f"FAILED {output!r}"


class WebSocket:
    """As little of RFC 6455 as a test needs to say one thing."""

    def __init__(self, address: str, path: str):
        host = address.removeprefix("http://").rstrip("/")
        name, port = host.split(":")
        self.socket = socket.create_connection((name, int(port)), timeout=10)
        key = base64.b64encode(b"0123456789abcdef").decode()
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\n"
                             f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        self.head = self.socket.recv(4096)

    def say(self, message: dict):
        data, mask = json.dumps(message).encode(), b"\1\2\3\4"
        assert len(data) < 126
        self.socket.sendall(bytes([0x81, 0x80 | len(data)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))


class CallTest(CliTest):
    def call(self, *args, **more):
        return self.ok("call", *args, *recognition(), "--no-history", **more)

    def events(self, text: str) -> list:
        return [json.loads(line) for line in text.splitlines()]
