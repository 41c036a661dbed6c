"""The job scripts of docs/how-to/cluster.md: read as Slurm, bash and Kubernetes read them, and run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from dse.cli import app
from dse.ledger.address import VARIABLE

PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "cluster.md").read_text(encoding="utf-8")
NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}  # RFC 1123
WORDS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
COUNT = {"type": "integer", "minimum": 0}
# batch/v1 Job as far as the page uses it: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/


def record(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """The schema of an object with these keys and no others."""
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": list(required),
        "additionalProperties": False,
    }


SECRET = record({"secretKeyRef": record({"name": NAME, "key": {"type": "string"}})})
VALUE = record({"name": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}, "valueFrom": SECRET})
CONTAINER = record(
    {"name": NAME, "image": {"type": "string"}, "command": WORDS}, {"env": {"type": "array", "items": VALUE}}
)
POD = record(
    {
        "restartPolicy": {"enum": ["OnFailure", "Never"]},  # a job allows no other
        "containers": {"type": "array", "items": CONTAINER, "minItems": 1},
    }
)
SPECIFICATION = record(
    {"template": record({"spec": POD})}, {"completions": COUNT, "parallelism": COUNT, "backoffLimit": COUNT}
)
JOB = record(
    {"apiVersion": {"const": "batch/v1"}, "kind": {"const": "Job"}, "metadata": record({"name": NAME})}
    | {"spec": SPECIFICATION}
)
# of https://slurm.schedmd.com/sbatch.html
SBATCH = {
    "array": r"\d+(-\d+(:\d+)?)?(,\d+(-\d+(:\d+)?)?)*(%\d+)?",
    "cpus-per-task": r"[1-9]\d*",
    "time": r"\d+(:\d\d){0,2}|\d+-\d+(:\d\d){0,2}",
}


def fence(title: str, kind: str) -> str:
    """The text of the fence below a title."""
    found = re.search(rf"\*\*{title}\.\*\*\n\n```{kind}\n(.*?)```", PAGE, re.S)
    assert found, title
    return found[1]


def job() -> dict[str, Any]:
    """The Kubernetes job, as any reader of YAML 1.2 has it."""
    return YAML(typ="safe").load(fence("Kubernetes", "yaml"))


def parsed(words: list[str]) -> dict[str, Any]:
    """The arguments that the command line reads from the words of a command, without carrying it out."""
    group: Any = typer.main.get_command(app)
    outer = group.make_context(words[0], words[1:])
    name, command, rest = group.resolve_command(outer, [*outer._protected_args, *outer.args])
    return {"command": name, **command.make_context(name, list(rest), parent=outer).params}


def traced(script: str, folder: Path, **environment: str) -> list[str]:
    """What the tool gets from a script: its words, then OMP_NUM_THREADS; the script is run, the tool is not."""
    tool = folder / "bin" / "svit-dse"
    tool.parent.mkdir()
    tool.write_text('#!/bin/bash\nprintf "%s\\n" svit-dse "$@" "$OMP_NUM_THREADS"\n')
    tool.chmod(0o755)
    outside = {"PATH": f"{tool.parent}:{os.environ['PATH']}", **environment}
    said = subprocess.run(["bash", "-eu", "-c", script], env=outside, capture_output=True, text=True, check=True)
    assert said.stderr == ""
    return said.stdout.splitlines()


def test_the_kubernetes_job_is_one(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    found = job()
    assert [error.message for error in Draft202012Validator(JOB).iter_errors(found)] == []
    specification = found["spec"]
    assert specification["parallelism"] <= specification["completions"]
    (container,) = specification["template"]["spec"]["containers"]
    assert [each["name"] for each in container["env"]] == [VARIABLE]
    assert parsed(container["command"])["config"] == Path("my.yaml")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda job: job.update(apiVersion="batch/v2"), "batch/v1"),
        (lambda job: job["spec"]["template"]["spec"].update(restartPolicy="Always"), "Always"),
        (lambda job: job["spec"].update(paralelism=3), "paralelism"),
        (lambda job: job["spec"]["template"]["spec"]["containers"][0].update(command="svit-dse worker"), "array"),
    ],
)
def test_a_job_that_kubernetes_would_refuse_is_found(change, why):
    found = job()
    change(found)
    assert why in " ".join(error.message for error in Draft202012Validator(JOB).iter_errors(found))


def test_the_slurm_array_is_one(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    script = fence("Slurm", "bash")
    lines = script.splitlines()
    assert lines[0] == "#!/bin/bash"
    head = [line for line in lines if line.startswith("#SBATCH")]
    assert lines[1 : 1 + len(head)] == head  # sbatch reads no option below the first command
    for line in head:
        name, _, value = line.removeprefix("#SBATCH --").partition("=")
        assert re.fullmatch(SBATCH[name], value), line
    *words, threads = traced(script, tmp_path, SLURM_CPUS_PER_TASK="2")
    assert threads == "2"
    assert parsed(words) | {"storage": None} == {
        **{"command": "worker", "config": Path("my.yaml"), "storage": None},
        **{"out": None, "allow_mixed": False, "as_json": False},
    }


def test_the_storage_of_a_worker_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv(VARIABLE, "postgresql://host/study")
    for words in (job()["spec"]["template"]["spec"]["containers"][0]["command"], ["svit-dse", "worker", "my.yaml"]):
        assert parsed(words)["storage"] == "postgresql://host/study"


@pytest.mark.campaign
def test_tasks_of_an_array_share_one_search_and_the_command_after_them_writes_its_run(tmp_path):
    (tmp_path / "my.yaml").write_text(re.search(r"<!-- file: my.yaml -->\n```yaml\n(.*?)```", PAGE, re.S)[1])
    tool = tmp_path / "bin" / "svit-dse"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/bash\nexec {shlex.quote(sys.executable)} -m dse.cli "$@"\n')
    tool.chmod(0o755)
    outside = os.environ | {
        "PATH": f"{tool.parent}:{os.environ['PATH']}",
        "SLURM_CPUS_PER_TASK": "1",
        VARIABLE: f"sqlite:///{tmp_path}/study.db?timeout=60",
    }
    command = ["bash", "-eu", "-c", fence("Slurm", "bash")]
    told = {"cwd": tmp_path, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    tasks = [subprocess.Popen(command, env=outside, **told) for _ in range(2)]
    said = [task.communicate(timeout=600) for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], said
    assert {out for out, _ in said} == {"budget of 8 evaluations used\n"}, said
    after = re.search(r"`(svit-dse search my.yaml --out runs/all)`", PAGE)[1]
    end = subprocess.run(
        ["bash", "-c", f"{after} --no-report"], env=outside, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "resuming a study with 8 finished evaluations" in end.stderr
    rounds = re.findall(r"round \d+: (\d+) candidates and (\d+) copies .*, (\d+) of them measured before", end.stderr)
    assert rounds
    assert all(int(candidates) + int(copies) == int(before) for candidates, copies, before in rounds)
    told = json.loads((tmp_path / "runs" / "all" / "manifest.json").read_text())
    assert told["arguments"] == [*after.split(), "--no-report"]
    assert len(told["workers"]) == 2
