import { memoryStore } from "@hebra/thread/store/memory";
import { nothingStrands } from "./strands.fixture.ts";

nothingStrands("memory", () => memoryStore());
