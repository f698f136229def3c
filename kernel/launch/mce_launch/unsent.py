"""What a stream has taken, kept where a crash cannot reach it: the end of its
text lies in a file that the server reads when the process is gone."""

SIZE = 1 << 16  # bytes of the file for one stream
HEAD = 16  # of them: characters taken so far, place of the next byte; 64 bits each, little endian
ROOM = SIZE - HEAD


def open_file(path):
    """The file, mapped. Its size is the server's doing."""
    import mmap

    with open(path, "r+b") as file:
        return mmap.mmap(file.fileno(), 2 * SIZE)


class Unsent:
    """A ring of the last characters as UTF-8. Not safe for concurrent use."""

    def __init__(self, memory, index):
        import struct

        self.memory = memory
        self.index = index  # 0 stdout, 1 stderr
        self.base = index * SIZE
        self.total = 0
        self.place = 0
        self.pack = struct.Struct("<QQ").pack_into

    def add(self, text):
        length = len(text)
        # "replace" keeps the count of characters whatever they are.
        data = text.encode("utf-8", "replace") if length <= ROOM else text[-ROOM:].encode("utf-8", "replace")
        if len(data) > ROOM:
            data = data[-ROOM:]
        memory, start = self.memory, self.base + HEAD
        place, end = self.place, self.place + len(data)
        if end <= ROOM:
            memory[start + place : start + end] = data
        else:
            split = ROOM - place
            end -= ROOM
            memory[start + place : start + ROOM] = data[:split]
            memory[start : start + end] = data[split:]
        self.place = end
        self.total += length
        self.pack(memory, self.base, self.total, end)
