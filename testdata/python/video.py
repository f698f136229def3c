Video(b'\x00\x00\x00\x18ftypmp42' + bytes(3000), embed=True, mimetype='video/mp4')
