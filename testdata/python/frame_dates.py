pd.DataFrame({'v': range(3)}, index=pd.date_range('2024-01-01', periods=3, freq='D'))
