/* The text of a report on its way to standard error: words, names and numbers. */
#include "crash.h"

static char text[4096];
static size_t length;
/* The buffer that gets the text in place of standard error, its size, and what is in it; null if there is none. */
static char *into;
static size_t room, said;

/* Writes to a buffer from now on, as much as it has room for. */
void smf_say_into(char *buffer, size_t size) {
  into = buffer;
  room = size;
  said = 0;
}

/* Writes to standard error again. Returns how many bytes are in the buffer. */
size_t smf_said(void) {
  into = 0;
  return said;
}

/* Writes what there is so far. */
void smf_flush(void) {
  smf_write(text, length);
  length = 0;
}

void smf_put(char byte) {
  if (into) {
    if (said < room) into[said++] = byte;
    return;
  }
  if (length == sizeof text) smf_flush();
  text[length++] = byte;
}

void smf_say(const char *words) {
  while (*words) smf_put(*words++);
}

/* Names come from files, which must not send commands to a terminal. */
void smf_say_name(const char *name, size_t size) {
  for (size_t index = 0; index < size; index++) {
    unsigned char byte = (unsigned char)name[index], next = index + 1 < size ? (unsigned char)name[index + 1] : 0;
    int is_control = byte < 0x20 || byte == 0x7f || (byte == 0xc2 && next >= 0x80 && next < 0xa0);
    smf_put(is_control ? '?' : (char)byte);
    if (is_control && byte == 0xc2) index++;
  }
}

void smf_say_hex(uintptr_t value) {
  int shift = 60;
  while (shift > 0 && !(value >> shift)) shift -= 4;
  smf_say("0x");
  for (; shift >= 0; shift -= 4) smf_put("0123456789abcdef"[(value >> shift) & 15]);
}

void smf_say_number(uint64_t value) {
  char digits[20];
  int count = 0;
  do digits[count++] = (char)('0' + value % 10);
  while (value /= 10);
  while (count) smf_put(digits[--count]);
}

const char *smf_base_name(const char *path) {
  const char *name = path;
  for (; *path; path++) {
    if (*path == '/') name = path + 1;
  }
  return name;
}

size_t smf_size_of(const char *words) {
  size_t size = 0;
  while (words[size]) size++;
  return size;
}

