"""The evaluation's JSON document as Markdown tables, for its own page and for the model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dfd.components import COMPONENTS

#: A figure: value (None where there is none), n, and a 95 % interval or a standard error where it has one.
Figure = dict[str, float | int | None]

#: How the columns are to be read.
LEGEND = (
    "`perceptual` is the distance of EfficientNet-Lite0 features from the true photo's (training minimises it too); "
    "`identity` that of dlib's face descriptors, which training never sees (two photos of one person: below 0.6); "
    "`one face` how often dlib finds exactly one face; `F1` how much of the drawing's lines, and how little else, is "
    "found again in the picture; Fréchet and kernel distances compare all pictures with all photos. "
    "Higher is better for SSIM, PSNR, one face, F1, precision and recall; lower for the distances (kernel "
    "distances x 1000). In square brackets: 95 % interval. The distances of the true photos are those of two "
    "halves of them: the floor; in round brackets stands what other rows have in the same way, one half's "
    "pictures against the other half's photos. Obedience is measured against the drawing given; `F1 meant` "
    "against the undamaged one."
)

#: The row of the true photos, which every other one is compared with.
TRUE = "true photos"

#: The row that a visitor gets, and what damaged drawings are made into pictures with.
HEADLINE = "refinement 0.5"

#: Every damage (`dfd.evaluation.damages`), a row each, in the order of the table. `redrawn` is the control: traced and
#: drawn again, nothing else.
DAMAGES = (
    "redrawn",
    "displaced 4 px",
    "displaced 8 px",
    "displaced 12 px",
    "30 % erased",
    "60 % erased",
    "eyes missing",
    "mouth missing",
    "doubled lines",
    "thick pen",
    "shifted 16 px",
)


def to_markdown(document: Mapping, headline: Sequence[str] = ()) -> str:
    """The tables of a document that `dfd.evaluate` made.

    Args:
        headline: rows to show by group too.
    """
    rows: Mapping = document["rows"]
    seed = document["seeds"]["damages"]
    text = [
        f"# Evaluation on the {document['data']['split']} split",
        f"{document['data']['faces']} faces, {document['date']}, "
        f"checkpoint {document['checkpoint']['sha256'][:12]}, "
        f"seed {seed}, {document['hardware']}.",
        LEGEND,
        table("row", _MAIN, {name: groups["all"] for name, groups in rows.items()}),
        "## Obedience by component (F1)",
        table("row", _COMPONENTS, {name: groups["all"] for name, groups in rows.items()}),
    ]
    for name in headline:
        if name in rows:
            text += [f"## By group: {name}", table("group", _GROUPS, rows[name])]
    return "\n\n".join(text) + "\n"


def _number(digits: int, scale: float = 1.0, interval: bool = False):
    def show(figure: Figure | None) -> str:
        if not figure or figure["value"] is None:
            return "-"
        shown = f"{figure['value'] * scale:.{digits}f}"
        if interval and figure.get("low") is not None:
            shown += f" [{figure['low'] * scale:.{digits}f}, {figure['high'] * scale:.{digits}f}]"
        if interval and figure.get("halves") is not None:
            shown += f" ({figure['halves'] * scale:.{digits}f})"
        return shown

    return show


def _count(figure: Figure | None) -> str:
    return str(figure["n"]) if figure else "-"


_Columns = Sequence[tuple[str, str, object]]

_FIDELITY: _Columns = [
    ("perceptual", "perceptual", _number(3)),
    ("SSIM", "ssim", _number(3)),
    ("PSNR", "psnr", _number(2)),
]
_IDENTITY: _Columns = [("identity", "identity", _number(3)), ("one face %", "one_face", _number(1, 100))]
_OBEDIENCE: _Columns = [
    ("F1", "f1/all", _number(3)),
    ("precision", "precision/all", _number(3)),
    ("recall", "recall/all", _number(3)),
    ("F1 meant", "meant_f1/all", _number(3)),
]


def _realism(interval: bool) -> _Columns:
    return [
        ("Fréchet Lite0", "frechet/pooled", _number(3, 1, interval)),
        ("kernel Lite0", "kernel/pooled", _number(2, 1000, interval)),
        ("Fréchet dlib", "frechet/descriptor", _number(4, 1, interval)),
        ("kernel dlib", "kernel/descriptor", _number(3, 1000, interval)),
        ("n dlib", "kernel/descriptor", _count),
    ]


_MAIN = [*_FIDELITY, *_IDENTITY, *_realism(True), *_OBEDIENCE]
_COMPONENTS = [(name.replace("_", " "), f"f1/{name}", _number(3)) for name in ("all", *COMPONENTS)]
_SUMMARY = [
    ("n", "perceptual", _count),
    *_FIDELITY,
    *_IDENTITY,
    ("Fréchet Lite0", "frechet/pooled", _number(1, 1, interval=True)),
    ("F1", "f1/all", _number(3)),
    ("F1 meant", "meant_f1/all", _number(3)),
]
_GROUPS = [("n", "perceptual", _count), *_FIDELITY, *_IDENTITY, *_realism(False), *_OBEDIENCE]


def summary(corner: str, rows: Mapping[str, Mapping[str, Figure]]) -> str:
    """The few columns that a model card shows of rows, or of the groups of one row."""
    return table(corner, _SUMMARY, rows)


def table(corner: str, columns: _Columns, rows: Mapping[str, Mapping[str, Figure]]) -> str:
    """A Markdown table; columns that no row has a figure for (no identity asked for) are left out."""
    columns = [c for c in columns if any(c[1] in figures for figures in rows.values())]
    lines = [f"| {' | '.join([corner, *(title for title, _, _ in columns)])} |", f"|{'---|' * (len(columns) + 1)}"]
    for name, figures in rows.items():
        lines.append(f"| {' | '.join([name, *(show(figures.get(key)) for _, key, show in columns)])} |")
    return "\n".join(lines)
