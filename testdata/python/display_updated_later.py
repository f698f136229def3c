update_display('state: changed', display_id='d1')
