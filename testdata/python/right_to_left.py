print('שלום עולם'); print('مرحبا'); print('mixed ‮abc‬ end')
