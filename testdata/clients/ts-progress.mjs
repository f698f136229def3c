// Progress of runs reaches TypeScript clients of both eras in every run: elapsed
// seconds that grow, at most one report a second, the last line of the output
// and the memory; and none after the result, which the client would report as
// an error. RUNS short runs of SECONDS each.
import { Client as ModernClient } from "@modelcontextprotocol/client";
import { StdioClientTransport as ModernTransport } from "@modelcontextprotocol/client/stdio";
import { Client as OldClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as OldTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { check, main, textOf } from "./conversation.mjs";

await main("ts-progress.mjs v1|legacy|auto RUNS SECONDS SERVER [ARGUMENT...]", 3, async (era, runs, seconds, server) => {
  const info = { name: "ts-progress", version: "1.0.0" };
  const client = era === "v1" ? new OldClient(info) : new ModernClient(info, { versionNegotiation: { mode: era } });
  const errors = [];
  client.onerror = (error) => errors.push(error.message);
  await client.connect(era === "v1" ? new OldTransport(server) : new ModernTransport(server));
  try {
    const call = (code, options) => {
      const request = { name: "execute_code", arguments: { code } };
      return era === "v1" ? client.callTool(request, undefined, options) : client.callTool(request, options);
    };
    await call("import time, sys");
    const code = [
      `end = time.time() + ${seconds}`,
      "i = 0",
      "while time.time() < end:",
      "    i += 1; sys.stdout.write(f'\\rstep {i:5d} of many'); sys.stdout.flush(); time.sleep(0.05)",
    ].join("\n");
    let total = 0;
    for (let run = 0; run < Number(runs); run++) {
      const reports = [];
      let over = 0;
      const result = await call(code, {
        onprogress: (report) => reports.push({ ...report, at: Date.now(), late: over > 0 }),
      });
      over = Date.now();
      check(textOf(result).startsWith("[ok | "), "the run failed", result);
      const want = Math.max(1, Math.floor(Number(seconds)) - 1);
      check(reports.length >= Math.min(want, 1), `run ${run}: no progress came in ${seconds} s`);
      check(reports.length >= want / 2, `run ${run}: ${reports.length} reports in ${seconds} s`);
      check(reports.length <= Math.floor(Number(seconds)) + 1, `run ${run}: ${reports.length} reports in ${seconds} s`);
      reports.forEach((report, i) => {
        check(i === 0 || report.progress > reports[i - 1].progress, `run ${run}: progress does not grow: ${JSON.stringify(reports)}`);
        check(Number(report.progress.toFixed(2)) === report.progress, `run ${run}: progress is not rounded: ${report.progress}`);
        check(/step +\d+ of many/.test(report.message), `run ${run}: the last line is missing: ${report.message}`);
        check(/\d+(\.\d+)? s/.test(report.message) && / memory \d[\d.]* [kMG]B/.test(report.message), `run ${run}: time or memory is missing: ${report.message}`);
      });
      total += reports.length;
    }
    // Runs that end when a report is due: one after the result is an error here.
    for (let run = 0; run < Number(runs); run++) await call("time.sleep(1)", { onprogress: () => {} });
    await call("1");
    check(errors.length === 0, `the client reports: ${errors.join("; ")}`);
    console.log(`${total} reports in ${runs} runs of ${seconds} s`);
  } finally {
    await client.close();
  }
});
