print('low \udc80 high \ud83d end')
'\ud800'
