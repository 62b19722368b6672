/** A Worker that calls a C++ function whose exception nobody catches. */
import { LoadedModule, type ModuleToken } from "../../mod.ts";

const scope = globalThis as unknown as { onmessage: (event: MessageEvent<ModuleToken>) => void };

scope.onmessage = ({ data }) => {
  const module = LoadedModule.attach(data);
  module.getFunction("raise_problem", { parameters: ["i32"], result: "i32" })!(1);
};
