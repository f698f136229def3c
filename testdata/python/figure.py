import matplotlib.pyplot as plt
fig, ax = plt.subplots(figsize=(3,2), dpi=50)
ax.plot([1,2,3]); print('before'); plt.show(); print('after')
