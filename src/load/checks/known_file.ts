/**
 * The part of loading that leaves out checks which a record says were made.
 */
import type { RelocationNeeds } from "../../image/relocation/scan.ts";
import { readSmf, type SmfFile } from "../../smf/file.ts";
import type { Reading } from "../../smf/reader.ts";
import type { ByteChecks } from "../file/source.ts";
import type { FileStamp } from "../file/stamp.ts";
import type { ExaminedFile } from "../image.ts";
import type { KnownChecks } from "./cache.ts";
import { type CheckRecord, needsOf, recordOf } from "./record.ts";

/** The parts of a load's context that say whether records count. */
interface Context extends ByteChecks {
  readonly checks?: KnownChecks | undefined;
}

/** The records of files that nobody wants checked by all means. */
function checksOf({ checks, integrity, trust }: Context): KnownChecks | undefined {
  return integrity === undefined && trust === undefined ? checks : undefined;
}

/**
 * Reads everything except section contents, and leaves out what was checked before.
 *
 * @param stamp The state of the file; undefined for bytes, which have no record.
 * @returns also the needs of the relocations, if those are known.
 */
export function* readTables(
  context: Context,
  size: number,
  stamp: FileStamp | undefined,
): Reading<{ readonly file: SmfFile; readonly known?: RelocationNeeds | undefined }> {
  const record: CheckRecord | undefined = stamp && checksOf(context)?.find(stamp);
  const file = yield* readSmf(size, record?.tables);
  if (record === undefined || file.checksum?.isKnown !== true) return { file };
  const known = needsOf(record, file);
  // A record whose hashes are right and whose contents are not: nothing of it is used.
  return known === undefined ? { file: yield* readSmf(size) } : { file, known };
}

/** Keeps what the checks of a file have found, if it is whole, has the right hash, and was not known before. */
export function keepChecks(context: Context, { file, needs, stamp }: ExaminedFile): void {
  if (stamp === undefined || file.checksum?.isKnown === true) return;
  const checks = checksOf(context);
  const record = checks && recordOf(file, needs);
  if (record !== undefined) checks!.keep(stamp, record);
}
