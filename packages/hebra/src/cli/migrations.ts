import { exitCodes, type Report } from "@hebra/cli-kit";
import { HebraError } from "@hebra/core";
import { parseRuntimeConfig } from "@hebra/thread/runtime";
import { loadConfig } from "./app.ts";
import type { CliOptions } from "./options.ts";

/** `hebra migrations`: where the store's tables stand; with `--apply`, brings them to this build's version. */
export async function migrations(options: CliOptions): Promise<Report> {
  const { store } = parseRuntimeConfig(await loadConfig(options.config));
  if (store.backend !== "postgres") {
    throw new HebraError(
      "UNSUPPORTED",
      `The store of this configuration is "${store.backend}": it has no migrations of its own step. SQLite migrates when it is opened; memory and Redis have no tables.`,
    );
  }
  const { postgresMigrations } = await import("@hebra/thread/store/postgres");
  const database = await postgresMigrations({
    connectionString: store.url!,
    ...(store.schema === undefined ? {} : { schema: store.schema }),
  });
  try {
    const before = await database.status();
    const { version, needed, pending } =
      options.apply === true && before.pending.length > 0 ? await database.apply() : before;
    const applied = before.pending.filter((one) => !pending.includes(one));
    const text = [
      `schema version ${version}, this build needs ${needed}`,
      ...(applied.length === 0 ? [] : [`applied ${applied.join(", ")}`]),
      pending.length === 0 ? "nothing is pending" : `pending ${pending.join(", ")}: run with --apply before the deploy`,
    ].join("\n");
    return {
      report: { version, needed, pending, applied },
      text,
      exitCode: pending.length === 0 ? exitCodes.done : exitCodes.unfinished,
    };
  } finally {
    await database.close();
  }
}
