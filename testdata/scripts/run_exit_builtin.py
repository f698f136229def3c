print("a")
exit(6)
