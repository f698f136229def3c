input('name? ')
