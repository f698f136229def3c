display(1, display_id='a')
display(3)
display(4, display_id='a')
