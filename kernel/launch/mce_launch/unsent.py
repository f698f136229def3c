"""What a stream has taken, kept where a crash cannot reach it: the end of its
text lies in a file that the server reads when the process is gone."""

import os

# For each stream the file has a ring of what was taken and a place for what is
# being read. 64-bit numbers, little endian.
RING = 1 << 16
HEAD = 24  # of the ring: characters taken, place of the next byte, reads taken
ROOM = RING - HEAD
LANDING = 1 << 16
LANDING_HEAD = 8  # number of the read whose bytes are here
READ = LANDING - LANDING_HEAD  # bytes at a time
SIZE = RING + LANDING


def open_file(path):
    """The file, mapped. Its size is the server's doing."""
    import mmap

    with open(path, "r+b") as file:
        return mmap.mmap(file.fileno(), 2 * SIZE)


class Unsent:
    """A ring of the last characters as UTF-8. Not safe for concurrent use, but
    one thread may read while another adds."""

    def __init__(self, memory, index):
        import struct

        self.memory = memory
        self.base = index * SIZE  # index: 0 stdout, 1 stderr
        self.total = 0
        self.place = 0
        self.reads = 0
        self.used = 0  # bytes of the landing that are not zero
        self.landing = memoryview(memory)[self.base + RING + LANDING_HEAD : self.base + SIZE]
        self.pack = struct.Struct("<QQQ").pack_into
        self.number = struct.Struct("<Q").pack_into

    def read(self, descriptor):
        """Reads at most READ bytes, right into the file: they are safe before a
        line of Python has run, and are told until add has taken them."""
        self.landing[: self.used] = bytes(self.used)
        self.used = 0
        self.number(self.memory, self.base + RING, self.reads + 1)
        self.used = os.readv(descriptor, (self.landing,))
        return bytes(self.landing[: self.used])

    def add(self, text, read=False):
        """read: it is what read has returned."""
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
        self.reads += read
        self.pack(memory, self.base, self.total, end, self.reads)
