for i in range(0,101,20):
    sys.stderr.write(f'\r{i:3}%'); sys.stderr.flush()
    print('step', i, flush=True)
