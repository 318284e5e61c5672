"""
Checks that a wheel and a source distribution hold the files that git tracks.

    python .ci/check_package.py FILES DISTRIBUTION...

FILES lists the files that git tracks, one a line. Files and folders at the top whose names start with a dot are for
contributors, and are not packed.
"""

import sys
import tarfile
import zipfile
from pathlib import Path

_PACKAGE = "metarouter_intercom/"


def main(files: Path, distributions: list[Path]) -> int:
    """Compare and report; returns the exit code."""
    known = set(files.read_text(encoding="utf-8").splitlines())
    faults = []
    for path in distributions:
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                names = set(archive.namelist())
            packed = {name for name in names if name.startswith(_PACKAGE)}
            wanted = {name for name in known if name.startswith(_PACKAGE)}
            faults += [f"{path.name}: {name}" for name in sorted(packed ^ wanted)]
            extra = {name.partition("/")[0] for name in names - packed}
            faults += [f"{path.name}: {name}" for name in extra if not name.endswith(".dist-info")]
            faults += (
                [] if any(name.endswith("licenses/LICENSE") for name in names) else [f"{path.name}: LICENSE"]
            )
        else:
            with tarfile.open(path) as archive:
                names = {name.partition("/")[2] for name in archive.getnames()}
            wanted = {name for name in known if not name.startswith(".")}
            faults += [f"{path.name}: {name}" for name in sorted(wanted - names)]
        print(f"{path.name}: {len(names)} files, {path.stat().st_size:,} bytes")
    print("\n".join(faults) or "the packages hold the files that git tracks")
    return 1 if faults or len(distributions) != 2 else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]))
