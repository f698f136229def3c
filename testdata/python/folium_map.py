import folium
folium.Map([52.5, 13.4], zoom_start=11)
