export {
  coerceDocumentTextPages,
  createInstantStoreRuntime,
  expandEventsWithInstantDocuments,
  InstantStore,
  parseAndStoreDocument,
} from "./call/not-carried-subpaths.ts";
