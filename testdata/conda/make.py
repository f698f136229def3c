"""Makes a real conda installation from PyPI alone: python3 make.py DIRECTORY PINS

There is no conda channel where the tests run, so this packs one itself: the
Python that runs this, the packages of a kernel from their wheels, and a few
toys. The solver and linker of pixi (py-rattler) makes the prefixes out of it:

    channel              the channel, as file://
    wheels               what the packages were made of, for pip without an index
    root                 the installation: base, with ipykernel and matplotlib
    root/envs/science    ipykernel, matplotlib, activation scripts, mcetoy 1.0
    root/envs/bare       Python alone: neither ipykernel nor pip
    root/bin/conda       conda 4.3.16, the newest one on PyPI; it needs a
                         Python 3.6 and is left out where there is none
    micromamba           a root of micromamba: pkgs and envs, no conda; in it
                         envs/lab with a noarch package
    pixi                 a project of pixi, its environment in .pixi/envs/default
    away                 an environment outside of any envs, with variables of
                         the user's in conda-meta/state

PINS is a requirements file; only what the kernel needs of it is taken. UV may
name uv, which is faster than pip.
"""

import asyncio
import bz2
import glob
import hashlib
import io
import json
import multiprocessing
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
LEFT_OUT = re.compile("/tests/|^jedi/third_party/")  # a quarter of numpy, and the stubs that are half of all files
SUBDIR = "linux-64"
MINOR = "%d.%d" % sys.version_info[:2]
SITE = "lib/python%s/site-packages/" % MINOR
if not os.path.isdir(os.path.join(sys.base_prefix, SITE)):  # Debian's own Python
    SITE = "lib/python%s/dist-packages/" % MINOR
BUILD = "py%d%d_0" % sys.version_info[:2]
BASE = getattr(sys, "_base_executable", sys.executable)


# Prefixes are compiled here once, not at the first start of each copy.
ENVIRON = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run(*argv, **kwargs):
    subprocess.run([str(a) for a in argv], check=True, env=ENVIRON, **kwargs)


# --- packages


def pack(channel, name, version, files, depends=(), build=BUILD, noarch=False):
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
    if noarch:
        index.update(subdir="noarch", noarch="python", arch=None, platform=None)
    info = {
        "info/index.json": json.dumps(index),
        "info/files": "".join(path + "\n" for path in sorted(files)),
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}),
        "info/about.json": "{}",
    }
    if noarch:
        info["info/link.json"] = json.dumps({"noarch": {"type": "python", "entry_points": []}, "package_metadata_version": 1})
    with tarfile.open(channel / index["subdir"] / ("%s-%s-%s.tar.bz2" % (name, version, build)), "w:bz2", compresslevel=1) as tar:
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
            if LEFT_OUT.search(name):
                continue
            if scheme:
                target = {"data": "", "purelib": SITE, "platlib": SITE}.get(scheme.group(1))
                if target is None:
                    continue  # scripts: nothing here starts them
                target += scheme.group(2)
            data = wheel.read(name)
            if name == info + "/RECORD":
                data = b"".join(line for line in data.splitlines(True) if not LEFT_OUT.search(line.decode()))
            files.setdefault(target, data)
    depends = ["python " + MINOR + ".*"]
    for line in metadata.get_all("Requires-Dist") or []:
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            depends.append(canonicalize_name(need.name))  # the wheels fit each other already
    pack(channel, canonicalize_name(metadata["Name"]), metadata["Version"], files, depends)


