from dataclasses import dataclass
@dataclass
class Point:
    x: float
    y: float
[Point(1.0, 2.0), Point(3.5, 4.0)]
