/*
 * Unwind tables: finds the record of an address, and computes the registers of
 * the caller from it (Linux Standard Base, "Exception Frames"; DWARF 5, 6.4).
 */
#include "crash.h"

/* Encodings of pointers: the form in the low bits, and what it is relative to. */
enum { ABSOLUTE = 0, ULEB = 1, UDATA2 = 2, UDATA4 = 3, UDATA8 = 4, SLEB = 9, SDATA2 = 10, SDATA4 = 11, SDATA8 = 12 };
enum { RELATIVE_TO_PLACE = 0x10, RELATIVE_TO_INDEX = 0x30, OMITTED = 0xff };

static uint64_t uleb(const uint8_t **at) {
  uint64_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
    uint8_t byte = *(*at)++;
    if (shift < 64) value |= (uint64_t)(byte & 0x7f) << shift;
    if (!(byte & 0x80)) return value;
  }
}

static int64_t sleb(const uint8_t **at) {
  uint64_t value = 0;
  unsigned shift = 0;
  uint8_t byte;
  do {
    byte = *(*at)++;
    if (shift < 64) value |= (uint64_t)(byte & 0x7f) << shift;
    shift += 7;
  } while (byte & 0x80);
  if (shift < 64 && (byte & 0x40)) value |= ~0ULL << shift;
  return (int64_t)value;
}

static uint64_t fixed(const uint8_t **at, unsigned size) {
  uint64_t value = 0;
  for (unsigned index = 0; index < size; index++) value |= (uint64_t)(*at)[index] << 8 * index;
  *at += size;
  return value;
}

/* Reads an encoded pointer. `base` is what pointers relative to the index count from. */
static uint64_t pointer(const uint8_t **at, uint8_t encoding, uintptr_t base) {
  uintptr_t place = (uintptr_t)*at;
  uint64_t value = 0;
  switch (encoding & 15) {
    case ABSOLUTE:
    case UDATA8:
    case SDATA8: value = fixed(at, 8); break;
    case ULEB: value = uleb(at); break;
    case SLEB: value = (uint64_t)sleb(at); break;
    case UDATA2: value = fixed(at, 2); break;
    case UDATA4: value = fixed(at, 4); break;
    case SDATA2: value = (uint64_t)(int16_t)fixed(at, 2); break;
    case SDATA4: value = (uint64_t)(int32_t)fixed(at, 4); break;
  }
  if ((encoding & 0x70) == RELATIVE_TO_PLACE) value += place;
  if ((encoding & 0x70) == RELATIVE_TO_INDEX) value += base;
  return value;
}

/* The facts of the common part of records (CIE). */
struct common {
  const uint8_t *program, *end;
  uint64_t code_factor;
  int64_t data_factor;
  uint64_t return_address;
  uint8_t encoding;
  int has_augmentation;
};

/* Reads the common part of records. Returns whether it is one that this file understands. */
static int read_common(const uint8_t *at, struct common *common) {
  uint64_t length = fixed(&at, 4);
  *common = (struct common){.end = at + length, .encoding = ABSOLUTE};
  if (length == 0xffffffff || fixed(&at, 4) != 0) return 0;
  uint8_t version = *at++;
  const char *augmentation = (const char *)at;
  while (*at++) {}
  common->code_factor = uleb(&at);
  common->data_factor = sleb(&at);
  common->return_address = version == 1 ? *at++ : uleb(&at);
  if (augmentation[0] != 'z') {
    common->program = at;
    return augmentation[0] == 0;
  }
  common->has_augmentation = 1;
  uint64_t size = uleb(&at);
  common->program = at + size;
  for (augmentation++; *augmentation; augmentation++) {
    if (*augmentation == 'R') common->encoding = *at++;
    else if (*augmentation == 'L') at++;
    else if (*augmentation == 'P') {
      uint8_t encoding = *at++;
      pointer(&at, encoding, 0);
    } else if (*augmentation != 'S' && *augmentation != 'B') break;
  }
  return 1;
}

