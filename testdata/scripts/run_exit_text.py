import sys
sys.exit("bad input: row 3")
