"""Train a small network on digits: a script of the usual kind, with arguments and its own checkpoints."""

import argparse
import json
import os

import torch
from sklearn.datasets import load_digits
from torch import nn


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoints", default="checkpoints")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    data = load_digits()
    x = torch.tensor(data.data, dtype=torch.float32) / 16
    y = torch.tensor(data.target)
    order = torch.randperm(len(x))
    train, val = order[:-360], order[-360:]

    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
    start = 1
    os.makedirs(args.checkpoints, exist_ok=True)
    last = os.path.join(args.checkpoints, "last.pt")
    if os.path.exists(last):
        state = torch.load(last)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        start = state["epoch"] + 1
        print(f"resuming at epoch {start}")

    for epoch in range(start, args.epochs + 1):
        model.train()
        for batch in train[torch.randperm(len(train))].split(args.batch_size):
            loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            accuracy = (model(x[val]).argmax(1) == y[val]).float().mean().item()
        print(json.dumps({"epoch": epoch, "loss": loss.item(), "val_accuracy": accuracy}), flush=True)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, last + ".new")
        os.replace(last + ".new", last)


if __name__ == "__main__":
    main()
