"""Fit a Keras model on digits, with the torch backend; three lines more than without tunefast."""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
from sklearn.datasets import load_digits
from tunefast_report import checkpoints, keras_callback  # added

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.001)
parser.add_argument("--units", type=int, default=64)
parser.add_argument("--epochs", type=int, default=6)
parser.add_argument("--checkpoints", default="checkpoints")
args = parser.parse_args()

x, y = load_digits(return_X_y=True)
x = x.astype("float32") / 16
model = keras.Sequential(
    [keras.Input((64,)), keras.layers.Dense(args.units, "relu"), keras.layers.Dense(10, "softmax")]
)
model.compile(keras.optimizers.Adam(args.lr), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(
    x[:1400],
    y[:1400],
    validation_data=(x[1400:], y[1400:]),
    epochs=args.epochs,
    verbose=2,
    callbacks=[
        keras_callback(),  # added: before the backup, so that no epoch is kept that was not reported
        keras.callbacks.BackupAndRestore(
            os.path.join(args.checkpoints, "backup"),
            delete_checkpoint=checkpoints() is None,  # added: a trial that pauses goes on from it
        ),
    ],
)
