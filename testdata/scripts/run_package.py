import os, runpy, sys

os.makedirs("package", exist_ok=True)
for name, text in {
    "__init__.py": "",
    "__main__.py": "from .part import name\nimport sys\nprint(name, __name__, __package__)\nsys.exit(4)\n",
    "part.py": "name = 'part'\n",
}.items():
    with open(os.path.join("package", name), "w") as file:
        file.write(text)
sys.dont_write_bytecode = True
runpy.run_module("package", run_name="__main__")
