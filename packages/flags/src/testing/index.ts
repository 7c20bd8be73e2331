export {
  firstDocument,
  providerContract,
  type ProviderClause,
  type ProviderContractHarness,
} from "../provider/provider.contract.ts";
export {
  assignmentContract,
  type AssignmentClause,
  type AssignmentContractHarness,
} from "../route/assignment.contract.ts";
export { rolloutStoreContract, type RolloutStoreHarness } from "../rollout/store/store.contract.ts";
