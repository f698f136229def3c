from PIL import Image
Image.new('RGB', (40, 20), 'red')
