# arguments: --help
"""Counts things."""
import argparse
argparse.ArgumentParser(prog="tool", description=__doc__).parse_args()
