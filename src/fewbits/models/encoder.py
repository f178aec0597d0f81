"""Texts in, vectors out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fewbits.arrays import Floats, as_count
from fewbits.models import artifact
from fewbits.models.about import Calibration, Origin
from fewbits.models.agreement import check_tensors, check_weights
from fewbits.models.batching import batches
from fewbits.models.drift import DriftReport, Watch, drift
from fewbits.models.executors import ExecutorName, Executors
from fewbits.models.locate import locate, name_of
from fewbits.models.original import pack_float32, read_original
from fewbits.models.outline import read_outline
from fewbits.models.pooling import normalize as unit_rows
from fewbits.models.progress import Progress, as_callback
from fewbits.models.prompts import Prompts
from fewbits.models.recipe import Recipe
from fewbits.models.reference import Tap
from fewbits.models.spec import EncoderSpec, Normalize, Stage, Weights
from fewbits.models.tensors import Tensors
from fewbits.models.texts import as_texts, check_unicode
from fewbits.models.tokenizer import Tokenizer


class Encoder:
    """A text encoder of the BERT family, in float32 or quantized.

    Attributes:
        spec: the model as data.
        tensors: its numbers as executors read them.
        tokenizer: texts to token ids.
        prompts: the model's named prompts.
        source: the folder it was loaded from, None for one made of parts.
        name: what the model it was made from is called; "" if made of parts.
        origin: checksums of that model's weights; None where `source` is that model itself.
        calibration: what static ranges were learned from, if any.
        truncated: how many texts the latest `encode` cut at `max_length` tokens.
    """

    source: Path | None = None
    name: str = ""
    origin: Origin | None = None
    calibration: Calibration | None = None

    def __init__(
        self,
        spec: EncoderSpec,
        weights: Weights | Tensors,
        tokenizer: Tokenizer,
        prompts: Prompts | None = None,
        *,
        executor: ExecutorName = "auto",
    ) -> None:
        """Assemble an encoder from its parts; `Encoder.load` reads them from a folder.

        Args:
            spec: the model as data.
            weights: float32 tensors under canonical names, or the tensors of any recipe.
            tokenizer: texts to token ids.
            prompts: named prompts.
            executor: "native" for the kernels, "reference" for numpy, "auto" for the kernels
                wherever they can (see `fewbits.models.executors`).

        Raises:
            InputError: an unknown executor.
            KernelError: `executor="native"`, and the kernels lack the activation function.
            ModelError: weights that do not match the spec.
        """
        kept: Weights | None = None
        if isinstance(weights, Tensors):
            check_tensors(spec, weights)
            self.tensors = weights
        else:
            check_weights(spec, weights)
            self.tensors = pack_float32(spec, weights)
            kept = weights if executor == "reference" else None  # kernels read panels alone
        self.spec = spec
        self.tokenizer = tokenizer
        self.prompts = prompts or Prompts()
        self.truncated = 0
        self._executor = executor
        self._warned = False
        self._executors = Executors(spec, self.tensors, executor, kept)

    @classmethod
    def load(
        cls, folder: str | os.PathLike[str] | None = None, *, executor: ExecutorName = "auto"
    ) -> Encoder:
        """Read a model folder; without an argument, that of `default_model()`.

        Three layouts are read. A folder that `save` wrote has fewbits.json; its tensors are
        checked and memory-mapped. A sentence-transformers folder (modules.json) is followed module
        by module. A plain Hugging Face folder (config.json, tokenizer.json, model.safetensors)
        gets mean pooling over all tokens and no normalization, which is what sentence-transformers
        does with such a folder. Weights stored in 16 bits are computed with in float32.

        Args:
            folder: the folder, or, where there is none of that name, a model of the Hugging Face
                Hub such as "sentence-transformers/all-MiniLM-L6-v2" (needs `fewbits[hub]`).
            executor: see `Encoder`.

        Raises:
            FormatError: a quantized folder is damaged, incomplete or of a newer version.
            ModelError: a missing or damaged file, an unsupported family or module; it says which.
        """
        root = locate(folder)
        if artifact.is_artifact(root):
            return cls._of_artifact(root, artifact.load(root), executor)
        outline = read_outline(root)
        weights = read_original(outline)
        out = cls(outline.spec, weights, outline.tokenizer, outline.prompts, executor=executor)
        out.source, out.name = root, name_of(root, folder)
        return out

    @classmethod
    def _of_artifact(cls, root: Path, found: artifact.Artifact, executor: ExecutorName) -> Encoder:
        outline, about = found.outline, found.about
        out = cls(
            outline.spec, found.tensors, outline.tokenizer, outline.prompts, executor=executor
        )
        out.source, out.name = root, about.origin.name
        out.origin, out.calibration = about.origin, about.calibration
        return out

    def with_tensors(self, tensors: Tensors, calibration: Calibration | None = None) -> Encoder:
        """Return an encoder of the same texts with other numbers.

        Args:
            tensors: numbers of the same spec.
            calibration: what their static ranges were learned from.

        Raises:
            ModelError: tensors that do not match the spec.
        """
        args = (self.spec, tensors, self.tokenizer, self.prompts)
        out = type(self)(*args, executor=self._executor)
        out.source, out.name, out.origin = self.source, self.name, self.origin
        out.calibration = calibration
        return out

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write a quantized model folder that `load` reads, whole or not at all.

        The folder is new or empty, or holds a quantized version of the same model, which is
        replaced. Configuration and tokenizer are copied from `source`.

        Raises:
            InputError: the folder holds something else.
            ModelError: the encoder was not loaded from a folder, or that has changed since.
            ConflictError: somebody else is writing there.
            StorageError: the system refused; what was there before is unchanged.
        """
        artifact.save(self, folder)

    @property
    def recipe(self) -> Recipe:
        """Which precision each tensor and activation has."""
        return self.tensors.recipe

    @property
    def weights(self) -> Weights:
        """The float32 weights that the tensors stand for, by canonical name.

        Widened at the first access and kept: 4 bytes per parameter.
        """
        return self._executors.weights

    def drift(self) -> DriftReport:
        """Compare what static ranges clipped since the encoder was made with calibration.

        Counts come from every `encode`; nothing is reported where no activation is static.
        """
        calibrated = self.calibration.ends if self.calibration else {}
        return drift(calibrated, self._executors.watch.seen)

    @property
    def dims(self) -> int:
        """Width d of the vectors."""
        return self.spec.dims

    @property
    def max_length(self) -> int:
        """Tokens kept of a text, special tokens included."""
        return self.spec.max_length

    def encode(
        self,
        texts: str | Iterable[str],
        *,
        batch_tokens: int | None = None,
        progress: Progress = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        normalize: bool | None = None,
        tap: Tap | None = None,
        threads: int | None = None,
    ) -> Floats:
        """Return one vector per text, float32 (n, d), in the order of `texts`.

        Texts are packed without padding, so a vector does not depend on the texts beside it: to
        the bit with the native executor, up to 1e-6 of its length with the reference (matrix
        products of other sizes round differently). Texts of more than `max_length` tokens are cut,
        and `truncated` says how many were.

        Args:
            texts: strings, which may be empty; a bare string gives a vector of shape (d,).
            batch_tokens: tokens computed between two reports of progress; results do not change.
                None for 65,536 with the kernels, 8,192 with numpy, whose memory grows with it.
            progress: True for a bar on the terminal, or a function called with (done, total).
            prompt_name: name of one of the model's prompts, put before every text.
            prompt: text to put before every text, instead of a named prompt; "" for none where
                the model has a default one.
            normalize: None as the model says, True for unit length, False to leave out a
                normalization that the model ends with.
            tap: called with (name, array) for intermediate values, see `Reference`; with a tap
                numpy runs, not the kernels.
            threads: threads of the native executor, None for every CPU; the result is the same.

        Raises:
            InputError: an item that is not a string or not valid Unicode, naming its position; an
                unknown prompt name; a batch size or a number of threads below 1; a tap with
                `executor="native"`.

        Warns:
            CalibrationWarning: static ranges clip far more of these texts than of the calibration
                texts; names the linear. Told once per encoder, see `drift`.
        """
        single = isinstance(texts, str)
        items = as_texts([texts] if isinstance(texts, str) else texts)
        budget = self._executors.tokens_per_call(tap)
        if batch_tokens is not None:
            budget = as_count(batch_tokens, "batch_tokens", least=1)
        threads = None if threads is None else as_count(threads, "threads", least=1)
        before = self.prompts.resolve(prompt_name, prompt)
        check_unicode(before, "prompt")
        tokens = self.tokenizer.encode([before + text for text in items] if before else items)
        skip = self.tokenizer.prompt_length(before) if before else 0
        out = np.empty((len(items), self.dims), dtype=np.float32)
        stages = self._stages(normalize)
        with as_callback(progress, len(items)) as report:
            for batch in batches(tokens.ids, budget):
                out[batch.rows] = self._executors.run(
                    batch, stages, skip=skip, tap=tap, threads=threads
                )
                report(len(batch.rows))
        self.truncated = tokens.truncated
        recent = self._recent_drift()
        if recent is not None and not self._warned:
            self._warned = recent.warn_if_drifted()
        if normalize:
            out = unit_rows(out)
        return out[0] if single else out

    def _recent_drift(self) -> DriftReport | None:
        """Return the drift since the last such report, once enough texts have come for one."""
        if self.calibration is None:
            return None
        report = drift(self.calibration.ends, self._executors.recent.seen)
        if not report.enough:
            return None
        self._executors.recent = Watch()
        return report

    def _stages(self, normalize: bool | None) -> tuple[Stage, ...]:
        stages = self.spec.stages
        ends = normalize is False and isinstance(stages[-1], Normalize)
        return stages[:-1] if ends else stages
