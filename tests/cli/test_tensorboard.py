"""serene train --tensorboard, read back by a parser of its own, written from the description of the format."""
import csv
import struct
import time
import unittest

from support import EPOCHS, SMALL, SMOKE, CliTest, on_corpus

LOG = "events.out.tfevents.serene"
TAGS = {"loss/train": "train_loss", "loss/validation": "val_loss", "accuracy/train": "train_accuracy",
        "accuracy/validation": "val_accuracy", "UAR/validation": "val_uar", "optimizer/learning_rate": "learning_rate",
        "optimizer/gradient_norm": "gradient_norm"}


def masked_crc(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data: bytes):
    at = 0
    while at < len(data):
        size, = struct.unpack_from("<Q", data, at)
        body = data[at + 12:at + 12 + size]
        crcs = struct.unpack_from("<I", data, at + 8) + struct.unpack_from("<I", data, at + 12 + size)
        if crcs != (masked_crc(data[at:at + 8]), masked_crc(body)):
            raise ValueError(f"wrong sum in the record at byte {at}")
        yield body
        at += 16 + size


def fields(message: bytes):
    """(number, value) of a protocol buffer: numbers of kinds 0, 1 and 5, bytes of kind 2."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(message):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            yield number, varint()
        elif kind == 2:
            size = varint()
            yield number, message[at:at + size]
            at += size
        else:
            form, size = {1: ("<d", 8), 5: ("<f", 4)}[kind]
            yield number, struct.unpack_from(form, message, at)[0]
            at += size


def events(path) -> list:
    """[(wall time, step, {tag: value})] behind the version."""
    first, *others = [dict(fields(body)) for body in records(path.read_bytes())]
    if first[3] != b"brain.Event:2" or first.get(2, 0) != 0:
        raise ValueError("no version")
    out = []
    for event in others:
        values = [dict(fields(v)) for number, v in fields(event[5]) if number == 1]
        out.append((event[1], event[2], {v[1].decode(): v[2] for v in values}))
    return out


class TensorBoard(CliTest):
    def check_log(self, run, epochs):
        with open(run / "log.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        logged = events(run / LOG)
        self.assertEqual([step for _, step, _ in logged], list(range(1, epochs + 1)))
        for row, (wall, _, values) in zip(rows, logged, strict=True):
            self.assertLess(abs(time.time() - wall), 600)
            self.assertEqual(sorted(values), sorted(TAGS))
            for tag, column in TAGS.items():
                self.assertEqual(values[tag], struct.unpack("<f", struct.pack("<f", float(row[column])))[0], tag)

    def test_every_epoch_is_logged_and_a_resumed_run_goes_on(self):
        run = self.new_path("run")
        self.ok(*on_corpus("train", SMOKE, "--run", run, "--tensorboard", *SMALL))
        self.check_log(run, EPOCHS)
        log = (run / LOG).read_bytes()
        (run / LOG).write_bytes(log[:-5])  # as a killed writer leaves it
        self.ok(*on_corpus("train", "--resume", "--run", run, f"--set=train.epochs={EPOCHS + 1}"))
        self.check_log(run, EPOCHS + 1)

    def test_only_on_demand(self):
        run = self.new_path("run")
        self.ok(*on_corpus("train", SMOKE, "--run", run, *SMALL, "--set=train.epochs=1"))
        self.assertFalse((run / LOG).exists())


if __name__ == "__main__":
    unittest.main()
