pd.DataFrame({'v':[1,2,3,4]}, index=pd.MultiIndex.from_product([['x','y'],[1,2]], names=['k','n']))
