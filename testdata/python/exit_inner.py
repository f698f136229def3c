get_ipython().run_cell('import sys; sys.exit(3)').success
