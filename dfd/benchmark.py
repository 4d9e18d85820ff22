"""`python -m dfd.benchmark`: how fast the pipeline is on this machine, next to the networks at the paper's size.

Times depend on the machine and on what else it does: compare only figures of one run.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import resource
import sys
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from dfd import __version__
from dfd.files import write_atomically
from dfd.manifold import Projection, distances, locally_linear_weights
from dfd.models import presets
from dfd.pipeline import DeepFaceDrawingPipeline
from dfd.precision import computes_in_bfloat16, use_fastest_precision
from dfd.sketch import read_sketch

BATCHES = (1, 4, 8)
BANKS = (1_000, 10_000, 100_000, 1_000_000)
NEIGHBORS = 10


def timed(call: Callable[[], Any], rounds: int, warm_up: int = 1) -> list[float]:
    """Seconds of each of `rounds` calls, after those that warm up."""
    seconds = []
    for number in range(warm_up + rounds):
        start = time.perf_counter()
        call()
        if number >= warm_up:
            seconds.append(time.perf_counter() - start)
    return seconds


def summary(seconds: list[float]) -> dict[str, float]:
    """Median and 95th percentile in milliseconds."""
    return {"median_ms": 1000 * float(np.median(seconds)), "p95_ms": 1000 * float(np.percentile(seconds, 95))}


@torch.no_grad()
def measure_steps(pipe: DeepFaceDrawingPipeline, drawing: Image.Image, rounds: int) -> dict[str, dict[str, float]]:
    """Each step on the way of one drawing, from any image to the bytes of a PNG.

    Without a manifold (the paper's networks have random weights here) there is nothing to project on and no shadow.
    """
    sketch = read_sketch(drawing)
    encoding = pipe.encode(sketch)
    refinement = 0.5 if pipe.manifold is not None else 0

    def project() -> Projection:
        return pipe.project(encoding, refinement=refinement)

    projection = project()
    codes = {name: code.to(pipe.feature_mapping.dtype) for name, code in projection.latents.items()}
    maps = pipe.feature_mapping(codes).to(pipe.image_synthesis.dtype)
    looks = None if projection.appearance is None else projection.appearance.to(maps)
    picture = Image.fromarray(np.asarray(drawing.convert("RGB").resize((512, 512))))
    calls = {
        "prepare": lambda: read_sketch(drawing),
        "encode": lambda: pipe.encode(sketch),
        "project": project,
        "shadow": lambda: pipe.shadow(projection.neighbors),
        "FM": lambda: pipe.feature_mapping(codes),
        "IS": lambda: pipe.image_synthesis(maps, looks),
        "PNG": lambda: picture.save(io.BytesIO(), "PNG"),
    }
    if pipe.manifold is None:
        del calls["project"], calls["shadow"]
    steps = {name: summary(timed(call, rounds)) for name, call in calls.items()}
    steps["all"] = summary(timed(lambda: pipe(drawing, refinement=refinement), rounds))
    if pipe.manifold is not None:
        steps["all, with shadow"] = summary(timed(lambda: pipe(drawing, return_shadow=True), rounds))
    return steps


@torch.no_grad()
def count_flops(pipe: DeepFaceDrawingPipeline) -> dict[str, float]:
    """GFLOP (a multiplication and an addition are two) of each network for one picture."""
    result = {}

    def count(name: str, call: Callable[[], Any]) -> Any:
        with FlopCounterMode(display=False) as counter:
            value = call()
        result[name] = counter.get_total_flops() / 1e9
        return value

    crops = pipe.layout.crop(torch.zeros(1, 1, 512, 512))

    def encode() -> dict[str, torch.Tensor]:
        return {name: model.encode(crops[name].to(model.dtype)) for name, model in pipe.autoencoders.items()}

    codes = {name: code.to(pipe.feature_mapping.dtype) for name, code in count("encode", encode).items()}
    maps = count("FM", lambda: pipe.feature_mapping(codes)).to(pipe.image_synthesis.dtype)
    count("IS", lambda: pipe.image_synthesis(maps, None))
    return result


def machine_rates() -> dict[str, float]:
    """GFLOP/s of a matrix product and of a 3 x 3 convolution, by precision: what the networks could reach at best.

    bfloat16 is left out where it is imitated: there it takes minutes, and nothing computes in it.
    """
    rates = {}
    for dtype in (torch.float32, torch.bfloat16) if computes_in_bfloat16() else (torch.float32,):
        name = str(dtype).removeprefix("torch.")
        a, b = torch.randn(2, 2048, 2048).to(dtype)
        rates[f"matrix product, {name}"] = 2 * 2048**3 / min(timed(lambda a=a, b=b: a @ b, 5)) / 1e9
        x = torch.randn(1, 80, 256, 256).to(dtype)
        weights = torch.randn(80, 80, 3, 3).to(dtype)
        flops = 2 * 80 * 80 * 9 * 256 * 256
        seconds = timed(lambda x=x, w=weights: torch.nn.functional.conv2d(x, w, padding=1), 5)
        rates[f"convolution, {name}"] = flops / min(seconds) / 1e9
    return rates


def measure_pipeline(pipe: DeepFaceDrawingPipeline, drawing: Image.Image, rounds: int) -> dict[str, Any]:
    """Steps, pictures a second by batch size, and GFLOP; see `measure_steps` and `count_flops`."""
    refinement = 0.5 if pipe.manifold is not None else 0
    rates = {}
    for size in BATCHES:
        seconds = timed(lambda size=size: pipe([drawing] * size, refinement=refinement), max(1, rounds // size), 0)
        rates[size] = size / float(np.median(seconds))
    steps, flops = measure_steps(pipe, drawing, rounds), count_flops(pipe)
    speeds = {name: 1000 * gflop / steps[name]["median_ms"] for name, gflop in flops.items()}
    return {
        "parameters": sum(p.numel() for m in pipe.components.values() if m is not None for p in m.parameters()),
        "precision": str(pipe.image_synthesis.dtype).removeprefix("torch."),
        "steps": steps,
        "pictures_per_second": rates,
        "gflop": flops,
        "gflop_per_second": speeds,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measure_projection(samples: int, dim: int = 512, rounds: int = 20) -> dict[str, float]:
    """Exact search and weights for one component's code in a bank of random codes, in milliseconds."""
    generator = torch.Generator().manual_seed(0)
    bank, code = torch.randn(samples, dim, generator=generator), torch.randn(1, dim, generator=generator)

    def project() -> torch.Tensor:
        rows = distances(code, bank).topk(NEIGHBORS, largest=False).indices
        return locally_linear_weights(code, bank[rows])

    return summary(timed(project, rounds))


def run(checkpoint: str | Path, drawing: Image.Image, rounds: int, banks: tuple[int, ...] = BANKS) -> dict[str, Any]:
    """All measurements of one run.

    Args:
        checkpoint: pipeline folder or Hub repository.
        drawing: what is drawn.
        rounds: of each measurement; the paper's networks, which are slow, take a quarter of them.
        banks: sizes of bank to search in.
    """
    start = time.perf_counter()
    shipped = DeepFaceDrawingPipeline.from_pretrained(checkpoint)
    load, start = time.perf_counter() - start, time.perf_counter()
    shipped(drawing)
    first = time.perf_counter() - start
    pipelines = {"shipped, float32": measure_pipeline(shipped, drawing, rounds)}
    if use_fastest_precision(shipped) != torch.float32:
        pipelines["shipped, bfloat16"] = measure_pipeline(shipped, drawing, rounds)
    del shipped
    paper = DeepFaceDrawingPipeline(**presets.build("paper"))
    pipelines["paper preset"] = measure_pipeline(paper, drawing, max(1, rounds // 4))
    del paper
    return {
        "version": __version__,
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "computes_in_bfloat16": computes_in_bfloat16(),
        "load_s": load,
        "first_picture_s": first,
        "machine_gflop_per_second": machine_rates(),
        "pipelines": pipelines,
        "projection_by_bank": {samples: measure_projection(samples) for samples in banks},
    }


def to_markdown(result: Mapping[str, Any]) -> str:
    """The tables."""
    pipelines = result["pipelines"]
    lines = [
        f"Version {result['version']}, {result['date']}, {result['machine']}. Shipped pipeline: loaded in "
        f"{result['load_s']:.1f} s, first picture after {result['first_picture_s']:.2f} s more.",
        "",
        "| median (p95) in ms | " + " | ".join(pipelines) + " |",
        "|---|" + "---:|" * len(pipelines),
    ]
    for step in pipelines["shipped, float32"]["steps"]:
        cells = [p["steps"].get(step) for p in pipelines.values()]
        texts = [f"{c['median_ms']:.1f} ({c['p95_ms']:.1f})" if c else "" for c in cells]
        lines.append(f"| {step} | " + " | ".join(texts) + " |")
    for size in BATCHES:
        cells = [f"{p['pictures_per_second'][size]:.2f}" for p in pipelines.values()]
        lines.append(f"| pictures a second, batch {size} | " + " | ".join(cells) + " |")
    for name in ("encode", "FM", "IS"):
        cells = [f"{p['gflop'][name]:.1f} at {p['gflop_per_second'][name]:.0f}/s" for p in pipelines.values()]
        lines.append(f"| GFLOP, {name} | " + " | ".join(cells) + " |")
    lines.append("| parameters | " + " | ".join(f"{p['parameters'] / 1e6:.1f} M" for p in pipelines.values()) + " |")
    lines.append("| peak memory | " + " | ".join(f"{p['peak_memory_mb']:.0f} MB" for p in pipelines.values()) + " |")
    lines += ["", "| this machine | GFLOP/s |", "|---|---:|"]
    lines += [f"| {name} | {rate:.0f} |" for name, rate in result["machine_gflop_per_second"].items()]
    if not result["computes_in_bfloat16"]:
        lines.append("| bfloat16 | imitated: not measured |")
    lines += ["", "| samples in the bank | projection of one component, ms: median (p95) |", "|---:|---:|"]
    for samples, times in result["projection_by_bank"].items():
        lines.append(f"| {samples:,} | {times['median_ms']:.1f} ({times['p95_ms']:.1f}) |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    root = Path(__file__).parents[1]
    parser = argparse.ArgumentParser(prog="python -m dfd.benchmark", description=__doc__)
    parser.add_argument("--checkpoint", default=root / "checkpoints", help="pipeline folder or Hub repository")
    parser.add_argument("--drawing", type=Path, default=root / "dfd/ui/examples/beard.png", help="what is drawn")
    parser.add_argument("--rounds", type=int, default=20, help="of each measurement (%(default)s)")
    parser.add_argument("--output", type=Path, help="JSON to write; the tables go beside it as .md")
    options = parser.parse_args(arguments)
    try:
        with Image.open(options.drawing) as drawing:
            drawing.load()
        if options.rounds < 1:
            raise ValueError(f"--rounds must be at least 1, got {options.rounds}")
        result = run(options.checkpoint, drawing, options.rounds)
        text = to_markdown(result)
        print(text)
        if options.output:
            write_atomically(options.output, json.dumps(result, indent=2) + "\n")
            write_atomically(options.output.with_suffix(".md"), text)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
