"""What every model is: a backbone that makes features, and a head that makes outputs of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor, nn


class Network(nn.Module):
    """``head(backbone(x))``: [N, *sample shape] -> [N, outputs], with the features [N, ...] cut between the two.

    The cut is what transfer learning turns on: a frozen backbone's features are the same in every epoch, so they can
    be computed once and kept, and a head can be trained on them alone. `blocks` are needed only where the backbone's
    children are not its blocks.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module, blocks: Sequence[nn.Module] | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self._blocks = None if blocks is None else list(blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [N, outputs] of samples [N, *sample shape]."""
        outputs: Tensor = self.head(self.backbone(x))
        return outputs

    def blocks(self) -> list[nn.Module]:
        """The pieces of the backbone that have parameters, in the order of the forward pass.

        By default the children of the backbone, or itself where it has none. Parameters of the backbone that are in no
        block (a class token, positions) belong before the first.
        """
        pieces = self._blocks if self._blocks is not None else list(self.backbone.children()) or [self.backbone]
        return [piece for piece in pieces if next(piece.parameters(), None) is not None]


def grouped(children: Iterable[tuple[str, nn.Module]]) -> nn.Sequential:
    """Named layers, in the order of the forward pass, joined to blocks.

    A composite module begins a block, and so does a convolution after a pooling; any other layer joins the block before
    it: a ResNet becomes its stem and its four stages, a VGG five blocks.
    """
    groups: dict[str, list[nn.Module]] = {}
    pooled = True
    for name, module in children:
        composite = next(module.children(), None) is not None
        if not groups or composite or (pooled and isinstance(module, nn.Conv2d)):
            groups[name] = []
        groups[next(reversed(groups))].append(module)
        pooled = isinstance(module, nn.MaxPool2d)
    blocks = nn.Sequential()
    for name, group in groups.items():
        blocks.add_module(name, group[0] if len(group) == 1 else nn.Sequential(*group))
    return blocks
