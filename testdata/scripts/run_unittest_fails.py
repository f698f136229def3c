import io, unittest

class Fails(unittest.TestCase):
    def test_sum(self):
        self.assertEqual(1 + 1, 3)

unittest.main(defaultTest="Fails", testRunner=unittest.TextTestRunner(stream=io.StringIO()))
