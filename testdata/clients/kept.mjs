// One of several clients on one kept session, of either SDK: many calls, some of them
// at once, each answer checked to be its own call's. Every hundred answers it says so.
// Usage: node kept.mjs v1|v2 NAME CALLS SERVER [ARGUMENT...]
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { Client as ClientV2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as TransportV2 } from "@modelcontextprotocol/client/stdio";
import { check, main, textOf } from "./conversation.mjs";

const atOnce = 4;

await main("kept.mjs v1|v2 NAME CALLS SERVER [ARGUMENT...]", 3, async (sdk, name, calls, server) => {
  const [Client, Transport] = sdk === "v1" ? [ClientV1, TransportV1] : [ClientV2, TransportV2];
  const client = new Client({ name, version: "1.0.0" });
  await client.connect(new Transport(server));
  let next = 0;
  let answered = 0;
  const some = async () => {
    while (next < Number(calls)) {
      const i = next++;
      const code = `seen.append("${name}-${i}"); print("answer to ${name}-${i}")`;
      const result = await client.callTool({ name: "execute_code", arguments: { code, session: "shared" } });
      const lines = textOf(result).split("\n");
      check(!result.isError && lines[lines.length - 1] === `answer to ${name}-${i}`, `call ${name}-${i} has another's answer`, result);
      if (++answered % 100 === 0) console.log(answered);
    }
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, some));
  } finally {
    await client.close();
  }
});
