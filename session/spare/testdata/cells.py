import sys; print(*sorted(n for n in sys.modules if not n.startswith(("_cython_", "cython_"))), sep="\n")
#
import os; print(sorted(n for n in os.environ))
#
import threading; print(threading.active_count(), sorted(t.name for t in threading.enumerate()))
#
import warnings; print([str(f) for f in warnings.filters])
#
import signal; print([signal.getsignal(n) for n in signal.valid_signals()])
#
import logging; print(logging.root.level, logging.root.handlers, logging.root.manager.disable, logging.getLoggerClass())
#
import locale; print(locale.setlocale(locale.LC_ALL), locale.getlocale())
#
import random; random.seed(7); print(random.random())
#
import gc; print(gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), len(gc.callbacks))
#
print(os.getcwd(), sys.argv, sys.path, sys.flags)
#
print(len(In), sorted(Out), get_ipython().execution_count)
#
print([k for k in globals() if k[0] != "_"])
#
print({name: len(f) for name, f in get_ipython().events.callbacks.items()})
#
print([type(f).__name__ if not isinstance(f, type) else f.__name__ for f in sys.path_hooks])
#
print([type(c).__name__ for c in get_ipython().configurables])
#
print(sys.excepthook, sys.displayhook, sys.stdout, sys.getrecursionlimit(), sys.gettrace(), __import__)
#
import socket, time; print(socket.getdefaulttimeout(), time.tzname)
#
import resource; print([resource.getrlimit(n) for n in range(10)], os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0))
#
import asyncio; print(asyncio.get_running_loop().is_running(), len(asyncio.all_tasks()))
#
import builtins; print(sorted(vars(builtins)))
#
import xml; print(hasattr(xml, "etree"))
#
import concurrent; print(hasattr(concurrent, "futures"))
#
import importlib.util; s = importlib.util.find_spec("numpy"); print(s.name, s.origin, s.submodule_search_locations, s.has_location, "numpy" in sys.modules)
#
print(importlib.util.find_spec("nothing_of_that_name"))
#
print(s.loader.is_package("numpy"), s.loader.path)
#
import decimal; print(decimal.Decimal("0.1") + 1, sys.modules["decimal"] is decimal, "_decimal" in sys.modules, "pandas" in sys.modules)
#
import numbers; print(isinstance(decimal.Decimal(1), numbers.Number))
#
open("local_module.py", "w").write("import json\nvalue = 3\n"); import local_module; print(local_module.value)
#
open("kiwisolver.py", "w").write("mine = 1\n"); import kiwisolver; print(kiwisolver.mine)
#
import pathlib; pathlib.Path("kiwisolver.py").unlink(missing_ok=True); del sys.modules["kiwisolver"], kiwisolver; print("kiwisolver" in sys.modules)
#
import PIL; print(hasattr(PIL, "Image"), sorted(n for n in sys.modules if n.startswith("PIL")))
#
import numpy; print(numpy.__spec__.name, numpy.__loader__.__class__, numpy.__spec__.loader is numpy.__loader__, numpy.__file__, numpy.__spec__._initializing)
#
print([str(f) for f in warnings.filters])
#
print(*sorted(n for n in sys.modules if not n.startswith(("_cython_", "cython_"))), sep="\n")
#
print(numpy.get_printoptions()["linewidth"], numpy.geterr())
#
numpy.random.seed(3); print(numpy.random.rand(3), numpy.random.default_rng(1).integers(9, size=4))
#
print(numpy.fft.fft([1, 2, 3]), "numpy.fft" in sys.modules)
#
import pickle; print(pickle.loads(pickle.dumps(numpy.arange(3))), numpy.array([0.1, 2e9, 3]))
#
import inspect; print(inspect.getmodule(numpy.ma.MaskedArray).__name__, len(inspect.getsource(numpy.ma.median)))
#
import matplotlib; print(hasattr(matplotlib, "pyplot"), dict.get(matplotlib.rcParams, "backend"))
#
print(*sorted((k, str(v)) for k, v in dict.items(matplotlib.rcParams)), sep="\n")
#
import logging; print(logging.getLogger("matplotlib").level, logging.getLogger("matplotlib").handlers)
#
import matplotlib.pyplot as plt; print(plt.get_fignums(), matplotlib.is_interactive())
#
print(plt.get_backend(), {name: len(f) for name, f in get_ipython().events.callbacks.items()})
#
fig, ax = plt.subplots(); ax.plot([1, 2]); print(fig.dpi, fig.get_size_inches())
#
print(plt.get_fignums(), sorted(n for n in sys.modules if n.startswith(("matplotlib", "mpl_toolkits"))))
#
print([type(c).__name__ for c in get_ipython().configurables], matplotlib.style.available[:3])
#
import pandas as pd; print(pd.DataFrame({"a": [1, 2]}).describe())
#
print([pd.get_option("display." + n) for n in ("width", "max_columns", "min_rows", "max_colwidth", "precision")])
#
print(pd.Series(["a", None]).dtype, pd.to_datetime("2026-01-02").isoformat(), pd.Timestamp.__module__)
#
print(pickle.loads(pickle.dumps(pd.DataFrame({"a": [1]}))).equals(pd.DataFrame({"a": [1]})))
#
print(get_ipython().display_formatter.format(pd.DataFrame({"a": range(30), "b": "x"})))
#
pd.DataFrame({"a": [1, 2]}).plot(); print(plt.gcf().axes)
#
print(*sorted(n for n in sys.modules if not n.startswith(("_cython_", "cython_"))), sep="\n")
#
print([type(f).__name__ for f in sys.meta_path if "Stash" not in type(f).__name__])
#
import multiprocessing; print(multiprocessing.get_start_method(), multiprocessing.current_process().name, "__mp_main__" in sys.modules)
#
try:
    import requests; print(requests.Session().headers["Accept"], requests.get.__module__)
