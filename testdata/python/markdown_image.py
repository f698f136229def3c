import matplotlib.pyplot as plt, base64, io
fig, ax = plt.subplots(figsize=(2, 1.5), dpi=50); ax.plot([1, 3]); b = io.BytesIO(); fig.savefig(b); plt.close(fig)
Markdown('# Sales\n\n![by year](data:image/png;base64,' + base64.b64encode(b.getvalue()).decode() + ')\n\nThe end')
