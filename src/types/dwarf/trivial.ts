/**
 * Whether the copies of a class need code (Itanium C++ ABI, "non-trivial for the purposes of calls"): such an
 * object is passed by the address of a copy that the caller's code makes.
 */
import { At, Tag } from "./constants.ts";
import type { DwarfObject } from "./object.ts";
import type { Entry } from "./unit.ts";

/** DW_CC_pass_by_reference, which compilers say from DWARF 5 on. */
const PASSED_BY_REFERENCE = 4;
const PASSED_BY_VALUE = 5;

/**
 * Looks at a class itself, not at its fields and bases: a virtual function or base, a destructor, or a
 * constructor from another object of the class, that the source declares.
 */
export function copiesNeedCode(object: DwarfObject, entry: Entry): boolean {
  if (entry.unit.isC) return false;
  const calling = entry.value(At.calling);
  if (calling === PASSED_BY_REFERENCE || calling === PASSED_BY_VALUE) return calling === PASSED_BY_REFERENCE;
  const name = object.name(entry).replace(/<.*$/s, "");
  let needed = false;
  object.forChildren(entry, (child) => {
    if (child.tag === Tag.inheritance || child.tag === Tag.subprogram) {
      needed ||= (child.value(At.virtuality) ?? 0) !== 0;
    }
    if (needed || child.tag !== Tag.subprogram || child.has(At.artificial) || child.has(At.defaulted)) return;
    const own = object.name(child).replace(/<.*$/s, "");
    needed = own === `~${name}` || (own === name && takesItself(object, child, entry));
  });
  return needed;
}

/** Whether the only parameter besides `this` is a reference to the class. */
function takesItself(object: DwarfObject, constructor: Entry, ofClass: Entry): boolean {
  const parameters: Entry[] = [];
  object.forChildren(constructor, (child) => {
    if (child.tag === Tag.parameter && !child.has(At.artificial)) parameters.push(child);
  });
  if (parameters.length !== 1) return false;
  let type = object.reference(parameters[0], At.type);
  if (type?.tag !== Tag.reference && type?.tag !== Tag.rvalueReference) return false;
  type = object.reference(type, At.type);
  if (type?.tag === Tag.const) type = object.reference(type, At.type);
  return type?.start === ofClass.start && type.unit === ofClass.unit;
}