/* Reads the record of a function (FDE): its common part, its range and its program. */
static int read_record(const uint8_t *at, struct common *common, uint64_t *start, uint64_t *size,
                       const uint8_t **program, const uint8_t **end) {
  uint64_t length = fixed(&at, 4);
  *end = at + length;
  uintptr_t place = (uintptr_t)at;
  uint64_t distance = fixed(&at, 4);
  if (length == 0xffffffff || distance == 0 || !read_common((const uint8_t *)(place - distance), common)) return 0;
  *start = pointer(&at, common->encoding, 0);
  *size = pointer(&at, common->encoding & 15, 0);
  if (common->has_augmentation) {
    uint64_t skipped = uleb(&at);
    at += skipped;
  }
  *program = at;
  return 1;
}

/* Finds the record of the function with the address inside, in a whole table; null if there is none. */
const uint8_t *smf_find_record(const uint8_t *table, const uint8_t *end, uintptr_t pc) {
  while (end - table > 8) {
    const uint8_t *at = table, *program, *program_end;
    uint64_t length = fixed(&at, 4), start, size;
    if (length == 0 || length > (uint64_t)(end - at)) return 0;
    struct common common;
    if (read_record(table, &common, &start, &size, &program, &program_end) && pc - start < size) return table;
    table = at + length;
  }
  return 0;
}

/* Finds it by the sorted index of a library (.eh_frame_hdr). */
const uint8_t *smf_find_record_by_index(const uint8_t *index, uintptr_t pc) {
  const uint8_t *at = index + 4;
  if (index[0] != 1 || index[2] == OMITTED || index[3] != (RELATIVE_TO_INDEX | SDATA4)) return 0;
  pointer(&at, index[1], (uintptr_t)index);
  uint64_t low = 0, high = pointer(&at, index[2], (uintptr_t)index);
  const int32_t *pairs = (const int32_t *)at;
  int64_t offset = (int64_t)(pc - (uintptr_t)index);
  while (low < high) {
    uint64_t middle = (low + high) / 2;
    if (pairs[2 * middle] <= offset) low = middle + 1;
    else high = middle;
  }
  if (low == 0) return 0;
  const uint8_t *record = index + pairs[2 * low - 1], *program, *end;
  struct common common;
  uint64_t start, size;
  return read_record(record, &common, &start, &size, &program, &end) && pc - start < size ? record : 0;
}

/* Reads which function a record is about. Returns whether it can be understood. */
int smf_record_range(const uint8_t *record, uint64_t *start, uint64_t *size) {
  struct common common;
  const uint8_t *program, *end;
  return read_record(record, &common, start, size, &program, &end);
}

/* Where the caller's value of a register is. */
enum rule { SAME, UNDEFINED, AT_OFFSET, IS_OFFSET, IN_REGISTER, UNKNOWN };

struct row {
  uint8_t rules[REGISTERS + 1];
  int32_t values[REGISTERS + 1];
  uint32_t frame_register;
  int64_t frame_offset;
  int has_expression;
};

/* Depth to which rows are remembered; compilers use 1. */
enum { DEPTH = 4 };

static void set(struct row *row, uint64_t number, enum rule rule, int64_t value) {
  if (number >= REGISTERS) return;
  row->rules[number] = rule;
  row->values[number] = (int32_t)value;
}

