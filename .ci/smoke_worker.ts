/** The Worker of smoke.ts: attaches itself to a module and answers with what the module answers. */
import { LoadedModule, type ModuleToken } from "@simple/loader/attach";

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<ModuleToken>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = ({ data }) => {
  using module = LoadedModule.attach(data);
  const { symbols } = module.bind({ add: { parameters: ["i64", "i64"], result: "i64" } });
  scope.postMessage(symbols.add(2n, 3n));
};
