// The TypeScript SDK of both eras (@modelcontextprotocol/client): "legacy"
// shakes hands, "auto" asks server/discover and then speaks statelessly.
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { check, converse, main } from "./conversation.mjs";

await main("ts-v2.mjs legacy|auto SERVER [ARGUMENT...]", 1, async (mode, server) => {
  check(mode === "legacy" || mode === "auto", `unknown mode ${mode}: legacy or auto`);
  const client = new Client({ name: "ts-v2", version: "1.0.0" }, { versionNegotiation: { mode } });
  await client.connect(new StdioClientTransport(server));
  try {
    const version = client.getNegotiatedProtocolVersion();
    const want = mode === "auto" ? "2026-07-28" : "2025-11-25";
    check(version === want, `mode ${mode} agreed on ${version}, want ${want}`);
    await converse(client);
    if (mode === "auto") {
      // The list never changes, so the server acknowledges and ends the stream.
      const subscription = await client.listen({ toolsListChanged: true });
      check((await subscription.closed) === "graceful", "subscriptions/listen did not end gracefully");
    }
  } finally {
    await client.close();
  }
});
