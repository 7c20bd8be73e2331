import typescript from "typescript-eslint";

/** A planted text belongs to no project, so the rules that need types stay out. */
export const disableTypeChecked = { ...typescript.configs.disableTypeChecked, files: ["**/*"] };
