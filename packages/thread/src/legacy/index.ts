export { handover, type LegacyRows } from "./handover.ts";
