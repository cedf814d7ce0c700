"""Plant numeric faults in real models, and count what the judges of parity catch.

    python benchmarks/parity_faults.py --update    # writes docs/results/parity.md
    python benchmarks/parity_faults.py --model=mobilenet_v2
    python benchmarks/parity_faults.py --tasks --update    # writes docs/results/tasks.md

Output faults are planted in what an engine returns, graph faults in the ONNX file that ONNX Runtime
is built from; call faults show at some calls, for some photographs or in some layouts only. Each is
judged as `suites/test_parity.py` does: every photograph is fed, and to call faults the layouts and
the burst too. Beside our verdicts stand two fixed checks of the first batch, by the definitions of
their sources: MAE up to 0.0059, of a TensorRT article, and a cosine of at least 0.99. Then the
engines of this machine run the whole suite without faults, in batches of 1 and 4.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import mixed_models  # noqa: F401 - registers its models
import numpy as np
import task_models  # noqa: F401 - the same

from pytest_infer import Answers, Case, InferError, Parity, Precision, Reference, register
from pytest_infer.config import InferConfig
from pytest_infer.hosts.start import INLINE
from pytest_infer.judges.metrics import cosine, mae
from pytest_infer.models import registry as models
from pytest_infer.session.engine import under_test
from pytest_infer.session.session import InferSession
from pytest_infer.testing import FakeEngine, faults, feed_faults, memory_faults
from pytest_infer.testing import graph_faults as graph
from pytest_infer.testing.faults import FeedFault, MemoryFault, OutputFault, ShapeFault
from pytest_infer.testing.graph_faults import GraphFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_infer import Arrays, BuiltEngine, Verdict
    from pytest_infer.judges.answer import Answer

DOCS = Path(__file__).parents[1] / "docs" / "results"
PAGES = {"faults": "parity.md", "clean": "parity.md", "task faults": "tasks.md"}
OR = " or "
MOVED_OR_MISSING = f"moved-box{OR}missing-detection"
"""On an Intel CPU the box was moved; on an AMD one, whose convolutions round otherwise, it overlaps
another one and goes."""

ARTICLE_MAE = 0.0059
COSINE = 0.99
ROWS = {"detr_resnet50": 2}
BATCH = 8
CLEAN_BATCHES = (1, 4)
CLEAN = (
    ("ort", "fp32"),
    ("ort", "int8"),
    ("openvino", "fp32"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
    ("torchscript", "fp32"),
    ("torchscript", "bf16"),
    ("torchscript", "fp16"),
    ("compile", "fp32"),
    ("tvm", "fp32"),
)
TOO_COARSE = {("detr_resnet50", "int8")}
"""Where eager itself, rounded to 8 bits, has other detections: they are counted apart."""


@dataclass(frozen=True)
class Plant:
    """A fault, where it is planted, and the code that must report it."""

    name: str
    model: str
    code: str
    output: OutputFault | None = None
    graph: GraphFault | None = None
    memory: MemoryFault | None = None
    feeds: FeedFault | None = None
    batch: int = 0
    """0: the model's of `ROWS`, or else `BATCH`."""
    engine: str = "ort"
    precision: Precision = "fp32"

    @property
    def case(self) -> Case:
        """Return the case of the engine that has the fault."""
        batch = self.batch or ROWS.get(self.model, BATCH)
        return Case(self.model, self.fake, self.precision, batch, "cpu")

    @property
    def fake(self) -> str:
        """Return the name of that engine."""
        return re.sub(r"[^A-Za-z0-9]+", "-", f"{self.engine} with {self.name}")

    @property
    def place(self) -> str:
        """Return where the fault is."""
        return "graph" if self.graph else "output" if self.output and not self.batch else "calls"


@dataclass(frozen=True)
class Found:
    """What the judges and the two fixed checks said of one fault."""

    plant: Plant
    codes: tuple[str, ...]
    passes_mae: bool
    passes_cosine: bool

    @property
    def is_caught(self) -> bool:
        """Return whether an expected code is among the failures."""
        return not set(self.plant.code.split(OR)).isdisjoint(self.codes)


