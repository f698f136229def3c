for i in range(3):
    clear_output(wait=True)
    print('frame', i)