except ImportError as e:
    print(e)
#
print([str(f) for f in warnings.filters])
#
try:
    import scipy; print(hasattr(scipy, "_lib"), "scipy.linalg" in sys.modules); import scipy.linalg; print(scipy.linalg.det(numpy.eye(2)))
except ImportError as e:
    print(e)
#
try:
    import polars as pl; print(pl.DataFrame({"a": [1, 2], "b": [1, 1]}).group_by("b").sum(), pl.thread_pool_size(), pl.Config.state())
except ImportError as e:
    print(e)
#
try:
    import sklearn; from sklearn.linear_model import LinearRegression as L; print(L().fit([[1], [2]], [1, 2]).coef_, sklearn.get_config())
except ImportError as e:
    print(e)
#
print(sorted(v for v in os.environ.items() if v[0] != "JPY_PARENT_PID"), [str(f) for f in warnings.filters])
#
try:
    import seaborn; print(seaborn.axes_style(), plt.rcParams["axes.facecolor"])
except ImportError as e:
    print(e)
#
print(*sorted(n for n in sys.modules if not n.startswith(("_cython_", "cython_"))), sep="\n")
#
def child(queue):
    import pandas, numpy
    queue.put((pandas.Series([1, 2]).sum(), numpy.linalg.det(numpy.eye(2))))
queue = multiprocessing.get_context("fork").Queue()
process = multiprocessing.get_context("fork").Process(target=child, args=(queue,)); process.start()
print(queue.get(timeout=60)); process.join()
#
from concurrent.futures import ThreadPoolExecutor; print(list(ThreadPoolExecutor(2).map(abs, [-1, -2])))
#
import importlib; print(importlib.reload(local_module).value, importlib.reload(pd.io.common).__name__)
#
import typing, dataclasses
@dataclasses.dataclass
class P:
    x: "numpy.ndarray"
print(typing.get_type_hints(P))
#
import subprocess; print(subprocess.run([sys.executable, "-c", "import numpy; print(numpy.arange(2))"], capture_output=True, text=True).stdout)
#
try:
    import no_such_module_here
except ModuleNotFoundError as e:
    print(e, e.name)
#
try:
    1 / numpy.array([]).reshape(2, 2)
except Exception:
    import traceback; print(traceback.format_exc())
#
print(sorted(os.environ), [str(f) for f in warnings.filters])
#
print(signal.getsignal(signal.SIGINT), threading.active_count(), len(In) > 60, logging.root.handlers, random.random())
