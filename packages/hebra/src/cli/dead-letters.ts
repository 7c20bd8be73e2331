import { HebraError } from "@hebra/core";
import type { Bus, DeadLetter } from "@hebra/bus";
import { exitCodes, oneLineAll, wholeNumber, type Report } from "@hebra/cli-kit";
import type { CliOptions } from "./options.ts";
import { withBus } from "./shared-bus.ts";

type Verb = "list" | "show" | "replay" | "discard";

/** `hebra dead-letters` */
export async function deadLetters(options: CliOptions, operands: readonly string[]): Promise<Report> {
  const { verb, ids } = asked(options, operands);
  const limit = Math.max(1, wholeNumber("limit", options.limit, 50));
  return withBus(options, async ({ deadLetters: letters }) => {
    if (verb === "list") return list(letters, limit, options.before);
    return verb === "show" ? show(letters, ids[0]!) : change(letters, verb, ids);
  });
}

/** What is asked for: by a word, or by the option of the same name. @throws HebraError `INVALID_OPTIONS` */
function asked(options: CliOptions, [word, ...rest]: readonly string[]): { verb: Verb; ids: readonly string[] } {
  const given = (["show", "replay", "discard"] as const).flatMap((verb) =>
    options[verb] === undefined ? [] : [{ verb, ids: [options[verb]] }],
  );
  if (word !== undefined && given.length > 0) throw refuse("Give the action once: as a word or as an option.");
  if (given.length > 1) throw refuse("One of --show, --replay and --discard at a time.");
  if (word === undefined) return given[0] ?? { verb: "list", ids: [] };
  if (word !== "list" && word !== "show" && word !== "replay" && word !== "discard")
    throw refuse(`\`${word}\` is not an action: list, show, replay or discard.`);
  if (word === "list" ? rest.length > 0 : word === "show" ? rest.length !== 1 : rest.length === 0)
    throw refuse(`${word} takes ${word === "list" ? "no id" : word === "show" ? "one id" : "one id or more"}.`);
  return { verb: word, ids: rest };
}

async function list(letters: Bus["deadLetters"], limit: number, before: string | undefined): Promise<Report> {
  const { letters: found, cursor } = await letters.list({ limit, ...(before === undefined ? {} : { before }) });
  const lines = oneLineAll(found).map(lineOf);
  if (cursor !== undefined) lines.push(`more: --before ${cursor}`);
  return {
    report: { letters: found, ...(cursor === undefined ? {} : { cursor }) },
    text: lines.length === 0 ? "no dead letters" : lines.join("\n"),
  };
}

const lineOf = ({ id, at, direction, tenant, session, cause, attempts, signature, parked }: DeadLetter): string =>
  `${id}  ${new Date(at).toISOString()}  ${direction}  ${tenant}/${session}  ${cause} after ${attempts}  ${signature.code}${parked ? "  parked" : ""}`;

async function show(letters: Bus["deadLetters"], id: string): Promise<Report> {
  const letter = await letters.get(id);
  if (letter === undefined) throw missing(id);
  return { report: letter, text: JSON.stringify(letter, null, 2) };
}

/** Each by itself: one that is not there does not keep the others from being done. */
async function change(
  letters: Bus["deadLetters"],
  verb: "replay" | "discard",
  ids: readonly string[],
): Promise<Report> {
  const done: string[] = [];
  const unknown: string[] = [];
  for (const id of ids) ((await letters[verb](id)) ? done : unknown).push(id);
  if (done.length === 0) throw missing(unknown.join(", "));
  const word = verb === "replay" ? "replayed" : "discarded";
  const lines = [...done.map((id) => `${word} ${id}`), ...unknown.map((id) => `there is no dead letter ${id}`)];
  return {
    report: { ...(ids.length === 1 ? { id: ids[0] } : {}), done: word, ids: done, unknown },
    text: lines.join("\n"),
    exitCode: unknown.length === 0 ? exitCodes.done : exitCodes.usage,
  };
}

const missing = (id: string) => new HebraError("INVALID_OPTIONS", `There is no dead letter ${id}.`);
const refuse = (message: string) => new HebraError("INVALID_OPTIONS", `${message} See hebra dead-letters --help.`);
