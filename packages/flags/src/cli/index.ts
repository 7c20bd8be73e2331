import { flagTable, incidentTable, rolloutTable } from "./commands.ts";

/** The commands of `hebra flags`. */
export const flagCommands = flagTable("flags ");
/** The commands of `hebra rollout`. */
export const rolloutCommands = rolloutTable;
/** The commands of `hebra incidents`. */
export const incidentCommands = incidentTable;
