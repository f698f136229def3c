# alone
import multiprocessing

def square(x):
    return x * x

def write(name):
    with open(name, "w") as f:
        f.write("by a child")

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    with multiprocessing.Pool(2) as pool:
        print(pool.map(square, range(4)))
    p = multiprocessing.Process(target=write, args=("child.txt",))
    p.start()
