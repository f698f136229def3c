"""Makes a real conda installation from PyPI alone: python3 make.py DIRECTORY PINS

There is no conda channel where the tests run, so this packs one itself: the
Python that runs this, the packages of a kernel from their wheels, and a few
toys. The solver and linker of pixi (py-rattler) makes the prefixes out of it:

    channel              the channel, as file://
    root                 the installation: base, with ipykernel and matplotlib
    root/envs/science    ipykernel, matplotlib, activation scripts, mcetoy 1.0
    root/envs/bare       Python alone: neither ipykernel nor pip
    root/bin/conda       conda 4.3.16, the newest one on PyPI; it needs a
                         Python 3.6 and is left out where there is none

PINS is a requirements file; only what the kernel needs of it is taken.
"""

import asyncio
import bz2
import glob
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser

TOOLS = ["py-rattler==0.28.0", "packaging==26.3"]
SEEDS = ["ipykernel", "matplotlib", "pip==26.2"]
CONDA = ["conda==4.3.16", "ruamel.yaml==0.16.13", "ruamel.yaml.clib==0.2.8"]
SUBDIR = "linux-64"
MINOR = "%d.%d" % sys.version_info[:2]
SITE = "lib/python%s/site-packages/" % MINOR
if not os.path.isdir(os.path.join(sys.base_prefix, SITE)):  # Debian's own Python
    SITE = "lib/python%s/dist-packages/" % MINOR
BUILD = "py%d%d_0" % sys.version_info[:2]


def run(*argv, **kwargs):
    subprocess.run([str(a) for a in argv], check=True, **kwargs)


# --- packages


def pack(channel, name, version, files, depends=(), build=BUILD):
    """Writes one package. A file is bytes, (bytes, mode), or ("link", target)."""
    paths, members = [], []
    for path in sorted(files):
        content = files[path]
        if isinstance(content, tuple) and content[0] == "link":
            paths.append({"_path": path, "path_type": "softlink", "sha256": hashlib.sha256(b"").hexdigest(), "size_in_bytes": 0})
            members.append((path, None, 0o777, content[1]))
            continue
        data, mode = content if isinstance(content, tuple) else (content, 0o644)
        paths.append({"_path": path, "path_type": "hardlink", "sha256": hashlib.sha256(data).hexdigest(), "size_in_bytes": len(data)})
        members.append((path, data, mode, None))
    index = {
        "name": name, "version": version, "build": build, "build_number": 0, "depends": list(depends),
        "subdir": SUBDIR, "arch": "x86_64", "platform": "linux", "license": "none", "timestamp": 1700000000000,
    }
    info = {
        "info/index.json": json.dumps(index),
        "info/files": "".join(path + "\n" for path in sorted(files)),
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}),
        "info/about.json": "{}",
    }
    with tarfile.open(channel / SUBDIR / ("%s-%s-%s.tar.bz2" % (name, version, build)), "w:bz2", compresslevel=1) as tar:
        for path, text in info.items():
            add(tar, path, text.encode(), 0o644, None)
        for member in members:
            add(tar, *member)


def add(tar, path, data, mode, target):
    member = tarfile.TarInfo(path)
    member.mtime, member.mode = 1700000000, mode
    if target is not None:
        member.type, member.linkname = tarfile.SYMTYPE, target
        tar.addfile(member)
        return
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def tree(root, keep):
    """The files below root by relative path, links as links."""
    files = {}
    for folder, folders, names in os.walk(root):
        links = [f for f in folders if os.path.islink(os.path.join(folder, f))]
        folders[:] = [f for f in folders if f not in links and f != "__pycache__"]
        for name in names + links:
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, root)
            if not keep(relative):
                continue
            if os.path.islink(path):
                files[relative] = ("link", os.readlink(path))
            else:
                with open(path, "rb") as f:
                    files[relative] = (f.read(), stat.S_IMODE(os.stat(path).st_mode))
    return files


def pack_python(channel):
    """CPython finds its prefix by where its program lies: copying is enough."""
    library = "lib/python" + MINOR
    unwanted = re.compile(r"(^|/)(test|tests|idlelib|turtledemo|lib2to3|config-[^/]*)/|/(site|dist)-packages/|\.(a|pyc)$|EXTERNALLY-MANAGED$")
    program = re.compile(r"bin/python(3(\.\d+)?)?$")

    def keep(path):
        if unwanted.search(path):
            return False
        return bool(program.match(path)) or path.startswith(library + "/") or path.startswith("lib/libpython")

    files = tree(sys.base_prefix, keep)
    for name in ("python", "python3"):
        files["bin/" + name] = ("link", "python" + MINOR)
    files[SITE + "README.txt"] = b"packages\n"
    if "dist-packages" in SITE:  # where Debian's pip installs: on sys.path only when it exists
        files["local/" + SITE + "README.txt"] = b"packages\n"
    pack(channel, "python", "%d.%d.%d" % sys.version_info[:3], files, build="0")


