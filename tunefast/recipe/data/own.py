"""A user's own torch data set, by dotted path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field

from tunefast.errors import DataError
from tunefast.recipe.data.checked import checked
from tunefast.recipe.data.folder import files_in
from tunefast.recipe.data.items import read_through
from tunefast.recipe.data.part import Decoded, NumbersPart, RootedPart
from tunefast.recipe.own import DOTTED_PATH, Options, load, module_file

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TorchDataset(NumbersPart, RootedPart):
    """A torch data set of your own: the class, or function that makes one, at ``package.module:name``.

    It is called with `options` and read through once, map-style or iterable, into arrays that later runs take from the
    cache. So its transforms run once, random ones too: leave augmentation to the recipe. The whole set must fit into
    memory, and an iterable one must end.

    Items are pairs (input, target). Inputs: PIL images, and bytes of shape [H, W, C] or (tensors) [C, H, W], are
    images; other numbers, tensors and arrays become float32 as they are. Targets: a whole number is a class 0, 1, ...;
    a vector of 0 and 1 labels, several at once; a real number or a vector of them numbers to predict. With `as_is` both
    may be more, and inputs and targets may be tuples or dicts of arrays and tensors, which stay what they are: a model
    and a loss of your own take them.
    """

    name: Literal["torch_dataset"] = "torch_dataset"
    path: str = Field("my_data:MyDataset", pattern=DOTTED_PATH)
    """Dotted path of the class or function, ``my_package.my_module:MyDataset``."""
    options: Options = Options()
    """Keyword options that it is called with."""
    val_options: Options | None = None
    """Options that differ for a validation part of its own; by default it has none."""
    test_options: Options | None = None
    """Options that differ for a test part of its own; by default it has none."""
    root: str | None = None
    """Directory that the module is imported from; by default the working directory."""
    files: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Files and folders that it reads, from `root`. When one changes, or the module, the set is read again."""

    as_is: bool = False
    """Whole numbers stay whole in inputs, as token ids have to, and targets may have any shape, as masks have: for a
    model and a loss of your own."""

    def located(self) -> Self:
        """The part with `root` absolute."""
        root = Path(self.root or ".").expanduser().absolute()
        return self.model_copy(update={"root": str(root)})

    def source(self) -> list[str]:
        """The module's file, and `files` with all that is in them."""
        found: list[str] = []
        try:
            module = module_file(self.path, self.place)
        except ValueError as error:
            raise DataError(path=f"{self.title}, {self.path}", problem=str(error)) from error
        if module is not None:
            found.append(str(module))
        for name in self.files:
            path = self.place / Path(name).expanduser()
            found += [str(path), *files_in(path)]
        return found

    def decode(self) -> Decoded:
        """Images uint8 [N, H, W, C] or float32 [N, ...]; classes int64 [N], labels uint8 [N, T], or float32 [N, T].

        Tuples and dicts as records [N], and anything `as_is`.
        """
        where = f"{self.title}, {self.path}"
        arrays: dict[str, NDArray[Any]] = {}
        for prefix, other in (("", Options()), ("val_", self.val_options), ("test_", self.test_options)):
            if other is not None:
                options = {**self.options, **other}
                try:
                    arrays[f"{prefix}inputs"], arrays[f"{prefix}targets"] = read_through(self._made(options))
                except ValueError as error:
                    called = ", ".join(f"{key}={value!r}" for key, value in options.items())
                    raise DataError(path=where, problem=f"called with ({called}): {error}") from error
        return checked(arrays, where, as_is=self.as_is)

    def _made(self, options: dict[str, Any]) -> Any:
        make = load(self.path, self.place)
        try:
            return make(**options)
        except Exception as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
