package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// scaleBlocks are the blocks of code of docs/scale.md.
func scaleBlocks(t *testing.T) (blocks []string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(repository, "docs", "scale.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile("(?s)```python\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		blocks = append(blocks, match[1])
	}
	return blocks
}

// TestMatrixScale: what docs/scale.md says runs as it stands, an interrupt does what its
// table says, and nothing is left of it when the session ends, or the server is killed.
func TestMatrixScale(t *testing.T) { // not beside others: Ray waits 30 s for its processes and no longer
	testneeds.All(t)
	python := testneeds.Variable(t, "MCE_TEST_SCALE", "a Python with Dask, polars, duckdb and Ray")
	home := t.TempDir()
	scratch, err := os.MkdirTemp("/tmp", "mce-scale") // short: Ray has sockets there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(scratch) })
	p := launch(t, append(venvOf(python), "HOME="+home, "TMPDIR="+scratch, "RAY_TMPDIR="+scratch, "RAY_USAGE_STATS_ENABLED=0", "SPARE_KERNEL=off", mark+"scale")...)
	run := func(code string) result {
		t.Helper()
		return p.call("execute_code", args{"code": code, "wait_seconds": 110})
	}
	blocks := scaleBlocks(t)
	wants := [][]string{
		{"http://127.0.0.1:", "/status"},
		{"332833500"},
		{"332833500\n332833500"},
		{"1428501"},
		{"1428501"},
		{"36100"},
	}
	if len(blocks) != len(wants) {
		t.Fatalf("%d blocks, %d results", len(blocks), len(wants))
	}
	for i, code := range blocks {
		has(t, run(code), append([]string{"[ok"}, wants[i]...)...)
	}
	has(t, run("import urllib.request; print(urllib.request.urlopen(client.dashboard_link).status)"), "200")

	for _, test := range []struct {
		name, code, state, after, want string
	}{
		{"dask", "import time\ndef slow(n):\n    time.sleep(1)\n    return n\nfrom dask.distributed import wait\nfutures = client.map(slow, range(90))\nwait(futures)", "[interrupted",
			"running = sum(map(len, client.processing().values()))\nclient.cancel(futures)\nprint(running > 0, client.submit(square, 7).result())", "True 49"},
		{"joblib on dask", "with joblib.parallel_config(backend='dask'):\n    joblib.Parallel()(joblib.delayed(slow)(n) for n in range(100, 160))", "[interrupted",
			"print(client.submit(square, 8).result())", "64"},
		{"joblib", "joblib.Parallel(n_jobs=2)(joblib.delayed(slow)(n) for n in range(200))", "[interrupted",
			"print(joblib.Parallel(n_jobs=2)(joblib.delayed(square)(n) for n in range(3)))", "[0, 1, 4]"},
		{"duckdb", "endless = 'SELECT sum(hash(range)) FROM range(100_000_000_000)'\nduckdb.sql('SET threads = 1')\nduckdb.sql(endless).fetchall()", "Query interrupted",
			"import threading\nduckdb.sql('SET threads = 2')\nthreading.Timer(1, duckdb.interrupt).start()\ntry: duckdb.sql(endless).fetchall()\nexcept duckdb.InterruptException: print(duckdb.sql('SELECT 42').fetchall())", "[(42,)]"},
		{"ray", "@ray.remote\ndef nap(n):\n    time.sleep(0.5)\nrefs = [nap.remote(n) for n in range(200)]\nray.get(refs)", "[interrupted",
			"for ref in refs: ray.cancel(ref)\nprint(ray.get(cube.remote(3)))", "27"},
	} {
		has(t, p.call("execute_code", args{"code": test.code, "timeout_seconds": 2, "wait_seconds": 110}), test.state)
		if r := run(test.after); !strings.Contains(r.text(), test.want) || !strings.HasPrefix(r.text(), "[ok") {
			t.Errorf("after the interrupt, %s: %s", test.name, r.text())
		}
	}
	// Seconds of work, and no row of it is kept: polars refuses results of over 2^32 rows.
	has(t, run("n = pl.LazyFrame({'a': range(50_000)})\nquery = n.join(n, how='cross').filter(pl.col('a') * pl.col('a_right') < 0).collect(background=True, engine='streaming')\nprint(query.fetch())\nquery.cancel()\nprint('cancelled')"),
		"[ok", "None", "cancelled")

	if r := p.call("stop_session", args{}); strings.Contains(r.text(), "error") {
		t.Errorf("%s", r.text())
	}
	nothingLeft(t, "scale", p.cmd.Process.Pid)
	has(t, run(blocks[0]), "[ok")
	has(t, run(blocks[5]), "[ok")
	p.cmd.Process.Signal(syscall.SIGKILL)
	p.cmd.Wait()
	nothingLeft(t, "scale")
}
