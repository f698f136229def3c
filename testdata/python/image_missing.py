Image('nosuch.png')
