import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { eventually } from "@hebra/test-servers/eventually";
import { afterAll, describe, expect, it } from "vitest";
import { app, main, PATIENCE, root, workbench } from "./testing/spawn.fixture.ts";

const TIME = 120_000;
const bench = workbench();
afterAll(() => bench.close());

/** Runs a command in a real pseudo-terminal, and keeps what a screen of 60 columns would be sent. */
const PTY = `
import os, pty, select, sys, termios, struct, fcntl
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
sources = [fd, 0]
while True:
    ready, _, _ = select.select(sources, [], [])
    if fd in ready:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        os.write(1, data)
    if 0 in ready:
        data = os.read(0, 65536)
        if data:
            os.write(fd, data)
        else:
            sources = [fd]
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 255)
`;
const withoutPty = (() => {
  try {
    execFileSync("python3", ["-c", "import pty, os; os.waitstatus_to_exitcode"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "there is no python3 with pty";
  }
})();

describe("hebra chat on a pipe", () => {
  it(
    "answers each line, keeps the conversation for the next time, and ends with its input",
    async () => {
      const config = bench.config({ store: { path: join(bench.directory, "chat.sqlite") } });
      const chat = bench.run(["chat", "--app", app, "--config", config]);
      chat.child.stdin!.end("hello\nslow|300\n/session other\nbye");
      expect(await chat.exit).toEqual({ code: 0, signal: null });
      const lines = chat.out().trim().split("\n");
      // What the first conversation is answered after the change is marked with its name.
      expect(lines.filter((line) => line.includes("echo")).map((line) => line.replace("[main] ", ""))).toEqual(
        expect.arrayContaining(["echo: hello", "echo: slow", "echo: bye"]),
      );
      expect(lines).toHaveLength(4);
      expect(lines).toEqual(
        expect.arrayContaining(["This is the conversation other.", "[main] echo: slow", "echo: bye"]),
      );
      expect(chat.err()).toBe("");
    },
    TIME,
  );

  it(
    "says what is wrong with an app, and ends with 2",
    async () => {
      const chat = bench.run(["chat", "--app", "./no-such-app.js"]);
      expect(await chat.exit).toEqual({ code: 2, signal: null });
      expect(chat.err()).toMatch(/^INVALID_OPTIONS: The app \.\/no-such-app\.js cannot be loaded/);
    },
    TIME,
  );
});

describe.skipIf(withoutPty !== undefined)("hebra chat in a terminal", () => {
  function open() {
    const config = bench.config({ store: { backend: "memory" } });
    const child = spawn("python3", ["-c", PTY, process.execPath, main, "chat", "--app", app, "--config", config], {
      cwd: root,
      env: { ...process.env, TERM: "xterm", HEBRA_TEST_LOG: bench.log },
    });
    let raw = "";
    child.stdout.on("data", (chunk) => (raw += String(chunk)));
    child.stderr.on("data", (chunk) => (raw += String(chunk)));
    const exit = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
    return {
      raw: () => raw,
      seen: () => stripVTControlCharacters(raw),
      type: (text: string) => void child.stdin.write(text),
      until: (found: (seen: string) => boolean, what: string) =>
        eventually(() => found(stripVTControlCharacters(raw)), `${what}\n${raw}`, PATIENCE),
      exit,
      child,
    };
  }

  it(
    "shows a growing answer in place, takes lines meanwhile, and ends in order on Ctrl-D",
    async () => {
      const terminal = open();
      await terminal.until((seen) => seen.includes("main> "), "it prompts");
      terminal.type("wait|1500\r");
      await terminal.until((seen) => /\necho: \r?\n/.test(seen) || seen.includes("echo: "), "the answer begins");
      const begun = terminal.raw().length;
      await terminal.until((seen) => seen.includes("echo: wait"), "the answer is whole");
      // What was shown first is taken away: up, to the first column, and everything below erased.
      expect(terminal.raw().slice(begun)).toMatch(new RegExp(String.raw`\u001b\[\d+A[^]*\u001b\[0J[^]*echo: wait`));
      terminal.type("/session work\r");
      await terminal.until((seen) => seen.includes("work> "), "the prompt says where one is");
      terminal.type("\u0004");
      expect(await terminal.exit).toBe(0);
    },
    TIME,
  );

  it(
    "finishes what runs on Ctrl-C, and gives up on the second",
    async () => {
      const terminal = open();
      await terminal.until((seen) => seen.includes("main> "), "it prompts");
      terminal.type("patience|1000\r");
      await terminal.until((seen) => seen.includes("echo: "), "the answer begins");
      terminal.type("\u0003");
      expect(await terminal.exit).toBe(0);
      expect(terminal.seen()).toContain("echo: patience");

      const other = open();
      await other.until((seen) => seen.includes("main> "), "it prompts");
      other.type("never|600000\r");
      await other.until((seen) => seen.includes("echo: "), "the answer begins");
      other.type("\u0003");
      // The line is given back: what is typed now is the terminal's own again, and the second Ctrl-C a signal.
      const ended = other.exit.then(() => true);
      for (let over = false; !over;) {
        other.type("\u0003");
        over = await Promise.race([ended, new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 250))]);
      }
      expect(await other.exit).toBe(130);
    },
    TIME,
  );
});
