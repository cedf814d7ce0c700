"""A folder in which engines that are really slower stand beside the baselines of their originals.

    python benchmarks/gate/plants.py FOLDER --device=h200
    VERDICTS=2 pytest FOLDER --engine=trt --infer-precision=fp16 \
        --infer-option=trt.cuda_graph=true --infer-option=trt.optimization_level=0 \
        --infer-model=resnet50 --infer-baselines=FOLDER/baselines --gpu-baseline=h200

Two kinds are planted: a build at TensorRT's level 0, and one convolution more (`slower`, as
``--infer-model=resnet50_slower1``). Each of them has to fail. The folder gets copies of the
originals' entries under the plants' names.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BASELINES = HERE.parents[1] / "baselines"

LEAST_EFFORT = "optimization_level=0"
CASE = re.compile(
    r"(?P<plain>(?P<model>\w+)-trt-(fp16-b1\+cuda_graph|fp32-b1))(\+optimization_level=\d)?$"
)
"""Of these entries there is a plant."""


def planted(entries: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the entries of the plants, by model and case id."""
    found: dict[str, dict[str, Any]] = {}
    for case_id, entry in entries.items():
        if match := CASE.match(case_id):
            model = match["model"]
            least = f"{match['plain']}+{LEAST_EFFORT}"
            found.setdefault(model, {}).setdefault(least, entry)
            slower = f"{model}_slower1"
            found.setdefault(slower, {})[case_id.replace(model, slower, 1)] = entry
    return found


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="h200")
    wanted = parser.parse_args()
    target = wanted.folder / "baselines" / wanted.device
    shutil.copytree(BASELINES / wanted.device, target)
    for file in sorted(target.glob("*.json")):
        content = json.loads(file.read_text())
        for model, entries in planted(content.get("entries", {})).items():
            planting = {**content, "model": model, "entries": entries}
            (target / f"{model}.json").write_text(json.dumps(planting))
    shutil.copy(HERE / "slower.py", wanted.folder / "conftest.py")
    shutil.copy(HERE / "verdicts.py", wanted.folder / "test_verdicts.py")


if __name__ == "__main__":
    main()
