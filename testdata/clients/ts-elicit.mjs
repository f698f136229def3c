// input() in running code, with TypeScript clients of both eras that can show a
// form to a person ("form") and that cannot ("none"). SECRET is what is given to
// getpass: no answer may show it.
import { Client as ModernClient } from "@modelcontextprotocol/client";
import { StdioClientTransport as ModernTransport } from "@modelcontextprotocol/client/stdio";
import { Client as OldClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as OldTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { check, main, textOf } from "./conversation.mjs";

const thirteen = "print('got', ''.join(input(f'q{i}? ') for i in range(13)))";

await main("ts-elicit.mjs v1|legacy|auto form|none SECRET SERVER [ARGUMENT...]", 3, async (era, support, secret, server) => {
  const info = { name: "ts-elicit", version: "1.0.0" };
  const options = { capabilities: support === "form" ? { elicitation: { form: {} } } : {} };
  const client = era === "v1" ? new OldClient(info, options) : new ModernClient(info, { ...options, versionNegotiation: { mode: era } });
  const asked = [];
  let person = () => ({ action: "cancel" });
  if (support === "form") {
    const handler = async (request) => {
      asked.push(request.params.message);
      return person(request.params);
    };
    client.setRequestHandler(era === "v1" ? ElicitRequestSchema : "elicitation/create", handler);
  }
  await client.connect(era === "v1" ? new OldTransport(server) : new ModernTransport(server));
  const call = async (name, args) => {
    const result = await client.callTool({ name, arguments: args });
    check(!textOf(result).includes(secret), `an answer of ${name} holds what was given to getpass`);
    return result;
  };
  const status = (result) => textOf(result).split("\n")[0];
  const is = (result, what) => check(status(result).startsWith(`[${what} | `), `the status is not ${what}`, result);
  const says = (result, what) => check(textOf(result).includes(what), `the answer lacks ${JSON.stringify(what)}`, result);
  const accept = (answer) => () => ({ action: "accept", content: { answer } });
  try {
    is(await call("execute_code", { code: "kept = 1" }), "ok");
    await (support === "form" ? withForm() : without());

    // A password is never asked for by form.
    const before = asked.length;
    let answer = await call("execute_code", { code: "import getpass; n = len(getpass.getpass('secret? ')); print('length', n)" });
    is(answer, "waiting for input");
    says(answer, "password");
    says(answer, "environment variable");
    says(answer, "keyring");
    check(asked.length === before, "a password was asked for by form");
    answer = await call("send_input", { text: secret });
    is(answer, "ok");
    says(answer, `length ${secret.length}`);
    answer = await call("get_execution", { since: 0 });
    says(answer, `length ${secret.length}`);
    is(await call("execute_code", { code: "kept" }), "ok");
  } finally {
    await client.close();
  }

  async function withForm() {
    person = accept("Ada");
    let answer = await call("execute_code", { code: "print('hello', input('name? '))" });
    is(answer, "ok");
    says(answer, "hello Ada");
    check(asked.length === 1 && asked[0].includes("name?"), `asked: ${asked}`);

    // Eight questions a call, then the code waits and a later call goes on.
    let n = 0;
    person = () => accept("abcdefghijklm"[n++])();
    answer = await call("execute_code", { code: thirteen });
    is(answer, "waiting for input");
    says(answer, "q8? ");
    check(asked.length === 9, `${asked.length - 1} questions in one call`);
    answer = await call("get_execution", {});
    is(answer, "ok");
    says(answer, "got abcdefghijklm");
    check(asked.length === 14, `${asked.length - 1} questions for 13 prompts`);

    // A field left empty is an empty line.
    for (const content of [{}, { answer: "" }]) {
      person = () => ({ action: "accept", content });
      answer = await call("execute_code", { code: "print('got', repr(input('press Enter ')))" });
      is(answer, "ok");
      says(answer, "got ''");
    }

    // A person who reads the question and declines stops the code.
    person = () => new Promise((resolve) => setTimeout(resolve, 800, { action: "decline" }));
    answer = await call("execute_code", { code: "try: input('sure? ')\nexcept KeyboardInterrupt: print('refused in the cell'); raise" });
    is(answer, "interrupted");
    says(answer, "declined");
    says(answer, "refused in the cell");

    // A person who thinks longer than the call may take: the code goes on waiting.
    if (era !== "auto") {
      person = () => new Promise(() => {});
      answer = await call("execute_code", { code: "print('slow', input('thinking? '))", wait_seconds: 2 });
      is(answer, "waiting for input");
      says(answer, "thinking? ");
      is(await call("send_input", { text: "done" }), "ok");
    }

    // A client without a person declines at once: the code waits, and nobody is
    // asked by form again.
    person = () => ({ action: "decline" });
    answer = await call("execute_code", { code: "print('hello', input('name? '))" });
    is(answer, "waiting for input");
    says(answer, "showed nobody the question");
    says(answer, "send_input");
    const forms = asked.length;
    answer = await call("send_input", { text: "Ada" });
    is(answer, "ok");
    says(answer, "hello Ada");
    is(await call("execute_code", { code: "print('hello', input('name? '))" }), "waiting for input");
    check(asked.length === forms, "asked by form again");
    is(await call("send_input", { text: "Ada" }), "ok");
  }

  async function without() {
    let answer = await call("execute_code", { code: "print('hello', input('name? '))" });
    is(answer, "waiting for input");
    says(answer, "name? ");
    says(answer, "send_input");
    answer = await call("send_input", { text: "Ada" });
    is(answer, "ok");
    says(answer, "hello Ada");

    answer = await call("execute_code", { code: thirteen });
    for (let i = 0; i < 13; i++) {
      is(answer, "waiting for input");
      says(answer, `q${i}? `);
      answer = await call("send_input", { text: "abcdefghijklm"[i] });
    }
    is(answer, "ok");
    says(answer, "got abcdefghijklm");

    answer = await call("execute_code", { code: "try: input('sure? ')\nexcept KeyboardInterrupt: print('refused in the cell'); raise" });
    is(answer, "waiting for input");
    answer = await call("interrupt_execution", {});
    is(answer, "interrupted");
    says(answer, "refused in the cell");
  }
});
