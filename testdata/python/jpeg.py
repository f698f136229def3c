import io
from PIL import Image as PILImage
b = io.BytesIO(); PILImage.new('RGB', (64, 48), 'navy').save(b, 'JPEG')
Image(data=b.getvalue())
