import pandas as pd
from great_tables import GT
GT(pd.DataFrame({'name': ['ann', 'bob'], 'age': [31, 25]})).tab_header('People')