def swap_classes(outputs: dict[str, Any]) -> dict[str, Any]:
    """Exchange the classes of the two best boxes of the first image."""
    logits = outputs["logits"].copy()
    best = np.sort(logits[0, :, :-1], axis=1)[:, -1] - logits[0, :, -1]
    classes = logits[0, :, :-1].argmax(1)
    first = int(best.argmax())
    second = int(np.where(classes == classes[first], -np.inf, best).argmax())
    logits[0, [first, second]] = logits[0, [second, first]]
    return outputs | {"logits": logits}


def drop_best(outputs: dict[str, Any]) -> dict[str, Any]:
    """Make the best query of the first image say that it sees nothing."""
    logits = outputs["logits"].copy()
    best = int((logits[0, :, :-1].max(1) - logits[0, :, -1]).argmax())
    logits[0, best, -1] += 20
    return outputs | {"logits": logits}


def repeat_best(outputs: dict[str, Any]) -> dict[str, Any]:
    """Let the worst query of the first image repeat the best one: a box without suppression."""
    logits, boxes = outputs["logits"].copy(), outputs["pred_boxes"].copy()
    sureness = logits[0, :, :-1].max(1) - logits[0, :, -1]
    best, worst = int(sureness.argmax()), int(sureness.argmin())
    logits[0, worst], boxes[0, worst] = logits[0, best], boxes[0, best]
    return outputs | {"logits": logits, "pred_boxes": boxes}


def best_swapped(logits: Any) -> Any:
    """Exchange the two largest logits of the first row."""
    swapped = logits.copy()
    swapped[0] = faults.best_swapped(logits[0])
    return swapped


def interleaved(weights: Any) -> Any:
    """Return rows of attention heads in the order (8 per head, head) instead of (head, 8)."""
    return weights.reshape(8, 32, -1).swapaxes(0, 1).reshape(weights.shape)


def in_channel(channel: int, factor: float) -> Any:
    """Return a change of one output channel's weights."""

    def change(weights: Any) -> Any:
        changed = weights.copy()
        changed[channel] *= factor
        return changed

    return change


def on(model: str, **plants: tuple[str, OutputFault | GraphFault]) -> Iterator[Plant]:
    """Return plants of one model; underscores of names are spaces."""
    for name, (code, fault) in plants.items():
        where = "graph" if fault.__module__ == graph.__name__ else "output"
        yield Plant(name.replace("_", " "), model, code, **{where: fault})  # type: ignore[arg-type]


def of_calls(batch: int, **plants: tuple[str, MemoryFault]) -> Iterator[Plant]:
    """Return plants of MobileNetV2 at a batch size; underscores of names are spaces."""
    for name, (code, fault) in plants.items():
        yield Plant(name.replace("_", " "), "mobilenet_v2", code, memory=fault, batch=batch)


def by_runner(make: Callable[[], OutputFault]) -> MemoryFault:
    """Return an output fault that each runner has for itself."""

    def made() -> ShapeFault:
        fault = make()
        return lambda _, outputs: fault(outputs)

    return made


def row_2_swapped(logits: Any) -> Any:
    """Exchange the two largest logits of the third row."""
    swapped = logits.copy()
    swapped[2] = faults.best_swapped(logits[2])
    return swapped


def channels_last_ignored(feeds: Arrays) -> Arrays:
    """Read images whose channels come last in memory as if they came first."""
    return {
        name: feed.transpose(0, 2, 3, 1).reshape(feed.shape)
        if feed.transpose(0, 2, 3, 1).flags.c_contiguous
        else feed
        for name, feed in feeds.items()
    }


SCORES = range(4, 10)


def off(amount: float) -> Any:
    """Return a change that adds to the last of what it is given, and to nothing else."""
    return lambda values: (
        values
        + amount
        * (np.arange(values.size) == values.size - 1).reshape(values.shape).astype(values.dtype)
    )


