"""Which executor runs an encoder: native kernels, or numpy.

    native      `Native`, any recipe, C++ kernels
    reference   `Reference` for float32, `QuantizedReference` for every other recipe, in numpy
    auto        native; the reference where the kernels lack the model's activation function

A tap sees values that kernels never spell out, so with a tap the reference runs.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Literal, TypeAlias, get_args

from fewbits.arrays import Floats
from fewbits.errors import InputError, KernelError
from fewbits.models.batching import Batch
from fewbits.models.drift import Ends, Watch
from fewbits.models.native import Native
from fewbits.models.quantized import QuantizedReference, activation_codes
from fewbits.models.recipe import Recipe
from fewbits.models.reference import Reference, Tap
from fewbits.models.spec import EncoderSpec, Stage, Weights
from fewbits.models.tensors import Tensors

ExecutorName: TypeAlias = Literal["auto", "native", "reference"]
_INPUT = ".input"
_NATIVE_TOKENS = 65_536  # a second or two of work between two reports of progress
_NUMPY_TOKENS = 8192


class Executors:
    """Runs batches of one encoder on the executor of choice, and counts what static ranges clip.

    Attributes:
        native: the kernels, or None where the reference runs everything.
        watch: what static linears clipped so far.
        recent: the same since it was last replaced.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        tensors: Tensors,
        executor: ExecutorName,
        weights: Weights | None = None,
    ) -> None:
        """Set up the executor; `weights` are those of the tensors where they are at hand.

        Raises:
            InputError: an unknown executor.
            KernelError: "native", and the kernels lack the model's activation function.
        """
        known = get_args(ExecutorName)
        if executor not in known:
            raise InputError(f"executor must be one of {', '.join(known)}, got {executor!r}")
        self._spec, self._tensors, self._weights = spec, tensors, weights
        self._only_native = executor == "native"
        self._reference: Reference | None = None
        self.watch, self.recent = Watch(), Watch()
        modes = {linear.activation.mode for linear in tensors.linears.values()}
        self._watched = spec.linears() if "static" in modes else ()
        self.native = None if executor == "reference" else self._make_native()
        if self.native is None:
            self._reference = self._make_reference()

    @property
    def weights(self) -> Weights:
        """The float32 weights that the tensors stand for, widened once."""
        if self._weights is None:
            self._weights = self._tensors.dense()
        return self._weights

    def tokens_per_call(self, tap: Tap | None) -> int:
        """Return how many tokens a batch should hold where nobody asked for a number.

        Kernels cut a batch themselves: long calls keep all their threads busy, and their memory
        does not grow. That of numpy does.
        """
        return _NATIVE_TOKENS if self.native is not None and tap is None else _NUMPY_TOKENS

    def run(
        self,
        batch: Batch,
        stages: tuple[Stage, ...],
        *,
        skip: int = 0,
        tap: Tap | None = None,
        threads: int | None = None,
    ) -> Floats:
        """Return one row per sequence, float32; `stages` instead of the spec's own.

        Raises:
            InputError: a tap where only the native executor may run.
        """
        if self.native is not None and tap is None:
            rows, ends = self.native(batch, skip=skip, threads=threads, stages=stages)
            if self._watched:
                self.watch.add_rows(self._watched, ends)
                self.recent.add_rows(self._watched, ends)
            return rows
        if self._only_native:
            raise InputError("a tap needs executor='auto' or 'reference', got 'native'")
        if self._reference is None:
            self._reference = self._make_reference()
        forward = copy.copy(self._reference)  # shallow: the numbers are shared
        forward.spec = dataclasses.replace(self._spec, stages=stages)
        return forward(batch, skip=skip, tap=self._counting(tap))

    def _make_native(self) -> Native | None:
        try:
            return Native(self._spec, self._tensors)
        except KernelError:
            if self._only_native:
                raise
            return None

    def _make_reference(self) -> Reference:
        if self._tensors.recipe == Recipe.float32():
            return Reference(self._spec, self.weights)
        return QuantizedReference(self._spec, self._tensors)

    def _counting(self, tap: Tap | None) -> Tap | None:
        """Return a tap that counts the codes of static linears, and calls `tap`."""
        static = {
            f"{name}{_INPUT}": linear.activation
            for name, linear in self._tensors.linears.items()
            if linear.activation.mode == "static"
        }
        if not static:
            return tap

        def count(name: str, x: Floats) -> None:
            if name in static:
                codes, _, _ = activation_codes(x, static[name])
                ends = Ends.of(codes)
                self.watch.add(name.removesuffix(_INPUT), ends)
                self.recent.add(name.removesuffix(_INPUT), ends)
            if tap:
                tap(name, x)

        return count
