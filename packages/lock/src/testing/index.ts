export { lockContract, type LockClause, type LockContractHarness, type LockParticipant } from "../lock.contract.ts";
