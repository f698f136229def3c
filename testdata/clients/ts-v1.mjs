// The TypeScript SDK of the handshake era (@modelcontextprotocol/sdk).
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { converse, main } from "./conversation.mjs";

await main("ts-v1.mjs SERVER [ARGUMENT...]", 0, async (server) => {
  const client = new Client({ name: "ts-v1", version: "1.0.0" });
  await client.connect(new StdioClientTransport(server));
  try {
    await converse(client);
    await client.ping();
  } finally {
    await client.close();
  }
});
