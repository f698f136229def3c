from tqdm import tqdm
import time
for i in tqdm(range(3), desc='outer', mininterval=0):
    for j in tqdm(range(4), desc='inner', leave=False, mininterval=0):
        time.sleep(.01)
print('done')
