// Stands between the official conformance suite and a server over HTTP: adds the
// token, which the suite does not know, and runs for each tool that the suite wants a
// server to have code that does what the tool should. TOKEN is in the environment.
//   node conformance.mjs http://127.0.0.1:8765/mcp PORT
//   conformance server --url http://127.0.0.1:PORT/mcp --requirements 2025-11-25
import http from "node:http";

const [, , target, port] = process.argv;
const url = new URL(target);
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const code = {
  test_simple_text: "print('This is a simple text response for testing.')",
  test_image_content: `import base64\nfrom IPython.display import Image, display\ndisplay(Image(data=base64.b64decode('${pixel}')))`,
  test_error_handling: "raise ValueError('This tool intentionally returns an error for testing')",
  test_tool_with_progress: "import time\nfor i in range(3):\n    print(i)\n    time.sleep(2)",
  test_elicitation: "print(input('name? '))",
  test_reconnection: "import time\ntime.sleep(3)",
};

// mapped is a request with the suite's tool replaced, and its headers.
function mapped(text, headers) {
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    return text;
  }
  const tool = message?.params?.name;
  if (message.method !== "tools/call" || !(tool in code)) return text;
  message.params.name = "execute_code";
  message.params.arguments = { code: code[tool] };
  if (headers["mcp-name"] === tool) headers["mcp-name"] = "execute_code";
  return JSON.stringify(message);
}

http
  .createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const headers = { ...request.headers, authorization: `Bearer ${process.env.TOKEN}` };
      const body = Buffer.from(mapped(Buffer.concat(chunks).toString(), headers));
      if ("content-length" in headers) headers["content-length"] = String(body.length);
      const options = { host: url.hostname, port: url.port, path: url.pathname, method: request.method, headers };
      const onward = http.request(options, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      onward.on("error", () => response.destroy());
      response.on("close", () => onward.destroy());
      onward.end(body);
    });
  })
  .listen(Number(port), "127.0.0.1");
