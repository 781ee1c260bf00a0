"""A step of online preference optimization, beside the peers: pairs a second, memory, and the machine's own limit.

    python bench/step.py                    the tables
    python bench/step.py --json             the same as JSON
    python bench/step.py --only 3M --rounds 5 --threads 1

Every side trains the same model directory on the same prompts with answers of the same length (see
`speed/models.py`), in a process of its own, and takes one step when it is its turn: all of them once, again and
again, so that what else the machine does strikes all alike. Ratios are taken turn by turn. The sides are

    boldly              a round of XPO: sample, label, score, one gradient step on the round's pairs, the next iterate
    boldly, plain       the same without the compiled engine
    boldly, replay      four gradient steps for each label, on pairs of all rounds
    TRL XPO             XPOTrainer of TRL 1.13.0, the last release that has it, float32 and its cache switched on
    TRL XPO, shipped    as it is shipped: bf16, gradient checkpointing, and so no cache
    TRL online DPO      OnlineDPOTrainer of TRL 1.16.0, float32 and its cache switched on
    boldly, bfloat16    with `--sides` only, for processors that have it: bfloat16 with float32 masters
    TRL XPO, bfloat16   the same of TRL: bfloat16 by autocast, its cache switched on

TRL's releases are installed, once, into environments below the user's cache folder. Seconds are of processor time
with one thread (`--threads 1`, the default), of wall time with more. The limit is the time that the needed operations
(a formula, see `speed/models.py`) would take at the rate at which this machine multiplies matrices, measured between
the turns; for sampling also the time to read the weights once for each token at the bandwidth measured there. The
gradient step is also put beside its own matrix products, in their own shapes and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "speed"))

import torch
from models import SIZES, Work, attended, needed, parameters, products

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "boldly" / "bench"
WORKS = (
    Work("3M", 16, 32, 64),
    Work("3M", 8, 512, 256),
    Work("30M", 16, 32, 64),
    Work("30M", 8, 512, 256),
)
TRL = {"1.13.0": ("trl==1.13.0", "requests"), "1.16.0": ("trl==1.16.0",)}


@dataclass(frozen=True)
class Side:
    """One of those that are compared: its name, its script, its options, and the release of TRL it needs."""

    name: str
    script: str
    options: tuple[str, ...] = ()
    trl: str = ""


SIDES = (
    Side("boldly", "boldly_side.py"),
    Side("boldly, plain", "boldly_side.py", ("--engine", "plain")),
    Side("boldly, replay", "boldly_side.py", ("--replay", "4")),
    Side("TRL XPO", "trl_side.py", ("--algorithm", "xpo"), "1.13.0"),
    Side("TRL XPO, shipped", "trl_side.py", ("--algorithm", "xpo", "--shipped"), "1.13.0"),
    Side("TRL online DPO", "trl_side.py", ("--algorithm", "online_dpo"), "1.16.0"),
)
BFLOAT16 = (
    Side("boldly, bfloat16", "boldly_side.py", ("--bfloat16",)),
    Side("TRL XPO, bfloat16", "trl_side.py", ("--algorithm", "xpo", "--bfloat16"), "1.13.0"),
)


@dataclass
class Taken:
    """Processor and wall seconds of each step of a side, seconds of each phase, bytes before and at the peak."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    phases: dict[str, list[float]] = field(default_factory=dict)
    ready: int = 0
    peak: int = 0


