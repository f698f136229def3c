#!/usr/bin/env node
// Starts the program of this platform, which npm has installed as a package of its
// own. It stays beside the program, because Node cannot replace itself before
// version 22.15: it passes signals on, ends as the program ends, and holds a pipe
// by which the program knows that it is still there.
"use strict";
const { spawn } = require("node:child_process");
const { readFileSync } = require("node:fs");

const windows = process.platform === "win32";
const name = `@mcp-code-executor/${process.platform}-${process.arch}`;
let program;
try {
  program = require.resolve(`${name}/bin/mcp-code-executor${windows ? ".exe" : ""}`);
} catch {
  console.error(
    `mcp-code-executor: the package ${name} is not installed. Either there is no program for this platform ` +
      "(there is for Linux, macOS and Windows on x64 and arm64), or npm was told to leave optional dependencies out: " +
      "install again without --omit=optional and --no-optional.",
  );
  process.exit(1);
}

// Taken before the program starts: it can answer before Node goes on here. They are
// handled when Node is done with this file.
const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", ...(windows ? ["SIGBREAK"] : ["SIGUSR1", "SIGUSR2"])];
for (const signal of signals) process.on(signal, () => child.kill(signal));

// On Windows Node ends its children with itself.
const child = spawn(program, process.argv.slice(2), {
  stdio: windows ? "inherit" : ["inherit", "inherit", "inherit", "pipe"],
  env: windows ? process.env : { ...process.env, MCE_LAUNCHER: "3" },
});
child.on("error", (error) => {
  console.error(`mcp-code-executor: starting ${program}: ${error.message}`);
  process.exit(1);
});
child.stdio[3]?.on("error", () => {}); // the program has ended, which "exit" tells

child.on("exit", (status, signal) => {
  if (signal === null) process.exit(status);
  for (const signal of signals) process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});

// When npx is killed, nobody tells: its child gets another parent. The client's end
// of stdin need not close. Between npx and this there may be a shell, whose parent
// Linux tells; the shell of macOS makes way for what it starts.
if (!windows && process.env.npm_command === "exec") {
  const parentOf = (pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
    } catch {
      return undefined;
    }
  };
  const parent = process.ppid;
  const above = parentOf(parent);
  setInterval(() => {
    if (process.ppid !== parent || parentOf(parent) !== above) child.kill("SIGTERM");
  }, 250).unref();
}
