// The TypeScript SDKs of both eras over HTTP: v1 and "legacy" shake hands, "auto" asks
// server/discover and then speaks statelessly. TOKEN is in the environment.
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { check, converse, main, textOf } from "./conversation.mjs";

await main("http.mjs v1|legacy|auto URL", 1, async (era, { command: url }) => {
  const options = { requestInit: { headers: { Authorization: `Bearer ${process.env.TOKEN}` } } };
  const info = { name: `http-${era}`, version: "1.0.0" };
  const transport = era === "v1" ? new TransportV1(new URL(url), options) : new StreamableHTTPClientTransport(new URL(url), options);
  const client = era === "v1" ? new ClientV1(info) : new Client(info, { versionNegotiation: { mode: era } });
  await client.connect(transport);
  try {
    await converse(client);
    // A run that takes longer than a plain answer comes on a stream, with progress.
    let reports = 0;
    const slow = { name: "execute_code", arguments: { code: "import time; time.sleep(2.5); print('slow', x)" } };
    const options = { onprogress: () => reports++ };
    const result = era === "v1" ? await client.callTool(slow, undefined, options) : await client.callTool(slow, options);
    check(textOf(result).includes("slow 41"), "the slow run", result);
    check(reports > 0, "no progress came");
    if (era !== "auto") await transport.terminateSession();
  } finally {
    await client.close();
  }
});
