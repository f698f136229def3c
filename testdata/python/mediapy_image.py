import mediapy, numpy as np
mediapy.show_image(np.linspace(0, 1, 1600).reshape(40, 40), title='ramp')
