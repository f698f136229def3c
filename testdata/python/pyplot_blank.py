plt.figure(figsize=(3, 2)); plt.plot([1, 3, 2]); plt.show()
plt.title('Sales')
