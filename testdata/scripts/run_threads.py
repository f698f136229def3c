# alone
import threading, time

def late():
    time.sleep(0.5)
    print("thread")
    with open("thread.txt", "w") as f:
        f.write("by a thread")

threading.Thread(target=late).start()
threading.Thread(target=lambda: (time.sleep(60), print("daemon")), daemon=True).start()
print("main")
