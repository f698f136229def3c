import matplotlib.pyplot as plt, matplotlib.animation as an
fig, ax = plt.subplots(figsize=(2, 1.5), dpi=50)
line, = ax.plot([0, 1])
a = an.FuncAnimation(fig, lambda i: line.set_ydata([0, i]), frames=3)
plt.close(fig)
HTML(a.to_jshtml())
