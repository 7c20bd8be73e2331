import { describe, expect, it } from "vitest";
import { commands, optionTable, type CommandName } from "./commands.ts";
import { parseLine } from "./parse.ts";
import { runCommand } from "./run-command.ts";

async function hebra(...args: string[]) {
  let out = "";
  let err = "";
  const code = await runCommand(
    args,
    { out: (text) => void (out += text), err: (text) => void (err += text) },
    new AbortController().signal,
  );
  return { code, out, err };
}
const names = Object.keys(commands) as CommandName[];

describe("help", () => {
  it("names every command, and is what one gets for no command, with the code of wrong usage", async () => {
    const asked = await hebra("--help");
    for (const name of names) expect(asked.out).toContain(`  ${name}`);
    expect(asked.code).toBe(0);
    expect(await hebra()).toEqual({ ...asked, code: 2 });
    expect(await hebra("help")).toEqual(asked);
  });

  it.each(names)(
    "of %s tells every option, what one should know, and examples that the command takes",
    async (name) => {
      const { code, out } = await hebra(name, "--help");
      expect(code).toBe(0);
      for (const option of commands[name].options) expect(out).toContain(`--${option}`);
      expect(out).toContain("Exit codes: 0 done");
      expect(commands[name].details.length).toBeGreaterThan(0);
      expect(out.split("\n").every((line) => line.length <= 130)).toBe(true);
      for (const [line] of commands[name].examples) {
        const words = line
          .replace(/^echo .* \| /, "")
          .split(" ")
          .slice(1);
        expect(parseLine(words)?.command).toBe(name === "to-local" ? words[0] : name);
      }
    },
  );

  it("knows no option that no command takes", () => {
    const taken = new Set<string>(names.flatMap((name) => [...commands[name].options]));
    expect(Object.keys(optionTable).filter((option) => option !== "help" && !taken.has(option))).toEqual([]);
  });
});

describe("a wrong command line", () => {
  it.each([
    [["gatway"], /^INVALID_OPTIONS: There is no command gatway; did you mean gateway\?/],
    [
      ["worker", "--concurency", "3"],
      /Unknown option '--concurency'.* Did you mean --concurrency\? See hebra worker --help\./,
    ],
    [["stats", "--config"], /See hebra stats --help/],
    [["stats", "now"], /Unexpected argument 'now'/],
    [["gateway"], /^INVALID_OPTIONS: Pass --app/],
    [["stats"], /^INVALID_OPTIONS: The bus of this configuration is local/],
    [["drain", "--deadline", "soon"], /--deadline must be a whole number, not soon/],
    [
      ["dead-letters", "revive", "1"],
      /There is no revive of dead letters: list, show, replay or discard\. See hebra dead-letters --help/,
    ],
    [["dead-letters", "replay"], /replay takes one id or more/],
    [["dead-letters", "show", "1", "--replay", "2"], /Say it once/],
    [["dead-letters", "--show", "1", "--replay", "2"], /One of --show, --replay and --discard at a time/],
  ])("%j ends with 2 and says what was meant", async (args, message) => {
    const { code, out, err } = await hebra(...args);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(message);
  });

  it("says the same to machines on standard output", async () => {
    const { code, out, err } = await hebra("stats", "--json");
    expect([code, err]).toEqual([2, ""]);
    expect(JSON.parse(out)).toMatchObject({ ok: false, code: "INVALID_OPTIONS" });
  });
});
