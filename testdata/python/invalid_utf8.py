import os
_ = os.write(1, b'caf\xe9 \xff\xfe end\n')
