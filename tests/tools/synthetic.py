"""Results that no run has made, true to the schema: of any size, with every kind of verdict."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import asdict
from math import exp, log
from random import Random

from pytest_infer.case import Case
from pytest_infer.graphs.drawing import drawing_of
from pytest_infer.graphs.graph_nodes import GraphNode
from pytest_infer.graphs.ran_layer import RanLayer
from pytest_infer.reports.counts import Coverage
from pytest_infer.reports.history import Moment, device_text
from pytest_infer.reports.record import Record, record_from_verdict
from pytest_infer.reports.result import Result
from pytest_infer.reports.run_info import RunInfo
from pytest_infer.timing.samples import Samples
from pytest_infer.verdict import Verdict, failed

ENGINES = ("eager", "torchscript", "compile", "ort", "openvino", "trt", "torch-trt", "tvm")
FAMILIES = ("resnet50", "mobilenet_v2", "efficientnet_b0", "detr_resnet50", "vit_b16", "bert_base")
PRECISIONS = ("fp32", "fp16", "int8")
BATCHES = (1, 8, 32)
SPEED = {"eager": 1.0, "torchscript": 0.9, "compile": 0.55, "ort": 0.4, "openvino": 0.35}
FLOOR = {"fp32": 6e-7, "fp16": 8e-4, "int8": 3e-2}

LAYERED = ("ort", "openvino", "trt")
"""Engines that show their layers."""

JPEG = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQ"
    "c1tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSk"
    "pKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKT/wAARCAAMABADASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAA"
    "AwL/xAAXEAEBAQEAAAAAAAAAAAAAAAACAAED/8QAFAEBAAAAAAAAAAAAAAAAAAAAAv/EABcRAAMBAAAAAAAAAAAA"
    "AAAAAAABAwL/2gAMAwEAAhEDEQA/AJPKU8picmJyNtsEKM//2Q=="
)
"""16 x 12 pixels."""

DEVICE = {"kind": "cpu", "name": "Example CPU", "cores": 8, "instructions": "0123456789ab"}
RUNTIME = {"python": "3.12.3", "torch": "2.14.1", "onnxruntime": "1.32.0"}

RUN = RunInfo(
    started="2026-11-29T20:15:00+00:00",
    duration_s=512.4,
    command="pytest suites --engine=all --infer-batch=1,8,32 --infer-report=html:page.html",
    commit="0123456789abcdef0123456789abcdef01234567",
    dirty=False,
    plugin="0.1.0",
    platform="Linux-6.1-x86_64",
    machine="example-1f2e3d4c",
    versions={"python": "3.12.3", "pytest": "9.2.0"},
    options={"engines": ["all"], "batches": [1, 8, 32], "precisions": ["fp32", "fp16", "int8"]},
    seeds={"PYTHONHASHSEED": "random"},
)


def synthetic_result(cases: int, seed: int = 0) -> Result:
    """Return a result of so many cases; about one in 25 fails in one way or another."""
    random = Random(seed)  # noqa: S311 - figures of a test
    made = _cases(cases)
    records = [record for case in made for record in _records(case, random)]
    coverage = Coverage(expected=4 * cases, ran=4 * cases, built=cases)
    return Result(records=records, coverage=coverage, run=RUN)


def _cases(count: int) -> list[Case]:
    found: list[Case] = []
    number = 0
    while len(found) < count:
        suffix = "" if number == 0 else f"_{number}"
        found += [
            Case(f"{family}{suffix}", engine, precision, batch, "cpu")
            for family in FAMILIES
            for engine in ENGINES
            for precision in PRECISIONS
            for batch in BATCHES
        ]
        number += 1
    return found[:count]


def _records(case: Case, random: Random) -> list[Record]:
    verdicts = [_parity(case, random), _truth(case), _latency(case, random), _gate(case, random)]
    tests = ["test_parity.py::test_outputs", "test_truth.py::test_what_ran", *_TIMED]
    if (task := _task(case)) is not None:
        verdicts.append(task)
        tests.append("test_parity.py::test_task")
    return [
        record_from_verdict(
            verdict,
            case,
            f"suites/{test}[{case.id}]",
            device=DEVICE,
            runtime=RUNTIME,
            file=f"suites/{test.partition('::')[0]}",
            line=15,
        )
        for verdict, test in zip(verdicts, tests, strict=True)
    ]


_TIMED = ("test_latency.py::test_latency", "test_latency.py::test_latency")


def _parity(case: Case, random: Random) -> Verdict:
    floor = FLOOR[case.precision] * exp(random.gauss(0, 0.3))
    wrong = 40.0 if random.random() < 0.015 else 1.0
    outputs = ("logits",) if "detr" not in case.model else ("logits", "pred_boxes")
    checks = [
        {
            "output": output,
            "part": part,
            "metric": metric,
            "better": "lower",
            "origin": "the derived tolerance",
            "value": wrong * floor * size * exp(random.gauss(0, 0.2)),
            "bound": 6 * floor * size,
            "noise": floor * size,
            "ratio": 0.0,
        }
        for output in outputs
        for part in ("", "0-2 of axis 1 (scale 3.1)")
        for metric, size in (("relative_l2", 1.0), ("normalized", 0.6), ("gain", 0.1))
        if not (part and metric == "gain")
    ]
    for check in checks:
        check["ratio"] = check["value"] / check["bound"]
    checks.sort(key=lambda each: -each["ratio"])
    figures = {
        "relative_l2": max(c["value"] for c in checks if c["metric"] == "relative_l2"),
        "worst_ratio": checks[0]["ratio"],
    }
    details = {"checks": checks}
    if case.precision == "int8" and case.engine in {"ort", "openvino"} and case.batch == 1:
        details |= _int8_loss(case)
    worst = checks[0]
    if worst["ratio"] <= 1:
        message = f"{case.id} matches eager fp64: worst is {worst['output']} {worst['metric']}"
        return Verdict("parity", "pass", "match", message, figures, details)
    verdict = failed(
        "parity",
        "diverged",
        what=f"{case.id}: {worst['output']!r} diverged from eager fp64",
        why=f"{worst['output']} {worst['metric']} {worst['value']:.6g} > {worst['bound']:.6g} "
        f"({worst['ratio']:.3g} x): {worst['origin']}\nworst element: [0, 17]: 3.25 instead of 1.5",
        mend="find what loses precision, or accept it: @pytest.mark.tolerance(relative_l2=0.1)",
        figures=figures,
    )
    return Verdict(verdict.judge, verdict.status, verdict.code, verdict.message, figures, details)


def _task(case: Case) -> Verdict | None:
    """Return what a model of photographs makes of them; one in 60 cases is wrong."""
    random = Random(f"{case.id} 6")  # noqa: S311 - figures of a test
    if "bert" in case.model:
        return None
    is_wrong = random.random() < 1 / 60
    show = _boxes if "detr" in case.model else _classes
    photographs = [
        {
            "name": f"photograph {number + 1} ({name})",
            "is_wrong": is_wrong and number == 0,
            "jpeg": _picture(f"{case.model} {number}"),
            "width": 1066,
            "height": 800,
            **show(random, is_wrong=is_wrong and number == 0),
        }
        for number, name in enumerate(("astronaut", "chelsea", "coffee"))
    ]
    details = {"photographs": photographs}
    if not is_wrong:
        return Verdict("parity", "pass", "match", f"{case.id} sees what eager does", {}, details)
    code = "moved-box" if "detr" in case.model else "wrong-top-1"
    verdict = failed(
        "parity",
        code,
        what=f"{case.id}: 1 difference from what eager fp64 sees",
        why="photograph 1 (astronaut) is another one",
        mend="find what loses precision, or accept it",
    )
    return Verdict("parity", "fail", code, verdict.message, {}, details)


def _picture(name: str) -> str:
    """Return a JPEG that is as long as a photograph's; what comes after its end is not shown."""
    filling = Random(name).randbytes(4_500)  # noqa: S311 - figures of a test
    return b64encode(b64decode(JPEG) + filling).decode()


