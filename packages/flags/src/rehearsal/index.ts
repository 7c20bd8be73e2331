export type { RehearsalFault } from "./faults.ts";
export type { RehearsalOptions } from "./options.ts";
export { rehearseRollback, type RehearsalReport } from "./rehearse.ts";
