import pandas as pd
pd.DataFrame({'a':[1,2],'b':[3,4]}).style.set_caption('cap')
