/**
 * A host of plugins: what it lets them import, and whose plugins it loads.
 */

import { ModuleRegistry } from "@simple/loader";

const API_VERSION = 1;

/** `SETTING_LINE_WIDTH` of plugin.h. */
const LINE_WIDTH_KEY = 1;

/** What a host is made of. */
export interface HostOptions {
  /** The public keys whose owners may sign plugins. */
  readonly keys: readonly string[];
  readonly lineWidth: number;
  /** Gets the lines that plugins print. */
  readonly log: (line: string) => void;
}

/** Runs plugins that somebody has signed whom it trusts. */
export class PluginHost implements Disposable {
  readonly #registry: ModuleRegistry;

  constructor({ keys, lineWidth, log }: HostOptions) {
    this.#registry = new ModuleRegistry({
      trust: { keys },
      // Plugins may import these two JavaScript functions, and nothing else of the process.
      imports: {
        host_log: {
          parameters: ["pointer", "u32"],
          result: "void",
          callback: (text: Deno.PointerObject, length: number) => {
            const bytes = new Uint8Array(length);
            new Deno.UnsafePointerView(text).copyInto(bytes);
            log(new TextDecoder().decode(bytes));
          },
        },
        host_setting: {
          parameters: ["i32"],
          result: "i32",
          callback: (key: number) => key === LINE_WIDTH_KEY ? lineWidth : 0,
        },
      },
      allowImports: ["host_*"],
    });
  }

  /**
   * Loads a plugin, lets it change a text, and ends it.
   *
   * @throws {LoadError} before any code of the plugin runs: `Untrusted` if no trusted key has signed these bytes,
   * `ForbiddenImport` if it imports more than it may.
   */
  run(name: string, bytes: Uint8Array, text: string): string {
    using stack = new DisposableStack();
    stack.defer(() => this.#registry.unload(name));
    const plugin = stack.use(this.#registry.loadBytes(name, bytes));
    const { symbols } = plugin.bind({
      plugin_api: { type: "i32" },
      plugin_run: { parameters: ["buffer", "u32"], result: "i32" },
    });
    if (symbols.plugin_api !== API_VERSION) {
      throw new Error(`${name} is for version ${symbols.plugin_api} of the API, not ${API_VERSION}`);
    }
    const buffer = new TextEncoder().encode(text);
    symbols.plugin_run(buffer, buffer.length);
    return new TextDecoder().decode(buffer);
  }

  [Symbol.dispose](): void {
    this.#registry[Symbol.dispose]();
  }
}