def mixed_plants() -> Iterator[Plant]:
    """Return plants of models whose output has boxes in pixels beside scores, on either axis."""
    for model, axis in (("mixed_first", 1), ("mixed_last", 2)):
        for name, channels, change, engine, precision in (
            ("a score 0.12 off in bf16", SCORES, off(0.12), "openvino", "bf16"),
            ("a score 0.12 off in fp16", SCORES, off(0.12), "torchscript", "fp16"),
            (
                "scores scaled by 20 per cent in bf16",
                SCORES,
                np.float32(1.2).__mul__,
                "torchscript",
                "bf16",
            ),
            ("one class of scores 5 per cent off", [7], np.float32(1.05).__mul__, "ort", "fp32"),
            ("one box channel 5 per cent off", [2], np.float32(1.05).__mul__, "ort", "fp32"),
            ("scores stored as fp16", SCORES, partial(faults.rounded, kind="fp16"), "ort", "fp32"),
            (
                "one class of scores stored as bf16",
                [7],
                partial(faults.rounded, kind="bf16"),
                "ort",
                "fp32",
            ),
        ):
            fault = faults.change_channels(change, channels, axis=axis)
            yield Plant(name, model, "diverged", fault, engine=engine, precision=precision)  # type: ignore[arg-type]


def louder(token: int, factor: float) -> Any:
    """Return a change of one token's logits, which grow if they are above 0."""

    def change(logits: Any) -> Any:
        changed = logits.copy()
        changed[..., token] *= np.float32(factor)
        return changed

    return change


def task_plants() -> Iterator[Plant]:
    """Return plants that change what outputs mean, in a network of each task."""
    yield from on(
        "task_segmenter",
        two_classes_of_a_mask_swapped=("wrong-mask", faults.permute([1, 0, 2, 3, 4, 5])),
        mask_shifted_by_a_pixel=("wrong-mask", faults.roll(1)),
        mask_mirrored=("wrong-mask", faults.change(lambda logits: logits[..., ::-1].copy())),
        one_class_raised=("wrong-mask", faults.change_channels(off_by(0.05), [3])),
        corners_aligned=(
            "wrong-mask",
            graph.attribute("Resize", 0, "coordinate_transformation_mode", b"align_corners"),
        ),
    )
    yield from on(
        "task_embedder",
        two_rows_swapped=("wrong-direction", faults.swap_rows(0, 1)),
        last_row_stale=("wrong-direction", faults.copy_row(0, -1)),
        one_value_of_all_rows_off=("wrong-direction", faults.scale_channel(1.01, 3)),
        attention_over_the_wrong_axis=(
            "wrong-direction",
            graph.attribute("Softmax", 0, "axis", -2),
        ),
    )
    yield from on(
        "task_generator",
        one_token_s_logit_scaled=("wrong-token", faults.change(louder(7, 3.0))),
        positions_off_by_one=(
            "wrong-token",
            faults.change(lambda logits: np.roll(logits, 1, axis=1)),
        ),
        tokens_off_by_one=("wrong-token", faults.roll(1)),
        attention_without_its_softmax=("wrong-token", graph.skip("Softmax", 0)),
    )
    yield from on(
        "task_regressor",
        a_small_column_5_per_mille_off=("wrong-target", faults.scale_channel(1.005, 2)),
        a_large_column_1_per_mille_off=("wrong-target", faults.scale_channel(1.001, 0)),
        two_targets_swapped=("wrong-target", faults.roll(1)),
        one_target_of_one_row_off=("wrong-target", faults.add(1e-5, (2, 2))),
    )
    yield from on(
        "task_detector",
        boxes_read_as_corners=("missing-detection", faults.as_corners(axis=1)),
        boxes_of_one_axis_moved=(
            MOVED_OR_MISSING,
            faults.change_channels(off_by(3.0), [0]),
        ),
        scores_10_per_cent_off=(
            "missing-detection",
            faults.change_channels(np.float32(0.9).__mul__, list(SCORES)),
        ),
        classes_of_scores_off_by_one=(
            f"wrong-class{OR}missing-detection",
            faults.change_channels(lambda scores: np.roll(scores, 1, axis=1), list(SCORES)),
        ),
    )


