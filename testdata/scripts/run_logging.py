import logging, sys

logging.warning("before")
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(name)s %(message)s", force=True)
logging.info("hello")
try:
    1 / 0
except ZeroDivisionError:
    logging.error("failed: %s", "division")
