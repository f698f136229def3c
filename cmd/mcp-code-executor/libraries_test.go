package main

import (
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestLoopsOfLibraries: what starts an event loop of its own works in a cell, and so
// does what comes after, also after an interrupt.
func TestLoopsOfLibraries(t *testing.T) {
	t.Parallel()
	p := launch(t, inScripts(t)...)
	p.run("import asyncio\nasync def work(n):\n    await asyncio.sleep(0.01)\n    return n")
	for _, c := range []struct{ code, want string }{
		{"import anyio\nasync def group(name):\n    async with anyio.create_task_group() as g: g.start_soon(anyio.sleep, 0.01)\n    return name\nanyio.run(group, 'asyncio')", "'asyncio'"},
		{"anyio.run(group, 'trio', backend='trio')", "'trio'"},
		{"import trio\ntrio.run(group, 'trio itself')", "'trio itself'"},
		{"await group('awaited')", "'awaited'"},
		{"import uvloop\nuvloop.run(work(1)) + await work(2)", "3"},
		{"loop = uvloop.new_event_loop(); r = loop.run_until_complete(work(4)); loop.close(); r", "4"},
		{`import uvicorn, socket, threading, time, urllib.request
async def app(scope, receive, send):
    if scope['type'] == 'http':
        await send({'type': 'http.response.start', 'status': 200, 'headers': []})
        await send({'type': 'http.response.body', 'body': b'hello'})
listening = socket.create_server(('127.0.0.1', 0))
server = uvicorn.Server(uvicorn.Config(app, log_level='error'))
def ask():
    while not server.started: time.sleep(0.02)
    global got
    got = urllib.request.urlopen('http://127.0.0.1:%d' % listening.getsockname()[1]).read()
    server.should_exit = True
threading.Thread(target=ask).start()
server.run(sockets=[listening])
got`, "b'hello'"},
		{"asyncio.run(work(5)) + await work(6)", "11"},
	} {
		if r := p.run(c.code); !strings.HasSuffix(r.rest(), ": "+c.want) {
			t.Errorf("%s:\n%s", c.code, r.text())
		}
	}
	for _, code := range []string{"anyio.run(anyio.sleep, 60)", "trio.run(trio.sleep, 60)", "asyncio.run(asyncio.sleep(60))", "uvicorn.run(app, port=0, log_level='error')"} {
		r := p.call("execute_code", args{"code": code, "timeout_seconds": 1})
		if !strings.HasPrefix(r.text(), "[interrupted | ") {
			t.Errorf("%s, interrupted:\n%s", code, r.text())
		}
		if r := p.run("asyncio.run(work(7)) + await work(8)"); !strings.HasSuffix(r.rest(), ": 15") {
			t.Errorf("after %s:\n%s", code, r.text())
		}
	}
	// A user's own patch goes on working: there the kernel's loop is entered again.
	p.run("import nest_asyncio\nnest_asyncio.apply()")
	if r := p.run("asyncio.run(work(1)), asyncio.get_event_loop().run_until_complete(asyncio.gather(work(2), work(3))), await work(4)"); !strings.HasSuffix(r.rest(), ": (1, [2, 3], 4)") {
		t.Errorf("nest_asyncio:\n%s", r.text())
	}
}

// TestMatrixDisplaysOfLibraries: tables are not cut to a screen, and figures need neither
// nbformat nor the page of another frontend.
func TestMatrixDisplaysOfLibraries(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	p := launch(t, inScripts(t)...)
	for _, c := range []struct {
		code   string
		want   []string
		images int
	}{
		{"import polars as pl\npl.DataFrame({'column_%d' % i: [i] * 40 for i in range(30)})", []string{"column_0 ", "column_15", "column_29"}, 0},
		{"pl.Config.set_tbl_cols(3)\npl.DataFrame({'column_%d' % i: [i] for i in range(30)})", []string{"column_0 ", " … "}, 0},
		{"import plotly.express as px\npx.bar(x=['a', 'b'], y=[1, 2]).show()", []string{"[plotly figure"}, 0},
		{"px.line(x=[1, 2], y=[3, 4])", []string{"[plotly figure"}, 0},
		{"from lets_plot import *\nggplot({'x': [1, 2], 'y': [3, 4]}, aes('x', 'y')) + geom_point()", nil, 1},
	} {
		r := p.run(c.code)
		images := 0
		for _, block := range r.Content {
			if block.Type == "image" {
				images++
			}
		}
		if images != c.images {
			t.Errorf("%s: %d images, want %d\n%s", c.code, images, c.images, r.text())
		}
		for _, want := range c.want {
			if !strings.Contains(r.text(), want) {
				t.Errorf("%q is missing in\n%.3000s", want, r.text())
			}
		}
	}
	pages := "import pyecharts.charts\nbar = pyecharts.charts.Bar().add_xaxis(['a']).add_yaxis('s', [1])\n" +
		"html = get_ipython().display_formatter.format\n" +
		"[('<script type=\"text/javascript\" src=' in html(o)[0]['text/html'], 'require(' in html(o)[0]['text/html']) for o in (bar, bar.render_notebook())]"
	if r := p.run(pages); !strings.HasSuffix(r.rest(), ": [(True, False), (True, False)]") {
		t.Errorf("pyecharts: %s", r.text())
	}
}
