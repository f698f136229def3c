import pathlib
here = pathlib.Path(__file__).resolve().parent
(here / "data.csv").write_text("a,b\n1,2\n")
print((here / "data.csv").read_text().split(), pathlib.Path(__file__).name)
