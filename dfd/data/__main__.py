"""Work on data: `python -m dfd.data VERB --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dfd.data.windows import mask_centres, windows_from_centres, write_windows


def windows(args: argparse.Namespace) -> None:
    centres = mask_centres(args.folder)
    found = windows_from_centres(centres)
    write_windows(found, args.output)
    print(f"{'part':<10} {'faces':>6} {'centre x':>9} {'y':>6} {'spread x':>9} {'y':>6}  window (x, y, size)")
    for part, (x, y, size) in found.items():
        (mean_x, mean_y), (std_x, std_y) = centres[part].mean(0), centres[part].std(0)
        print(
            f"{part:<10} {len(centres[part]):>6} {mean_x:>9.1f} {mean_y:>6.1f} {std_x:>9.1f} {std_y:>6.1f}"
            f"  ({x}, {y}, {size})"
        )
    print(f"centre and spread (standard deviation) in px of the 512 px canvas; windows written to {args.output}")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m dfd.data", description="Work on data.")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")

    verb = verbs.add_parser(
        "windows",
        help="derive the component windows from masks of the face's parts",
        description="Derive the component windows from masks as CelebAMask-HQ has them (00012_nose.png, "
        "white where the part is): centres are the means over all faces, sizes stay the official ones.",
    )
    verb.add_argument("folder", metavar="MASK_FOLDER", type=Path, help="folder of masks, searched to any depth")
    verb.add_argument("--output", type=Path, default=Path("windows.json"), help="JSON to write (%(default)s)")
    verb.set_defaults(func=windows)

    args = parser.parse_args(argv)
    try:
        args.func(args)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
