e = ValueError('bad value')
e.add_note('row 17 of the table')
raise e