def _classes(random: Random, *, is_wrong: bool) -> dict:
    drawn = sorted((random.random() ** 3 for _ in range(5)), reverse=True)
    shares = [each / sum(drawn) for each in drawn]
    classes = [
        {
            "name": name,
            "reference": round(share * 0.9, 4),
            "engine": round(share * random.uniform(0.85, 0.95), 4),
        }
        for name, share in zip(
            ("tabby", "lynx", "teapot", "cup", "space suit"), shares, strict=True
        )
    ]
    if is_wrong:
        first, second = classes[:2]
        first["engine"], second["engine"] = second["engine"], first["engine"]
    return {"classes": classes}


def _boxes(random: Random, *, is_wrong: bool) -> dict:
    boxes = []
    for name, (x, y, size) in {"person": (120, 90, 500), "cup": (600, 380, 260)}.items():
        for side in ("reference", "engine"):
            moved = 70 * (is_wrong and side == "engine") + random.uniform(-2, 2)
            box = [round(each + moved, 1) for each in (x, y, x + size, y + size * 0.9)]
            score = round(random.uniform(0.8, 0.99), 4)
            boxes.append(
                {"side": side, "name": name, "score": score, "box": box, "differs": is_wrong}
            )
    return {"boxes": boxes}


def _int8_loss(case: Case) -> dict:
    """Return the details of losses: of one graph for each model, with two engines."""
    random = Random(case.model)  # noqa: S311 - figures of a test
    losses = sorted((0.04 * random.random() ** 4 + 0.002 for _ in range(12)), reverse=True)
    together = sum(each**2 for each in losses) ** 0.5
    layers = [
        {"node": f"node_Conv_{810 + number}", "operator": "Conv", "tensor": "t", "loss": loss}
        for number, loss in enumerate(losses)
    ]
    without = [sum(each**2 for each in losses[number:]) ** 0.5 for number in (1, 2)]
    return {
        "int8_loss": {
            "model": case.model,
            "together": together,
            "layers": layers,
            "count": 54,
            "without": without,
            "leave_out": [layers[0]["node"]],
            "before": 1.1 * together,
            "after": 1.1 * without[0],
        }
    }


