from base64 import b64encode
from io import BytesIO
from PIL import Image as PIL
file = BytesIO()
PIL.linear_gradient('L').resize((120, 80)).save(file, 'PNG')
HTML(f'<div style="background:url(data:image/png;base64,{b64encode(file.getvalue()).decode()})">ramp</div>')
