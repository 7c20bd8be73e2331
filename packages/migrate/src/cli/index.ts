import { migrateTable } from "./commands.ts";

/** The commands of `hebra migrate`. */
export const migrateCommands = migrateTable("migrate ");
