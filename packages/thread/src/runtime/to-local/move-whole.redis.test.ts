import { movesWhole } from "./move-whole.fixture.ts";

movesWhole("redis");
