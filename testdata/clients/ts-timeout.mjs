// A client that gives a call up after 3 s, while the run takes 10 s: the run
// goes on, the session's next answer names it, and it ran once.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ErrorCode } from "@modelcontextprotocol/sdk/types.js";
import { check, main, textOf } from "./conversation.mjs";

await main("ts-timeout.mjs SERVER [ARGUMENT...]", 0, async (server) => {
  const directory = mkdtempSync(join(tmpdir(), "ts-timeout-"));
  const proof = join(directory, "ran");
  const client = new Client({ name: "ts-timeout", version: "1.0.0" });
  await client.connect(new StdioClientTransport(server));
  try {
    const call = (name, args, options) => client.callTool({ name, arguments: args }, undefined, options);
    const idOf = (result) => /\bid=(\S+?)[\s\]|]/.exec(textOf(result).split("\n")[0])?.[1];

    const ready = await call("execute_code", { code: "'ready'" });
    check(!ready.isError, "the first call failed", ready);

    const code = [
      "import time",
      "for i in range(10): time.sleep(1); print(i)",
      `with open(${JSON.stringify(proof)}, "a") as f: f.write("ran\\n")`,
    ].join("\n");
    const begin = Date.now();
    let given;
    try {
      given = await call("execute_code", { code }, { timeout: 3000 });
    } catch (error) {
      check(error.code === ErrorCode.RequestTimeout, `the call ended otherwise: ${error.message}`);
    }
    check(given === undefined, "the call was answered before the client's limit of 3 s", given);

    const next = await call("execute_code", { code: "'next'", wait_seconds: 40 });
    const took = (Date.now() - begin) / 1000;
    check(!next.isError && textOf(next).includes("'next'"), "the next call failed", next);
    check(took > 9.5, `the next call was answered ${took} s after the long one began: that one was stopped`, next);
    const own = idOf(next);
    const named = [...textOf(next).matchAll(/\bid=([A-Za-z0-9]+-\d+)/g)].map((match) => match[1]);
    const id = named.find((other) => other !== own && other !== idOf(ready));
    check(id !== undefined, "the next answer does not name the run that was given up", next);

    const whole = await call("get_execution", { id, since: 0, wait_seconds: 5 });
    const lines = textOf(whole).split("\n").filter((line) => /^\d$/.test(line)).join("");
    check(!whole.isError && lines === "0123456789", "get_execution does not show all ten lines", whole);
    check(readFileSync(proof, "utf8") === "ran\n", "the code did not run exactly once");

    const again = await call("execute_code", { code: "i" });
    check(textOf(again).includes("9") && !textOf(again).includes(id), "the run is named again, or its variables are gone", again);
  } finally {
    await client.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
