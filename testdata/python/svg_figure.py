import matplotlib.pyplot as plt
%config InlineBackend.figure_formats = ['svg']
plt.figure(figsize=(3, 2)); plt.plot([1, 2]); plt.title('Sales'); plt.show()
