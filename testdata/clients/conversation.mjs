// What every TypeScript client here has to live through: the tool list, then
// three calls that share state. It throws with a sentence at the first
// answer that is not what it should be.

export function textOf(result) {
  return result.content
    .filter((block) => block.type === "text")
    .map((block) => block.text)
    .join("\n");
}

export function check(condition, what, result) {
  if (condition) return;
  throw new Error(result === undefined ? what : `${what}\nThe answer was:\n${JSON.stringify(result, null, 2)}`);
}

// body is an answer without its status line, which also holds numbers.
const body = (result) => textOf(result).split("\n").slice(1).join("\n");

export async function converse(client) {
  const { tools } = await client.listTools();
  const names = tools.map((tool) => tool.name);
  for (const name of ["execute_code", "get_execution", "interrupt_execution"]) {
    check(names.includes(name), `the tool list lacks ${name}: ${names.join(", ")}`);
  }

  const run = (code) => client.callTool({ name: "execute_code", arguments: { code } });
  const first = await run("x = 41");
  check(!first.isError, "x = 41 failed", first);
  const status = textOf(first).split("\n")[0];
  check(/\bid=\S+/.test(status), "the first line holds no id", first);

  const second = await run("print(x + 1)");
  check(!second.isError && /^42$/m.test(body(second)), "x + 1 did not print 42: the state was lost", second);

  const third = await run("import math; math.sqrt(x)");
  check(!third.isError && body(third).includes("6.4031242374328485"), "math.sqrt(x) is not 6.4031242374328485", third);
}

// main runs one script with the server's command line and ends the process.
export async function main(usage, takes, script) {
  const args = process.argv.slice(2);
  if (args.length < takes + 1) {
    console.error(`usage: node ${usage}`);
    process.exit(2);
  }
  try {
    await script(...args.slice(0, takes), { command: args[takes], args: args.slice(takes + 1), env: { ...process.env } });
    console.log("ok");
  } catch (error) {
    console.error(`FAILED: ${error.message ?? error}`);
    process.exit(1);
  }
}