def off_by(amount: float) -> Any:
    """Return a change that adds to all that it is given."""
    return lambda values: values + values.dtype.type(amount)


PLANTS: tuple[Plant, ...] = (
    *on(
        "resnet50",
        scaled_by_1_per_cent=("diverged", faults.scale(1.01)),
        scaled_by_1_per_mille=("diverged", faults.scale(1.001)),
        shifted_by_a_hundredth=("diverged", faults.shift(0.01)),
        one_channel_5_per_cent_off=("diverged", faults.scale_channel(1.05, 7)),
        one_element_off_by_a_thousandth=("diverged", faults.add(1e-3, (3, 500))),
        rows_swapped=("wrong-top-1", faults.swap_rows(0, 1)),
        rows_rolled=("wrong-top-1", faults.change(lambda values: np.roll(values, 1, axis=0))),
        best_classes_swapped=("wrong-top-1", faults.change(best_swapped)),
        classes_off_by_one=("wrong-top-1", faults.roll(1)),
        softmax_instead_of_logits=("diverged", faults.softmax()),
        last_row_unwritten=("wrong-top-1", faults.fill(0.0, -1)),
        last_row_stale=("wrong-top-1", faults.copy_row(0, -1)),
        NaN_in_one_element=("not-finite", faults.fill_nan((2, 10))),
        infinity_in_one_element=("not-finite", faults.add(float("inf"), (2, 10))),
        stored_as_fp16=("diverged", faults.store_as("fp16")),
        stored_as_bf16=("diverged", faults.store_as("bf16")),
        saturated=("diverged", faults.clip(-3.0, 3.0)),
        transposed_output=("wrong-shape", faults.transpose()),
        constant_output=("wrong-top-1", faults.fill(1.0, ...)),
        fp16_in_one_layer=("diverged", graph.cast("Conv", 20, "FLOAT16")),
        bf16_accumulation=("diverged", graph.cast("Conv", 40, "BFLOAT16")),
        wrong_padding=("diverged", graph.attribute("Conv", 2, "pads", [2, 2, 0, 0])),
        pool_padded_on_one_side=(
            "diverged",
            graph.attribute("MaxPool", 0, "pads", [0, 0, 2, 2]),
        ),
        channels_of_the_input_reversed=(
            "diverged",
            graph.weight("Conv", 0, lambda weights: weights[:, ::-1]),
        ),
        one_filter_scaled=("diverged", graph.weight("Conv", 30, in_channel(3, 1.2))),
        bias_left_out=("diverged", graph.weight("Conv", 10, np.zeros_like, position=2)),
        residual_left_out=("diverged", graph.skip("Add", 7)),
        activation_left_out=("diverged", graph.skip("Relu", 20)),
        weights_transposed=(
            "diverged",
            graph.weight("Conv", 2, lambda weights: weights.swapaxes(2, 3)),
        ),
    ),
    *on(
        "mobilenet_v2",
        clipped_at_4_instead_of_6=(
            "diverged",
            graph.weight("Clip", 10, lambda high: np.full_like(high, 4), position=2),
        ),
        filters_shuffled=("diverged", graph.weight("Conv", 1, lambda weights: weights[::-1])),
        head_scaled_by_2_per_mille=("diverged", graph.attribute("Gemm", 0, "alpha", 1.002)),
    ),
    *on(
        "efficientnet_b0",
        mean_over_the_batch_too=(
            "diverged",
            graph.weight("ReduceMean", 0, lambda _: np.array([0, 2, 3])),
        ),
        sigmoid_approximated=("diverged", graph.replace_node("Sigmoid", 5, "HardSigmoid")),
        gate_twice=("diverged", graph.append("Sigmoid", 8, "Sigmoid")),
    ),
    *on(
        "detr_resnet50",
        # where one photograph has a single class, the other box is not surely an object
        classes_of_two_best_boxes_swapped=("missing-detection", swap_classes),
        boxes_permuted=("diverged", faults.permute(np.roll(np.arange(100), 1), "pred_boxes")),
        boxes_as_corners=("missing-detection", faults.as_corners("pred_boxes")),
        x_and_y_exchanged=(
            "diverged",
            faults.permute([1, 0, 3, 2], "pred_boxes", axis=2),
        ),
        boxes_moved_by_1_per_cent=("moved-box", faults.shift(0.01, "pred_boxes")),
        best_detection_dropped=("missing-detection", drop_best),
        detection_repeated=("extra-detection", repeat_best),
        logits_scaled_by_5_per_cent=("extra-detection", faults.scale(1.05)),
        epsilon_1e_3_instead_of_1e_5=(
            "diverged",
            graph.attribute("LayerNormalization", 3, "epsilon", 1e-3),
        ),
        activation_behind_a_norm=("diverged", graph.append("LayerNormalization", 2, "Relu")),
        softmax_twice=("diverged", graph.append("Softmax", 2, "Softmax", axis=-1)),
        softmax_over_the_queries=("diverged", graph.attribute("Softmax", 1, "axis", -2)),
        heads_interleaved=("diverged", graph.weight("MatMul", 5, interleaved)),
        sigmoid_left_out=("missing-detection", graph.skip("Sigmoid", 0)),
    ),
    *mixed_plants(),
    *task_plants(),
    *of_calls(
        1,
        NaN_at_every_8th_call=("not-repeatable", memory_faults.every(8, faults.fill_nan((0, 3)))),
        NaN_at_every_20th_call=("not-repeatable", memory_faults.every(20, faults.fill_nan((0, 3)))),
        drift_of_a_per_mille_per_call=(
            "not-repeatable",
            by_runner(lambda: memory_faults.drift(1e-3)),
        ),
        answer_of_the_call_before=("wrong-top-1", by_runner(memory_faults.stale)),
        stale_at_every_20th_call=("not-repeatable", memory_faults.stale_every(20)),
        photograph_3_swapped=("wrong-top-1", memory_faults.in_nth_row(3, faults.best_swapped)),
        photograph_8_swapped=("wrong-top-1", memory_faults.in_nth_row(8, faults.best_swapped)),
        float64_returned=("wrong-dtype", by_runner(lambda: faults.return_as("float64"))),
    ),
    *of_calls(
        4,
        row_2_swapped=("wrong-top-1", by_runner(lambda: faults.change(row_2_swapped))),
        stale_batch=("wrong-top-1", by_runner(memory_faults.stale)),
        NaN_at_every_20th_batch=(
            "not-repeatable",
            memory_faults.every(20, faults.fill_nan((3, 3))),
        ),
    ),
    Plant(
        "strides ignored", "mobilenet_v2", "not-finite", feeds=feed_faults.ignore_strides, batch=1
    ),
    Plant(
        "channels last read as contiguous",
        "mobilenet_v2",
        "diverged",
        feeds=channels_last_ignored,
        batch=1,
    ),
    Plant(
        "scaled by 5 per cent in bf16",
        "resnet50",
        "diverged",
        faults.scale(1.05),
        engine="openvino",
        precision="bf16",
    ),
    Plant(
        "scaled by 2 per cent in bf16",
        "resnet50",
        "diverged",
        faults.scale(1.02),
        engine="openvino",
        precision="bf16",
    ),
    Plant(
        "scaled by 1 per cent in fp16",
        "mobilenet_v2",
        "diverged",
        faults.scale(1.01),
        engine="torchscript",
        precision="fp16",
    ),
    Plant(
        "classes off by one in bf16",
        "efficientnet_b0",
        "wrong-top-1",
        faults.roll(1),
        engine="openvino",
        precision="bf16",
    ),
    Plant(
        "int8 scale off by 2",
        "resnet50",
        "diverged",
        graph=graph.weight("DequantizeLinear", 20, lambda scale: scale * 2),
        precision="int8",
    ),
    Plant(
        "int8 weights' scale off by 2",
        "mobilenet_v2",
        "diverged",
        graph=graph.weight("DequantizeLinear", 5, lambda scale: scale * 2),
        precision="int8",
    ),
    Plant(
        "int8 output scaled by 10 per cent",
        "resnet50",
        "diverged",
        faults.scale(1.1),
        precision="int8",
    ),
)


