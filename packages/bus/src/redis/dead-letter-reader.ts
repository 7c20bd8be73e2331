import type { RawDeadLetter } from "../backend.ts";
import type { RedisCommands } from "./commands.ts";
import type { Runner } from "./run.ts";

type StreamEntry = [string, string[]];
type Place = { partition: number; stream: "dlq" | "parked"; entry: string };

/** `<partition>-<stream>-<entry>`: where a dead letter is. */
export function parseDeadId(id: string, partitions: number): Place | undefined {
  const match = /^(\d{1,4})-(dlq|parked)-(\d{1,20}-\d{1,20})$/.exec(id);
  if (match === null || Number(match[1]) >= partitions) return undefined;
  return { partition: Number(match[1]), stream: match[2] as Place["stream"], entry: match[3]! };
}

function toLetter(partition: number, stream: Place["stream"], [entry, fields]: StreamEntry): RawDeadLetter {
  const field = Object.fromEntries(
    Array.from({ length: fields.length / 2 }, (_, i) => [fields[2 * i]!, fields[2 * i + 1]!]),
  );
  return {
    id: `${partition}-${stream}-${entry}`,
    space: field["space"]!,
    conversation: field["conv"]!,
    body: field["body"]!,
    cause: field["cause"]!,
    attempts: Number(field["attempts"]),
    signature: field["sig"]!,
    at: Number(field["at"]),
    parked: stream === "parked",
  };
}

/** Stream entries of several streams in one order: by time, then by where they are. */
function newestFirst(a: RawDeadLetter, b: RawDeadLetter): number {
  const [x, y] = [a, b].map((letter) => /^(.*)-(\d+)-(\d+)$/.exec(letter.id)!);
  return Number(y![2]) - Number(x![2]) || Number(y![3]) - Number(x![3]) || (x![1]! < y![1]! ? 1 : -1);
}

/** Reads dead letters; each partition has a stream of them, and one of those that stop their conversation. */
export function createDeadLetterReader(commands: RedisCommands, run: Runner, roots: readonly string[]) {
  return {
    async list(limit: number, before: string | undefined): Promise<RawDeadLetter[]> {
      const cursor = before === undefined ? undefined : parseDeadId(before, roots.length);
      const letters = await Promise.all(
        roots.flatMap((root, partition) =>
          (["dlq", "parked"] as const).map(async (stream) => {
            const end =
              cursor === undefined
                ? "+"
                : cursor.partition === partition && cursor.stream === stream
                  ? `(${cursor.entry}`
                  : cursor.entry;
            // One more, as an entry with the cursor's own time may belong to the page before.
            const entries = (await run.bound(() =>
              commands.call("XREVRANGE", root + stream, end, "-", "COUNT", String(limit + 1)),
            )) as StreamEntry[];
            return entries.map((entry) => toLetter(partition, stream, entry));
          }),
        ),
      );
      const all = letters.flat().sort(newestFirst);
      const past =
        before === undefined ? all : all.filter((letter) => newestFirst({ id: before } as RawDeadLetter, letter) < 0);
      return past.slice(0, limit);
    },
    async get(id: string): Promise<RawDeadLetter | undefined> {
      const place = parseDeadId(id, roots.length);
      if (place === undefined) return undefined;
      const key = roots[place.partition]! + place.stream;
      const [entry] = (await run.bound(() => commands.call("XRANGE", key, place.entry, place.entry))) as StreamEntry[];
      return entry === undefined ? undefined : toLetter(place.partition, place.stream, entry);
    },
    async count(): Promise<number> {
      const lengths = await Promise.all(
        roots.flatMap((root) =>
          ["dlq", "parked"].map((stream) => run.bound(() => commands.call("XLEN", root + stream))),
        ),
      );
      return lengths.reduce<number>((sum, length) => sum + Number(length), 0);
    },
  };
}
