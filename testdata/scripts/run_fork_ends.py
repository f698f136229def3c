# alone
import os, sys
if os.fork() == 0:
    with open("child.txt", "w") as file:
        file.write("child")
    sys.exit(8)
print(os.wait()[1] >> 8)
