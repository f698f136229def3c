IFrame('https://example.org/page', 300, 200)
