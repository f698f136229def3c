"""What a stream has taken, kept where a crash cannot reach it: the end of its
text lies in a file that the server reads when the process is gone."""

import os

# For each stream the file has a ring of what was taken and a place for what is
# being read. Numbers are of 64 bits, in this machine's order of bytes.
RING = 1 << 16
# Of the ring. One number, so that no death can come between: characters taken
# (44 bits), reads taken (4 bits), place of the next byte (16 bits).
HEAD = 8
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
        self.memory = memory
        base = index * SIZE  # index: 0 stdout, 1 stderr
        self.start = base + HEAD
        self.total = 0
        self.place = 0
        self.reads = 0
        self.used = 0  # bytes of the landing that are not zero
        view = memoryview(memory)
        self.landing = view[base + RING + LANDING_HEAD : base + SIZE]
        # A memoryview stores a number at once, struct byte by byte.
        self.head = view[base : base + HEAD].cast("Q")
        self.landed = view[base + RING : base + RING + LANDING_HEAD].cast("Q")

    def read(self, descriptor):
        """Reads at most READ bytes, right into the file: they are safe before a
        line of Python has run, and are told until add has taken them."""
        self.landing[: self.used] = bytes(self.used)
        self.used = 0
        self.landed[0] = self.reads + 1
        self.used = os.readv(descriptor, (self.landing,))
        return bytes(self.landing[: self.used])

    def add(self, text, read=False):
        """read: it is what read has returned."""
        # "replace" keeps the count of characters whatever they are.
        data = (text if len(text) <= ROOM else text[-ROOM:]).encode("utf-8", "replace")
        place = self.place
        end = place + len(data)
        if end <= ROOM:
            self.memory[self.start + place : self.start + end] = data
        else:
            end = self.wrap(data)
        self.place = end
        self.total += len(text)
        if read:
            self.reads += 1
        self.head[0] = self.total << 20 | (self.reads & 15) << 16 | end

    def wrap(self, data):
        """Puts data that reaches beyond the ring's end, and returns the next place."""
        data, place, start = data[-ROOM:], self.place, self.start
        split = min(ROOM - place, len(data))
        self.memory[start + place : start + place + split] = data[:split]
        rest = data[split:]
        self.memory[start : start + len(rest)] = rest
        return len(rest) or place + split
