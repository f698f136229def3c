import sys
import pytest

def test_one():
    assert 1 + 1 == 2

def test_two(tmp_path, capsys):
    print("captured")
    assert capsys.readouterr().out == "captured\n"

if __name__ == "__main__":
    class Count:
        passed = 0
        def pytest_runtest_logreport(self, report):
            self.passed += report.when == "call" and report.passed
    count = Count()
    status = pytest.main([__file__, "-q", "-p", "no:terminal", "-p", "no:cacheprovider"], plugins=[count])
    print(count.passed, int(status))
    sys.exit(status)
