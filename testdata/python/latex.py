Math(r'\frac{a}{b}')
