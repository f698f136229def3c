import sympy
sympy.init_printing()
x = sympy.symbols('x'); sympy.Integral(x**2, x)
