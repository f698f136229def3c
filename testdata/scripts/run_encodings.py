import sys
print("é€ 漢字", sys.stdout.encoding, sys.stdout.errors, flush=True)
sys.stdout.buffer.write("bytes é\n".encode())
sys.stdout.buffer.flush()
sys.stdout.reconfigure(encoding="ascii", errors="xmlcharrefreplace")
print("é")
sys.stdout.reconfigure(encoding="utf-8")
print(sys.stderr.encoding, sys.stderr.errors)
with open("latin.txt", "w", encoding="latin-1") as file:
    file.write("é")
print(open("latin.txt", "rb").read())
