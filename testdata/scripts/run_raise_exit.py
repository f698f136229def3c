class Stop(SystemExit):
    pass

try:
    raise Stop(9)
finally:
    print("finally")
