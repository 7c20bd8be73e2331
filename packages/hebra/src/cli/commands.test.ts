import { brokenExamples, everyCommand, runCaptured } from "@hebra/cli-kit/testing";
import { describe, expect, it } from "vitest";
import { commands } from "./commands.ts";
import { optionTable } from "./options.ts";
import { program } from "./program.ts";

const hebra = (...args: string[]) => runCaptured(program, args);
const all = everyCommand(program.commands);

describe("help", () => {
  it("names every command and group, and is printed for no command, with the code of wrong usage", async () => {
    const asked = await hebra("--help");
    for (const name of Object.keys(program.commands)) expect(asked.out).toContain(`  ${name} `);
    expect(asked.code).toBe(0);
    expect(await hebra()).toEqual({ ...asked, code: 2 });
    expect(await hebra("help")).toEqual(asked);
  });

  it.each(all.map(([path, command]) => [path.join(" "), command] as const))(
    "of %s has a sentence, every option, an example and the exit codes",
    async (name, command) => {
      const { code, out } = await hebra(...name.split(" "), "--help");
      expect(code).toBe(0);
      expect(await hebra("help", ...name.split(" "))).toMatchObject({ code: 0, out });
      expect(command.summary).toMatch(/^[A-Z`].*\.$/);
      expect(out).toContain(`Usage: hebra ${name}`);
      for (const option of Object.keys(command.options)) expect(out).toContain(`--${option}`);
      expect(out).toMatch(/\nExamples?:\n {2}/);
      expect(out).toContain("\n  6  stopped or unfinished");
    },
  );

  it("has only examples that the command line takes", () => expect(brokenExamples(program)).toEqual([]));

  it("knows no option that no command takes", () => {
    const taken = new Set(Object.values(commands).flatMap(({ options }) => Object.keys(options)));
    expect(Object.keys(optionTable).filter((option) => !taken.has(option))).toEqual([]);
  });
});

describe("a wrong command line", () => {
  it.each([
    [["gatway"], /^INVALID_OPTIONS: There is no command `hebra gatway`\. Did you mean `hebra gateway`\?/],
    [["rolout", "start"], /Did you mean `hebra rollout`\?/],
    [["flags", "kil", "x"], /There is no command `hebra flags kil`\. Did you mean `hebra flags kill`\?/],
    [["help", "rollout", "advnace"], /Did you mean `hebra rollout advance`\?/],
    [["migrate"], /`hebra migrate` needs a command: plan, apply, verify/],
    [["worker", "--concurency", "3"], /'--concurency'.* Did you mean --concurrency\? See `hebra worker --help`/],
    [["stats", "--config"], /argument missing.* See `hebra stats --help`/],
    [["stats", "--config", "--app"], /--config needs a value/],
    [["stats", "now"], /`now` is one word too many/],
    [["gateway"], /^INVALID_OPTIONS: Pass --app/],
    [["stats"], /^INVALID_OPTIONS: The bus of this configuration is local/],
    [["drain", "--deadline", "soon"], /--deadline must be a whole number, not soon/],
    [["dead-letters", "revive", "1"], /`revive` is not an action: list, show, replay or discard/],
    [["dead-letters", "replay"], /replay takes one id or more/],
    [["dead-letters", "show", "1", "--replay", "2"], /Give the action once/],
    [["dead-letters", "--show", "1", "--replay", "2"], /One of --show, --replay and --discard at a time/],
  ])("%j ends with 2 and says what was meant", async (args, message) => {
    const { code, out, err } = await hebra(...args);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(message);
  });

  it("is told to programs on standard output", async () => {
    const { code, out, err } = await hebra("stats", "--json");
    expect([code, err]).toEqual([2, ""]);
    expect(JSON.parse(out)).toMatchObject({ ok: false, code: "INVALID_OPTIONS" });
  });
});
