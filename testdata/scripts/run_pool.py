# alone
from concurrent.futures import ThreadPoolExecutor
import time

pool = ThreadPoolExecutor(2)
for i in range(4):
    pool.submit(lambda i=i: (time.sleep(0.1 * (i + 1)), print("job", i)))
print("submitted")
