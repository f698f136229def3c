def go(s):
    # a remark
    exec(s)
go('x = = 2')
