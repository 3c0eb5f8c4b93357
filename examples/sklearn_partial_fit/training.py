"""A linear model of scikit-learn, fitted a pass at a time."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier


def run(recipe, context):
    """Yields the accuracy after each pass over the data."""
    x, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(context.seed)
    model = SGDClassifier(
        loss=recipe.params["loss"],
        alpha=recipe.params["alpha"],
        learning_rate="constant",
        eta0=recipe.params["eta0"],
        random_state=context.seed % 2**32,
    )
    for _ in range(recipe.epochs):
        order = rng.permutation(1400)
        model.partial_fit(x[order], y[order], classes=np.arange(10))
        yield {"val_accuracy": model.score(x[1400:], y[1400:])}
