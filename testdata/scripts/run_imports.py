import os, sys
with open("helper_module.py", "w") as file:
    file.write("value = 11\n")
sys.dont_write_bytecode = True
import helper_module
print(helper_module.value, os.path.dirname(os.path.abspath(__file__)) == sys.path[0])
