eval('1+')