def _truth(case: Case) -> Verdict:
    evidence = {
        "precision": case.precision,
        "device": case.device,
        "precision_share": 0.98,
        "device_share": 1.0,
        "proven": {},
        "details": {"nodes": {"Conv": 53, "Gemm": 1}, "providers": "CPUExecutionProvider"},
    }
    message = f"{case.id} computes in {case.precision}: 98% of it"
    details = {"evidence": evidence}
    if case.engine in LAYERED:
        details["drawing"] = _drawing(case)
    return Verdict("truth", "pass", "as-asked", message, {}, details)


def _drawing(case: Case) -> dict:
    """Return the picture of a network of residual blocks, of which an engine fuses some nodes."""
    depth = 4 + len(case.model) % 7
    nodes: list[GraphNode] = []

    def add(operator: str, path: tuple[str, ...], *parents: int) -> int:
        name = f"node_{operator}_{len(nodes)}"
        nodes.append(GraphNode(name, operator, path, (f"{name}_out",), parents))
        return len(nodes) - 1

    last = add("MaxPool", ("stem",), add("Relu", ("stem",), add("Conv", ("stem",))))
    for number in range(depth):
        path = (f"layer{1 + number // 3}", str(number % 3))
        first = add("Relu", path, add("Conv", path, last))
        second = add("Conv", path, first)
        beside = last if number % 3 else add("Conv", path, last)
        last = add("Relu", path, add("Add", path, second, beside))
    add("Gemm", ("head",), add("ReduceMean", ("head",), last))
    layers = [
        RanLayer(
            node.name,
            node.operator,
            "GPU" if case.engine == "trt" and node.operator != "Gemm" else "CPU",
            case.precision if node.operator == "Conv" else "fp32",
            (node.name,),
        )
        for node in nodes
        if node.operator not in {"Relu", "Add"}
    ]
    return asdict(drawing_of(nodes, layers, "unknown"))


def _profile(case: Case, total_ms: float) -> dict:
    """Return what sixty layers take together."""
    random = Random(case.id)  # noqa: S311 - figures of a test
    parts = sorted((random.random() ** 3 for _ in range(60)), reverse=True)
    layers = [
        {
            "name": f"relu_{number}_nchwc",
            "operator": "Conv" if number % 7 else "Gemm",
            "place": "CPU",
            "precision": case.precision,
            "module": f"layer{1 + number // 15}.{number % 15}.conv1",
            "ms": total_ms * part / sum(parts),
        }
        for number, part in enumerate(parts)
    ]
    operators = [
        {
            "operator": name,
            "count": sum(each["operator"] == name for each in layers),
            "ms": sum(each["ms"] for each in layers if each["operator"] == name),
        }
        for name in ("Conv", "Gemm")
    ]
    return {
        "by": "ONNX Runtime's profile (enable_profiling)",
        "calls": 30,
        "warmup_calls": 3,
        "total_ms": total_ms,
        "count": 60,
        "layers": layers,
        "operators": operators,
    }


