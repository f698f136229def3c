import os, signal

signal.signal(signal.SIGUSR1, lambda number, frame: print("usr1"))
os.kill(os.getpid(), signal.SIGUSR1)
def alarm(number, frame):
    raise TimeoutError("alarm")
signal.signal(signal.SIGALRM, alarm)
signal.setitimer(signal.ITIMER_REAL, 0.05)
try:
    while True:
        pass
except TimeoutError as error:
    print(error)
