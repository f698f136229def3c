from IPython.display import *
Markdown('# Title\n\n- a\n- **b**')
