{'model': {'layers': [64, 64, 10], 'dropout': 0.1}, 'data': {'rows': 10_000, 'columns': ['a', 'b', 'c', 'd']}, 'seed': 42, 'paths': ['/data/train.csv', '/data/test.csv']}
