"""Damaged and hostile files of other tools: one line, exit 4, in little time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matscore.models.bounds import ModelFile, Refusal
from matscore.models.options import ImportOptions
from matscore.models.sources import read_model
from matscore.models.types import ImportedModel
from tests.models.answers import DATA, load
from tests.models.hostile import iter_hostile

HOSTILE = dict(iter_hostile())
WHOLE = [
    "onnx/one_hot.onnx", "onnx/double.onnx", "onnx/ordinal.onnx", "onnx/one_vs_rest.onnx",
    "texts/liblinear3_0.txt", "texts/libsvm_svr.txt", "texts/vw_oaa.txt", "texts/xgb_softprob.json",
    "texts/xgb_softprob.ubj", "h2o/multinomial.zip",
]  # fmt: skip
LINKS: dict[str, Any] = {"texts/vw_oaa.txt": "one-vs-rest"}


def read(name: str, data: bytes, link: Any = None) -> ImportedModel:
    return read_model(ModelFile(name, data), ImportOptions(link=link))


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_that_is_cut_off_is_refused(name: str) -> None:
    """Or what is lost says nothing of the model: the weights are the same."""
    link = LINKS.get(name)
    whole, data = load(DATA / name, link=link).folded, (DATA / name).read_bytes()
    for end in range(len(data)):
        if name.startswith("texts/vw") and data[:end].endswith(b"\n") and b"\n:1\n" in data[:end]:
            continue  # its text does not say how many lines it has
        try:
            found = read(name, data[:end], link).folded
        except Refusal:
            continue
        assert found.terms == whole.terms, end
        assert np.array_equal(found.weights, whole.weights), end


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_no_time(name: str) -> None:
    start = time.process_time()
    with pytest.raises(Refusal) as error:
        read(name, HOSTILE[name], "identity")
    assert "\n" not in str(error.value)
    assert time.process_time() - start < 10


# The program ends by `os._exit`, at which nothing else runs.
COMMAND = """
import os, sys
from pathlib import Path
peak, leave = Path(sys.argv[-1] + ".peak"), os._exit
def leave_with_peak(code):
    peak.write_text(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    leave(code)
os._exit = leave_with_peak
from matscore.__main__ import main
main()
"""


# What takes most time and memory of all that is tried above.
@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
@pytest.mark.parametrize(
    "name", ["many_fields.onnx", "many_scores.onnx", "products.onnx", "bomb.zip"]
)
def test_the_command_ends_with_exit_4_and_one_line(name: str, tmp_path: Path) -> None:
    path, output = tmp_path / name, tmp_path / "weights.csv"
    path.write_bytes(HOSTILE[name])
    before = os.times()
    command = [sys.executable, "-c", COMMAND, "import", str(path), "-o", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after = os.times()
    assert done.returncode == 4, done.stderr
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1
    assert not output.exists()
    assert after.children_user - before.children_user < 10
    assert int(Path(f"{output}.peak").read_text()) < 200 * 1024  # KiB
