"""A model's code and weights, identified so that no other or older model is taken for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_infer.arrays import digest_of_arrays
from pytest_infer.devices.fingerprint import device_fingerprint
from pytest_infer.errors import InferError, ModelError, RunError
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.models import registry as models
from pytest_infer.storage.digest import digest_of, digest_of_file
from pytest_infer.storage.written_files import checked, content_digest, only

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_infer.arrays import Arrays
    from pytest_infer.config import InferConfig
    from pytest_infer.hosts.model_client import ModelClient
    from pytest_infer.hosts.results import ProbeResult
    from pytest_infer.models.registry import Model
    from pytest_infer.models.spec import ModelSpec
    from pytest_infer.storage.cache import Cache, Entry

NOT_REPEATABLE = "not-repeatable"
"""What stands for the answer of a model that gives another one each time."""

OTHER_ANSWER = (
    "{} no longer answers as it did, and none of its files has changed (does it read a variable "
    "or a file?); its reference, graphs and engines were made again"
)
OTHER_WEIGHTS = (
    "{} has weights of other names or shapes than those in the cache, and none of its files has "
    "changed (does it read a variable or a file?); everything was made again"
)
LEFT_OUT = "{} also returns {}, which its spec does not name: nothing compares them"
CHANGES_ALWAYS = (
    "{} answers the same input in another way each time; a change that none of its files shows "
    "cannot be noticed"
)


@dataclass(frozen=True)
class _Kept:
    """A module with weights of the cache, before it was asked for an answer."""

    graph: Graph
    structure: str
    is_new: bool


class ModuleGraphs:
    """Makes each model's module in the host that has its code, and asks it once what it answers.

    A module's digest is made of its name and spec, the code that it reaches, its weights and that
    answer. So is every key of what is made of it.
    """

    def __init__(self, config: InferConfig, cache: Cache, client: ModelClient) -> None:
        self._config = config
        self._cache = cache
        self._client = client
        self._found: dict[str, Graph | InferError] = {}
        self.probe_s: dict[str, float] = {}
        """How long each model took to be created and to answer."""
        self.answers: dict[str, Arrays] = {}
        """What each model answers now, unless it answers in another way each time."""
        self.weights: dict[str, str] = {}
        """Which weights each model has: those of ``--infer-weights``, or ``own``."""
        self.notices: tuple[str, ...] = ()

    def module(self, model: str, *, is_pruned: bool) -> Graph:
        """Return a model's code and weights as they are now."""
        if model not in self._found:
            self._found[model] = self._probed_or_error(model)
        whole = self._found[model]
        if isinstance(whole, InferError):
            raise whole
        if not is_pruned:
            return whole
        digest = digest_of({"module": whole.digest, "pruned": True})
        return replace(whole, digest=digest, request=GraphRequest("module", is_pruned=True))

    def _probed_or_error(self, model: str) -> Graph | InferError:
        """Return the module, or what is wrong with it: a library's network is asked once."""
        try:
            is_file = models.find(model).spec.onnx is not None
            return self._file(model) if is_file else self._probed(model)
        except ModelError as error:
            return error

    def _file(self, model: str) -> Graph:
        """Return a model's ONNX file where it lies; its content and its weights' tell it apart."""
        identity = self._client.identity(model=model, doing=f"identify {model}")
        path, *beside = self._client.files(model=model, doing=f"find the files of {model}")
        digest = digest_of({"model": model, "identity": identity})
        spec = models.find(model).spec
        return Graph(spec, path, digest, GraphRequest("module"), tuple(beside))

    def _probed(self, model: str) -> Graph:
        spec = models.find(model).spec
        identity = self._client.identity(model=model, doing=f"identify {model}")
        kept = self._kept(spec, identity)
        found = self._asked(kept)
        if found.structure:  # what its code makes now has other weights than those kept for it
            kept = self._kept(spec, identity | {"structure": found.structure})
            self.notices += (OTHER_WEIGHTS.format(model),) if kept.is_new else ()
            found = _fitting(model, self._asked(kept))
        self.probe_s[model] = found.seconds
        if found.left_out:
            self.notices += (LEFT_OUT.format(model, ", ".join(found.left_out)),)
        answer = self._answer(model, kept, found.answer)
        if answer != NOT_REPEATABLE:
            self.answers[model] = found.answer
        key = {"module": kept.graph.digest, "answer": answer}
        return replace(kept.graph, digest=digest_of(key))

    def _asked(self, kept: _Kept) -> ProbeResult:
        name = kept.graph.spec.name
        try:
            return self._client.probe(
                graph=kept.graph, structure=kept.structure, doing=f"ask {name} for an answer"
            )
        except RunError as error:
            raise with_range(error, models.find(name)) from error

    def _answer(self, model: str, kept: _Kept, arrays: Arrays) -> str:
        """Return the digest of a module's answer; notice one that was another before."""
        answer = digest_of_arrays(arrays)
        key = {"module": kept.graph.digest, "device": device_fingerprint("cpu")}
        first = self._cache.entry("answers", key, lambda _: {"answer": answer})
        if first.facts["answer"] == answer:
            return answer
        if digest_of_arrays(self._asked(kept).answer) != answer:
            answer = NOT_REPEATABLE
        other = self._cache.entry("answers", key | {"answer": answer}, lambda _: {"answer": answer})
        text = CHANGES_ALWAYS if answer == NOT_REPEATABLE else OTHER_ANSWER
        self.notices += (text.format(model),) if other.is_new else ()
        return answer

    def _kept(self, spec: ModelSpec, identity: dict[str, Any]) -> _Kept:
        """Return the module with its weights in the cache."""
        choice = models.find(spec.name).weights or self._config.weights or spec.default_weights
        self.weights[spec.name] = choice = "own" if spec.brings_weights else choice
        key = {"model": spec.name, "weights": choice, "identity": identity}
        entry = self._seeded(key) if choice == "seeded" else self._loaded(key)
        whole = {"model": spec.name, "identity": identity, "weights": content_digest(entry.digests)}
        file = str(entry.folder / only(entry.digests, entry.folder))
        graph = Graph(spec, file, digest_of(whole), GraphRequest("module"))
        return _Kept(graph, entry.facts["structure"], entry.is_new)

    def _seeded(self, key: dict[str, Any]) -> Entry:
        """Return weights that follow from the code: they are known without making them."""
        return self._cache.entry("weights", key, checked(partial(self._write, key)))

    def _loaded(self, key: dict[str, Any]) -> Entry:
        """Return weights that nothing but their content identifies."""
        with self._cache.draft("weights") as loaded:
            facts = self._write(key, loaded)
            file = loaded / only((path.name for path in loaded.iterdir()), loaded)

            def keep(folder: Path) -> dict[str, Any]:
                file.rename(folder / file.name)
                return facts

            content = digest_of_file(file)
            return self._cache.entry("weights", key | {"content": content}, checked(keep))

    def _write(self, key: dict[str, Any], folder: Path) -> dict[str, Any]:
        name, weights = key["model"], key["weights"]
        structure = self._client.write_weights(
            model=name, weights=weights, folder=str(folder), doing=f"load {name}"
        )
        return {"weights": weights, "structure": structure}


def _fitting(model: str, found: ProbeResult) -> ProbeResult:
    """Return an answer; raise `ModelError` if weights that were just made do not fit again."""
    if not found.structure:
        return found
    raise ModelError(
        f"{model} has other weights each time that it is created",
        why="the names or shapes of its weights differed in three calls of its function",
        mend="let the function create the same module each time",
    )


def with_range(error: RunError, model: Model) -> RunError:
    """Return the error of eager mode; drawn integers may be none that the model can take."""
    drawn = [
        f"{name} ({tensor.dtype})"
        for name, tensor in model.spec.inputs.items()
        if tensor.dtype.startswith(("int", "uint")) and None in (tensor.low, tensor.high)
    ]
    if model.preprocess or not drawn:
        return error
    return RunError(
        error.what,
        why=f"{error.why}\n{', '.join(drawn)}: drawn from the whole range of the dtype, for the "
        "spec states none",
        mend="state what the model takes, such as TensorSpec(shape, dtype, low=0, high=30521) for "
        "the indices of a vocabulary",
    )
