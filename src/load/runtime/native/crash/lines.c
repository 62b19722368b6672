/*
 * Lines of source: reads the line programs of a module (DWARF 5, 6.2; versions 2
 * to 5) when it has crashed, from its file if that is still the one that was
 * loaded, or from a copy. Addresses in them are offsets in the file's image.
 */
#include "crash.h"

/* A section of debug information, read byte by byte. */
struct reader {
  const uint8_t *memory;
  intptr_t file;
  /* Where the section begins, and how long it is. */
  uint64_t start, size;
  /* The next byte, as an offset in the section. */
  uint64_t at;
  uint64_t window_at;
  uint64_t window_size;
  uint8_t window[4096];
};

/* The sections; only the thread that reports a crash uses them. */
static struct reader readers[3];
static struct reader *const lines = &readers[0];

static uint8_t byte(struct reader *reader) {
  uint64_t at = reader->at++;
  if (at >= reader->size) return 0;
  if (reader->memory) return reader->memory[reader->start + at];
  if (at - reader->window_at >= reader->window_size) {
    long count = smf_read_at(reader->file, reader->window, sizeof reader->window, reader->start + at);
    reader->window_at = at;
    reader->window_size = count > 0 ? (uint64_t)count : 0;
    if (count <= 0) return 0;
  }
  return reader->window[at - reader->window_at];
}

static uint64_t fixed(unsigned size) {
  uint64_t value = 0;
  for (unsigned index = 0; index < size; index++) value |= (uint64_t)byte(lines) << 8 * index;
  return value;
}

static uint64_t uleb(void) {
  uint64_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
    uint8_t next = byte(lines);
    if (shift < 64) value |= (uint64_t)(next & 0x7f) << shift;
    if (!(next & 0x80)) return value;
  }
}

static int64_t sleb(void) {
  uint64_t value = 0;
  unsigned shift = 0;
  uint8_t next;
  do {
    next = byte(lines);
    if (shift < 64) value |= (uint64_t)(next & 0x7f) << shift;
    shift += 7;
  } while (next & 0x80);
  if (shift < 64 && (next & 0x40)) value |= ~0ULL << shift;
  return (int64_t)value;
}

/* Where a text is; null if it is nowhere. */
struct text {
  struct reader *reader;
  uint64_t at;
};

static struct text text_here(void) {
  struct text text = {lines, lines->at};
  while (byte(lines) && lines->at < lines->size) {}
  return text;
}

static int is_empty(struct text text) {
  if (!text.reader) return 1;
  text.reader->at = text.at;
  return byte(text.reader) == 0;
}

/* Appends a text to a path, as far as there is room. */
static void append(struct source *source, struct text text) {
  if (!text.reader) return;
  uint64_t before = lines->at;
  text.reader->at = text.at;
  for (char next; source->size < sizeof source->path && (next = (char)byte(text.reader));) {
    source->path[source->size++] = next;
  }
  lines->at = before;
}

/* The forms of the tables of version 5. */
enum {
  DATA2 = 5,
  DATA4 = 6,
  DATA8 = 7,
  STRING = 8,
  BLOCK = 9,
  DATA1 = 0x0b,
  STRP = 0x0e,
  UDATA = 0x0f,
  DATA16 = 0x1e,
  LINE_STRP = 0x1f,
};

/* Reads a value of a form. Returns 0 for one that is unknown. */
static int value_of(uint64_t form, struct text *text, uint64_t *number) {
  switch (form) {
    case STRING: *text = text_here(); return 1;
    case LINE_STRP: *text = (struct text){&readers[1], fixed(4)}; return 1;
    case STRP: *text = (struct text){&readers[2], fixed(4)}; return 1;
    case UDATA: *number = uleb(); return 1;
    case DATA1: *number = fixed(1); return 1;
    case DATA2: *number = fixed(2); return 1;
    case DATA4: *number = fixed(4); return 1;
    case DATA8: *number = fixed(8); return 1;
    case DATA16: lines->at += 16; return 1;
    case BLOCK: {
      uint64_t size = uleb();
      if (size > lines->size) return 0;
      lines->at += size;
      return 1;
    }
  }
  return 0;
}

struct entry {
  struct text path;
  uint64_t folder;
};

/* Reads a table of version 5, of folders or files. Fills in the entry of that number. Returns 0 if it cannot be read. */
static int read_table(uint64_t wanted, struct entry *entry, struct text *first_path) {
  uint64_t formats[16][2], format_count = byte(lines);
  if (format_count > 16) return 0;
  for (uint64_t index = 0; index < format_count; index++) {
    formats[index][0] = uleb();
    formats[index][1] = uleb();
  }
  uint64_t count = uleb();
  if (format_count == 0 && count > 0) return 0;
  for (uint64_t number = 0; number < count && lines->at < lines->size; number++) {
    struct entry each = {{0, 0}, 0};
    for (uint64_t index = 0; index < format_count; index++) {
      struct text text = {0, 0};
      uint64_t value = 0;
      if (!value_of(formats[index][1], &text, &value)) return 0;
      if (formats[index][0] == 1) each.path = text;
      if (formats[index][0] == 2) each.folder = value;
    }
    if (number == wanted) *entry = each;
    if (number == 0) *first_path = each.path;
  }
  return 1;
}

static int is_absolute(struct text text) {
  if (!text.reader) return 0;
  text.reader->at = text.at;
  return byte(text.reader) == '/';
}

