import type { Redis } from "ioredis";

/** The keys that stay: those that do not end by themselves after a time. */
export async function lastingKeys(admin: Redis): Promise<Set<string>> {
  const lasting = new Set<string>();
  let cursor = "0";
  do {
    const [next, keys] = await admin.scan(cursor, "COUNT", 1_000);
    cursor = next;
    const times = await Promise.all(keys.map((key) => admin.pttl(key)));
    keys.forEach((key, i) => times[i] === -1 && lasting.add(key));
  } while (cursor !== "0");
  return lasting;
}

/** Keys that were not there before, and those that are gone. */
export function changedKeys(before: ReadonlySet<string>, after: ReadonlySet<string>): string[] {
  return [
    ...[...after].filter((key) => !before.has(key)).map((key) => `+ ${key}`),
    ...[...before].filter((key) => !after.has(key)).map((key) => `- ${key}`),
  ];
}
