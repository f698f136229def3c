HTML('<style>b{color:red}</style><h1>Report</h1><p>Total: <b>42</b> &euro;</p><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table><script>alert(1)</script>')
