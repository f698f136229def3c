# alone
import tempfile, weakref

class Connection:
    def __del__(self):
        print("closed")

connection, other = Connection(), set()
weakref.finalize(connection, print, "finalized")
directory = tempfile.TemporaryDirectory()
file = open("unclosed.txt", "w")
file.write("kept")
print("end")
