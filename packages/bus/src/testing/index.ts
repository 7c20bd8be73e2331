export { busContract } from "../bus.contract.ts";
export type { BusClause, BusContractHarness, BusParticipant, ContractOptions } from "../contract/harness.ts";
