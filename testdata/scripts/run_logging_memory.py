# alone
import logging.handlers, sys

handler = logging.handlers.MemoryHandler(100, target=logging.StreamHandler(sys.stdout))
logging.getLogger("app").addHandler(handler)
logging.getLogger("app").warning("flushed at the end")