class Bench:
    """Runs engines of one session through the suite of parity."""

    def __init__(self, session: InferSession) -> None:
        self._session = session

    def judged(
        self, case: Case, built: BuiltEngine, *, whole: bool
    ) -> tuple[list[Verdict], Answer]:
        """Return what the suite says of an engine, and its first answer.

        Only the ``whole`` suite tries layouts and a burst. Raise `InferError` if it cannot run.
        """
        artefacts = self._session.artefacts
        parity = Parity(case, Reference(case, artefacts.eager), artefacts.models, None)
        task = models.find(case.model).spec.task
        with under_test(case, built, self._session.hosts) as engine:
            answers = Answers(engine, artefacts.models, artefacts.eager)
            try:
                found = [parity(answers)]
                if found[0].code not in MALFORMED:
                    found += [parity.task(answers)] if task != "tensor" else []
                if whole:
                    found += [parity(answers.strided()), parity.burst(answers)]
                return found, next(iter(answers))
            finally:
                answers.close()

    def faulty(self, plant: Plant) -> tuple[list[Verdict], Answer]:
        """Return what the suite says of an engine with a fault, and its first answer."""
        artefacts, case = self._session.artefacts, plant.case
        whole = plant.place == "calls"
        if plant.graph is None:
            inner = artefacts.engines.of(replace(case, engine=plant.engine))
            return self.judged(case, replace(inner, engine=plant.fake), whole=whole)
        with TemporaryDirectory() as cache:
            built = artefacts.engines.built_from(case, artefacts.graphs.of(case), cache)
            return self.judged(case, built, whole=whole)

    def built(self, case: Case) -> BuiltEngine:
        """Return the engine of a case."""
        return self._session.artefacts.engines.of(case)

    def reference(self, case: Case) -> Arrays:
        """Return eager's outputs in fp64."""
        return self._session.artefacts.eager.reference(case, "fp64")


