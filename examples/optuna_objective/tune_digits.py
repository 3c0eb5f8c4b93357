"""A script for Optuna of the usual kind: an objective that suggests its own settings, and prunes."""

import optuna
import torch
from sklearn.datasets import load_digits
from torch import nn

EPOCHS = 8


def objective(trial):
    num_layers = trial.suggest_int("num_layers", 1, 3)
    layers, width = [], 64
    for i in range(num_layers):
        units = trial.suggest_int(f"units_{i}", 16, 128, log=True)
        layers += [nn.Linear(width, units), nn.ReLU()]
        width = units
    model = nn.Sequential(*layers, nn.Linear(width, 10))
    name = trial.suggest_categorical("optimizer", ["Adam", "RMSprop", "SGD"])
    lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=lr)

    data = load_digits()
    x = torch.tensor(data.data, dtype=torch.float32) / 16
    y = torch.tensor(data.target)
    accuracy = 0.0
    for epoch in range(EPOCHS):
        for batch in torch.randperm(1400).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            accuracy = (model(x[1400:]).argmax(1) == y[1400:]).float().mean().item()
        trial.report(accuracy, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    trial.set_user_attr("num_parameters", sum(p.numel() for p in model.parameters()))
    return accuracy


if __name__ == "__main__":
    study = optuna.create_study(direction="maximize")
    study.optimize(objective, n_trials=20)
    print(study.best_trial)
