%time sum(range(10))
