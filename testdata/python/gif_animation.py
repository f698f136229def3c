import io
from PIL import Image as PILImage
b = io.BytesIO()
frames = [PILImage.new('RGB', (32, 32), c) for c in ['red', 'green', 'blue']]
frames[0].save(b, 'GIF', save_all=True, append_images=frames[1:], duration=100)
display({'image/gif': __import__('base64').b64encode(b.getvalue()).decode(), 'text/plain': 'animation'}, raw=True)
