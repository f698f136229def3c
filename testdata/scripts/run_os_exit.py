# alone
import os
with open("file.txt", "w") as file:
    file.write("written")
os._exit(5)
