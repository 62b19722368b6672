/** Attaches to a module, calls it, and posts the result or the error. */
import { LoadedModule, LoadError, type ModuleToken } from "../mod.ts";
import { ANSWER } from "./support/modules.ts";

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<ModuleToken>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = ({ data }) => {
  try {
    using module = LoadedModule.attach(data);
    scope.postMessage(String(module.getFunction("value", ANSWER)!()));
  } catch (error) {
    scope.postMessage(error instanceof LoadError ? `${error.kind}: ${error.message}` : String(error));
  }
};
