"""A training loop of one's own that borrows tunefast's parts: optimizer, schedule, precision, checkpoint."""

import torch
from sklearn.datasets import load_digits
from torch import nn


def run(recipe, context):
    """Train a small network on digits; yields the metrics of each epoch."""
    torch.manual_seed(context.seed)
    data = load_digits()
    x = torch.tensor(data.data, dtype=torch.float32) / 16
    y = torch.tensor(data.target)
    train = torch.arange(1400)
    head = nn.Linear(recipe.params["width"], 10)
    model = nn.Sequential(nn.Linear(64, recipe.params["width"]), nn.ReLU(), head).to(context.device)

    optimizer = context.optimizer(model, head)
    schedule = context.schedule(optimizer, steps_per_epoch=-(-len(train) // recipe.batch_size))
    start = 1
    if state := context.checkpoint.load():
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        start = state["epoch"] + 1

    for epoch in range(start, recipe.epochs + 1):
        for rows in train[torch.randperm(len(train))].split(recipe.batch_size):
            with context.autocast():
                loss = nn.functional.cross_entropy(model(x[rows].to(context.device)), y[rows].to(context.device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            outputs = model(x[1400:].to(context.device)).cpu()
        accuracy = (outputs.argmax(1) == y[1400:]).float().mean().item()
        context.checkpoint.save(
            {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "epoch": epoch,
            }
        )
        yield {"epoch": epoch, "loss": loss.item(), "val_accuracy": accuracy}