/* Runs instructions up to those for the address. Returns 0 for one that is unknown. */
static int run(const uint8_t *at, const uint8_t *end, const struct common *common, uint64_t location, uint64_t pc,
               struct row *row, const struct row *initial) {
  struct row remembered[DEPTH];
  int depth = 0;
  while (at < end && location <= pc) {
    uint8_t code = *at++, low = code & 0x3f;
    uint64_t number;
    switch (code >> 6) {
      case 1: location += low * common->code_factor; continue;
      case 2: set(row, low, AT_OFFSET, (int64_t)uleb(&at) * common->data_factor); continue;
      case 3:
        if (initial && low < REGISTERS) set(row, low, initial->rules[low], initial->values[low]);
        continue;
    }
    switch (code) {
      case 0x00: break; /* nop */
      case 0x01: location = pointer(&at, common->encoding, 0); break;
      case 0x02: location += fixed(&at, 1) * common->code_factor; break;
      case 0x03: location += fixed(&at, 2) * common->code_factor; break;
      case 0x04: location += fixed(&at, 4) * common->code_factor; break;
      case 0x05: number = uleb(&at), set(row, number, AT_OFFSET, (int64_t)uleb(&at) * common->data_factor); break;
      case 0x06:
        number = uleb(&at);
        if (initial && number < REGISTERS) set(row, number, initial->rules[number], initial->values[number]);
        break;
      case 0x07: set(row, uleb(&at), UNDEFINED, 0); break;
      case 0x08: set(row, uleb(&at), SAME, 0); break;
      case 0x09: number = uleb(&at), set(row, number, IN_REGISTER, (int64_t)uleb(&at)); break;
      case 0x0a:
        if (depth == DEPTH) return 0;
        remembered[depth++] = *row;
        break;
      case 0x0b:
        if (depth == 0) return 0;
        *row = remembered[--depth];
        break;
      case 0x0c:
        row->frame_register = (uint32_t)uleb(&at), row->frame_offset = (int64_t)uleb(&at), row->has_expression = 0;
        break;
      case 0x0d: row->frame_register = (uint32_t)uleb(&at), row->has_expression = 0; break;
      case 0x0e: row->frame_offset = (int64_t)uleb(&at); break;
      case 0x0f: number = uleb(&at), at += number, row->has_expression = 1; break;
      case 0x10:
      case 0x16:
        set(row, uleb(&at), UNKNOWN, 0);
        number = uleb(&at), at += number;
        break;
      case 0x11: number = uleb(&at), set(row, number, AT_OFFSET, sleb(&at) * common->data_factor); break;
      case 0x12:
        row->frame_register = (uint32_t)uleb(&at), row->frame_offset = sleb(&at) * common->data_factor;
        row->has_expression = 0;
        break;
      case 0x13: row->frame_offset = sleb(&at) * common->data_factor; break;
      case 0x14: number = uleb(&at), set(row, number, IS_OFFSET, (int64_t)uleb(&at) * common->data_factor); break;
      case 0x15: number = uleb(&at), set(row, number, IS_OFFSET, sleb(&at) * common->data_factor); break;
      case 0x2d: break; /* AArch64: whether the return address is signed, which does not matter to who masks it */
      case 0x2e: uleb(&at); break; /* the size of arguments */
      default: return 0;
    }
  }
  return 1;
}

/*
 * Changes a frame to that of the caller. Returns 0 if the record cannot tell, and
 * −1 if it says that nobody calls the function.
 */
int smf_apply_record(const uint8_t *record, struct frame *frame) {
  struct common common;
  struct row row = {0}, initial;
  uint64_t start, size;
  const uint8_t *program, *end;
  if (!read_record(record, &common, &start, &size, &program, &end)) return 0;
  uintptr_t pc = frame->pc - (frame->is_return ? 1 : 0);
  if (!run(common.program, common.end, &common, 0, UINT64_MAX, &row, 0)) return 0;
  initial = row;
  if (!run(program, end, &common, start, pc, &row, &initial)) return 0;
  if (row.has_expression || row.frame_register >= REGISTERS || common.return_address >= REGISTERS) return 0;
  struct frame caller = *frame;
  uintptr_t base = frame->registers[row.frame_register] + (uintptr_t)row.frame_offset;
  for (int number = 0; number < REGISTERS; number++) {
    uintptr_t at = base + (uintptr_t)(intptr_t)row.values[number];
    switch (row.rules[number]) {
      case AT_OFFSET:
        if (!smf_is_readable_again(at)) return 0;
        caller.registers[number] = *(const uintptr_t *)at;
        break;
      case IS_OFFSET: caller.registers[number] = at; break;
      case IN_REGISTER:
        if (row.values[number] >= REGISTERS) return 0;
        caller.registers[number] = frame->registers[row.values[number]];
        break;
      case UNDEFINED:
        if ((uint64_t)number == common.return_address) return -1;
        break;
      case UNKNOWN:
        if ((uint64_t)number == common.return_address) return 0;
        break;
    }
  }
  caller.registers[STACK_POINTER] = base;
  caller.pc = smf_unsigned(caller.registers[common.return_address]);
  caller.is_return = 1;
  /* A frame that is not above its callee would never end. */
  if (base <= frame->registers[STACK_POINTER] && frame->is_return) return 0;
  *frame = caller;
  return 1;
}
