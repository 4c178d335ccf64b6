"""Build the wheel and the sdist, and try what is installed from them in clean environments.

``python tests/tools/check_release.py`` installs the wheel for every Python from 3.12 on that this
machine has, the wheel with the oldest dependencies that are allowed, and the sdist. In each it
asks for ``--help`` and runs the demo; then each reads the files that all of them wrote.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OLDEST = (3, 12)
READ = """
import sys
import bayes_synth as bs
for path in sys.argv[1:]:
    fit = bs.load(path)
    low, high = fit.effect("average").interval(0.95)
    assert low < high, path
    fit.report("text")
"""


@dataclass(frozen=True)
class Setting:
    """An environment to try: its name, its Python, what is installed, and how old the rest is."""

    name: str
    python: Path
    built: Path
    oldest: bool = False


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(2) as pool:
        folder = Path(scratch)
        uv("build", "--quiet", "--out-dir", folder / "dist", ROOT)
        places = {
            setting: folder / setting.name.replace(" ", "_").replace(",", "")
            for setting in settings(folder / "dist")
        }
        files = list(pool.map(tried, places, places.values()))
        for setting, place in places.items():
            run(place / "env" / "bin" / "python", "-c", READ, *files, cwd=place)
            print(f"{setting.name}: installed; --help, demo; {len(files)} files read", flush=True)


def settings(dist: Path) -> Iterator[Setting]:
    """List the environments: every Python with the wheel, the oldest dependencies, the sdist."""
    wheel, sdist = (next(dist.glob(pattern)) for pattern in ("*.whl", "*.tar.gz"))
    found = pythons()
    for version, python in found.items():
        yield Setting(f"wheel, Python {'.'.join(map(str, version))}", python, wheel)
    first, last = next(iter(found.values())), list(found.values())[-1]
    if OLDEST in found:
        yield Setting("wheel, the oldest dependencies", first, wheel, oldest=True)
    yield Setting("sdist", last, sdist)


def pythons() -> dict[tuple[int, int], Path]:
    """Find one interpreter for each version from 3.12 on, the oldest version first."""
    found: dict[tuple[int, int], Path] = {}
    for each in json.loads(uv("python", "list", "--only-installed", "--output-format", "json")):
        version = (each["version_parts"]["major"], each["version_parts"]["minor"])
        if version >= OLDEST and each["variant"] == "default":
            found.setdefault(version, Path(each["path"]))
    if shutil.which("pyenv"):
        for path in Path(run("pyenv", "root", cwd=ROOT).strip()).glob("versions/3.*/bin/python"):
            major, minor, *_ = path.parts[-3].split(".")
            if (int(major), int(minor)) >= OLDEST:
                found.setdefault((int(major), int(minor)), path)
    return dict(sorted(found.items()))


def tried(setting: Setting, place: Path) -> Path:
    """Install into a new environment, run the commands there, and name the fit that it wrote."""
    uv("venv", "--quiet", "--python", setting.python, place / "env")
    python, out = place / "env" / "bin" / "python", place / "out"
    if setting.oldest:
        needs = place / "needs.txt"
        needs.write_text("\n".join(PROJECT["dependencies"]))
        install(python, "--resolution", "lowest-direct", "-r", needs)
    install(python, setting.built)
    command = python.with_name("bayes-synth")
    run(command, "--help", cwd=place)
    run(command, "demo", "--quiet", "--csv", "--out", out, cwd=place)
    return next(out.glob("*.nc"))


def install(python: Path, *what: str | Path) -> None:
    uv("pip", "install", "--quiet", "--python", python, *what)


def uv(*arguments: str | Path) -> str:
    """Run uv without the pins of this project, which are not what users install."""
    tool = os.environ.get("UV") or shutil.which("uv") or "uv"
    return run(tool, "--no-config", *arguments, cwd=ROOT)


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command, show what it said if it failed, and give its output."""
    environment = {k: v for k, v in os.environ.items() if k not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
