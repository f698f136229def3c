SVG('<svg xmlns="http://www.w3.org/2000/svg" width="99" height="9"><text>Revenue</text><text>2024</text><rect width="9" height="9"/></svg>')
