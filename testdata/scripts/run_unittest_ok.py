import unittest

class Test(unittest.TestCase):
    def test_sum(self):
        self.assertEqual(1 + 1, 2)
        print("tested")

if __name__ == "__main__":
    import sys, io
    unittest.main(testRunner=unittest.TextTestRunner(stream=io.StringIO()))