class Process:
    """A side that waits for its turns."""

    def __init__(self, side: Side, work: Work, threads: int) -> None:
        options = [f"--{key}={value}" for key, value in asdict(work).items()]
        command = [_python(side.trl), str(HERE / "speed" / side.script), *side.options, *options]
        command += [f"--threads={threads}", f"--models={CACHE / 'models'}"]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
        self.errors = (CACHE / f"{side.name.replace(', ', '-').replace(' ', '-')}.log").open("w")
        self.running = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=environment
        )
        self.ready = self._hear("ready")["ready"]

    def step(self) -> dict[str, Any]:
        assert self.running.stdin is not None
        self.running.stdin.write("\n")
        self.running.stdin.flush()
        return self._hear("wall")

    def end(self) -> int:
        assert self.running.stdin is not None
        self.running.stdin.close()
        peak = self._hear("peak")["peak"]
        self.running.kill()
        self.running.wait()
        return peak

    def _hear(self, key: str) -> dict[str, Any]:
        assert self.running.stdout is not None
        for line in self.running.stdout:
            if line.startswith("{") and key in (said := json.loads(line)):
                return said
        raise SystemExit(f"{self.running.args[1]} ended: see {self.errors.name}")


def _python(trl: str) -> str:
    """The interpreter of a side; an environment with that release of TRL is made when it is first needed."""
    if not trl:
        return sys.executable
    folder = CACHE / f"trl-{trl}"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--constraint", str(HERE.parent / "constraints.txt")]
        subprocess.run([*pip, *TRL[trl]], check=True)
        (folder / "complete").touch()
    return str(folder / "bin" / "python")


def machine(threads: int) -> dict[str, float]:
    """The best rate of a matrix product in float32, and of reading memory, over a few tries."""
    torch.set_num_threads(threads)
    x, w = torch.randn(1536, 512), torch.randn(2048, 512)
    large = torch.zeros(2**26)

    clock = _clock(threads)

    def best(function: Any, each: float) -> float:
        rates = []
        for _ in range(5):
            begin = clock()
            function()
            rates.append(each / (clock() - begin))
        return max(rates)

    product = lambda: [torch.nn.functional.linear(x, w) for _ in range(10)]  # noqa: E731
    return {"flops": best(product, 20.0 * 1536 * 512 * 2048), "bytes": best(lambda: large.sum(), large.nbytes)}


def _clock(threads: int) -> Callable[[], float]:
    return time.process_time if threads == 1 else time.perf_counter


def own_shapes(work: Work, threads: int, micro_batch: int = 1024) -> float:
    """Seconds of a training step's matrix products and nothing else, at their best over a few tries.

    Three for each linear layer, in micro-batches as boldly's on a CPU: forward, to the inputs and to the weights. Six
    for attention, each of three shapes twice: scores, what they gather, and the gradients of both factors of either.
    """
    torch.set_num_threads(threads)
    clock, shape = _clock(threads), SIZES[work.size]

    def best(multiply: Callable[[], object]) -> float:
        tries = []
        for _ in range(4):
            begin = clock()
            multiply()
            tries.append(clock() - begin)
        return min(tries)

    seconds, linear, attention = 0.0, products(work), attended(work)
    for inputs, outputs, tokens in set(linear):
        x, w, g = (torch.randn(*size) for size in ((micro_batch, inputs), (outputs, inputs), (micro_batch, outputs)))
        took = best(lambda x=x, w=w, g=g: (torch.nn.functional.linear(x, w), g @ w, g.T @ x))
        seconds += linear.count((inputs, outputs, tokens)) * tokens / micro_batch * took
    heads, width = work.batch * shape["num_attention_heads"], shape["hidden_size"] // shape["num_attention_heads"]
    for queries, keys in set(attention):
        q, k, s = (torch.randn(heads, *size) for size in ((queries, width), (keys, width), (queries, keys)))
        took = best(lambda q=q, k=k, s=s: (q @ k.mT, s @ k, s.mT @ q))
        seconds += 2 * shape["num_hidden_layers"] * attention.count((queries, keys)) * took
    return seconds


def measure(
    work: Work, sides: tuple[Side, ...], rounds: int, threads: int
) -> tuple[dict[str, Taken], list[dict[str, float]]]:
    """`rounds` turns of all sides, after one that is not counted."""
    CACHE.mkdir(parents=True, exist_ok=True)
    processes = {side.name: Process(side, work, threads) for side in sides}
    taken = {name: Taken(ready=process.ready) for name, process in processes.items()}
    limits = []
    for turn in range(rounds + 1):
        limits.append(machine(threads) | {"training": own_shapes(work, threads)})
        for name, process in processes.items():
            said = process.step()
            if turn:
                taken[name].cpu.append(said["cpu"])
                taken[name].wall.append(said["wall"])
                for phase, seconds in said["phases"].items():
                    taken[name].phases.setdefault(phase, []).append(seconds)
    for name, process in processes.items():
        taken[name].peak = process.end()
    return taken, limits


