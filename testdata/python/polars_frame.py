import polars as pl
pl.DataFrame({'name':['ann','bob'],'age':[31,25]})