def pack_toy(channel, name, version, depends=(), noarch=False, **more):
    site = "site-packages/" if noarch else SITE
    info = site + "%s-%s.dist-info/" % (name, version)
    files = {
        site + name + "/__init__.py": b"version = '%s'\n" % version.encode(),
        info + "METADATA": ("Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (name, version)).encode(),
        info + "INSTALLER": b"conda\n",
        info + "RECORD": ("%s/__init__.py,,\n" % name).encode(),
    }
    files.update(more)
    pack(channel, name, version, files, ["python" if noarch else "python " + MINOR + ".*", *depends], "py_0" if noarch else BUILD, noarch)


def make_channel(out, pins):
    channel = out / "channel"
    for subdir in (SUBDIR, "noarch"):
        (channel / subdir).mkdir(parents=True)
    wheels = out / "wheels"
    with multiprocessing.Pool() as pool:  # compressing is most of the work
        packed = [pool.apply_async(pack_python, [channel])]
        run(sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--only-binary", ":all:",
            "-d", wheels, "-c", pins, *SEEDS)
        by_size = sorted(wheels.glob("*.whl"), key=os.path.getsize, reverse=True)
        packed += [pool.apply_async(pack_wheel, [channel, wheel]) for wheel in by_size]
        for result in packed:
            result.get()
    for version in ("1.0", "1.1", "2.0"):
        pack_toy(channel, "mcetoy", version)
    pack_toy(channel, "mceneeds", "1.0", ["mcetoy <2"])
    pack_toy(channel, "mcenoarch", "1.0", noarch=True)
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
    kernel = ["python", "pip", "ipykernel"]
    for prefix, specs in {
        root: kernel + ["matplotlib"],
        root / "envs" / "science": kernel + ["matplotlib", "mceactivate", "mcetoy ==1.0"],
        root / "envs" / "bare": ["python"],
        out / "micromamba" / "envs" / "lab": kernel + ["numpy", "mcenoarch"],
        out / "pixi" / ".pixi" / "envs" / "default": kernel,
        out / "away": kernel,
    }.items():
        records = await rattler.solve([rattler.Channel(channel.as_uri())], specs, platforms=[SUBDIR, "noarch"])
        await rattler.install(records, prefix, cache_dir=out / "cache", show_progress=False)
        (prefix / "conda-meta" / "history").touch()  # by this conda knows an environment
        if prefix == root:
            run(prefix / "bin" / "python", "-Xfrozen_modules=off", "-c", "import ipykernel.kernelapp, ipykernel.debugger, matplotlib.pyplot, PIL.PngImagePlugin, pip._internal.cli.main")
        share_compiled(root, prefix)
    (root / "pkgs").mkdir()
    (out / "micromamba" / "pkgs").mkdir()
    (out / "pixi" / "pixi.toml").write_text('[workspace]\nname = "pixi"\n')
    (out / "pixi" / ".pixi" / "envs" / "default" / "conda-meta" / "pixi").write_text('{"manifest_path": "%s"}\n' % (out / "pixi" / "pixi.toml"))
    (out / "away" / "conda-meta" / "state").write_text('{"env_vars": {"MCE_FROM_STATE": "two words", "MCE_REMOVED": "***unset***"}}\n')


def share_compiled(source, prefix):
    """Links what is compiled in source to the same files in prefix."""
    for path in source.glob("lib/**/__pycache__/*.pyc"):
        target = prefix / path.relative_to(source)
        if (target.parent.parent / (path.name.split(".")[0] + ".py")).exists() and not target.exists():
            target.parent.mkdir(exist_ok=True)
            os.link(path, target)


def python36():
    """A Python 3.6, for the conda program; None if there is none."""
    found = [shutil.which("python3.6")]
    found += sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.6.*/bin/python")))
    for path in found:
        if path and subprocess.run([path, "-c", "import venv, ensurepip, sys; assert sys.version_info[:2] == (3, 6)"], stderr=subprocess.DEVNULL).returncode == 0:
            return path
    return None


def make_program36(out):
    """conda 4.3.16 in a venv of its own Python."""
    run(python36(), "-m", "venv", out / "conda36")
    run(out / "conda36/bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", *CONDA, stderr=subprocess.DEVNULL)


def make_program(out, channel):
    """The program conda of the root."""
    root, venv = out / "root", out / "conda36"
    (root / "condabin").mkdir()
    if not venv.exists():
        print("no Python 3.6: making no conda program", file=sys.stderr)
        return
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
        python, uv = out / "tools/bin/python", os.environ.get("UV")
        if uv:
            run(uv, "venv", "-q", "--seed", "--no-python-downloads", "--python", BASE, out / "tools")
            run(uv, "pip", "install", "-q", "--python", python, *TOOLS)
        else:
            run(BASE, "-m", "venv", out / "tools")
            run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *TOOLS)
        run(python, __file__, out, pins, "go on")
        return
    program = multiprocessing.Process(target=make_program36, args=[out])
    if python36():
        program.start()  # beside the rest: it mostly waits
    channel = make_channel(out, pins)
    asyncio.run(make_prefixes(out, channel))
    if program.pid:
        program.join()
        if program.exitcode:
            sys.exit("making the conda program failed")
    make_program(out, channel)
    shutil.rmtree(out / "cache")
    sys.stdout.flush()
    os._exit(0)  # py-rattler 0.28.0 crashes when the interpreter ends after asynchronous work


main()
