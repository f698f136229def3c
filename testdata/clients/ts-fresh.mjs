// The first call on a machine where nothing is configured: a client with its
// own limit of 60 s gets an answer in 50 s, a later call has the result, and the
// code ran once.
import { readFileSync } from "node:fs";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { check, main, textOf } from "./conversation.mjs";

await main("ts-fresh.mjs PROOF SERVER [ARGUMENT...]", 1, async (proof, server) => {
  const client = new Client({ name: "ts-fresh", version: "1.0.0" });
  await client.connect(new StdioClientTransport(server));
  try {
    const begin = Date.now();
    const seconds = () => (Date.now() - begin) / 1000;
    const call = (name, args) => client.callTool({ name, arguments: args }); // no options: the SDK's 60 s
    const code = [
      "import numpy, pandas, matplotlib.pyplot as plt",
      `with open(${JSON.stringify(proof)}, "a") as f: f.write("ran\\n")`,
      "plt.plot([1, 3, 2]); plt.show()",
      "print('result', pandas.Series([1, 2, 3]).sum())",
    ].join("\n");
    let answer = await call("execute_code", { code });
    const first = seconds();
    check(first < 50, `the first call was answered after ${first} s`, answer);
    check(!answer.isError, "the first call failed", answer);
    const id = /\bid=(\S+?)[\s\]|]/.exec(textOf(answer).split("\n")[0])?.[1];
    check(id !== undefined, "the first answer holds no id", answer);
    // It waits 45 s for all together: the code may run by then.
    const state = /^\[(\w+) \| /.exec(textOf(answer))?.[1];
    check(["preparing", "running"].includes(state) || textOf(answer).startsWith("[ok | "), "the first answer is neither", answer);
    while (!textOf(answer).startsWith("[ok | ")) {
      check(textOf(answer).startsWith("[preparing | ") || textOf(answer).startsWith("[running | "), "a later answer is another one", answer);
      check(seconds() < 180, `not made after ${seconds()} s`, answer);
      answer = await call("get_execution", { id });
      check(!answer.isError, "a later call failed", answer);
    }
    check(textOf(answer).includes("result 6"), "the result is missing", answer);
    check(answer.content.some((block) => block.type === "image"), "the plot is missing", answer);
    check(readFileSync(proof, "utf8") === "ran\n", "the code did not run exactly once");
    console.log(`first answer after ${first.toFixed(1)} s (${state}), result after ${seconds().toFixed(1)} s`);
    const config = JSON.parse(textOf(await call("get_environment_config", {})));
    check(config.environment.works && config.environment.kind === "managed" && config.not_configured, "the configuration is another one", config);
  } finally {
    await client.close();
  }
});