MALFORMED = {"wrong-shape", "wrong-dtype", "missing-output", "extra-output"}


def passes(check: Any, bound: float, outputs: Arrays, reference: Arrays) -> bool:
    """Return whether a fixed check, in which NaN is no failure of shapes, lets outputs pass."""
    return all(
        outputs[name].shape == expected.shape
        and check.is_within(check(outputs[name], expected), bound)
        for name, expected in reference.items()
    )


def judge_plant(bench: Bench, plant: Plant) -> Found:
    """Run one fault."""
    verdicts, first = bench.faulty(plant)
    reference = bench.reference(plant.case)
    codes = dict.fromkeys(each.code for each in verdicts if each.status == "fail")
    with np.errstate(all="ignore"):
        return Found(
            plant,
            tuple(codes),
            passes(mae, ARTICLE_MAE, first.outputs, reference),
            passes(cosine, COSINE, first.outputs, reference),
        )


def clean_rows(bench: Bench, model: str) -> Iterator[tuple[str, ...]]:
    """Return a table row per engine and precision that can run: judged, failed, worst ratio."""
    for engine, precision in CLEAN:
        cases = [Case(model, engine, precision, batch, "cpu") for batch in CLEAN_BATCHES]
        try:
            verdicts = [
                each
                for case in cases
                for each in bench.judged(case, bench.built(case), whole=True)[0]
            ]
        except InferError as error:
            print(f"left out: {cases[0].id}: {error.what}: {error.why.splitlines()[0]}")
            continue
        failed = [each for each in verdicts if each.status != "pass"]
        for each in failed:
            print(cases[0].id, each.message)
        worst = max(each.figures.get("worst_ratio", 0.0) for each in verdicts)
        known = f"{len(failed)}*" if (model, precision) in TOO_COARSE else str(len(failed))
        yield model, engine, precision, str(len(verdicts)), known, f"{worst:.2f}"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def fault_table(found: Sequence[Found]) -> str:
    """Return the ledger and its sums."""
    rows = [
        (
            each.plant.name,
            each.plant.place,
            (
                f"{each.plant.model} {each.plant.engine} {each.plant.precision} "
                f"b{each.plant.case.batch}"
            ),
            ", ".join(f"`{code}`" for code in each.codes) or "**missed**",
            "passes" if each.passes_mae else "fails",
            "passes" if each.passes_cosine else "fails",
        )
        for each in found
    ]
    caught = sum(each.is_caught for each in found)
    sums = (
        f"{caught} of {len(found)} faults are caught by the code expected. MAE up to "
        f"{ARTICLE_MAE} lets {sum(each.passes_mae for each in found)} of them pass, a cosine of at "
        f"least {COSINE} {sum(each.passes_cosine for each in found)}."
    )
    headings = ("fault", "in the", "case", "codes", f"MAE ≤ {ARTICLE_MAE}", f"cosine ≥ {COSINE}")
    return f"{sums}\n\n{table(headings, rows)}"


