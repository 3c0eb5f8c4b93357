"""A Lightning module on digits, with its own checkpoints; two lines more than without tunefast."""

import argparse

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from tunefast_report import lightning_callback  # added


class Digits(L.LightningModule):
    def __init__(self, lr, width):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

    def training_step(self, batch, _):
        x, y = batch
        return nn.functional.cross_entropy(self.net(x), y)

    def validation_step(self, batch, _):
        x, y = batch
        self.log("val_accuracy", (self.net(x).argmax(1) == y).float().mean())

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=self.hparams.lr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--checkpoints", default="checkpoints")
    args = parser.parse_args()

    x, y = load_digits(return_X_y=True)
    data = TensorDataset(torch.tensor(x, dtype=torch.float32) / 16, torch.tensor(y))
    train, val = torch.utils.data.Subset(data, range(1400)), torch.utils.data.Subset(data, range(1400, len(data)))

    trainer = L.Trainer(
        max_epochs=args.epochs,
        accelerator="auto",
        callbacks=[
            ModelCheckpoint(dirpath=args.checkpoints, save_last=True),
            lightning_callback(),  # added
        ],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(
        Digits(args.lr, args.width),
        DataLoader(train, batch_size=64, shuffle=True),
        DataLoader(val, batch_size=512),
        ckpt_path="last",
    )


if __name__ == "__main__":
    main()
