/**
 * Small DLLs that the loader writes, for Windows, of which it needs one symbol: it is in a file in the folder for
 * temporary files, as stub libraries are.
 */
import { StubFolder } from "../../call/stub/folder.ts";
import { LoadError } from "../../errors/load_error.ts";
import { openDynamicLinker } from "../../os/dynamic_linker.ts";

/** A DLL that is open. */
export interface WrittenLibrary extends Disposable {
  /** The address of its symbol. */
  readonly address: bigint;
}

/**
 * Writes a DLL to a file and opens it.
 *
 * Safety: nothing may use the DLL once the result is disposed of.
 *
 * Platforms: Windows only.
 *
 * @param task What cannot be done without it, for errors: "provide thread-local variables".
 * @param hint What to do if the system refuses it.
 * @throws {LoadError} `Unsupported` if the system refuses it; that of the folder if it cannot be used.
 */
export function openWrittenLibrary(
  bytes: Uint8Array<ArrayBuffer>,
  symbol: string,
  task: string,
  hint: string,
): WrittenLibrary {
  using opening = new DisposableStack();
  const folder = opening.use(openFolder(task));
  const path = opening.adopt(folder.write(bytes), (path) => folder.remove(path));
  const linker = opening.use(openDynamicLinker());
  const handle = linker.open(path);
  if (handle === null) {
    const message = `Cannot ${task}: the system refuses their library`;
    throw new LoadError("Unsupported", message, { size: bytes.length, hint });
  }
  opening.defer(() => linker.close(handle));
  const address = linker.find(handle, symbol);
  const opened = opening.move();
  return { address, [Symbol.dispose]: () => opened.dispose() };
}

function openFolder(task: string): StubFolder {
  try {
    return new StubFolder();
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    const { path } = error.data;
    throw new LoadError(error.kind, `Cannot ${task}: their library needs a file`, {
      ...(typeof path === "string" && { path }),
      hint:
        "grant --allow-read and --allow-write of the folder `simple-loader` in the folder for temporary files",
    }, { cause: error });
  }
}