def report(work: Work, taken: dict[str, Taken], limits: list[dict[str, float]], threads: int) -> list[str]:
    """The table of one kind of work."""
    rate = statistics.median(limit["flops"] for limit in limits)
    bandwidth = statistics.median(limit["bytes"] for limit in limits)
    work_of = needed(work)
    layers, head = parameters(work)
    sampling = max(work_of["sampling"] / rate, 2 * work.answer * 4 * (layers + head) / bandwidth)
    whole = sampling + (work_of["scoring"] + work_of["training"]) / rate
    seconds = {name: one.cpu if threads == 1 else one.wall for name, one in taken.items()}
    peers = [name for name in taken if name.startswith("TRL")]
    lines = [
        f"### {work.name}",
        "",
        f"{rate / 1e9:.0f} GFLOP/s and {bandwidth / 1e9:.1f} GB/s measured between the turns; a step needs "
        f"{sum(work_of.values()) / 1e9:.0f} GFLOP, at the limit {whole:.2f} s.",
        "",
        "| side | s a step | pairs/s | tokens/s | of the limit | "
        + " | ".join(f"times {name}" for name in peers)
        + " | peak MB | above start |",
        "|---" * (7 + len(peers)) + "|",
    ]
    for name, own in seconds.items():
        median = statistics.median(own)
        ratios = []
        for peer in peers:
            each = [other / mine for mine, other in zip(own, seconds[peer], strict=True)]
            ratios.append(f"{statistics.median(each):.2f} [{min(each):.2f}, {max(each):.2f}]")
        lines.append(
            f"| {name} | {median:.2f} | {work.batch / median:.1f} | {2 * work.batch * work.answer / median:.0f} | "
            f"{whole / median:.0%} | {' | '.join(ratios)} | {taken[name].peak / 2**20:.0f} | "
            f"{(taken[name].peak - taken[name].ready) / 2**20:.0f} |"
        )
    for name, one in taken.items():
        if name.startswith("boldly") and "sampling" in one.phases:
            own = statistics.median(one.phases["sampling"])
            rest = statistics.median(seconds[name]) - own
            lines.append("")
            lines.append(
                f"{name}: sampling {own:.2f} s, {sampling / own:.0%} of its limit; everything else {rest:.2f} s, "
                f"{(whole - sampling) / rest:.0%} of that of scoring and training."
            )
        if name.startswith("boldly") and "training" in one.phases and "replay" not in name:
            own = statistics.median(one.phases["training"])
            shapes = statistics.median(limit["training"] for limit in limits)
            lines[-1] += f" The gradient step {own:.2f} s, {shapes / own:.0%} of its products alone ({shapes:.2f} s)."
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default="", help="the works whose name contains this")
    parser.add_argument("--sides", default="", help="names, separated by semicolons")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    chosen = tuple(side for side in (*SIDES, *BFLOAT16) if side.name in args.sides.split(";")) or SIDES
    results: list[dict[str, Any]] = []
    for work in WORKS:
        if args.only not in work.name:
            continue
        taken, limits = measure(work, chosen, args.rounds, args.threads)
        results.append({"work": asdict(work), "taken": {n: asdict(t) for n, t in taken.items()}, "limits": limits})
        if not args.json:
            print("\n".join(report(work, taken, limits, args.threads)), end="\n\n", flush=True)
    if args.json:
        print(
            json.dumps(
                {"machine": platform.processor() or platform.machine(), "threads": args.threads, "works": results}
            )
        )


if __name__ == "__main__":
    main()
