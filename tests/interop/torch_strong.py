#!/usr/bin/python3
"""PyTorch's side of the exchange of weights: model_strong built from PyTorch's own modules.

    torch_strong.py make FOLDER             random weights and features: torch.safetensors, clip<i>.npy, answers.json
    torch_strong.py check FILE FOLDER       loads FILE strictly and compares with answers.json

FILE is what `serene export --pytorch` wrote of the model that serene made of torch.safetensors. What PyTorch answers to
features from outside goes to answers.json, for serene to be held against.
"""
import json
import os
import sys

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import safetensors_file  # noqa: E402

CLASSES = 8
FRAMES = (37, 60, 121, 300)


def same_pool(x, size=5, stride=2):
    """Keras' "same" maximum over the last axis."""
    n = x.shape[-1]
    total = max((-(-n // stride) - 1) * stride + size - n, 0)
    return F.max_pool1d(F.pad(x, (total // 2, total - total // 2), value=-float("inf")), size, stride)


def attend(x):
    return torch.softmax(x @ x.transpose(1, 2) / x.shape[-1] ** 0.5, -1) @ x


class ModelStrong(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(40, 128, 7, padding=3), nn.Conv1d(128, 256, 5, padding=2)
        self.lstm1, self.lstm2 = nn.LSTM(256, 128, batch_first=True), nn.LSTM(128, 128, batch_first=True)
        self.dense1, self.dense2 = nn.Linear(128, 256), nn.Linear(256, CLASSES)
        self.bn = nn.BatchNorm1d(256, eps=1e-3)

    def forward(self, x):
        x = same_pool(F.relu(self.conv1(x.transpose(1, 2))))
        x = same_pool(F.relu(self.conv2(x))).transpose(1, 2)
        x = attend(self.lstm2(attend(self.lstm1(x)[0]))[0]).mean(1)
        return torch.softmax(self.dense2(self.bn(F.relu(self.dense1(x)))), -1)


def make(folder):
    torch.manual_seed(3)
    model = ModelStrong().eval()
    with torch.no_grad():
        model.bn.running_mean.normal_(0, 0.3)
        model.bn.running_var.uniform_(0.5, 2)
        model.bn.weight.normal_(1, 0.3)
        model.bn.bias.normal_(0, 0.3)
        model.dense2.weight.mul_(8)  # answers that are far from even
    tensors = {}
    for name, value in model.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            tensors[name] = ("F32", value.shape, value.numpy().astype("<f4").tobytes())
    tensors["bn.num_batches_tracked"] = ("I64", [], bytes(8))
    safetensors_file.write(os.path.join(folder, "torch.safetensors"), tensors)
    answers = []
    for i, frames in enumerate(FRAMES):
        x = np.random.default_rng(i).normal(0, 1.5, (frames, 40)).astype(np.float32)
        np.save(os.path.join(folder, f"clip{i}.npy"), x)
        with torch.no_grad():
            answers.append(model(torch.from_numpy(x)[None])[0].tolist())
    with open(os.path.join(folder, "answers.json"), "w", encoding="utf-8") as file:
        json.dump(answers, file)


def check(path, folder):
    model = ModelStrong().eval()
    tensors, _ = safetensors_file.read(path)
    model.load_state_dict({n: torch.from_numpy(np.frombuffer(data, "<f4").reshape(shape).copy())
                           for n, (_, shape, data) in tensors.items()}, strict=True)
    with open(os.path.join(folder, "answers.json"), encoding="utf-8") as file:
        answers = json.load(file)
    worst = 0.0
    for i, answer in enumerate(answers):
        x = torch.from_numpy(np.load(os.path.join(folder, f"clip{i}.npy")))
        with torch.no_grad():
            worst = max(worst, (model(x[None])[0] - torch.tensor(answer)).abs().max().item())
    print(json.dumps({"worst": worst}))


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "make":
        make(sys.argv[2])
    elif len(sys.argv) == 4 and sys.argv[1] == "check":
        check(sys.argv[2], sys.argv[3])
    else:
        raise SystemExit(__doc__)
