import pandas as pd, numpy as np
pd.DataFrame({'name':['ann','bob','cy'],'age':[31,25,47],'height':[1.7,1.85,1.62]})