def _latency(case: Case, random: Random) -> Verdict:
    scale = {"fp32": 1.0, "fp16": 0.6, "int8": 0.4}[case.precision]
    base = 20.0 * SPEED.get(case.engine, 0.3) * scale * case.batch**0.85
    durations = [
        int(1e6 * base * exp(abs(random.gauss(0, 0.04)) + 0.4 * (random.random() < 0.02)))
        for _ in range(100)
    ]
    samples = Samples(tuple(durations), "monotonic", case.batch, 12)
    figures = {
        **samples.figures(),
        "speedup": max(1.0, 20.0 * case.batch**0.85 / samples.percentile_ms(50)),
        "engine_bytes": 14_200_000.0,
        "build_s": 2.4,
        "load_s": 0.21,
        "peak_host_bytes": 512_000_000.0,
    }
    message = f"{case.id} takes p50_ms {figures['p50_ms']:.4g}"
    details = {"samples": samples.series()}
    if case.engine in LAYERED:
        details["profile"] = _profile(case, figures["p50_ms"])
    return Verdict("latency", "pass", "measured", message, figures, details)


def _gate(case: Case, random: Random) -> Verdict:
    if random.random() < 0.03:
        message = f"{case.id} has no baseline: store one with pytest suites --update-baselines"
        return Verdict("baseline", "new", "no-baseline", message)
    theta = log(SPEED.get(case.engine, 0.3))
    change = 0.09 if random.random() < 0.02 else random.gauss(0, 0.004)
    compared = {
        "date": "2026-11-20",
        "device": "Example CPU",
        "versions": RUNTIME,
        "stored": [_measurement(theta + random.gauss(0, 0.006)) for _ in range(5)],
        "now": [
            {**_measurement(theta + log(1 + change) + random.gauss(0, 0.006)), "duet": None}
            for _ in range(3 if change > 0.02 else 1)
        ],
        "beside": "the reference net",
        "terms": "CPU",
    }
    figures = {"theta": theta, "change": change, "limit": 0.025, "spread": 0.01}
    details = {"compared": compared}
    if random.random() < 0.01:
        message = f"{case.id}: no verdict after 6 measurements, the device was not quiet"
        return Verdict("baseline", "inconclusive", "inconclusive-noisy", message, {}, details)
    if change <= figures["limit"]:
        message = f"{case.id} is unchanged: {change:+.2%} against the reference net"
        return Verdict("baseline", "pass", "unchanged", message, figures, details)
    verdict = failed(
        "baseline",
        "regressed",
        what=f"{case.id} regressed: {change:+.1%} against the reference net",
        why="+9.00% against the reference net in 3 of 3 measurements, 2.50% is allowed (CPU)\n"
        "since then: onnxruntime 1.31.0 -> 1.32.0",
        mend="find what became slow, or accept it: pytest suites --update-baselines",
    )
    return Verdict("baseline", "fail", "regressed", verdict.message, figures, details)


def _measurement(theta: float) -> dict:
    return {"theta": theta, "rho": 0.16, "engine_ms": 0.39, "rounds": 12}


def synthetic_history(result: Result, runs: int = 12) -> list[Moment]:
    """Return a history of a result's cases; each fifth has crept, by 1 % a run."""
    random = Random(1)  # noqa: S311 - figures of a test
    timed = [record for record in result.records if record.judge == "latency"]
    return [
        Moment(
            schema=1,
            started=f"2026-{run + 1:02}-01T00:00:00+00:00",
            commit=f"{run:040x}",
            dirty=False,
            device=device_text(DEVICE),
            case_id=record.case_id,
            status="fail" if run == 3 else "pass",
            code="match",
            figures={
                "p50_ms": record.figures["p50_ms"]
                * exp(random.gauss(0, 0.004))
                * (1.01**run if number % 5 == 0 else 1.0)
            },
            layers_ms={
                layer["name"]: layer["ms"] * (0.4 if place == number % 4 else 0.97)
                for place, layer in enumerate(record.details.get("profile", {}).get("layers", ()))
            },
        )
        for run in range(runs)
        for number, record in enumerate(timed)
    ]
