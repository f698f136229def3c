# arguments: add 1 2
import fire

class Calculator:
    def add(self, a, b):
        return a + b

fire.Fire(Calculator)
