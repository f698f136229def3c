import sys, time
for i in range(0,101,10):
    sys.stderr.write(f'\r{i:3}%|{"#"*(i//10):10}| {i}/100'); sys.stderr.flush()
sys.stderr.write('\n')
