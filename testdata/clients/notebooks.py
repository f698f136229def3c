"""Jupyter's own programs on notebooks: what they say is what ours are held against.

    notebooks.py validate FILE…                     nbformat's judgement
    notebooks.py run IN OUT PYTHON                  nbclient, on an ipykernel of PYTHON;
                                                    of directories each notebook
    notebooks.py parameters IN OUT JSON             papermill's cell with parameters
"""
import json
import os
import sys
import tempfile

import nbformat


def validate(files):
    for file in files:
        with open(file, encoding="utf-8") as f:
            written = json.load(f)
        if (written["nbformat"], written["nbformat_minor"]) != (4, 5):
            raise SystemExit(f"{file}: version {written['nbformat']}.{written['nbformat_minor']}")
        notebook = nbformat.reads(json.dumps(written), as_version=nbformat.NO_CONVERT)
        nbformat.validate(notebook)


def run(source, target, python):
    with tempfile.TemporaryDirectory() as place:
        spec = os.path.join(place, "kernels", "python3")
        os.makedirs(spec)
        with open(os.path.join(spec, "kernel.json"), "w", encoding="utf-8") as f:
            argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            json.dump({"argv": argv, "display_name": "test", "language": "python"}, f)
        os.environ["JUPYTER_PATH"] = place
        os.environ["JUPYTER_RUNTIME_DIR"] = os.path.join(place, "run")
        if not os.path.isdir(source):
            run_one(source, target)
            return
        for name in sorted(os.listdir(source)):
            run_one(os.path.join(source, name), os.path.join(target, name))


def run_one(source, target):
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.read(source, as_version=4)
    client = NotebookClient(
        notebook, kernel_name="python3", timeout=120, coalesce_streams=True,
        resources={"metadata": {"path": os.path.dirname(os.path.abspath(target))}},
    )
    try:
        client.execute()
    except CellExecutionError:
        pass  # the notebook has the error
    nbformat.write(notebook, target)


def parameters(source, target, values):
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    notebook = load_notebook_node(source)
    notebook = parameterize_notebook(notebook, json.loads(values), kernel_name="python3", language="python")
    nbformat.write(notebook, target)


def main(command, *rest):
    if command == "validate":
        validate(rest)
    elif command == "run":
        run(*rest)
    elif command == "parameters":
        parameters(*rest)
    else:
        raise SystemExit(f"unknown command {command}")


main(*sys.argv[1:])