def pack_wheel(channel, path):
    """A wheel's modules and data; of its requirements those that hold here."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    with zipfile.ZipFile(path) as wheel:
        names = [n for n in wheel.namelist() if not n.endswith("/")]
        info = next(n.split("/")[0] for n in names if n.split("/")[0].endswith(".dist-info"))
        metadata = Parser().parsestr(wheel.read(info + "/METADATA").decode())
        files = {SITE + info + "/INSTALLER": b"conda\n"}
        for name in names:
            scheme = re.match(r"[^/]+\.data/(\w+)/(.*)", name)
            target = SITE + name
            if scheme:
                target = {"data": "", "purelib": SITE, "platlib": SITE}.get(scheme.group(1))
                if target is None:
                    continue  # scripts: nothing here starts them
                target += scheme.group(2)
            files.setdefault(target, wheel.read(name))
    depends = ["python " + MINOR + ".*"]
    for line in metadata.get_all("Requires-Dist") or []:
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            depends.append(canonicalize_name(need.name))  # the wheels fit each other already
    pack(channel, canonicalize_name(metadata["Name"]), metadata["Version"], files, depends)


def pack_toy(channel, name, version, depends=(), **more):
    info = SITE + "%s-%s.dist-info/" % (name, version)
    files = {
        SITE + name + "/__init__.py": b"version = '%s'\n" % version.encode(),
        info + "METADATA": ("Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (name, version)).encode(),
        info + "INSTALLER": b"conda\n",
        info + "RECORD": ("%s/__init__.py,,\n" % name).encode(),
    }
    files.update(more)
    pack(channel, name, version, files, ["python " + MINOR + ".*", *depends])


def make_channel(out, pins):
    channel = out / "channel"
    for subdir in (SUBDIR, "noarch"):
        (channel / subdir).mkdir(parents=True)
    wheels = out / "wheels"
    run(sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--only-binary", ":all:",
        "-d", wheels, "-c", pins, *SEEDS)
    pack_python(channel)
    for wheel in sorted(wheels.glob("*.whl")):
        pack_wheel(channel, wheel)
    for version in ("1.0", "1.1", "2.0"):
        pack_toy(channel, "mcetoy", version)
    pack_toy(channel, "mceneeds", "1.0", ["mcetoy <2"])
    pack_toy(channel, "mceactivate", "1.0", **{
        "etc/conda/activate.d/mceactivate.sh": b'export MCE_FROM_SCRIPT="script of $CONDA_PREFIX"\n',
        "etc/conda/deactivate.d/mceactivate.sh": b"unset MCE_FROM_SCRIPT\n",
        "etc/conda/env_vars.d/mceactivate.json": b'{"MCE_FROM_JSON": "json"}\n',
    })
    return channel


# --- prefixes


async def make_prefixes(out, channel):
    import rattler
    from rattler.index import index_fs

    await index_fs(channel, force=True)
    for subdir in (SUBDIR, "noarch"):  # conda 4.3 reads only the compressed one
        repodata = channel / subdir / "repodata.json"
        repodata.with_name("repodata.json.bz2").write_bytes(bz2.compress(repodata.read_bytes()))
    root = out / "root"
    kernel = ["python", "pip", "ipykernel", "matplotlib"]
    for prefix, specs in {
        root: kernel,
        root / "envs" / "science": kernel + ["mceactivate", "mcetoy ==1.0"],
        root / "envs" / "bare": ["python"],
    }.items():
        records = await rattler.solve([rattler.Channel(channel.as_uri())], specs, platforms=[SUBDIR, "noarch"])
        await rattler.install(records, prefix, cache_dir=out / "cache", show_progress=False)
        (prefix / "conda-meta" / "history").touch()  # by this conda knows an environment
        if "ipykernel" in specs:  # compiled once here, not at the first start of each copy
            run(prefix / "bin" / "python", "-c", "import ipykernel.kernelapp, ipykernel.debugger, matplotlib.pyplot, PIL.PngImagePlugin")
    (root / "pkgs").mkdir()


def python36():
    """A Python 3.6, for the conda program; None if there is none."""
    found = [shutil.which("python3.6")]
    found += sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.6.*/bin/python")))
    for path in found:
        if path and subprocess.run([path, "-c", "import venv, ensurepip, sys; assert sys.version_info[:2] == (3, 6)"], stderr=subprocess.DEVNULL).returncode == 0:
            return path
    return None


def make_program(out, channel):
    """conda 4.3.16, with the root told: it lives in a venv of its own Python."""
    python = python36()
    root = out / "root"
    (root / "condabin").mkdir()
    if python is None:
        print("no Python 3.6: making no conda program", file=sys.stderr)
        return
    venv = out / "conda36"
    run(python, "-m", "venv", venv)
    run(venv / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", *CONDA, stderr=subprocess.DEVNULL)
    program = root / "bin" / "conda"
    # The root is where this script lies, so that a copy of the root works.
    program.write_text("""#!/bin/sh
root=$(cd "$(dirname "$0")/.." && pwd)
export CONDA_ROOT_DIR="$root" CONDA_PKGS_DIRS="$root/pkgs" CONDARC="$root/.condarc"
exec '%s' -m conda "$@"
""" % (venv / "bin/python"))
    program.chmod(0o755)
    (root / "condabin" / "conda").symlink_to("../bin/conda")
    (root / ".condarc").write_text(
        "channels: [%s]\ndefault_channels: [%s]\noffline: true\nauto_update_conda: false\n" % (channel.as_uri(), channel.as_uri()))


def main():
    out, pins = pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2]).absolute()
    if len(sys.argv) == 3:  # once more, with the tools
        out.mkdir(parents=True, exist_ok=True)
        run(getattr(sys, "_base_executable", sys.executable), "-m", "venv", out / "tools")
        python = out / "tools/bin/python"
        run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *TOOLS)
        run(python, __file__, out, pins, "go on")
        return
    channel = make_channel(out, pins)
    asyncio.run(make_prefixes(out, channel))
    make_program(out, channel)
    for done in ("wheels", "cache"):
        shutil.rmtree(out / done)
    sys.stdout.flush()
    os._exit(0)  # py-rattler 0.28.0 crashes when the interpreter ends after asynchronous work


main()