def write(marker: str, text: str) -> None:
    """Replace what stands between two marker comments in the page."""
    path = DOCS / PAGES[marker]
    page = path.read_text()
    start, end = f"<!-- {marker} -->", f"<!-- end of {marker} -->"
    pattern = re.escape(start) + ".*?" + re.escape(end)
    path.write_text(re.sub(pattern, lambda _: f"{start}\n{text}\n{end}", page, flags=re.DOTALL))


def _names(*, of_tasks: bool) -> list[str]:
    """Return the models of the ledger, or those small ones of all tasks."""
    return [name for name in models.registered() if name.startswith("task_") == of_tasks]


def main() -> None:
    """Run the ledger and the clean engines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="only this model")
    parser.add_argument("--tasks", action="store_true", help="the networks of all tasks, no other")
    parser.add_argument("--cache", type=Path, help="as --infer-cache")
    parser.add_argument("--only", choices=("faults", "clean"), help="one half of it")
    parser.add_argument("--update", action="store_true", help="write the tables into the page")
    options = parser.parse_args()
    names = [options.model] if options.model else _names(of_tasks=options.tasks)
    prefix = "task " if options.tasks else ""
    for plant in PLANTS:
        register(
            FakeEngine(
                plant.fake,
                inner=plant.engine,
                outputs=plant.output,
                graph=plant.graph,
                memory=plant.memory,
                feeds=plant.feeds,
            )
        )
    # a fake is known in this process only
    hosts = {plant.fake: INLINE for plant in PLANTS}
    session = InferSession(InferConfig(device="cpu", cache=options.cache, hosts=hosts))
    bench = Bench(session)
    try:
        if options.only != "clean":
            found = []
            for plant in PLANTS:
                if plant.model in names:
                    found.append(judge_plant(bench, plant))
                    print(found[-1].is_caught, plant.model, plant.name, found[-1].codes, flush=True)
            text = fault_table(found)
            print(text)
            if options.update:
                write(f"{prefix}faults", text)
        if options.only != "faults":
            rows = [row for name in names for row in clean_rows(bench, name)]
            headings = ("model", "engine", "precision", "judged", "failed", "worst ratio")
            text = table(headings, rows)
            print(text)
            if options.update and not options.tasks:
                write("clean", text)
    finally:
        session.close()


if __name__ == "__main__":
    main()
