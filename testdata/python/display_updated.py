h = display('state: starting', display_id='d1')
print('working')
update_display('state: done', display_id='d1')
