'first line\nsecond line'