/* Writes a path of its parts: each counts from the one before unless it is absolute. */
static void join(struct source *source, const struct text parts[3]) {
  source->size = 0;
  for (int index = 0; index < 3; index++) {
    if (is_empty(parts[index])) continue;
    if (is_absolute(parts[index])) source->size = 0;
    if (source->size > 0 && source->size < sizeof source->path) source->path[source->size++] = '/';
    append(source, parts[index]);
  }
}

/* Finds the path of a file in the tables at an offset. Returns whether it is there. */
static int path_of(uint64_t tables, int version, uint64_t file, struct source *source) {
  struct entry found = {{0, 0}, 0}, folder = {{0, 0}, 0};
  struct text compiled_in = {0, 0}, unused;
  lines->at = tables;
  if (version == 5) {
    if (!read_table(0, &folder, &compiled_in) || !read_table(file, &found, &unused)) return 0;
    lines->at = tables;
    if (!read_table(found.folder, &folder, &unused)) return 0;
    if (found.folder == 0) folder.path.reader = 0;
  } else {
    while (!is_empty((struct text){lines, lines->at}) && lines->at < lines->size) {
      lines->at--;
      text_here();
    }
    for (uint64_t number = 1; lines->at < lines->size; number++) {
      uint64_t start = lines->at;
      struct text path = text_here();
      if (lines->at == start + 1) break;
      uint64_t in = uleb();
      uleb();
      uleb();
      if (number == file) found = (struct entry){path, in};
    }
    lines->at = tables;
    for (uint64_t number = 1; number <= found.folder && lines->at < lines->size; number++) folder.path = text_here();
  }
  if (!found.path.reader) return 0;
  join(source, (const struct text[3]){compiled_in, folder.path, found.path});
  return source->size > 0;
}

/* A place in a source, as a row of a line program says it. */
struct row {
  uint64_t address, file, line;
};

/* Runs the program of a unit up to its end. Returns whether a row is for the offset in the image. */
static int run_unit(uint64_t end, uint64_t offset, uint64_t minimum, int64_t line_base, uint64_t line_range,
                    uint64_t opcode_base, const uint8_t *operands, struct row *found) {
  const struct row fresh = {0, 1, 1};
  struct row row = fresh, before = fresh;
  int has_before = 0;
  while (lines->at < end) {
    uint64_t code = byte(lines), is_row = 0, is_end = 0;
    if (code >= opcode_base) {
      code -= opcode_base;
      row.address += code / line_range * minimum;
      row.line += (uint64_t)(line_base + (int64_t)(code % line_range));
      is_row = 1;
    } else if (code == 0) {
      uint64_t size = uleb(), next = lines->at + size;
      if (size > lines->size) return 0;
      uint8_t extended = size ? byte(lines) : 0;
      if (extended == 1) is_row = is_end = 1;
      else if (extended == 2) row.address = fixed(size - 1 > 8 ? 8 : (unsigned)(size - 1));
      lines->at = next;
    } else if (code == 1) is_row = 1;
    else if (code == 2) row.address += uleb() * minimum;
    else if (code == 3) row.line += (uint64_t)sleb();
    else if (code == 4) row.file = uleb();
    else if (code == 8) row.address += (255 - opcode_base) / line_range * minimum;
    else if (code == 9) row.address += fixed(2);
    else
      for (uint8_t count = operands[code]; count > 0; count--) uleb();
    if (!is_row) continue;
    if (has_before && before.address <= offset && offset < row.address) {
      *found = before;
      return 1;
    }
    before = row;
    has_before = !is_end;
    if (is_end) row = fresh;
  }
  return 0;
}

/* Runs the line programs of all units until one has a row for the offset in the image. */
static int find_row(uint64_t offset, struct source *source) {
  uint8_t operands[256];
  for (uint64_t unit = 0; unit + 16 < lines->size;) {
    lines->at = unit;
    uint64_t length = fixed(4), end = lines->at + length;
    if (length >= 0xfffffff0 || end > lines->size) return 0;
    int version = (int)fixed(2);
    if (version == 5) lines->at += 2;
    uint64_t header_size = fixed(4), program = lines->at + header_size;
    uint64_t minimum = byte(lines);
    if (version >= 4) byte(lines);
    byte(lines);
    int64_t line_base = (int8_t)byte(lines);
    uint64_t line_range = byte(lines), opcode_base = byte(lines);
    for (uint64_t code = 1; code < opcode_base; code++) operands[code] = byte(lines);
    uint64_t tables = lines->at;
    unit = end;
    if (version < 2 || version > 5 || !line_range || !opcode_base) continue;
    struct row row;
    lines->at = program;
    if (!run_unit(end, offset, minimum, line_base, line_range, opcode_base, operands, &row)) continue;
    source->line = row.line;
    return row.line > 0 && path_of(tables, version, row.file, source);
  }
  return 0;
}

/* Finds the place in the source of an address in a module. Returns whether the debug information says it. */
int smf_source_at(const struct module *module, uintptr_t address, struct source *source) {
  const struct facts *facts = &module->facts;
  uint64_t offset;
  if (!facts->debug[0].size || !smf_offset_of(module, address, &offset)) return 0;
  intptr_t file = module->debug ? -1 : smf_open_unchanged(module);
  if (!module->debug && file < 0) return 0;
  for (int index = 0; index < 3; index++) {
    struct reader *reader = &readers[index];
    reader->memory = module->debug;
    reader->file = file;
    reader->start = facts->debug[index].start;
    reader->size = facts->debug[index].size;
    reader->at = reader->window_at = reader->window_size = 0;
  }
  int found = find_row(offset, source);
  if (file >= 0) smf_close(file);
  return found;
}
