"""Muon: momentum that is made orthogonal, for the hidden weights; AdamW for all other parameters.

Source: Keller Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw
from torch.optim.optimizer import Optimizer, ParamsT

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of Jordan's quintic Newton-Schulz iteration: the steepest at 0 that ends near 1."""
SMALLEST_NORM = 1e-7
"""Below this the norm of an update counts as this, so that a zero update stays zero."""
MATRIX_AXES = 2

RATE_ADJUSTMENTS: dict[str, Callable[[int, int], float]] = {
    "original": lambda rows, columns: math.sqrt(max(1.0, rows / columns)),
    "match_rms_adamw": lambda rows, columns: 0.2 * math.sqrt(max(rows, columns)),
    "spectral_unclamped": lambda rows, columns: math.sqrt(rows / columns),
}
"""What the rate is multiplied with for a matrix of so many rows and columns, as ``torch.optim.Muon`` has them."""


class Muon(Optimizer):
    """Muon for weight matrices and AdamW for the rest, in one optimizer.

    A parameter is a matrix if it has two axes, or more and several rows: the weights of a convolution, [out, in,
    height, width], are taken as [out, in x height x width]. Vectors, position embeddings [1, ...] and every parameter
    of a group with ``"head": True`` get AdamW. Each group that is given becomes up to two: one of matrices, with the
    key ``"momentum"``, and one of the others, with the key ``"betas"``. The rate of the latter is `adamw_lr`, times how
    much the given group's own ``"lr"`` differs from `lr`.

    On matrices with two axes equal to ``torch.optim.Muon``, but that equal shapes are iterated on as one batch, and
    that a CPU iterates in float32, since few have fast products in bfloat16. `step` never synchronises the device.
    Raises `ValueError` for rates that are not positive and for an unknown `adjust_lr`.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.02,
        weight_decay: float = 0.0,
        *,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_steps: int = 5,
        adjust_lr: str = "original",
        adamw_lr: float = 3e-4,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        if lr <= 0 or adamw_lr <= 0:
            raise ValueError(f"rates must be positive: lr = {lr}, adamw_lr = {adamw_lr}")
        if adjust_lr not in RATE_ADJUSTMENTS:
            raise ValueError(f"adjust_lr = {adjust_lr!r} is unknown; known: {', '.join(RATE_ADJUSTMENTS)}")
        self._adamw_share = adamw_lr / lr
        self._matrix_options: dict[str, Any] = {
            "orthogonal": True,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_steps": ns_steps,
            "adjust_lr": adjust_lr,
        }
        self._other_options: dict[str, Any] = {"orthogonal": False, "betas": betas, "eps": eps}
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add the matrices of a group and its other parameters as groups of their own."""
        given = {"lr": self.defaults["lr"], **param_group}
        params = given.pop("params")
        parameters = [params] if isinstance(params, Tensor) else list(params)
        is_head = given.get("head", False)
        matrices = [parameter for parameter in parameters if not is_head and is_matrix(parameter)]
        others = [parameter for parameter in parameters if is_head or not is_matrix(parameter)]
        if matrices:
            super().add_param_group({**self._matrix_options, **given, "params": matrices})
        if others:
            rate = given["lr"] * self._adamw_share
            fused = all(parameter.device.type in {"cpu", "cuda"} for parameter in others)
            super().add_param_group({**self._other_options, "fused": fused, **given, "params": others, "lr": rate})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take a step with the gradients there are; `closure`, if given, computes them, and its loss is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not parameters:
                continue
            if group["orthogonal"]:
                self._step_matrices(group, parameters)
            else:
                self._step_others(group, parameters)
        return loss

    def _step_matrices(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        updates: dict[tuple[torch.Size, torch.dtype], list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for parameter in parameters:
            gradient = _gradient(parameter)
            state = self.state[parameter]
            if not state:
                state["momentum_buffer"] = torch.zeros_like(gradient)
            update = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
            if group["nesterov"]:
                update = gradient.lerp(update, group["momentum"])
            matrix = update.flatten(1)
            updates[matrix.shape, matrix.dtype].append((parameter, matrix))
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
        for (shape, dtype), pairs in updates.items():
            stack = torch.stack([matrix for _, matrix in pairs])
            directions = orthogonalised(stack, group["ns_steps"], iteration_dtype(stack.device)).to(dtype)
            rate = group["lr"] * RATE_ADJUSTMENTS[group["adjust_lr"]](*shape)
            for (parameter, _), direction in zip(pairs, directions.unbind(), strict=True):
                parameter.add_(direction.reshape(parameter.shape), alpha=-rate)

    def _step_others(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state["step"] = torch.zeros((), device=parameter.device if group["fused"] else "cpu")
                state["exp_avg"] = torch.zeros_like(parameter)
                state["exp_avg_sq"] = torch.zeros_like(parameter)
        states = [self.state[parameter] for parameter in parameters]
        adamw(
            parameters,
            [_gradient(parameter) for parameter in parameters],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=group["fused"],
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def is_matrix(parameter: Tensor) -> bool:
    """Whether Muon takes a parameter of this shape: two axes, or more and several rows."""
    return parameter.ndim == MATRIX_AXES or (parameter.ndim > MATRIX_AXES and parameter.shape[0] > 1)


def iteration_dtype(device: torch.device) -> torch.dtype:
    """The number format of the Newton-Schulz iteration on `device`: bfloat16, on a CPU float32."""
    return torch.float32 if device.type == "cpu" else torch.bfloat16


def orthogonalised(matrices: Tensor, num_steps: int, dtype: torch.dtype) -> Tensor:
    """The matrices [n, rows, columns], each with its singular values moved near 1: to between 0.5 and 1.5.

    Iterates in `dtype`, which the result has too. Equal to what ``torch.optim.Muon`` does with each matrix by itself.
    """
    a, b, c = COEFFICIENTS
    is_tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.to(dtype)
    x = x.mT if is_tall else x
    x = x / torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True).clamp(min=SMALLEST_NORM)
    for _ in range(num_steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if is_tall else x


def _gradient(parameter: Tensor) -> Tensor:
    if parameter.grad is None:
        raise RuntimeError("a parameter that takes a step has lost its gradient")
    return parameter.grad
